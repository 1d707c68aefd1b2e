//! The files that a many-file command works on.

use anyhow::{Context, Result, bail};
use coldlog_spec::batch::Tail;
use std::path::{Path, PathBuf};

/// What a many-file command found.
#[derive(Debug, Default)]
pub struct Inputs {
    /// Regular files, in order.
    pub files: Vec<PathBuf>,
    /// What stands in a folder and is no document: symlinks, devices, what an interrupted run left.
    pub others: Vec<PathBuf>,
}

/// Expands files and, with `recursive`, folders; a list of names, one a line, may add more. Sorted
/// within each folder. Symlinks are not followed, hidden files are taken along. A signature or proof
/// beside its document is no document.
pub fn expand(paths: &[PathBuf], recursive: bool, files_from: Option<&Path>) -> Result<Inputs> {
    let mut all = paths.to_vec();
    if let Some(list) = files_from {
        let text = crate::files::read(list, 64 << 20)?;
        let text =
            String::from_utf8(text).with_context(|| format!("{} is not UTF-8", list.display()))?;
        all.extend(text.lines().filter(|line| !line.is_empty()).map(PathBuf::from));
    }
    let mut found = Inputs::default();
    for path in all {
        let meta =
            std::fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if meta.is_file() {
            found.files.push(path);
        } else if !meta.is_dir() {
            bail!("{} is neither a regular file nor a folder", path.display());
        } else if !recursive {
            bail!("{} is a folder; say --recursive to take what is in it", path.display());
        } else {
            for entry in walkdir::WalkDir::new(&path).sort_by_file_name() {
                let entry = entry.with_context(|| format!("walking {}", path.display()))?;
                let leftover = entry.file_name().to_string_lossy().starts_with(".coldlog-");
                if entry.file_type().is_dir() || belongs_to_a_document(entry.path()) {
                    continue;
                } else if entry.file_type().is_file() && !leftover {
                    found.files.push(entry.into_path());
                } else {
                    found.others.push(entry.into_path());
                }
            }
        }
    }
    if found.files.is_empty() {
        bail!("no file to work on: name files, folders with --recursive, or --files-from");
    }
    Ok(found)
}

// `X.sig`, `X.minisig`, `X.proof` and `X.<number>.proof` beside `X`.
fn belongs_to_a_document(path: &Path) -> bool {
    let Some("sig" | "minisig" | "proof") = path.extension().and_then(|e| e.to_str()) else {
        return false;
    };
    let document = path.with_extension("");
    let numbered = document.extension().and_then(|e| e.to_str());
    let numbered = numbered.is_some_and(|e| e.bytes().all(|byte| byte.is_ascii_digit()));
    document.is_file() || (numbered && document.with_extension("").is_file())
}

/// A tail as it was written down: its count, and the digits of its hash.
pub fn parse_tail(text: Option<&str>) -> Result<Option<(u64, String)>> {
    let Some(text) = text else { return Ok(None) };
    match Tail::parse_short(text) {
        Some(tail) => Ok(Some(tail)),
        None => bail!("{text:?} is no tail; it looks like 42:1a2b-3c4d-5e6f-7081"),
    }
}

/// Refuses two inputs that would write one output.
pub fn refuse_twice<'a>(outputs: impl IntoIterator<Item = &'a PathBuf>) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for output in outputs {
        if !seen.insert(output) {
            bail!(
                "two inputs would write {}; sign them apart or into two folders",
                output.display()
            );
        }
    }
    Ok(())
}
