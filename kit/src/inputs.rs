//! The files that a many-file command works on.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// Expands files and, with `recursive`, folders; a list of names, one a line, may add more. Sorted
/// within each folder. Symlinks are not followed, hidden files are taken along.
pub fn expand(
    paths: &[PathBuf],
    recursive: bool,
    files_from: Option<&Path>,
    skip: impl Fn(&Path) -> bool,
) -> Result<Vec<PathBuf>> {
    let mut all = paths.to_vec();
    if let Some(list) = files_from {
        let text = crate::files::read(list, 64 << 20)?;
        let text =
            String::from_utf8(text).with_context(|| format!("{} is not UTF-8", list.display()))?;
        all.extend(text.lines().filter(|line| !line.is_empty()).map(PathBuf::from));
    }
    let mut files = Vec::new();
    for path in all {
        let meta =
            std::fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if meta.is_file() {
            files.push(path);
        } else if !meta.is_dir() {
            bail!("{} is neither a regular file nor a folder", path.display());
        } else if !recursive {
            bail!("{} is a folder; say --recursive to take what is in it", path.display());
        } else {
            for entry in walkdir::WalkDir::new(&path).sort_by_file_name() {
                let entry = entry.with_context(|| format!("walking {}", path.display()))?;
                let leftover = entry.file_name().to_string_lossy().starts_with(".coldlog-");
                if entry.file_type().is_file() && !leftover && !skip(entry.path()) {
                    files.push(entry.into_path());
                }
            }
        }
    }
    if files.is_empty() {
        bail!("no file to work on: name files, folders with --recursive, or --files-from");
    }
    Ok(files)
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

/// `FILE` with something behind its name: `FILE.proof`.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
