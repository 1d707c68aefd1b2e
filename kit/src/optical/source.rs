//! Where frames are read: a folder of pictures, a picture, an animation, a page with one, or lines, as a
//! scanner prints them.

use super::target::pictures;
use crate::files;
use crate::progress::Progress;
use crate::terminal::talk;
use anyhow::{Context, Result, bail};
use coldlog_optical::animation::{self, MAX_ANIMATION};
use coldlog_optical::frame::{Kind, MAX_LINE};
use coldlog_optical::gathering::{GatherError, Gathering, Taken};
use coldlog_optical::page;
use coldlog_optical::picture::{self, Grey, MAX_PICTURE, PictureError};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// The most pictures of a folder that are read.
const MAX_PICTURES: usize = 10_000;

/// The most lines that are read: a scanner that runs for hours.
const MAX_LINES: usize = 1_000_000;

/// What zbarcam and zbarimg put before each line without --raw.
const SCANNER: &str = "QR-Code:";

/// Reads codes until they give a file of the kind that is wanted.
pub(super) fn read(source: &Path, kind: Kind) -> Result<Vec<u8>> {
    let mut reading = Reading { gathering: Gathering::of(kind), bar: None, again: 0 };
    let read = reading.source(source);
    // What was read first may be enough, whatever is wrong behind it.
    match (reading.finish(), read) {
        (Ok(file), Ok(())) => Ok(file),
        (_, Err(why)) => Err(why),
        (Err(why), Ok(())) => Err(why.into()),
    }
}

struct Reading {
    gathering: Gathering,
    bar: Option<Progress>,
    again: u64,
}

impl Reading {
    fn source(&mut self, source: &Path) -> Result<()> {
        if source.as_os_str() == "-" {
            return self.lines(std::io::stdin().lock());
        }
        if source.is_dir() {
            return self.folder(source);
        }
        let mut start = [0; 6];
        let mut file = files::open(source)?;
        let length = read_start(&mut file, &mut start)
            .with_context(|| format!("reading {}", source.display()))?;
        let start = &start[..length];
        if picture::is_png(start) || start == b"\x89PNG\r\n" {
            self.picture(source)?;
            return Ok(());
        }
        if animation::is_gif(start) {
            return self.animation(&files::read(source, MAX_ANIMATION)?);
        }
        if start.starts_with(b"<") {
            let bytes = files::read(source, MAX_ANIMATION * 2)?;
            let animation = page::from_html(&String::from_utf8_lossy(&bytes));
            let animation = animation
                .with_context(|| format!("{} is a page without an animation", source.display()))?;
            return self.animation(&animation);
        }
        self.lines(BufReader::new(files::open(source)?))
    }

    fn folder(&mut self, folder: &Path) -> Result<()> {
        let found = pictures(folder)?;
        if found.is_empty() {
            bail!("{} holds no .png", folder.display());
        }
        if found.len() > MAX_PICTURES {
            let count = found.len();
            bail!("{} holds {count} pictures; at most {MAX_PICTURES} are read", folder.display());
        }
        for path in found {
            if self.picture(&path)? {
                break;
            }
        }
        Ok(())
    }

    // Whether all is there.
    fn picture(&mut self, path: &Path) -> Result<bool> {
        let bytes = files::read(path, MAX_PICTURE)?;
        match picture::from_png(&bytes) {
            Ok(picture) => Ok(self.codes(&picture)?),
            Err(why) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                self.gathering.ignore(&format!("{name}: {why}"));
                Ok(false)
            }
        }
    }

    fn animation(&mut self, bytes: &[u8]) -> Result<()> {
        let read = animation::pictures::<Stop>(bytes, |picture| Ok(!self.codes(picture)?));
        match read {
            Ok(()) => Ok(()),
            Err(Stop::Gather(why)) => Err(why.into()),
            // An animation that breaks off is as good as the codes before.
            Err(Stop::Picture(why)) => {
                self.gathering.ignore(&why);
                Ok(())
            }
        }
    }

    fn codes(&mut self, picture: &Grey) -> Result<bool, GatherError> {
        let lines = match picture::lines(picture) {
            Ok(lines) => lines,
            Err(why) => {
                self.gathering.ignore(&why);
                return Ok(false);
            }
        };
        for line in lines {
            if self.line(&line)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn lines(&mut self, mut source: impl BufRead) -> Result<()> {
        let mut line = Vec::new();
        for _ in 0..MAX_LINES {
            line.clear();
            let most = (MAX_LINE + SCANNER.len() + 2) as u64;
            let read = source.by_ref().take(most).read_until(b'\n', &mut line);
            if read.context("reading lines")? == 0 {
                return Ok(());
            }
            // The rest of a line that is too long is a line that is no frame.
            let text = String::from_utf8_lossy(&line);
            let text = text.trim();
            if !text.is_empty() && self.line(text.strip_prefix(SCANNER).unwrap_or(text))? {
                return Ok(());
            }
        }
        bail!("more than {MAX_LINES} lines were read: stop the scanner, and start anew")
    }

    // Whether all is there.
    fn line(&mut self, line: &str) -> Result<bool, GatherError> {
        match self.gathering.take(line)? {
            Taken::Whole => return Ok(true),
            Taken::Again => self.again += 1,
            Taken::Ignored => {}
            Taken::New => {
                let pieces = self.gathering.head().map(|head| u64::from(head.pieces()));
                self.bar.get_or_insert_with(|| Progress::new("reading QR codes", pieces)).add(1);
            }
        }
        Ok(false)
    }

    fn finish(&mut self) -> Result<Vec<u8>, GatherError> {
        self.bar = None;
        let file = self.gathering.finish()?;
        if let Some(head) = self.gathering.head() {
            talk(format!(
                "transfer {} is whole: {}, {} bytes, from {} codes; {} came again, {} could not be used",
                head.transfer,
                head.kind,
                file.len(),
                self.gathering.have(),
                self.again,
                self.gathering.unreadable()
            ));
        }
        Ok(file)
    }
}

enum Stop {
    Gather(GatherError),
    Picture(PictureError),
}

impl From<GatherError> for Stop {
    fn from(why: GatherError) -> Stop {
        Stop::Gather(why)
    }
}

impl From<PictureError> for Stop {
    fn from(why: PictureError) -> Stop {
        Stop::Picture(why)
    }
}

fn read_start(file: &mut impl Read, start: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < start.len() {
        match file.read(&mut start[length..])? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}
