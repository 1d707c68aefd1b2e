//! What the log says of itself, in its own journal: its rules, and what it sealed anew.

use crate::commands::{append, manage};
use crate::index::Index;
use crate::keys::LogKeys;
use crate::place::Place;
use crate::sequencer::Edge;
use anyhow::{Context, Result};
use coldlog_kit::exit::Outcome;
use coldlog_kit::published::{Source, Tree};
use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::cose::Claims;
use coldlog_spec::note::VerifierKey;
use coldlog_spec::reseal::{RESEAL_TYPE, Reseal};
use coldlog_spec::rules::Rules;
use coldlog_spec::statement::{KnownHead, Payload, Position, Statement};
use coldlog_spec::tile::entries_path;
use coldlog_spec::verify::own;
use std::path::Path;

/// The newest rules, and the index of the entry that holds them; those of a log that has said none let
/// nobody in.
pub(crate) fn newest_rules(
    home: &Path,
    store: &dyn Source,
    index: &Index,
    (origin, size): (&str, u64),
) -> Result<(Rules, Option<u64>)> {
    let claims = own::claims(origin);
    let keys = manage::verifiers(home)?;
    let mut number = index.progress(&claims)?.next;
    while number > 0 {
        number -= 1;
        let (at, statement) = statement(store, index, &claims, (number, size), &keys)?;
        if let Payload::Rules(rules) = statement.payload {
            return Ok((rules, Some(at)));
        }
    }
    Ok((Rules::default(), None))
}

// One of the log's statements, by its number; a store is believed no more than anybody else.
fn statement(
    store: &dyn Source,
    index: &Index,
    claims: &Claims,
    (number, size): (u64, u64),
    keys: &[VerifierKey],
) -> Result<(u64, Statement)> {
    let (at, leaf) = index.find(claims, number)?.context("the index has no such statement")?;
    let entry = Tree::new(store, size).entry(at, entries_path)?;
    let keys = keys.iter().filter_map(VerifierKey::ed25519);
    let statement = own::verify(&entry, b"", &claims.issuer, keys)
        .with_context(|| format!("entry {at}, of the log's own journal, does not hold"))?;
    anyhow::ensure!(statement.leaf() == leaf, "entry {at} is not the one of the index");
    Ok((at, statement))
}

/// The reseal that one of the log's statements records, and the index of its entry.
pub(crate) fn reseal_at(place: &Place, number: u64) -> Result<Option<(u64, Reseal)>> {
    let Checkpoint { origin, size, .. } = &place.head.checkpoint;
    let claims = own::claims(origin);
    if number >= place.index.progress(&claims)?.next {
        return Ok(None);
    }
    let keys = manage::verifiers(&place.home)?;
    let store = place.store.as_ref();
    let (at, found) = statement(store, &place.index, &claims, (number, *size), &keys)?;
    Ok(match found.payload {
        Payload::Reseal(reseal) => Some((at, reseal)),
        _ => None,
    })
}

/// The reseal that an entry records, if it does: what stands in a tree that was verified as a whole.
pub(crate) fn reseal_of(entry: &[u8], origin: &str) -> Option<Reseal> {
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
    let statement = Statement::sign(&keys.receipt_key(), &claims, &position, payload);
    // In the clear: nothing is sealed beside it.
    let index = edge.push(statement.leaf(), statement.bytes(), b"")?;
    place.index.add(&statement, index)?;
    Ok(index)
}
