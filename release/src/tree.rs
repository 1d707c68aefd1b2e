//! Folders that are packed: what is in them has the modes and times that we say, whoever packs.

use anyhow::{Context, Result};
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// For programs and folders.
pub(crate) const EXECUTABLE: u32 = 0o755;
/// For all else.
pub(crate) const READABLE: u32 = 0o644;

/// Writes a file, and the folders above it.
pub(crate) fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    std::fs::create_dir_all(folder)?;
    std::fs::write(path, bytes).with_context(|| path.display().to_string())?;
    Ok(std::fs::set_permissions(path, Permissions::from_mode(mode))?)
}

/// All files below a folder, relative to it, in order.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder).min_depth(1).sort_by_file_name() {
        let entry = entry?;
        if !entry.file_type().is_dir() {
            files.push(entry.path().strip_prefix(folder)?.to_path_buf());
        }
    }
    files.sort();
    Ok(files)
}

/// Gives everything below a folder, and itself, this time, and one of two modes.
pub(crate) fn settle(folder: &Path, epoch: u64) -> Result<()> {
    let time = UNIX_EPOCH + Duration::from_secs(epoch);
    for entry in walkdir::WalkDir::new(folder).contents_first(true) {
        let entry = entry?;
        let executable = entry.metadata()?.permissions().mode() & 0o100 != 0;
        let mode = if executable { EXECUTABLE } else { READABLE };
        std::fs::set_permissions(entry.path(), Permissions::from_mode(mode))?;
        File::open(entry.path())?.set_modified(time)?;
    }
    Ok(())
}
