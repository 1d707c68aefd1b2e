//! `log gc`: removes what nothing needs any more, by rule.

use crate::place::Place;
use crate::store::Store;
use anyhow::Result;
use coldlog_kit::exit::Outcome;
use coldlog_kit::terminal::say;
use coldlog_spec::tile::{self, MAX_BUNDLE, WIDTH};
use std::path::Path;

/// Removes partial tiles and bundles whose full one is there and begins with them (C2SP tlog-tiles,
/// "Partial Tiles"), what lies beyond the head, and what interrupted commands left.
pub fn run(home: &Path, dry_run: bool) -> Outcome {
    let place = Place::open(home)?;
    let size = place.head.checkpoint.size;
    let store = place.store.as_ref();
    let removed = sweep(store, size, place.shared, dry_run)?;
    let staged = if dry_run { 0 } else { store.collect()? };
    let verb = if dry_run { "would be removed" } else { "were removed" };
    say(format!("{removed} files that nothing needs, and {staged} staged ones, {verb}"));
    Ok(())
}

/// The same in a store whose head has a size, but for what was staged; returns how many files went.
pub fn sweep(store: &dyn Store, size: u64, shared: bool, dry_run: bool) -> Result<u64> {
    let mut removed = 0;
    for folder in ["tile", "sealed", "heads"] {
        let mut paths = Vec::new();
        store.list(folder, &mut |path| {
            paths.push(format!("{folder}/{path}"));
            Ok(())
        })?;
        paths.sort();
        for path in paths {
            if !is_needless(store, &path, size, shared)? {
                continue;
            }
            removed += 1;
            match dry_run {
                true => say(format!("would remove {path}")),
                false => store.remove(&path)?,
            }
        }
    }
    Ok(removed)
}

fn is_needless(store: &dyn Store, path: &str, size: u64, shared: bool) -> Result<bool> {
    if path.contains("/.coldlog-") {
        return Ok(true);
    }
    // What is no file of a log is not ours to remove.
    let Some((level, index, width)) = tile::parse_path(path) else { return Ok(false) };
    let whole = tile::width_at(level, index, size);
    if width > whole {
        // Where others write, too, it is not a crash's: they may have moved the head since we read it.
        return Ok(!shared);
    }
    let Some((full, _)) = path.rsplit_once(".p/").filter(|_| whole == WIDTH) else {
        return Ok(false);
    };
    // A damaged file is for `log fsck` to name: only what the full one has as well goes.
    let (part, full) = (store.get(path, MAX_BUNDLE)?, store.get(full, MAX_BUNDLE)?);
    Ok(part.zip(full).is_some_and(|(part, full)| full.starts_with(&part)))
}
