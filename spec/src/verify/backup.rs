//! "Is this backup whole, and whose is it?" — asked by the signer when it has made one, when it is told to
//! look, and before it restores. "May a newer one be put beside it?" — asked before it makes one.

use crate::backup::{File, Manifest};
use crate::batch::Tail;
use crate::cbor::DecodeError;
use crate::cose::Claims;
use crate::hash::Hash;
use crate::statement::Statement;
use crate::verify::append::{self, Admission, verify_genesis};

/// Why a backup is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a manifest.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The genesis in it is none, or a key event after it does not hold.
    #[error("the backup's genesis and key events do not hold: {0}")]
    Events(append::Refusal),
    /// Not the signer's tail.
    #[error(
        "the tail in the backup is not signed by its journal's key: the manifest was altered; take another generation"
    )]
    TailSignature,
    /// A file that is not whole.
    #[error(
        "{name} has {found} bytes, the manifest says {expected}: the backup is damaged; take another generation, or another medium"
    )]
    Length {
        /// The file.
        name: String,
        /// In the manifest.
        expected: u64,
        /// On the medium.
        found: u64,
    },
    /// A file that is not what was written.
    #[error(
        "{name} has the SHA-256 {found}, the manifest says {expected}: the backup is damaged; take another generation, or another medium"
    )]
    Digest {
        /// The file.
        name: String,
        /// In the manifest.
        expected: Hash,
        /// On the medium.
        found: Hash,
    },
    /// A file that a backup must have.
    #[error("the backup's manifest names no {name}: it is none of this program's; take another")]
    Absent {
        /// The file.
        name: &'static str,
    },
    /// The medium is another journal's.
    #[error(
        "the folder holds backups of the journal {found}, this one is {expected}: name another folder"
    )]
    OtherJournal {
        /// The own issuer and subject, with the genesis's fingerprint.
        expected: String,
        /// On the medium.
        found: String,
    },
    /// The journal is older than its backup.
    #[error(
        "generation {generation} reaches {backup}, this journal ends at {own}: it was restored from an older copy, or cut; nothing was written, keep both"
    )]
    OlderJournal {
        /// On the medium.
        generation: u64,
        /// The tail there, short.
        backup: String,
        /// The journal's own, short.
        own: String,
    },
    /// The journal went another way than its backup.
    #[error(
        "generation {generation} reaches {backup}, and this journal has another record at that place: it was forked (a restored backup or a clone signed too); nothing was written, keep both"
    )]
    Forked {
        /// On the medium.
        generation: u64,
        /// The tail there, short.
        backup: String,
    },
    /// What was restored is not what the manifest says.
    #[error(
        "the journal in the backup ends at {found}, the manifest says {expected}: the backup was put together by hand; take another generation"
    )]
    OtherTail {
        /// In the manifest, short.
        expected: String,
        /// The journal's, short.
        found: String,
    },
}

/// A manifest whose tail is by the key of its genesis.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    manifest: Manifest,
    admission: Admission,
}

impl Verified {
    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
    /// Whose journal it is.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// A file that it must name.
    pub fn file(&self, name: &'static str) -> Result<&File, Refusal> {
        self.manifest.file(name).ok_or(Refusal::Absent { name })
    }
}

/// Reads a manifest and verifies what it says of the journal. Of its files it says only which digests they
/// must have: see [`holds`].
pub fn verify(bytes: &[u8]) -> Result<Verified, Refusal> {
    let manifest = Manifest::decode(bytes)?;
    let admission = in_force(&manifest.events).map_err(Refusal::Events)?;
    if manifest.tail.claims != *admission.genesis.claims() || !manifest.tail.verify(&admission.key)
    {
        return Err(Refusal::TailSignature);
    }
    Ok(Verified { manifest, admission })
}

// Each is by the key that was in force before it. That no event is missing, the tail's signature shows.
fn in_force(events: &[Vec<u8>]) -> Result<Admission, append::Refusal> {
    let Some((genesis, later)) = events.split_first() else {
        return Err(append::Refusal::NotGenesis { found: "nothing".into() });
    };
    let mut admission = verify_genesis(genesis)?;
    for event in later {
        let event = Statement::decode(event)?;
        event.verify(&admission.key)?;
        admission.take(&event)?;
    }
    Ok(admission)
}

/// Whether a file on the medium is the one that the manifest names.
pub fn holds(file: &File, size: u64, sha256: Hash) -> Result<(), Refusal> {
    let name = file.name.clone();
    if file.size != size {
        return Err(Refusal::Length { name, expected: file.size, found: size });
    }
    if file.sha256 != sha256 {
        return Err(Refusal::Digest { name, expected: file.sha256, found: sha256 });
    }
    Ok(())
}

/// Whether a journal may be backed up beside a generation that is there: it is the same journal, and has
/// everything that is in it. `leaf_at` gives the leaf hash of the journal's own record with a number.
pub fn extends<E: From<Refusal>>(
    there: &Verified,
    own: (&Admission, &Tail),
    leaf_at: impl FnOnce(u64) -> Result<Option<Hash>, E>,
) -> Result<(), E> {
    let (admission, tail) = own;
    let show = |admission: &Admission| {
        let Claims { issuer, subject } = admission.genesis.claims();
        format!("{issuer} / {subject} ({})", admission.genesis.leaf())
    };
    if admission.genesis.leaf() != there.admission.genesis.leaf() {
        let (expected, found) = (show(admission), show(&there.admission));
        return Err(Refusal::OtherJournal { expected, found }.into());
    }
    let (generation, reached) = (there.manifest.generation, &there.manifest.tail.tail);
    let backup = reached.short();
    if reached.count > tail.count {
        return Err(Refusal::OlderJournal { generation, backup, own: tail.short() }.into());
    }
    let leaf = match reached.count.checked_sub(1) {
        Some(newest) => leaf_at(newest)?,
        None => None,
    };
    match leaf {
        Some(leaf) if leaf == reached.head => Ok(()),
        _ => Err(Refusal::Forked { generation, backup }.into()),
    }
}

/// Whether a journal that came out of a backup is the one that its manifest tells of.
pub fn must_reach(verified: &Verified, found: &Tail) -> Result<(), Refusal> {
    let expected = &verified.manifest.tail.tail;
    match expected == found {
        true => Ok(()),
        false => Err(Refusal::OtherTail { expected: expected.short(), found: found.short() }),
    }
}
