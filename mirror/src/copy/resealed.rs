//! Records that a log has sealed anew: they are fetched when the entry comes that says so, and once more.

use super::bundles::{Counted, fetch_sealed};
use crate::place::Copy;
use anyhow::{Result, bail};
use coldlog_kit::exit::Outcome;
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::published::{Source, Tree};
use coldlog_kit::time;
use coldlog_log::commands::reseal::remove_stale;
use coldlog_log::store::Store;
use coldlog_spec::reseal::Reseal;
use coldlog_spec::tile::{self, MAX_BUNDLE, WIDTH, sealed_path};

/// Seconds after which what was sealed anew is fetched once more: a log replaces its bundles one by one.
const AGAIN: u64 = 3600;

/// The most that is to be fetched anew: a million reseals.
const MAX_DUE: u64 = 1 << 26;
// What was sealed anew is fetched now, and once more after a while: also what has just come, for a log
// replaces its bundles after the entry that says so.
pub(super) fn note_reseals(copy: &Copy, reseals: &[(u64, Reseal)]) -> Result<()> {
    let mut due = read_due(copy)?;
    let before = due.len();
    for (at, reseal) in reseals {
        // It is of entries before its own, whatever it says.
        let (from, to) = (reseal.from, reseal.to.min(*at));
        if from < to && !due.iter().any(|(known, ..)| known == at) {
            due.push((*at, from, to, 0));
        }
    }
    if due.len() == before {
        return Ok(());
    }
    let path = copy.folder().join("resealed");
    files::write(&path, due_text(&due).as_bytes(), Existing::Replace, Mode::Public)
}

type Due = (u64, u64, u64, u64);

fn due_text(due: &[Due]) -> String {
    due.iter().map(|(at, from, to, when)| format!("{at} {from} {to} {when}\n")).collect()
}

fn read_due(copy: &Copy) -> Result<Vec<Due>> {
    let path = copy.folder().join("resealed");
    if !files::is_there(&path)? {
        return Ok(Vec::new());
    }
    let text = String::from_utf8(files::read(&path, MAX_DUE)?)?;
    let line = |line: &str| {
        let numbers: Option<Vec<u64>> = line.split(' ').map(|word| word.parse().ok()).collect();
        match numbers.as_deref() {
            Some([at, from, to, when]) => Ok((*at, *from, *to, *when)),
            _ => bail!("{} is damaged: remove it", path.display()),
        }
    };
    text.lines().map(line).collect()
}

// Fetches the bundles that were sealed anew and are due, and removes older, partial copies of them.
pub(super) fn fetch_due(copy: &Copy, source: &Counted, size: u64) -> Outcome {
    let (now, due) = (time::now(), read_due(copy)?);
    if due.is_empty() {
        return Ok(());
    }
    let (tree, store, mut left) = (Tree::new(source, size), copy.store(), Vec::new());
    for (at, from, to, when) in due {
        if when > now {
            left.push((at, from, to, when));
            continue;
        }
        for bundle in from / WIDTH..to.div_ceil(WIDTH) {
            let width = tile::width_at(0, bundle, size);
            let bytes = fetch_sealed(&tree, bundle, width)?;
            // Durable before it takes the place of one that is.
            let path = sealed_path(bundle, width);
            if store.get(&path, MAX_BUNDLE).ok().flatten().as_ref() != Some(&bytes) {
                store.put(&path, &bytes)?;
            }
        }
        remove_stale(&store, from..to, at, size)?;
        if when == 0 {
            left.push((at, from, to, now + AGAIN));
        }
    }
    let path = copy.folder().join("resealed");
    files::write(&path, due_text(&left).as_bytes(), Existing::Replace, Mode::Public)?;
    Ok(())
}
