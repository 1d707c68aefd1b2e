//! The two files as other programs see them: poppler reads the PDF, a browser the page.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, missing_docs, unreachable_pub)]

mod sample;
mod tools;

use coldlog_report::content::{self, Block};
use coldlog_report::{Report, render};
use tools::{Folder, squeezed};

/// What a screen reader gets of the PDF, and what is on the page in the browser, without white space.
fn both_texts(report: &Report) -> (String, String) {
    let files = render(report).unwrap();
    let folder = Folder::with(&files);
    (folder.text_of_pdf(), folder.text_of_page())
}

#[test]
fn both_files_say_the_same_in_the_same_order() {
    for report in [sample::quarter(), Report::default(), sample::with_findings(12)] {
        let (pdf, page) = both_texts(&report);
        tools::assert_same(&pdf, &page);
        let content = content::of(&report);
        let mut rest = page.as_str();
        content::each_text(&content.blocks, &mut |text| {
            let wanted = squeezed(text);
            let place = rest.find(&wanted).unwrap_or_else(|| panic!("{text:?} is missing: {rest}"));
            assert!(place == 0, "between the blocks stands {:?}", &rest[..place]);
            rest = &rest[place + wanted.len()..];
        });
        assert_eq!(rest, "");
    }
}

#[test]
fn the_pdf_is_tagged_has_its_fonts_and_is_the_same_each_time() {
    let report = sample::quarter();
    let files = render(&report).unwrap();
    assert_eq!(render(&report).unwrap(), files, "the same model, the same bytes");
    let mut later = report.clone();
    later.made += 1;
    assert_ne!(render(&later).unwrap().pdf, files.pdf);

    let folder = Folder::with(&files);
    let info = folder.run("pdfinfo", &["-isodates", "report.pdf"]);
    for wanted in [
        "Title: Audit of the signing log",
        "Author: Zoë Łukasiewicz, internal audit",
        "Creator: Coldlog ",
        "CreationDate: 2026-10-06T12:00:00Z",
        "Tagged: yes",
        "JavaScript: no",
        "(A4)",
    ] {
        let info: String = info.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(info.contains(wanted), "{wanted}: {info}");
    }
    let raw = String::from_utf8_lossy(&files.pdf);
    assert!(raw.contains("<pdfuaid:part>1<") && raw.contains("<pdfaid:part>2<"), "UA-1, A-2a");
    assert!(raw.contains("/Lang(en"), "its language");

    let fonts = folder.run("pdffonts", &["report.pdf"]);
    let fonts: Vec<&str> = fonts.lines().skip(2).collect();
    assert!(fonts.len() >= 3, "{fonts:?}");
    for font in fonts {
        let words: Vec<&str> = font.split_whitespace().collect();
        // ... emb sub uni object ID
        let [.., embedded, subset, unicode, _, _] = words[..] else { panic!("{font}") };
        assert_eq!((embedded, subset, unicode), ("yes", "yes", "yes"), "{font}");
        assert_eq!(words[0].find('+'), Some(6), "a part of a font has a name of its own: {font}");
    }
}

#[test]
fn the_tags_are_those_of_the_blocks() {
    let report = sample::quarter();
    let files = render(&report).unwrap();
    let structure = Folder::with(&files).run("pdfinfo", &["-struct-text", "report.pdf"]);
    let content = content::of(&report);
    let blocks = |is: fn(&Block) -> bool| content.blocks.iter().filter(|one| is(one)).count();
    let tags =
        |name: &str| structure.lines().filter(|line| line.trim_start().starts_with(name)).count();
    assert_eq!(tags("H1"), blocks(|one| matches!(one, Block::Heading { level: 1, .. })));
    assert_eq!(tags("H2"), blocks(|one| matches!(one, Block::Heading { level: 2, .. })));
    assert_eq!(tags("Table"), blocks(|one| matches!(one, Block::Table(_))));
    assert_eq!(tags("Figure"), blocks(|one| matches!(one, Block::Plot(_))));
    assert_eq!(tags("L "), blocks(|one| matches!(one, Block::List(_))));
    let plots = content.blocks.iter().filter_map(|one| match one {
        Block::Plot(plot) => Some(plot),
        _ => None,
    });
    let whole = String::from_utf8_lossy(&files.pdf);
    assert!(whole.contains("/Alt"), "plots have alternative texts");
    assert_eq!(plots.count(), 5);
    let columns: usize = content
        .blocks
        .iter()
        .map(|one| if let Block::Table(table) = one { table.columns.len() } else { 0 })
        .sum();
    assert_eq!(tags("TH "), columns, "headers are told once, however many pages repeat them");
}

#[test]
fn each_page_has_ink_a_foot_and_nothing_beyond_its_margins() {
    let reports =
        [sample::quarter(), Report::default(), sample::hostile(), sample::with_findings(200)];
    for report in reports {
        let folder = Folder::with(&render(&report).unwrap());
        let words = folder.words();
        let pages = folder.pages();
        assert_eq!(words.len(), pages.len(), "as many pages in both views");
        for (number, (page, words)) in pages.iter().zip(&words).enumerate() {
            let number = number + 1;
            let foot: Vec<&str> =
                words.iter().rev().take(4).rev().map(|w| w.text.as_str()).collect();
            assert!(
                foot.join(" ").contains(&format!("{number} of {}", pages.len())),
                "page {number}: {foot:?}"
            );
            assert!(words.len() > 20, "page {number} is empty");
            for word in words {
                let inside = word.left >= 55.0 && word.right <= 541.0 && word.bottom < 830.0;
                assert!(inside, "page {number}: {word:?} is beyond the margin");
            }
            assert!(page.ink() > 0.002, "page {number} has no ink");
            assert_eq!(page.ink_beyond(0.09), 0, "page {number} has ink beyond its margins");
        }
    }
}

#[test]
fn headings_do_not_end_a_page_and_headers_are_repeated() {
    let report = sample::with_findings(200);
    let folder = Folder::with(&render(&report).unwrap());
    let words = folder.words();
    let headings: Vec<String> = content::of(&report)
        .blocks
        .iter()
        .filter_map(|one| match one {
            Block::Heading { text, .. } => Some(squeezed(text)),
            _ => None,
        })
        .collect();
    let mut repeated = 0;
    for page in &words {
        // What is above the foot of the page.
        let body: Vec<_> = page.iter().filter(|word| word.bottom < 780.0).collect();
        let text: String = body.iter().map(|word| word.text.as_str()).collect();
        for heading in &headings {
            assert!(!text.ends_with(heading), "a heading ends a page: {heading}");
        }
        repeated += usize::from(text.starts_with("FindingWhere,expected,foundState"));
    }
    assert!(repeated > 5, "the header of the findings is on each of their pages: {repeated}");
}

#[test]
fn hostile_names_are_shown_and_do_nothing() {
    let report = sample::hostile();
    let files = render(&report).unwrap();
    let folder = Folder::with(&files);
    let dom = folder.dom();
    for tag in ["<script", "<img", "<iframe", "<object", "<link", "<b>"] {
        assert!(!dom.contains(tag), "{tag}");
    }
    let tags = dom.split('<').skip(1).map(|tag| tag.split('>').next().unwrap_or_default());
    for tag in tags {
        assert!(!tag.contains("onload=") && !tag.contains("onerror="), "{tag}");
        assert!(!tag.contains("onmouseover=") || tag.starts_with("meta name=\"author\""), "{tag}");
        assert!(!tag.contains(" style="), "{tag}");
    }
    let pdf = folder.print_of_pdf();
    for hidden in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{1b}', '\u{0}', '\u{e0041}'] {
        assert!(!files.html.contains(hidden), "{hidden:?}");
        assert!(!pdf.contains(hidden), "{hidden:?}");
    }
    let page = folder.text_of_page();
    assert!(page.contains("<script>alert(1)</script>"), "it is shown");
    assert!(page.contains("#eval(\"1\")*strong*$x^2$`raw`@ref<label>//comment/*"));
    assert!(page.contains("\\u{202e}txt.exe") && page.contains("中文文件名.pdf"));
    assert!(pdf.contains("#eval(\"1\")*strong*$x^2$`raw`@ref<label>//comment/*"), "{pdf}");
    assert!(pdf.contains("\\u{4e2d}\\u{6587}") && pdf.contains("<script>alert(1)</script>"));
    assert!(page.contains("fontsofthePDFlack"), "and both say so");
}

#[test]
fn what_is_over_a_limit_is_said() {
    let report = sample::with_findings(5_000);
    let files = render(&report).unwrap();
    let folder = Folder::with(&files);
    let (pdf, page) = (folder.print_of_pdf(), folder.text_of_page());
    for text in [&pdf, &page] {
        assert!(text.contains("4,000findingsarenotlistedhere,onlycountedabove"));
        assert!(text.contains("Theregisteroffindingshasall5,000"));
    }
    assert_eq!(page.matches("F-").count(), 1_000);
    assert_eq!(pdf.matches("F-").count(), 1_000);
    assert!(files.html.len() < 4 << 20 && files.pdf.len() < 8 << 20, "bounded");
    assert_eq!(folder.words().len(), folder.pages().len());
}

#[test]
fn the_page_loads_nothing_and_its_style_is_let_in_by_its_hash() {
    let files = render(&sample::quarter()).unwrap();
    let html = &files.html;
    assert!(html.contains("content=\"default-src 'none'; style-src 'sha256-"));
    for word in ["http-equiv=\"refresh\"", "src=", "url(", "@import", "<script", " style="] {
        assert!(!html.contains(word), "{word}");
    }
    for landmark in ["<header>", "<nav ", "<main ", "<footer>", "lang=\"en\""] {
        assert_eq!(html.matches(landmark).count(), 1, "{landmark}");
    }
    assert!(html.contains("<th scope=\"col\"") && html.contains("<th scope=\"row\""));
    assert_eq!(html.matches("<svg ").count(), html.matches("<desc ").count());
    // Were the style refused, nothing would stand where it stands: the accent would be missing.
    for dark in [false, true] {
        let picture = Folder::with(&files).screenshot(dark);
        let (paper, accent) =
            if dark { ([22, 24, 27], [143, 189, 240]) } else { ([255; 3], [31, 79, 130]) };
        assert!(picture.share(paper) > 0.5, "dark {dark}: the paper");
        assert!(picture.share(accent) > 0.000_1, "dark {dark}: the style was let in");
    }
}
