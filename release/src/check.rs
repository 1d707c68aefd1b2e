//! Are two releases the same?

use crate::tree;
use anyhow::Result;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The files in which two folders differ: in bytes, in mode, or for being in one only.
pub fn differing(first: &Path, second: &Path) -> Result<Vec<String>> {
    let mut all: BTreeSet<PathBuf> = tree::files(first)?.into_iter().collect();
    all.extend(tree::files(second)?);
    let mut differing = Vec::new();
    for file in all {
        if read(&first.join(&file))? != read(&second.join(&file))? {
            differing.push(file.display().to_string());
        }
    }
    Ok(differing)
}

fn read(path: &Path) -> Result<Option<(u32, Vec<u8>)>> {
    if !coldlog_kit::files::is_there(path)? {
        return Ok(None);
    }
    Ok(Some((std::fs::metadata(path)?.permissions().mode(), std::fs::read(path)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{EXECUTABLE, READABLE, put};

    #[test]
    fn one_byte_one_mode_or_one_file_more_is_a_difference() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&one, &two] {
            put(&folder.path().join("a/b"), b"same", READABLE).unwrap();
        }
        let differing = || differing(one.path(), two.path()).unwrap();
        assert_eq!(differing(), Vec::<String>::new());
        put(&two.path().join("a/b"), b"sama", READABLE).unwrap();
        put(&one.path().join("c"), b"", READABLE).unwrap();
        assert_eq!(differing(), ["a/b", "c"]);
        put(&two.path().join("a/b"), b"same", EXECUTABLE).unwrap();
        put(&two.path().join("c"), b"", READABLE).unwrap();
        assert_eq!(differing(), ["a/b"]);
    }
}
