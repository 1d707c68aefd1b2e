//! One module a question.

pub mod admission;
pub(crate) mod approvals;
pub mod audit;
pub mod check;
pub mod evidence;
pub mod export;
pub mod heads;
pub mod inspect;
pub mod keys;
pub mod life;
pub mod monitor;
pub mod policy;
pub mod watch;

pub(crate) mod claims;

use anyhow::{Context, Result};
use coldlog_kit::files;
use coldlog_kit::published::{Folder, Source};
use coldlog_kit::rehearsal::say_loudly;
use coldlog_spec::policy::{MAX_POLICY, Policy};
use std::path::Path;

/// Reads a policy file.
pub(crate) fn policy(path: &Path) -> Result<Policy> {
    let bytes = files::read(path, MAX_POLICY as u64)?;
    let policy = Policy::parse(&bytes).with_context(|| path.display().to_string())?;
    if let Some(name) = policy.logs.first().map(|key| &key.name) {
        say_loudly(name);
    }
    coldlog_kit::policy::warn("verifier", path, &policy);
    Ok(policy)
}

/// What a log publishes: in a folder, at a URL, or in an object store.
pub(crate) fn source(log: &Path) -> Result<Box<dyn Source>> {
    Ok(match log.to_str() {
        Some(url) if coldlog_client::is_url(url) => Box::new(coldlog_client::Published::new(url)?),
        Some(url) if coldlog_objects::is_url(url) => Box::new(coldlog_objects::Remote::open(url)?),
        _ => Box::new(Folder(log.into())),
    })
}
