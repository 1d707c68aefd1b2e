//! A conformance suite for transparency-log witnesses (C2SP tlog-witness), written from the standard's
//! text and not from any witness: it plays logs of its own, over HTTP, against one that trusts them.
//!
//! The suite shares with Coldlog only the formats of notes and checkpoints and the verification of
//! signatures; what is signed ([`cosignature`]) and how trees prove ([`tree`]) is written here again.

mod cases;
pub mod cosignature;
pub mod http;
pub mod keys;
pub mod logs;
pub mod report;
pub mod request;
mod standard;
mod suite;
#[cfg(test)]
mod tests;
pub mod tree;
mod witness;

use anyhow::{Context, Result};
use coldlog_spec::note::VerifierKey;
use report::{Case, Report};
use std::path::Path;
use std::time::Duration;
use suite::Suite;
use witness::Witness;

/// What is known of a witness before it is asked.
#[derive(Debug, Clone)]
pub struct Options {
    /// The submission prefix.
    pub submission: String,
    /// The monitoring prefix; the submission prefix where none is said.
    pub monitoring: Option<String>,
    /// All keys that it cosigns with.
    pub keys: Vec<VerifierKey>,
    /// How long its monitoring prefix may show an older checkpoint.
    pub monitoring_delay: Duration,
}

/// Makes the logs' keys in a folder, or loads them, and returns `log <vkey>` lines for the witness's
/// operator.
pub fn keys(folder: &Path) -> Result<String> {
    Ok(logs::open(folder)?.iter().map(logs::TestLog::policy).collect())
}

/// Tries all cases on a witness that trusts the logs of a folder; `seen` gets each as it ends.
///
/// An error where the suite could not begin: the folder is unusable, or nothing listens at the URL.
pub fn run(options: &Options, folder: &Path, seen: &mut dyn FnMut(&Case)) -> Result<Report> {
    let made = folder.join("single.key").try_exists()?;
    anyhow::ensure!(made, "{} holds no keys: `keys` makes them", folder.display());
    let logs = logs::open(folder)?;
    let witness = Witness::new(options)?;
    witness.connect().with_context(|| format!("cannot reach {}", options.submission))?;
    let mut suite = Suite::new(witness, logs, seen)?;
    cases::all(&mut suite);
    Ok(suite.report)
}
