//! What stands around the tree: the heads that were published, the end marker, and what belongs to nobody.

use super::{FROM_A_COPY, Finding, INVESTIGATE, Report, SUPERSEDED};
use crate::store::Store;
use anyhow::Result;
use coldlog_kit::published::{self, Tree};
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::end::{self, End};
use coldlog_spec::hash::Hash;
use coldlog_spec::note::{MAX_NOTE, NoteError, VerifierKey};
use coldlog_spec::policy::{HeadError, Policy};
use coldlog_spec::tile::{self, MAX_BUNDLE};
use std::collections::BTreeMap;

// Every head that is there is the log's, and of this history; every head that a record names is there.
pub(super) fn check_heads(
    source: &dyn Store,
    newest: &SignedCheckpoint,
    keys: &[VerifierKey],
    policy: Option<&Policy>,
    named: BTreeMap<u64, (Hash, u64)>,
    report: &mut Report,
) -> Result<()> {
    let size = newest.checkpoint.size;
    let mut tree = Tree::new(source, size);
    for (&known, &(root, place)) in &named {
        if source.get(&tile::head_path(known), MAX_NOTE)?.is_none() {
            let what = format!("it is missing: entry {place} names the head of size {known}");
            report.add(tile::head_path(known), what, FROM_A_COPY);
        }
        match tree.root_at(known) {
            Ok(found) if found == root => {}
            Ok(found) => {
                let what =
                    format!("it names the root {root} for size {known}, the tree has {found}");
                report.add(format!("entry {place}"), what, INVESTIGATE);
            }
            // A tile is missing: said already.
            Err(_) => {}
        }
    }
    for path in listed(source, "heads")? {
        let place = format!("heads/{path}");
        if let Some(note) = leftover(&place) {
            report.push(note);
            continue;
        }
        let Some(bytes) = source.get(&place, MAX_NOTE)? else { continue };
        if place == end::PATH {
            if let Err(why) = check_end(&bytes, &newest.checkpoint, keys) {
                report.add(place, why, INVESTIGATE);
            }
            continue;
        }
        let what = match SignedCheckpoint::decode(&bytes) {
            Err(why) => why.to_string(),
            Ok(head) => match head.must_be_by(keys) {
                Err(NoteError::NoKnownSignature { .. }) => {
                    "it is not signed by the log's own keys: forged".into()
                }
                Err(why) => why.to_string(),
                Ok(_) if tile::head_path(head.checkpoint.size) != place => {
                    format!("it holds the head of size {}", head.checkpoint.size)
                }
                // Another writer may have moved the head since it was read.
                Ok(_)
                    if head.checkpoint.size > size && !moved_to(source, head.checkpoint.size)? =>
                {
                    "it is newer than the checkpoint: the checkpoint went back".into()
                }
                Ok(_) if head.checkpoint.size > size => continue,
                Ok(_) => match tree.root_at(head.checkpoint.size) {
                    Ok(root) if root != head.checkpoint.root => {
                        format!("its root is {}, the tree has {root}", head.checkpoint.root)
                    }
                    _ => match policy.map(|policy| policy.verify_head(&head)) {
                        // Not every head was shown to the witnesses.
                        None | Some(Err(HeadError::Quorum { .. })) => continue,
                        Some(Ok(_)) => {
                            report.quorums += 1;
                            continue;
                        }
                        Some(Err(why)) => why.to_string(),
                    },
                },
            },
        };
        report.add(place, what, INVESTIGATE);
    }
    Ok(())
}

// The end marker of a frozen log is of its newest head.
fn check_end(bytes: &[u8], newest: &Checkpoint, keys: &[VerifierKey]) -> Result<(), String> {
    let end = End::decode(bytes).map_err(|why| why.to_string())?;
    end.must_be_by(keys).map_err(|why| why.to_string())?;
    match end.last == *newest {
        true => Ok(()),
        false => Err(format!(
            "it ends the log at size {}, the newest head is another, of size {}: it went on after its end",
            end.last.size, newest.size
        )),
    }
}

// Whether the published head has reached a size.
fn moved_to(source: &dyn Store, size: u64) -> Result<bool> {
    Ok(published::head(source)?.checkpoint.size >= size)
}

fn harmless(place: String, what: &str) -> Finding {
    let repair = "nothing reads it: leave it, or remove it";
    Finding { harmless: true, ..Finding::new(place, what, repair) }
}

// What a command that was killed had begun to write.
fn leftover(place: &str) -> Option<Finding> {
    let left = place.contains("/.coldlog-");
    left.then(|| harmless(place.into(), "an interrupted command left it"))
}

// Files that no reader asks for: what a crash left, or what somebody put there.
pub(super) fn check_strays(source: &dyn Store, size: u64, report: &mut Report) -> Result<()> {
    for folder in ["tile", "sealed"] {
        for path in listed(source, folder)? {
            let place = format!("{folder}/{path}");
            if let Some(note) = leftover(&place) {
                report.push(note);
                continue;
            }
            let what = match tile::parse_path(&place) {
                None => "it is no file of a log",
                Some((level, index, width)) if width > tile::width_at(level, index, size) => {
                    "it lies beyond the head: a crash left it, and the next append replaces it"
                }
                Some(_) => {
                    check_superseded(source, place, report)?;
                    continue;
                }
            };
            report.push(harmless(place, what));
        }
    }
    Ok(())
}

// A partial file, where the full one is there, must be its beginning: somebody may still be served it.
fn check_superseded(source: &dyn Store, place: String, report: &mut Report) -> Result<()> {
    let Some((path, _)) = place.rsplit_once(".p/") else { return Ok(()) };
    let Some(full) = source.get(path, MAX_BUNDLE)? else { return Ok(()) };
    if source.get(&place, MAX_BUNDLE)?.is_none_or(|part| full.starts_with(&part)) {
        return Ok(());
    }
    if place.starts_with("sealed/") {
        let what = "the full one, which is there, does not begin with it: one of them is damaged";
        report.add(
            place,
            what,
            "`log fsck --identity` tells which; copy that one from a mirror or a backup",
        );
        return Ok(());
    }
    // Where the full one is the damaged one, that is said of it.
    if report.entries_are_sound && !report.tiles.iter().any(|(tile, _)| tile.path() == path) {
        let what = "the full one, which is there, does not begin with it";
        report.add(place.clone(), what, SUPERSEDED);
        report.superseded.push(place);
    }
    Ok(())
}

// The files below a folder, relative to it, sorted.
fn listed(store: &dyn Store, folder: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    store.list(folder, &mut |path| {
        found.push(path.to_string());
        Ok(())
    })?;
    found.sort();
    Ok(found)
}
