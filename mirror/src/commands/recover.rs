//! `mirror recover`: lets a mirror cosign again whose folder was restored, copied or moved.

use super::logs::own;
use crate::place::{self, Copy};
use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome, no, trouble};
use coldlog_kit::files;
use coldlog_kit::published::Tree;
use coldlog_kit::terminal::{field, say};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::note::{MAX_NOTE, VerifierKey};
use coldlog_witness::place::{self as memory, Held};
use std::path::{Path, PathBuf};

/// Runs the command: takes newer heads that carry this mirror's cosignature.
pub fn run(home: &Path, newest: &[PathBuf], nothing_newer: bool) -> Outcome {
    place::must_be_home(home)?;
    if newest.is_empty() && !nothing_newer {
        return trouble(
            "name the newest heads that carry this mirror's cosignature (--newest HEAD...); where there are none, say --nothing-newer",
        );
    }
    let own = own(home)?;
    for path in newest {
        let head = SignedCheckpoint::decode(&files::read(path, MAX_NOTE as u64)?);
        take(home, &head.with_context(|| path.display().to_string())?, &own)?;
    }
    for known in memory::all(home)? {
        if let Some(held) = Held::open(home, &known.log.origin)? {
            held.settle_memory()?;
        }
    }
    memory::settle(home)?;
    say("this mirror may cosign again; let no other copy of it cosign");
    Ok(())
}

// Its own word says that a head extends all that it saw before.
fn take(home: &Path, head: &SignedCheckpoint, own: &[VerifierKey]) -> Outcome {
    let (origin, size) = (&head.checkpoint.origin, head.checkpoint.size);
    let Some(held) = Held::open(home, origin)? else {
        return no(format!("{} is not mirrored; add it with `mirror add-log`", field(origin)));
    };
    let known = held.known()?;
    head.must_be_by(&known.log.keys).or_no()?;
    let keys: Vec<&VerifierKey> = own.iter().collect();
    if head.verified_by(&keys).or_no()?.is_empty() {
        return no(format!(
            "the head of {} at size {size} is not cosigned by this mirror: it says nothing about what this mirror saw",
            field(origin)
        ));
    }
    let copy = Copy::of(home, origin);
    if let Some(served) = copy.served(own)?.filter(|served| served.checkpoint.size >= size) {
        let store = copy.store();
        if !Tree::new(&store, served.checkpoint.size).holds(&head.checkpoint)? {
            return no(format!(
                "the head of {} at size {size} is none of the tree that this mirror holds: it cosigned two histories; keep both, and make a new mirror",
                field(origin)
            ));
        }
    }
    match known.last.as_ref().map(|last| &last.checkpoint) {
        Some(last) if last.size == size && last.root != head.checkpoint.root => {
            return no(format!(
                "this mirror is locked on another head of {} at size {size}: keep both, they convict the log; and make a new mirror",
                field(origin)
            ));
        }
        Some(last) if last.size >= size => return Ok(()),
        _ => {}
    }
    let mut kept = head.clone();
    kept.note.signatures.retain(|line| known.log.keys.iter().any(|key| key.name == line.name));
    held.remember_marked(&kept)?;
    copy.add_pending(&kept)?;
    say(format!("{} is locked on size {size} now", field(origin)));
    Ok(())
}
