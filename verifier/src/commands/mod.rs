//! One module a question.

pub mod admission;
pub mod audit;
pub mod check;
pub mod export;
pub mod heads;
pub mod inspect;
pub mod life;

use anyhow::{Context, Result};
use coldlog_kit::files;
use coldlog_spec::policy::{MAX_POLICY, Policy};
use std::path::Path;

/// Reads a policy file.
pub(crate) fn policy(path: &Path) -> Result<Policy> {
    let bytes = files::read(path, MAX_POLICY as u64)?;
    Policy::parse(&bytes).with_context(|| path.display().to_string())
}
