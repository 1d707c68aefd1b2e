//! The cases, in the order in which they build on each other.

mod accepts;
mod conflicts;
mod malformed;
mod monitoring;
mod proofs;
mod races;
mod signatures;
mod subtree_refusals;
mod subtrees;
mod transport;

use super::suite::Suite;

/// Tries all.
pub(super) fn all(suite: &mut Suite) {
    monitoring::before(suite);
    accepts::all(suite);
    monitoring::after(suite, "after-cosigning");
    let served = monitoring::snapshot(suite);
    signatures::all(suite);
    conflicts::all(suite);
    proofs::all(suite);
    malformed::all(suite);
    transport::all(suite);
    monitoring::unchanged(suite, &served);
    accepts::unchanged(suite);
    races::all(suite);
    monitoring::after(suite, "after-races");
    subtrees::all(suite);
}
