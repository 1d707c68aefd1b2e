//! Where QR codes go when they are files: pictures, an animation, a page, or lines.

use super::Shown;
use crate::files::{self, Existing, Mode};
use crate::terminal::say;
use anyhow::{Context, Result, bail};
use coldlog_optical::{animation, page, picture};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Pixels of a module.
const SCALE: usize = 4;

/// Where codes are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// This window.
    Terminal,
    /// An animated GIF.
    Animation(PathBuf),
    /// A page with the animation.
    Page(PathBuf),
    /// A line for each code.
    Lines(PathBuf),
    /// A folder with a PNG of each code.
    Folder(PathBuf),
}

impl FromStr for Target {
    type Err = String;
    fn from_str(text: &str) -> Result<Target, String> {
        let path = PathBuf::from(text);
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        match (text, extension.to_ascii_lowercase().as_str()) {
            ("", _) => Err("it is empty".into()),
            ("terminal", _) => Ok(Target::Terminal),
            (_, "gif") => Ok(Target::Animation(path)),
            (_, "html" | "htm") => Ok(Target::Page(path)),
            (_, "txt") => Ok(Target::Lines(path)),
            (_, "png" | "jpg" | "jpeg" | "svg" | "pdf" | "mp4" | "webp" | "cbor") => Err(
                "it looks like a file: a folder gets a PNG of each code, NAME.gif an animation, NAME.html a page, NAME.txt lines, and \"terminal\" this window".into(),
            ),
            _ => Ok(Target::Folder(path)),
        }
    }
}

impl Target {
    /// Refuses a place that is taken, before there is work.
    pub(super) fn refuse_taken(&self, existing: Existing) -> Result<()> {
        match self {
            Target::Terminal => Ok(()),
            Target::Animation(path) | Target::Page(path) | Target::Lines(path) => {
                if existing == Existing::Keep && files::is_there(path)? {
                    bail!("{} exists already; choose another name, or say --force", path.display());
                }
                Ok(())
            }
            Target::Folder(folder) => {
                let others = pictures(folder)?;
                let strange = others.iter().find(|path| !is_ours(path));
                if let Some(other) = strange.or(others.first())
                    && (strange.is_some() || existing == Existing::Keep)
                {
                    let force = if strange.is_some() { "" } else { ", or say --force" };
                    bail!(
                        "{} is there already: the codes of a transfer have a folder of their own; name another{force}",
                        other.display()
                    );
                }
                Ok(())
            }
        }
    }

    pub(super) fn write(&self, shown: &Shown, existing: Existing) -> Result<()> {
        // A GIF counts in hundredths of a second, and `fps` is 1 to 50.
        let hundredths = (100 + u16::from(shown.fps) / 2) / u16::from(shown.fps);
        let place = match self {
            Target::Terminal => return Ok(()),
            Target::Animation(path) => {
                let gif = animation::to_gif(&shown.codes()?, SCALE, hundredths)?;
                files::write(path, &gif, existing, Mode::Public)?;
                path
            }
            Target::Page(path) => {
                let gif = animation::to_gif(&shown.codes()?, SCALE, hundredths)?;
                let title = format!("Coldlog: {}", shown.kind);
                let page = page::to_html(&gif, &title, &shown.lines());
                files::write(path, page.as_bytes(), existing, Mode::Public)?;
                path
            }
            Target::Lines(path) => {
                let numbers = 0..u64::from(shown.transfer.frames());
                let line = |number| shown.transfer.frame(number).encode() + "\n";
                let text: String = numbers.map(line).collect();
                files::write(path, text.as_bytes(), existing, Mode::Public)?;
                path
            }
            Target::Folder(folder) => {
                self.refuse_taken(existing)?;
                write_folder(folder, shown, existing)?;
                folder
            }
        };
        for line in shown.lines() {
            say(line);
        }
        say(format!("the codes are in {}", place.display()));
        Ok(())
    }
}

fn write_folder(folder: &Path, shown: &Shown, existing: Existing) -> Result<()> {
    files::create_folder(folder)?;
    // A code of another transfer that stays would be read with these.
    for old in pictures(folder)? {
        std::fs::remove_file(&old).with_context(|| format!("removing {}", old.display()))?;
    }
    let mut pngs = Vec::new();
    for (number, code) in shown.codes()?.iter().enumerate() {
        let path = folder.join(format!("code-{:04}.png", number + 1));
        pngs.push((path, picture::to_png(code, SCALE)?));
    }
    let each: Vec<(&Path, &[u8])> =
        pngs.iter().map(|(path, png)| (path.as_path(), png.as_slice())).collect();
    files::write_all(&each, existing, Mode::Public)
}

/// The PNGs in a folder, sorted; none where there is no folder.
pub(super) fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    if !files::is_there(folder)? {
        return Ok(Vec::new());
    }
    let reading = || format!("reading the folder {}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_prefix("code-").and_then(|name| name.strip_suffix(".png")).is_some_and(|number| {
        number.len() >= 4 && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}
