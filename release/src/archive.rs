//! The archive of everything, for systems without Debian's packages.

use crate::source::Source;
use crate::tool;
use crate::tree;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// Packs a folder: sorted, owned by root, all of one time; `gzip` without name and time.
pub fn pack(source: &Source, folder: &Path, archive: &Path) -> Result<()> {
    tree::settle(folder, source.epoch)?;
    let parent = folder.parent().context("a folder is in one")?;
    let name = folder.file_name().context("a folder has a name")?;
    let bare = archive.with_extension("");
    let mut tar = Command::new("tar");
    tar.args(["--create", "--format=ustar", "--sort=name", "--owner=root:0", "--group=root:0"]);
    tar.arg(format!("--mtime=@{}", source.epoch)).arg("--file").arg(&bare);
    tar.arg("--directory").arg(parent).arg(name).env("LC_ALL", "C");
    tool::run(&mut tar)?;
    gzip(&bare)
}

/// Compresses a file to `FILE.gz`, which takes its place.
pub(crate) fn gzip(file: &Path) -> Result<()> {
    tool::run(Command::new("gzip").args(["--best", "--no-name", "--force"]).arg(file))
}
