//! What a log's machine remembers of its newest head, and whether it is still the machine that does: a
//! log that was restored from an older copy would sign a second history, so it signs nothing until
//! `log recover` has compared it with what others saw.
//!
//! `newest-head` holds the head, `newest-head.mark` says what file that was: one that was copied,
//! restored or put back over itself has another time of birth or of change. A snapshot of a whole
//! machine takes both back: then the signers' own memory of heads, and the witnesses, tell.

use crate::place::Place;
use anyhow::{Context, Result};
use coldlog_kit::exit::{Outcome, no, trouble};
use coldlog_kit::files;
use coldlog_kit::marked;
use coldlog_kit::published::Tree;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::note::MAX_NOTE;
use std::path::{Path, PathBuf};

const RECOVER: &str = "get the newest cosigned head from a witness, a mirror or an auditor, and run `log recover --newest HEAD`";

fn newest(home: &Path) -> PathBuf {
    home.join("newest-head")
}

/// Remembers a head that this machine signed, or that `log recover` settled.
pub fn remember(home: &Path, head: &SignedCheckpoint) -> Result<()> {
    marked::write(&newest(home), &head.encode())
}

/// The head that this machine remembers; `None` where it has none, or none that can be read.
pub fn remembered(home: &Path) -> Result<Option<SignedCheckpoint>> {
    let newest = newest(home);
    if !files::is_there(&newest)? {
        return Ok(None);
    }
    Ok(SignedCheckpoint::decode(&files::read(&newest, MAX_NOTE as u64)?).ok())
}

/// Refuses to sign where the log, or what this machine remembers of it, is an older copy.
pub fn may_sign(place: &Place) -> Outcome {
    let newest = newest(&place.home);
    if !files::is_there(&newest)? || !marked::is_marked(&newest)? {
        return no(format!(
            "this machine remembers no head of the log in {}: it was restored or copied, and a newer head may be out; {RECOVER}",
            place.store.place()
        ));
    }
    let bytes = files::read(&newest, MAX_NOTE as u64)?;
    let same = marked::is_same(&newest)?;
    // Several machines share an object store, and its conditional puts keep its head from going back.
    if !same && !place.shared {
        return no(format!(
            "the log in {} was restored, copied or moved to another disk: a newer head may be out, and to sign another would fork the log; {RECOVER}",
            place.store.place()
        ));
    }
    let remembered = SignedCheckpoint::decode(&bytes);
    let remembered = remembered.with_context(|| format!("{} is damaged", newest.display()))?;
    let (known, now) = (&remembered.checkpoint, &place.head.checkpoint);
    if known.size > now.size {
        return no(format!(
            "the log in {} has {} entries, this machine signed a head of size {}: it was restored from an older copy; {RECOVER}, with --from or --batches for what is lost",
            place.store.place(),
            now.size,
            known.size
        ));
    }
    let fits = match known.size == now.size {
        true => known.root == now.root,
        false => {
            let mut tree = Tree::new(place.store.as_ref(), now.size);
            // What a disk gives back wrong is damage, and no other history.
            if tree.root()? != now.root {
                return trouble(
                    "the newest tiles do not give the root that the head says: run `log fsck`",
                );
            }
            tree.root_at(known.size)? == known.root
        }
    };
    if !fits {
        return no(format!(
            "the log in {} does not extend the head of size {} that this machine signed: keep both, and compare them with `verifier cross-check`",
            place.store.place(),
            known.size
        ));
    }
    Ok(())
}
