//! The source that a release is made from: where it is, which version, of which time.

use crate::tool;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A work tree.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its root.
    pub root: PathBuf,
    /// The version of all crates.
    pub version: String,
    /// The last commit, with `-dirty` where files differ from it.
    pub commit: String,
    /// Seconds since 1970: `SOURCE_DATE_EPOCH`, or the time of the last commit. All times in a release
    /// are this one.
    pub epoch: u64,
}

impl Source {
    /// The work tree that this program was built from.
    pub fn here() -> Result<Source> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no root")?;
        let root = root.canonicalize().context("the source that this was built from is gone")?;
        let commit = git(&root, &["rev-parse", "HEAD"])?;
        let changed = git(&root, &["status", "--porcelain", "--untracked-files=no"])?;
        let epoch = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(said) => said,
            Err(_) => git(&root, &["log", "-1", "--format=%ct"])?,
        };
        let epoch = epoch.parse().with_context(|| format!("SOURCE_DATE_EPOCH: {epoch}"))?;
        let dirty = if changed.is_empty() { "" } else { "-dirty" };
        let commit = format!("{commit}{dirty}");
        Ok(Source { root, version: env!("CARGO_PKG_VERSION").into(), commit, epoch })
    }

    /// Whether it is what was committed.
    pub fn is_clean(&self) -> bool {
        !self.commit.ends_with("-dirty")
    }

    /// Copies what git knows of, as it is now, and nothing else: no folder of builds, no settings.
    pub fn copy_to(&self, root: &Path) -> Result<Source> {
        let files = git(&self.root, &["ls-files", "-z"])?;
        for file in files.split('\0').filter(|file| !file.is_empty()) {
            let (from, to) = (self.root.join(file), root.join(file));
            std::fs::create_dir_all(to.parent().context("a file has a folder")?)?;
            std::fs::copy(&from, &to).with_context(|| format!("cannot copy {file}"))?;
        }
        Ok(Source { root: root.canonicalize()?, ..self.clone() })
    }
}

fn git(root: &Path, arguments: &[&str]) -> Result<String> {
    let printed = tool::output(Command::new("git").arg("-C").arg(root).args(arguments))?;
    Ok(printed.trim_end_matches('\n').into())
}
