//! `verifier audit`: everything in a log, from bytes, against a policy and the auditor's own memory.
//!
//! Bundles are read, decoded, hashed, verified and opened on all cores, and judged in order on one
//! (`engine`); memory does not depend on the size of the log.

mod against;
mod beside;
mod documents;
mod engine;
mod findings;
mod heads;
mod merge;
mod options;
mod ordered;
mod read;
mod run;
mod saved;
mod show;
mod told;

pub use documents::InUse;
pub use engine::{Engine, Scope};
pub use findings::Findings;
pub use merge::{Merge, merge};
pub use options::{Options, Shard};
pub use run::run;
pub use saved::{make_key, show};

pub(crate) use against::Against;
pub(crate) use heads::Published;
pub(crate) use run::audit;
pub(crate) use show::{about, place, to_json};
