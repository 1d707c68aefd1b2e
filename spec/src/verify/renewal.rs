//! "May this trust root take the place of that one?" — asked before a policy is renewed, and of each
//! history of policies that is read.
//!
//! As in TUF (section 5.3): a root is followed by the next version only, signed by a threshold of the old
//! keys, so that the old rules decide, and by a threshold of its own, so that the new keys are at hand. That
//! the old one has expired does not stand in the way: otherwise nothing could ever renew it.

use crate::hash::Hash;
use crate::note::NoteError;
use crate::policy::root::listed;
use crate::policy::{Policy, Root, RootError};

/// Who renewed a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// The old policy keys that signed.
    pub by_old: Vec<String>,
    /// The new ones that did.
    pub by_new: Vec<String>,
}

/// Why a trust root is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRenewed {
    /// Not signed by its own rules.
    #[error(transparent)]
    Root(#[from] RootError),
    /// It is in force.
    #[error("the trust root, version {version}, is in force already: there is nothing to take")]
    InForce {
        /// The version.
        version: u64,
    },
    /// An older one.
    #[error(
        "rollback: version {found} of the trust root is older than version {in_force}, which is in force: what was replaced is never taken again"
    )]
    Rollback {
        /// The version in force.
        in_force: u64,
        /// The one at hand.
        found: u64,
    },
    /// Versions between are missing.
    #[error(
        "version {found} of the trust root comes after version {in_force}, which is in force, by way of others: take version {} first",
        in_force + 1
    )]
    Gap {
        /// The version in force.
        in_force: u64,
        /// The one at hand.
        found: u64,
    },
    /// Two roots of one version, both signed by those who may.
    #[error(
        "fork: two trust roots of version {version} are signed{}: {in_force}, which is in force, and {found}; whoever holds the policy keys shows two histories, ask them by another channel",
        listed_by(by)
    )]
    Fork {
        /// The version of both.
        version: u64,
        /// The digest of the one in force.
        in_force: Hash,
        /// The digest of the one at hand.
        found: Hash,
        /// The keys that signed the one at hand, and may.
        by: Vec<String>,
    },
    /// It follows another root of the same version as the one in force.
    #[error(
        "fork: version {version} of the trust root follows {found}, in force is {in_force}: it renews another policy than yours; ask those who hold the policy keys by another channel"
    )]
    OtherPrevious {
        /// The version at hand.
        version: u64,
        /// The digest of the one in force.
        in_force: Hash,
        /// The digest that it names.
        found: Hash,
    },
    /// The old rules are not met.
    #[error(
        "version {version} of the trust root is signed by {} of the policy keys in force{}, {threshold} are needed: it is forged, or more holders of the old keys must sign it",
        by.len(),
        listed(by)
    )]
    TooFewOld {
        /// The version at hand.
        version: u64,
        /// Who signed.
        by: Vec<String>,
        /// How many must.
        threshold: usize,
    },
    /// A plain policy in the place of a root.
    #[error(
        "the policy in force is a trust root, and a policy without one does not take its place: `verifier policy renew` drafts its renewal"
    )]
    Unsigned,
}

fn listed_by(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" by {}", names.join(", ")) }
}

impl From<NoteError> for NotRenewed {
    fn from(why: NoteError) -> NotRenewed {
        NotRenewed::Root(RootError::Note(why))
    }
}

/// Whether one root follows another.
pub fn follows(old: &Root, new: &Root) -> Result<Renewed, NotRenewed> {
    is_next(old, new)?;
    let by_old = new.signed_by(&old.content().keys)?;
    let threshold = old.content().threshold;
    if by_old.len() < threshold {
        let version = new.content().version;
        return Err(NotRenewed::TooFewOld { version, by: by_old, threshold });
    }
    let by_new = new.must_be_signed()?;
    Ok(Renewed { by_old, by_new })
}

/// Whether one root would follow another, were it signed: what each signer looks at.
pub fn is_next(old: &Root, new: &Root) -> Result<(), NotRenewed> {
    let (in_force, found) = (old.content().version, new.content().version);
    if found < in_force {
        return Err(NotRenewed::Rollback { in_force, found });
    }
    if new.digest() == old.digest() {
        return Err(NotRenewed::InForce { version: found });
    }
    if in_force.checked_add(1) != Some(found) {
        return Err(match found == in_force {
            true => other_of_a_version(old, old, new)?,
            false => NotRenewed::Gap { in_force, found },
        });
    }
    if let Some(previous) = new.content().previous
        && previous != old.digest()
    {
        let (in_force, version) = (old.digest(), found);
        return Err(NotRenewed::OtherPrevious { version, in_force, found: previous });
    }
    Ok(())
}

// Another root of the version in force: a fork where those who may have signed it, else a forgery. `by` is
// the root whose rules it had to meet.
fn other_of_a_version(by: &Root, in_force: &Root, new: &Root) -> Result<NotRenewed, NotRenewed> {
    let version = new.content().version;
    let threshold = by.content().threshold;
    let (in_force, found) = (in_force.digest(), new.digest());
    Ok(match new.signed_by(&by.content().keys)? {
        by if by.len() < threshold => NotRenewed::TooFewOld { version, by, threshold },
        by => NotRenewed::Fork { version, in_force, found, by },
    })
}

/// Whether a root may take the place of the policy in force. `None` where that has no root: who may renew
/// it is then written nowhere, and whoever takes the first root must know its digest.
pub fn may_replace(in_force: &Policy, new: &Root) -> Result<Option<Renewed>, NotRenewed> {
    let Some(old) = in_force.root() else {
        new.must_be_signed()?;
        return Ok(None);
    };
    // Whoever may make a second version 2 is said by version 1.
    let before = in_force.earlier().iter().rev().find_map(|earlier| earlier.policy.root());
    if let Some(before) = before
        && new.content().version == old.content().version
        && new.digest() != old.digest()
    {
        return Err(other_of_a_version(before, old, new)?);
    }
    follows(old, new).map(Some)
}
