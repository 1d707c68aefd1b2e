//! Other people's programs that read our files. One that is missing fails the test.

use coldlog_report::Files;
use std::path::Path;
use std::process::Command;

/// A folder with both files of a report.
pub struct Folder(tempfile::TempDir);

/// A word on a page, in points from the upper left corner.
#[derive(Debug)]
pub struct Word {
    pub text: String,
    pub left: f64,
    pub right: f64,
    pub bottom: f64,
}

/// A picture, three bytes a pixel.
pub struct Picture {
    width: usize,
    pixels: Vec<[u8; 3]>,
}

impl Folder {
    pub fn with(files: &Files) -> Folder {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("report.html"), &files.html).unwrap();
        std::fs::write(folder.path().join("report.pdf"), &files.pdf).unwrap();
        Folder(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs a program that must succeed; returns what it prints.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let package = if program == "chromium" { "chromium" } else { "poppler-utils" };
        let output = Command::new(program).args(arguments).current_dir(self.path()).output();
        let output = output.unwrap_or_else(|why| {
            panic!("{program} does not run ({why}); on Debian: apt-get install {package}")
        });
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {errors}");
        // Chromium always says something; `pdfinfo` of poppler 22 knows neither of two attributes of PDF 1.7.
        let known = ["Suspects object is wrong type", "BorderColor value is of wrong type"];
        let is_news = |line: &&str| !known.iter().any(|known| line.contains(known));
        if program != "chromium" {
            assert_eq!(errors.lines().find(is_news), None, "{program} {arguments:?} complains");
        }
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a screen reader gets: the text of the structure tree, but for the contents.
    pub fn text_of_pdf(&self) -> String {
        let structure = self.run("pdfinfo", &["-struct-text", "report.pdf"]);
        let mut text = String::new();
        // The contents are no part of the page's main text, nor are the points before a list's items.
        let mut left_out = None;
        for line in structure.lines() {
            let depth = line.len() - line.trim_start().len();
            let line = line.trim_start();
            if left_out.is_some_and(|at| depth <= at) {
                left_out = None;
            }
            if (line.starts_with("TOC") || line.starts_with("Lbl")) && left_out.is_none() {
                left_out = Some(depth);
            }
            // Strings are in quotation marks; the rest are tags.
            let string = line.strip_prefix('"').and_then(|line| line.strip_suffix('"'));
            if let (Some(string), None) = (string, left_out) {
                text += string;
            }
        }
        after_the_subtitle(&squeezed(&text))
    }

    /// What is printed on the pages, in about this order: quick also where there are many, which poppler's view
    /// of the structure is not.
    pub fn print_of_pdf(&self) -> String {
        squeezed(&self.run("pdftotext", &["report.pdf", "-"]))
    }

    /// The page after a browser read it.
    pub fn dom(&self) -> String {
        self.chromium(&["--dump-dom"])
    }

    /// The text of the page's main part.
    pub fn text_of_page(&self) -> String {
        let dom = self.dom();
        let main = &dom[dom.find("<main").unwrap()..dom.find("</main>").unwrap()];
        let mut text = String::new();
        let mut rest = main;
        while let Some(at) = rest.find('<') {
            text += &rest[..at];
            rest = &rest[at..];
            // What is told to those who do not see a plot is no text of the page.
            for (begin, end) in [("<title", "</title>"), ("<desc", "</desc>")] {
                if rest.starts_with(begin) {
                    rest = &rest[rest.find(end).unwrap()..];
                }
            }
            rest = &rest[rest.find('>').unwrap() + 1..];
        }
        let named = [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&amp;", "&")];
        for (name, letter) in named {
            text = text.replace(name, letter);
        }
        squeezed(&text)
    }

    fn chromium(&self, arguments: &[&str]) -> String {
        let profile = format!("--user-data-dir={}", self.path().join("profile").display());
        let page = format!("file://{}", self.path().join("report.html").display());
        let mut all = vec!["--headless", "--no-sandbox", "--disable-gpu", &profile];
        all.extend(arguments);
        all.push(&page);
        self.run("chromium", &all)
    }

    /// The upper part of the page as a browser shows it.
    pub fn screenshot(&self, dark: bool) -> Picture {
        let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(!dark));
        let window = ["--window-size=1000,1400", "--hide-scrollbars", "--screenshot=page.png"];
        self.chromium(&[window[0], window[1], &scheme, window[2]]);
        let file = std::fs::File::open(self.path().join("page.png")).unwrap();
        let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        let pixels = bytes.chunks(info.color_type.samples()).map(|p| [p[0], p[1], p[2]]);
        Picture { width: info.width as usize, pixels: pixels.collect() }
    }

    /// The words of each page.
    pub fn words(&self) -> Vec<Vec<Word>> {
        let text = self.run("pdftotext", &["-bbox", "report.pdf", "-"]);
        let mut pages = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.starts_with("<page ") {
                pages.push(Vec::new());
            }
            let Some(word) = line.strip_prefix("<word ") else { continue };
            let number = |name: &str| -> f64 {
                let rest = &word[word.find(name).unwrap() + name.len() + 2..];
                rest[..rest.find('"').unwrap()].parse().unwrap()
            };
            let text = &word[word.find('>').unwrap() + 1..word.rfind("</word>").unwrap()];
            pages.last_mut().unwrap().push(Word {
                text: text.into(),
                left: number("xMin"),
                right: number("xMax"),
                bottom: number("yMax"),
            });
        }
        pages
    }

    /// The pages as a printer prints them, coarsely.
    pub fn pages(&self) -> Vec<Picture> {
        self.run("pdftoppm", &["-r", "36", "report.pdf", "page"]);
        let mut names: Vec<_> = std::fs::read_dir(self.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "ppm"))
            .collect();
        names.sort();
        names.iter().map(|path| Picture::from_ppm(&std::fs::read(path).unwrap())).collect()
    }
}

impl Picture {
    // P6, width, height, 255, each with a white space behind it; then the pixels.
    fn from_ppm(bytes: &[u8]) -> Picture {
        let mut at = 0;
        let mut words = Vec::new();
        while words.len() < 4 {
            let end = at + bytes[at..].iter().position(u8::is_ascii_whitespace).unwrap();
            words.push(std::str::from_utf8(&bytes[at..end]).unwrap());
            at = end + 1;
        }
        assert_eq!((words[0], words[3]), ("P6", "255"));
        let pixels = bytes[at..].chunks_exact(3).map(|p| [p[0], p[1], p[2]]);
        Picture { width: words[1].parse().unwrap(), pixels: pixels.collect() }
    }

    fn is_ink(pixel: &[u8; 3]) -> bool {
        pixel.iter().any(|part| *part < 200)
    }

    /// The share of the picture that is not paper.
    pub fn ink(&self) -> f64 {
        let ink = self.pixels.iter().filter(|pixel| Picture::is_ink(pixel)).count();
        ink as f64 / self.pixels.len() as f64
    }

    /// The pixels of ink in the margins at both sides, each such a share of the width.
    pub fn ink_beyond(&self, margin: f64) -> usize {
        let margin = (self.width as f64 * margin) as usize;
        let rows = self.pixels.chunks(self.width);
        rows.flat_map(|row| row[..margin].iter().chain(&row[self.width - margin..]))
            .filter(|pixel| Picture::is_ink(pixel))
            .count()
    }

    /// The share of the picture that has a colour.
    pub fn share(&self, colour: [u8; 3]) -> f64 {
        let alike = self.pixels.iter().filter(|pixel| **pixel == colour).count();
        alike as f64 / self.pixels.len() as f64
    }
}

/// Without any white space: where lines end is for each file to decide.
pub fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

// Title and subtitle are in the page's header: the text proper begins with the first section.
fn after_the_subtitle(text: &str) -> String {
    let begin = ["Somenameshaveletters", "1.Inshort"].iter().filter_map(|one| text.find(one)).min();
    text[begin.unwrap_or_else(|| panic!("no first section: {text}"))..].into()
}

/// Two long texts, and where they part.
pub fn assert_same(pdf: &str, page: &str) {
    let same = pdf.chars().zip(page.chars()).take_while(|(a, b)| a == b).count();
    let part =
        |text: &str| text.chars().skip(same.saturating_sub(80)).take(160).collect::<String>();
    assert!(pdf == page, "they part at {same}:\nPDF:  {}\npage: {}", part(pdf), part(page));
}
