//! `verifier audit`: everything in a log, from bytes, against a policy and the auditor's own memory.
//!
//! Bundles are read, decoded, hashed, verified and opened on all cores, and judged in order on one
//! (`engine`); memory does not depend on the size of the log.

mod documents;
mod engine;
mod findings;
mod heads;
mod merge;
mod ordered;
mod read;
mod run;
mod saved;
mod show;

pub use documents::InUse;
pub use engine::{Engine, Scope};
pub use findings::Findings;
pub use merge::{Merge, merge};
pub use run::{Against, Options, Shard, run};
pub use saved::{make_key, show};

pub(crate) use run::audit;
pub(crate) use show::{place, to_json};

use coldlog_kit::seal::Identity;
use std::path::Path;

/// A log and a policy, with the newest head judged.
pub(crate) fn against(log: &Path, policy: &Path) -> anyhow::Result<Against> {
    Against::read(log, policy)
}

/// What an engine is made for.
pub(crate) fn scope_of<'a>(
    against: &'a Against,
    identities: &'a [Identity],
    evidence: &'a Path,
) -> Scope<'a> {
    run::scope(against, identities, evidence)
}
