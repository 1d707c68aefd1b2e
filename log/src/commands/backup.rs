//! `log backup`, `log restore` and `log drill`: a copy that is known to come back.

use super::recover::copy_heads;
use super::reseal::{remove_stale, state_file};
use crate::own;
use crate::place;
use crate::serve::readers;
use crate::store::{FolderStore, Store, Swapped};
use anyhow::{Context, Result, bail};
use coldlog_kit::exit::{OrNo, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::progress::Progress;
use coldlog_kit::published::{self, Tree};
use coldlog_kit::terminal::say;
use coldlog_objects::is_url;
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint, parse_decimal};
use coldlog_spec::merkle::leaf_hash;
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::tile::{self, Tile, WIDTH, entries_path, sealed_path};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Bundles that are copied before they are made durable together.
const TOGETHER: u64 = 32;
/// Where a backup keeps what is not published: the log's policy, who may read and did, and the key where it
/// is asked for.
const HOME: &str = "home";
/// The key in force, and the next one while it takes over.
const KEY_FILES: [&str; 2] = ["key.age", "next-key.age"];

/// Who may read sealed records over HTTP, and who did.
const READERS: &str = "readers/";
const ACCESSES: &str = "accesses";
/// Up to which entry a backup has followed what was sealed anew.
const FOLLOWED: &str = "resealed";

// What a backup may bring back; a name from outside leads nowhere else.
fn is_known(name: &str) -> bool {
    let reader = name.strip_prefix(READERS).is_some_and(readers::is_name);
    name == "log.policy" || is_key(name) || name == ACCESSES || reader
}

// What others shall not read.
fn is_private(name: &str) -> bool {
    name != "log.policy"
}

fn is_key(name: &str) -> bool {
    KEY_FILES.contains(&name)
}

/// `log backup TO`
pub fn backup(home: &Path, to: &str, with_key: bool) -> Outcome {
    place::must_be_home(home)?;
    let store = place::store(home)?;
    let head = verified_head(store.as_ref(), home)?;
    let keys = super::manage::verifiers(home)?;
    let backup = open_backup(home, to)?;
    let from = match backup.get("checkpoint", MAX_NOTE)? {
        None => 0,
        Some(bytes) => {
            let before = SignedCheckpoint::decode(&bytes)?.checkpoint;
            let mut tree = Tree::new(store.as_ref(), head.checkpoint.size);
            let origin = &head.checkpoint.origin;
            if before.size > head.checkpoint.size
                || before.origin != *origin
                || tree.root_at(before.size)? != before.root
            {
                return no(format!(
                    "{to} holds a head of {}, size {}, that this log of {} entries does not extend: it is a backup of another log, or this log was restored from an older copy; name another place, and keep that one",
                    before.origin, before.size, head.checkpoint.size
                ));
            }
            before.size
        }
    };
    let files = copy_tree(store.as_ref(), backup.as_ref(), folder_of(to), from, &head)?;
    let resealed = copy_resealed(home, store.as_ref(), backup.as_ref(), from, &head)?;
    forget_readers(home, backup.as_ref())?;
    copy_heads(store.as_ref(), backup.as_ref(), (from, head.checkpoint.size), &keys)?;
    for (name, bytes) in home_files(home, with_key)? {
        if is_private(&name) && !is_url(to) {
            let path = Path::new(to).join(HOME).join(&name);
            files::create_folder(&files::folder_of(&path))?;
            files::write(&path, &bytes, Existing::Replace, Mode::Private)?;
            continue;
        }
        put_if_new(backup.as_ref(), &format!("{HOME}/{name}"), &bytes)?;
    }
    // Last: a backup that was interrupted is still the one before, and goes on from there.
    put_if_new(backup.as_ref(), "checkpoint", &head.encode())?;
    say(format!(
        "{to} holds the log up to size {}: {} entries and {} files were new, all read back",
        head.checkpoint.size,
        head.checkpoint.size - from,
        files + resealed
    ));
    Ok(())
}

// A place that has a disk of this machine.
fn folder_of(place: &str) -> Option<&Path> {
    (!is_url(place)).then(|| Path::new(place))
}

fn open_backup(home: &Path, to: &str) -> Result<Box<dyn Store>> {
    let own = match is_url(to) {
        true => place::store(home)?.place() == to.trim_end_matches('/'),
        false => {
            files::create_folder(Path::new(to))?;
            Path::new(to).canonicalize()?.starts_with(home.canonicalize()?)
        }
    };
    // What is private of a log would be published with it; and one place is no copy.
    if own {
        bail!("{to} is the log's own place: a backup goes to another, best to another machine");
    }
    place::open_store(to)
}

fn verified_head(store: &dyn Store, home: &Path) -> Outcome<SignedCheckpoint> {
    let head = published::head(store)?;
    head.must_be_by(&super::manage::verifiers(home)?)
        .context("the checkpoint is not signed by the log's own keys (log.policy): run `log fsck`")
        .or_no()?;
    Ok(head)
}

fn put_if_new(store: &dyn Store, path: &str, bytes: &[u8]) -> Result<()> {
    match store.get(path, readers::MAX_JOURNAL)? {
        Some(there) if there == bytes => Ok(()),
        _ => store.put(path, bytes),
    }
}

// The policy, the readers and what they read; the key file where it is asked for, and only a sealed one.
fn home_files(home: &Path, with_key: bool) -> Outcome<Vec<(String, Vec<u8>)>> {
    let mut found = vec![("log.policy".into(), files::read(&home.join("log.policy"), 1 << 16)?)];
    for (name, bytes) in readers::files_of(home)? {
        found.push((format!("{READERS}{name}"), bytes));
    }
    if let Some(bytes) = readers::accesses_until_now(home)? {
        found.push((ACCESSES.into(), bytes));
    }
    if with_key {
        for name in KEY_FILES {
            let path = home.join(name);
            if name != KEY_FILES[0] && !files::is_there(&path)? {
                continue;
            }
            let key = files::read_private(&path, 1 << 16)?;
            if !key.starts_with(b"age-encryption.org/") {
                return no(
                    "the key file is not encrypted: it goes into no backup; keep it apart, on paper or a token",
                );
            }
            found.push((name.into(), key.to_vec()));
        }
    }
    Ok(found)
}

// Said before anything is copied: about what the newest bundles take, for each of those to come.
fn need_space(tree: &Tree, folder: &Path, (from, size): (u64, u64)) -> Result<()> {
    let Some(newest) = size.checked_sub(1).filter(|_| size > from) else { return Ok(()) };
    let bundle = newest / WIDTH;
    let taken = tree.bundle(bundle, entries_path)?.len() + tree.bundle(bundle, sealed_path)?.len();
    let each = taken as u64 / tile::width_at(0, bundle, size).max(1) + 64;
    files::need_space(folder, each.saturating_mul(size - from) + (1 << 20))
}

// Copies entries, sealed records and tiles from the bundle that holds `from` on; what is there with the
// same bytes stays. Each tile is held against the entries or tiles below it first: damage is not copied.
fn copy_tree(
    source: &dyn Store,
    to: &dyn Store,
    folder: Option<&Path>,
    from: u64,
    head: &SignedCheckpoint,
) -> Outcome<u64> {
    let size = head.checkpoint.size;
    let mut tree = Tree::new(source, size);
    if tree.root()? != head.checkpoint.root {
        return no("the tiles do not give the root that the head says: run `log fsck`");
    }
    if let Some(folder) = folder {
        need_space(&tree, folder, (from, size))?;
    }
    let progress = Progress::new("copying", Some(size - from));
    let mut files = Vec::new();
    let mut copied = 0;
    for bundle in from / WIDTH..size.div_ceil(WIDTH) {
        let width = tile::width_at(0, bundle, size);
        let entries = tree.bundle(bundle, entries_path)?;
        let leaves: Vec<_> =
            tile::decode_bundle(&entries, width)?.into_iter().map(leaf_hash).collect();
        let tile = Tile { level: 0, index: bundle, width };
        if tree.tile(tile)? != leaves {
            return no(format!("{} is not what its entries give: run `log fsck`", tile.path()));
        }
        files.push((tile.path(), tile::encode_tile(&leaves)));
        files.push((entries_path(bundle, width), entries));
        files.push((sealed_path(bundle, width), tree.bundle(bundle, sealed_path)?));
        if (bundle + 1).is_multiple_of(TOGETHER) {
            copied += to.put_many(std::mem::take(&mut files))?;
        }
        progress.add(width);
    }
    for level in 1..tile::HEIGHT {
        let span = 8 * u32::from(level);
        let mut index = (from >> span) / WIDTH;
        while tile::width_at(level, index, size) > 0 {
            let tile = Tile { level, index, width: tile::width_at(level, index, size) };
            let hashes = tree.tile(tile)?.to_vec();
            for (at, hash) in hashes.iter().enumerate() {
                let below = index * WIDTH + at as u64;
                let below = Tile { level: level - 1, index: below, width: WIDTH };
                if tile::fold(tree.tile(below)?) != Some(*hash) {
                    return no(format!(
                        "{} is not what {} gives: run `log fsck`",
                        tile.path(),
                        below.path()
                    ));
                }
            }
            files.push((tile.path(), tile::encode_tile(&hashes)));
            index += 1;
        }
    }
    copied += to.put_many(files)?;
    Ok(copied)
}

// Who may no longer read in the log does not come back with the backup.
fn forget_readers(home: &Path, backup: &dyn Store) -> Result<()> {
    let readers = readers::files_of(home)?;
    let mut gone = Vec::new();
    backup.list(&format!("{HOME}/{}", READERS.trim_end_matches('/')), &mut |name| {
        if !readers.iter().any(|(there, _)| there == name) {
            gone.push(format!("{HOME}/{READERS}{name}"));
        }
        Ok(())
    })?;
    gone.iter().try_for_each(|path| backup.remove(path))
}

// Bundles below `from` that were sealed anew, as the entries say that come after those which this backup has
// followed already. While a reseal is under way here, it is not followed to its end.
fn copy_resealed(
    home: &Path,
    source: &dyn Store,
    to: &dyn Store,
    from: u64,
    head: &SignedCheckpoint,
) -> Outcome<u64> {
    let Checkpoint { origin, size, .. } = &head.checkpoint;
    let tree = Tree::new(source, *size);
    let under_way = files::is_there(&state_file(home))?;
    let followed = format!("{HOME}/{FOLLOWED}");
    let first = to
        .get(&followed, 64)?
        .and_then(|text| parse_decimal(std::str::from_utf8(&text).ok()?.strip_suffix('\n')?));
    let first = first.unwrap_or(0).min(from);
    let mut copied = 0;
    for bundle in first / WIDTH..size.div_ceil(WIDTH) {
        let entries = tree.bundle(bundle, entries_path)?;
        let entries = tile::decode_bundle(&entries, tile::width_at(0, bundle, *size))?;
        for (at, entry) in (bundle * WIDTH..).zip(entries) {
            let Some(reseal) = own::reseal_of(entry, origin) else { continue };
            let mut files = Vec::new();
            for old in reseal.from / WIDTH..reseal.to.div_ceil(WIDTH).min(from / WIDTH) {
                files.push((sealed_path(old, WIDTH), tree.bundle(old, sealed_path)?));
                if files.len() as u64 == TOGETHER {
                    copied += to.put_many(std::mem::take(&mut files))?;
                }
            }
            copied += to.put_many(files)?;
            remove_stale(to, reseal.from..reseal.to, at, *size)?;
        }
    }
    if !under_way {
        put_if_new(to, &followed, format!("{size}\n").as_bytes())?;
    }
    Ok(copied)
}

/// `log restore FROM`
pub fn restore(home: &Path, from: &str, store: Option<&str>, key: Option<&Path>) -> Outcome {
    let size = bring_back(home, from, store, key)?;
    let key = match files::is_there(&home.join("key.age"))? {
        true => "",
        false => "put the log's key file in as key.age; ",
    };
    say(format!(
        "{} holds the log up to size {size}; {key}before it signs, compare it with the newest head that others saw: `log recover --newest HEAD`",
        home.display()
    ));
    Ok(())
}

fn bring_back(home: &Path, from: &str, url: Option<&str>, key: Option<&Path>) -> Outcome<u64> {
    let backup = place::open_store(from)?;
    let head = published::head(backup.as_ref())?;
    files::create_folder(home)?;
    let _lock = files::lock(home)?;
    let mut names = Vec::new();
    backup.list(HOME, &mut |name| {
        names.push(name.to_string());
        Ok(())
    })?;
    for name in names {
        if !is_known(&name) {
            continue;
        }
        let path = format!("{HOME}/{name}");
        let bytes = backup.get(&path, readers::MAX_JOURNAL)?.context("it was just listed")?;
        let (mode, existing) = match is_private(&name) {
            true => (Mode::Private, Existing::Never),
            false => (Mode::Public, Existing::Keep),
        };
        let place = home.join(&name);
        if is_private(&name) && files::is_there(&place)? {
            continue;
        }
        files::create_folder(&files::folder_of(&place))?;
        files::write(&place, &bytes, existing, mode)?;
    }
    if let Some(key) = key {
        let (bytes, place) = (files::read_private(key, 1 << 16)?, home.join("key.age"));
        // An interrupted restore is given again, with the same words.
        if !files::is_there(&place)? || *files::read_private(&place, 1 << 16)? != *bytes {
            files::write(&place, &bytes, Existing::Never, Mode::Private)?;
        }
    }
    head.must_be_by(&super::manage::verifiers(home)?)
        .with_context(|| {
            format!("the checkpoint in {from} is not signed by the key of its log.policy")
        })
        .or_no()?;
    if let Some(url) = url {
        files::write(
            &home.join("store"),
            format!("{url}\n").as_bytes(),
            Existing::Keep,
            Mode::Public,
        )?;
    }
    let store = place::store(home)?;
    if store.get("checkpoint", MAX_NOTE)?.is_some() {
        return trouble(format!(
            "{} holds a log already: restore into another place",
            store.place()
        ));
    }
    let folder = url.is_none().then_some(home);
    copy_tree(backup.as_ref(), store.as_ref(), folder, 0, &head)?;
    let keys = super::manage::verifiers(home)?;
    copy_heads(backup.as_ref(), store.as_ref(), (0, head.checkpoint.size), &keys)?;
    if store.swap_head(None, &head)? == Swapped::Lost {
        return trouble(format!(
            "{} holds a log already: restore into another place",
            store.place()
        ));
    }
    Ok(head.checkpoint.size)
}

/// `log drill FROM`: restores into a scratch folder, checks all of it, and says how long it took. A backup
/// may be `behind` the newest head by so many entries.
pub fn drill(home: &Path, from: &str, newest: &[PathBuf], behind: u64) -> Outcome {
    let start = Instant::now();
    place::must_be_home(home)?;
    let scratch =
        tempfile::tempdir_in(home).context("making a scratch folder in the log's home")?;
    let there = scratch.path().join("restored");
    let size = bring_back(&there, from, None, None)?;
    let restored = start.elapsed();
    super::fsck::must_be_sound(&there)?;
    // The backup must be of this log's history, and of what others saw of it.
    let store = FolderStore::new(place::public(&there));
    let own = verified_head(place::store(home)?.as_ref(), home)?;
    let mut tree = Tree::new(&store, size);
    let mut missing = own.checkpoint.size.saturating_sub(size);
    let keys = super::manage::verifiers(home)?;
    let mut heads = vec![("the log's own head".to_string(), own)];
    for path in newest {
        heads.push((path.display().to_string(), super::recover::read_head(path, &keys)?));
    }
    let backup = published::head(&store)?.checkpoint;
    for (name, head) in heads {
        let at = head.checkpoint.size;
        let fits = match at <= size {
            true => tree.root_at(at)? == head.checkpoint.root,
            // It is older than that head: then the log must extend it.
            false => {
                let source = place::store(home)?;
                let here = published::head(source.as_ref())?.checkpoint.size;
                here < at || Tree::new(source.as_ref(), here).root_at(size)? == backup.root
            }
        };
        if !fits {
            return no(format!("{name}, of size {at}, is of another history than the backup"));
        }
        missing = missing.max(at.saturating_sub(size));
    }
    say(format!(
        "{size} entries came back in {:.1} s and were checked in {:.1} s; {missing} newer ones are not in the backup",
        restored.as_secs_f64(),
        (start.elapsed() - restored).as_secs_f64()
    ));
    match missing <= behind {
        true => Ok(()),
        false => no(format!(
            "the backup is {missing} entries behind the newest head, at most {behind} are allowed: run `log backup`"
        )),
    }
}
