//! What the log says of itself, in its own journal: its rules, and what it sealed anew.

use crate::commands::{append, manage};
use crate::keys::LogKeys;
use crate::place::{InForce, Place};
use crate::sequencer::Edge;
use anyhow::{Context, Result};
use coldlog_kit::exit::Outcome;
use coldlog_spec::note::VerifierKey;
use coldlog_spec::reseal::{RESEAL_TYPE, Reseal};
use coldlog_spec::rules::Rules;
use coldlog_spec::statement::{KnownHead, Payload, Position, Statement};
use coldlog_spec::verify::own;

/// The newest rules; those of a log that has said none let nobody in.
pub(crate) fn newest_rules(place: &Place) -> Result<InForce> {
    let mut number = said(place)?;
    while number > 0 {
        number -= 1;
        let (at, statement) = statement(place, number)?;
        if let Payload::Rules(rules) = statement.payload {
            return Ok(InForce { rules, entry: Some(at) });
        }
    }
    Ok(InForce { rules: Rules::default(), entry: None })
}

// How many statements of its own a log has.
fn said(place: &Place) -> Result<u64> {
    Ok(place.index.progress(&own::claims(&place.head.checkpoint.origin))?.next)
}

// One of them, by its number; a store is believed no more than anybody else.
fn statement(place: &Place, number: u64) -> Result<(u64, Statement)> {
    let origin = &place.head.checkpoint.origin;
    let found = place.index.find(&own::claims(origin), number)?;
    let (at, leaf) = found.context("the index has no such statement")?;
    let keys = manage::verifiers(&place.home)?;
    let keys = keys.iter().filter_map(VerifierKey::ed25519);
    let statement = own::verify(&place.entry(at)?, b"", origin, keys)
        .with_context(|| format!("entry {at}, of the log's own journal, does not hold"))?;
    anyhow::ensure!(statement.leaf() == leaf, "entry {at} is not the one of the index");
    Ok((at, statement))
}

/// The reseals that the log's statements from a number on record: the number, the entry's index, and what
/// it says.
pub(crate) fn reseals_from(place: &Place, number: u64) -> Result<Vec<(u64, u64, Reseal)>> {
    let mut found = Vec::new();
    for number in number..said(place)? {
        let (at, statement) = statement(place, number)?;
        if let Payload::Reseal(reseal) = statement.payload {
            found.push((number, at, reseal));
        }
    }
    Ok(found)
}

/// The reseal that an entry records, if it does: what stands in a tree that was verified as a whole.
pub fn reseal_of(entry: &[u8], origin: &str) -> Option<Reseal> {
    // Cheap: the content type stands among the first bytes.
    let kind = RESEAL_TYPE.as_bytes();
    if !entry.windows(kind.len()).take(96).any(|window| window == kind) {
        return None;
    }
    let statement = Statement::decode(entry).ok().filter(|found| own::is_own(found, origin))?;
    match statement.payload {
        Payload::Reseal(reseal) => Some(reseal),
        _ => None,
    }
}

/// Appends what the log says of itself; `what` is asked again where another writer was faster, and may say
/// that there is nothing to say. Returns the entry's index.
pub(crate) fn say(
    place: &mut Place,
    keys: &LogKeys,
    head: Option<&KnownHead>,
    mut what: impl FnMut(&Place) -> Outcome<Option<Payload>>,
) -> Outcome<Option<u64>> {
    append::sequenced(place, keys, |place, edge| match what(place)? {
        None => Ok(None),
        Some(payload) => Ok(Some(push(place, keys, head, payload, edge)?)),
    })
}

/// Pushes the next statement of the log's own journal.
pub(crate) fn push(
    place: &Place,
    keys: &LogKeys,
    head: Option<&KnownHead>,
    payload: Payload,
    edge: &mut Edge,
) -> Result<u64> {
    let claims = own::claims(keys.origin());
    let before = place.index.progress(&claims)?;
    let position = Position { sequence: before.next, previous: before.head, head: head.cloned() };
    let key = keys.receipt_key();
    let statement = Statement::sign(&key, &claims, &position, payload)?;
    // What no reader takes must never be in the log.
    own::verify(statement.bytes(), b"", keys.origin(), [&key.public()])?;
    // In the clear: nothing is sealed beside it.
    let index = edge.push(statement.leaf(), statement.bytes(), b"")?;
    place.index.add(&statement, index)?;
    place.note_pushed(index, statement.bytes());
    Ok(index)
}
