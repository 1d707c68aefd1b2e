//! `log freeze`: the last head of a log, after which it appends nothing.

use crate::commands::manage;
use crate::place::Place;
use crate::store::Swapped;
use anyhow::Context;
use coldlog_kit::exit::{Failure, OrNo, Outcome, no};
use coldlog_kit::files;
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::end::{self, End};
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::policy::{MAX_POLICY, Policy};
use std::path::Path;

/// Says to every writer of the store that the end is near: it is there before the end marker.
const FROZEN: &str = "frozen";

/// The log takes nothing more.
#[derive(Debug, thiserror::Error)]
#[error("the log {origin} was frozen at size {size}: it takes nothing more; its successor does")]
pub(crate) struct Frozen {
    origin: String,
    size: u64,
}

/// Refuses where the log was frozen, or is about to be.
pub(crate) fn must_not_be_frozen(place: &Place) -> Outcome {
    let there = |path: &str| Ok::<bool, anyhow::Error>(place.store.get(path, MAX_NOTE)?.is_some());
    if there(end::PATH)? {
        let Checkpoint { origin, size, .. } = place.head.checkpoint.clone();
        return Err(Failure::No(Frozen { origin, size }.into()));
    }
    match there(FROZEN)? {
        true => no(format!(
            "the log {} is being frozen: run `log freeze` again, to its end",
            place.head.checkpoint.origin
        )),
        false => Ok(()),
    }
}

/// Runs the command.
pub fn run(home: &Path, policy: &Path, secret: &Source) -> Outcome {
    let policy = Policy::parse(&files::read(policy, MAX_POLICY as u64)?)?;
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
    place.store.put(FROZEN, place.head.checkpoint.text().as_bytes())?;
    let before = place.head.clone();
    place.store.begin();
    let swapped = place.store.swap_head(Some(&before), &before)?;
    place.follow()?;
    if swapped == Swapped::Lost || place.head.checkpoint != before.checkpoint {
        place.store.remove(FROZEN)?;
        return no(format!(
            "another writer has just moved the head to size {}: have that cosigned, and freeze again",
            place.head.checkpoint.size
        ));
    }
    cosigned(&place)?;
    keys.must_have_signed(&place.head)?;
    let head_keys = keys.current.head_keys();
    place.store.put(end::PATH, &End::sign(&head_keys, &place.head).encode())?;
    say(told(&place));
    Ok(())
}

fn told(place: &Place) -> String {
    let head = &place.head.checkpoint;
    format!("the log {} is frozen at size {}; {} says so", head.origin, head.size, end::PATH)
}
