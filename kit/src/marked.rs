//! A file that must not go back: beside it, a mark says which file it was when it was written last. One that
//! was copied, restored or put back over itself has another time of birth or of change.

use crate::files::{self, Existing, Mark, Mode};
use anyhow::Result;
use coldlog_spec::hash::Hash;
use std::path::{Path, PathBuf};

fn mark_of(path: &Path) -> PathBuf {
    files::with_suffix(path, "mark")
}

fn text(path: &Path) -> Result<String> {
    let Mark { born, touched } = Mark::of(path)?;
    Ok(format!("{born} touched {touched}"))
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    files::write(path, bytes, Existing::Replace, Mode::Public)
}

/// Writes a file and its mark, durably.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let before = if files::is_there(path)? { text(path)? } else { "nothing".into() };
    // A crash in here must not look like a restored copy.
    let under_way = format!("under way\n{before}\n{}\n", Hash::of(bytes));
    write_file(&mark_of(path), under_way.as_bytes())?;
    write_file(path, bytes)?;
    settle(path)
}

/// Says that the file as it is counts.
pub fn settle(path: &Path) -> Result<()> {
    write_file(&mark_of(path), format!("settled\n{}\n", text(path)?).as_bytes())
}

/// Whether there is a mark beside it.
pub fn is_marked(path: &Path) -> Result<bool> {
    files::is_there(&mark_of(path))
}

/// Whether a file that is there is the one that was written here last.
pub fn is_same(path: &Path) -> Result<bool> {
    let mark = mark_of(path);
    if !files::is_there(&mark)? {
        return Ok(false);
    }
    let (found, note) = (text(path)?, files::read(&mark, 4096)?);
    let note = String::from_utf8_lossy(&note).into_owned();
    Ok(match note.lines().collect::<Vec<&str>>().as_slice() {
        ["settled", mark] => *mark == found,
        ["under way", before, hash] => {
            *before == found || *hash == Hash::of(&files::read(path, u64::MAX)?).to_string()
        }
        _ => false,
    })
}
