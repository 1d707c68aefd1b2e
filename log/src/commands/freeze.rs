//! `log freeze`: the last head of a log, after which it appends nothing.

use crate::commands::manage;
use crate::place::Place;
use crate::store::{Store, Swapped};
use anyhow::{Context, Result};
use coldlog_kit::exit::{Failure, OrNo, Outcome, no};
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::end::{self, End};
use coldlog_spec::note::MAX_NOTE;
use std::path::Path;

/// Says to every writer of the store that the end is near: it is there before the end marker. It stays, also
/// where the head moved meanwhile: another machine may be about to end the log by it.
const FROZEN: &str = "frozen";

/// The log takes nothing more.
#[derive(Debug, thiserror::Error)]
#[error("the log {origin} was frozen at size {size}: it takes nothing more; its successor does")]
pub(crate) struct Frozen {
    origin: String,
    size: u64,
}

/// How far the end of a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It takes entries.
    Open,
    /// It takes no more; which head is the last is not said yet.
    Closing,
    /// The last head is named.
    Ended,
}

/// How far the end of the log in a store is. Whoever appends asks after it has read the head.
pub fn stage(store: &dyn Store) -> Result<Stage> {
    let there = |path: &str| Ok::<bool, anyhow::Error>(store.get(path, MAX_NOTE)?.is_some());
    Ok(match there(end::PATH)? {
        true => Stage::Ended,
        false if there(FROZEN)? => Stage::Closing,
        false => Stage::Open,
    })
}

/// Lets nobody append any more behind `head`; lost where another writer has just moved it: the one who began
/// before cannot be stopped, but nobody begins from here on.
pub fn close(store: &dyn Store, head: &SignedCheckpoint) -> Result<Swapped> {
    store.put(FROZEN, b"coldlog-frozen\n")?;
    store.begin();
    store.swap_head(Some(head), head)
}

/// Refuses where the log was frozen, or is about to be.
pub(crate) fn must_not_be_frozen(place: &Place) -> Outcome {
    let Checkpoint { origin, size, .. } = place.head.checkpoint.clone();
    match stage(place.store.as_ref())? {
        Stage::Open => Ok(()),
        Stage::Closing => {
            no(format!("the log {origin} is being frozen: run `log freeze` again, to its end"))
        }
        Stage::Ended => Err(Failure::No(Frozen { origin, size }.into())),
    }
}

/// Runs the command.
pub fn run(home: &Path, policy: &Path, secret: &Source) -> Outcome {
    let policy = coldlog_kit::policy::read("log", policy)?;
    let mut place = Place::open(home)?;
    let keys = manage::keys(&place, secret)?;
    if let Some(bytes) = place.store.get(end::PATH, MAX_NOTE)? {
        End::decode(&bytes)?.verify(&place.head, &policy).or_no()?;
        say(told(&place));
        return Ok(());
    }
    let cosigned = |place: &Place| {
        policy
            .verify_head(&place.head)
            .context("the last head must be cosigned before the end: run `log witness-request`, and `log add-cosignatures` with the answers")
            .or_no()
    };
    cosigned(&place)?;
    // From here on nobody begins to append; and whoever has begun is too late after the swap.
    let before = place.head.clone();
    let closed = close(place.store.as_ref(), &before)?;
    place.follow()?;
    if closed == Swapped::Lost || place.head.checkpoint != before.checkpoint {
        return no(format!(
            "another writer has just moved the head, to size {}: nobody begins to append any more; have the newest head cosigned, and freeze again",
            place.head.checkpoint.size
        ));
    }
    cosigned(&place)?;
    keys.must_have_signed(&place.head)?;
    let head_keys = keys.current.head_keys();
    place.store.put(end::PATH, &End::sign(&head_keys, &place.head)?.encode())?;
    say(told(&place));
    Ok(())
}

fn told(place: &Place) -> String {
    let head = &place.head.checkpoint;
    format!("the log {} is frozen at size {}; {} says so", head.origin, head.size, end::PATH)
}
