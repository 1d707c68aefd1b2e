//! `verifier audit`: everything in a log, from bytes, against a policy and the auditor's own memory.
//!
//! Bundles are read, decoded, hashed, verified and opened on all cores, and judged in order on one
//! ([`engine`]); memory does not depend on the size of the log.

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
pub use run::{Options, Shard, run};
pub use saved::{make_key, show};

pub(crate) use show::to_json;
