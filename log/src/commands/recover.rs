//! `log recover`: after a restore, compares the log with what others saw, brings back what is lost, and
//! lets it sign again.

use super::append;
use crate::memory;
use crate::place::{self, Opened, Place};
use crate::sequencer::Edge;
use crate::store::{Store, Swapped};
use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files;
use coldlog_kit::progress::Progress;
use coldlog_kit::published::{self, Bundles, Tree};
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::end::{self, End};
use coldlog_spec::merkle::leaf_hash;
use coldlog_spec::note::{MAX_NOTE, SignatureLine, VerifierKey};
use coldlog_spec::tile::{entries_path, head_path, parse_head_path, sealed_path};
use std::path::{Path, PathBuf};

/// What the command line says.
pub struct Options {
    /// Heads of this log that others have.
    pub newest: Vec<PathBuf>,
    /// A mirror that has the lost entries.
    pub from: Option<String>,
    /// A reader's token for it.
    pub token_file: Option<PathBuf>,
    /// The signers' batches that hold the lost entries, and the files of rules, in the order in which they
    /// were appended.
    pub batches: Vec<PathBuf>,
    /// The passphrase's source, where the batches hold rules.
    pub secret: Source,
}

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let mut place = Place::open(home)?;
    let keys = super::manage::verifiers(home)?;
    let mut heads = Vec::new();
    for path in &options.newest {
        heads.push((path, read_head(path, &keys)?));
    }
    // What this machine itself has signed counts as well, whoever says what.
    let own = home.join("newest-head");
    if let Some(head) = memory::remembered(home)?
        && head.must_be_by(&keys).is_ok()
    {
        heads.push((&own, head));
    }
    heads.sort_by_key(|(_, head)| head.checkpoint.size);
    must_hold(&place, &heads)?;
    let Some((_, newest)) = heads.last().cloned() else {
        return no("name a head that others have, with --newest");
    };
    let (size, here) = (newest.checkpoint.size, place.head.checkpoint.size);
    if size > here {
        match (&options.from, options.batches.as_slice()) {
            (Some(mirror), []) => {
                let mirror = place::open_source(mirror, options.token_file.as_deref())?;
                from_mirror(&mut place, &mirror, &newest, &keys)?;
            }
            (None, [_, ..]) => {
                append::rebuild(&mut place, &options.batches, &newest, &options.secret)?
            }
            _ => {
                return no(format!(
                    "the newest head has size {size}, this log has {here} entries: {} are lost here; bring them back with --from MIRROR, or with --batches and the signers' exports in the order in which they were appended",
                    size - here
                ));
            }
        }
        say(format!("{} entries are back", size - here));
        must_hold(&place, &heads)?;
    }
    memory::remember(home, &place.head)?;
    say(format!(
        "the log has {} entries, every head named fits them; it may sign again",
        place.head.checkpoint.size
    ));
    Ok(())
}

pub(crate) fn read_head(path: &Path, keys: &[VerifierKey]) -> Outcome<SignedCheckpoint> {
    let head = SignedCheckpoint::decode(&files::read(path, MAX_NOTE as u64)?);
    let head = head.with_context(|| path.display().to_string())?;
    head.must_be_by(keys)
        .with_context(|| format!("{} is no head that this log signed", path.display()))
        .or_no()?;
    Ok(head)
}

// Every head up to the log's size is one of its history.
fn must_hold(place: &Place, heads: &[(&PathBuf, SignedCheckpoint)]) -> Outcome {
    let here = place.head.checkpoint.size;
    let mut tree = Tree::new(place.store.as_ref(), here);
    for (path, head) in heads {
        let (size, root) = (head.checkpoint.size, head.checkpoint.root);
        if size <= here && tree.root_at(size)? != root {
            return no(format!(
                "{} is a head of size {size} with the root {root}, this log had {} then: two histories were signed; keep both, and compare them with `verifier cross-check`",
                path.display(),
                tree.root_at(size)?
            ));
        }
    }
    Ok(())
}

fn from_mirror(
    place: &mut Place,
    mirror: &Opened,
    newest: &SignedCheckpoint,
    keys: &[VerifierKey],
) -> Outcome {
    let source = mirror.source();
    let (here, head) = (&place.head.checkpoint, &newest.checkpoint);
    let mut tree = Tree::new(source, head.size);
    if tree.root()? != head.root || tree.root_at(here.size)? != here.root {
        return no(format!(
            "the mirror in {} is not of this history: its root at size {} or at size {} is another",
            mirror.place(),
            here.size,
            head.size
        ));
    }
    let mut entries = Bundles::new(source, head.size, entries_path);
    let mut sealed = Bundles::new(source, head.size, sealed_path);
    let mut edge = Edge::load(place.store.as_ref(), here.size, here.root)?;
    let progress = Progress::new("bringing back", Some(head.size - here.size));
    for index in here.size..head.size {
        let entry = entries.get(index)?;
        edge.push(leaf_hash(entry), entry, sealed.get(index)?)?;
        progress.add(1);
    }
    let (_, root) = edge.finish()?;
    if root != head.root {
        return no("the mirror's entries are not those of its tiles: use another mirror");
    }
    copy_heads_of(mirror, place.store.as_ref(), (here.size, head.size), keys)?;
    if place.store.swap_head(Some(&place.head), newest)? == Swapped::Lost {
        return no("another writer moved the head meanwhile: run the command again");
    }
    Ok(place.follow()?)
}

/// Copies the published heads of sizes above `from`, below `to`: those that are signed and fit.
pub(crate) fn copy_heads(
    source: &dyn Store,
    to: &dyn Store,
    sizes: (u64, u64),
    keys: &[VerifierKey],
) -> Outcome {
    let mut paths = Vec::new();
    source.list("heads", &mut |name| {
        paths.push(format!("heads/{name}"));
        Ok(())
    })?;
    copy_named_heads(source, paths, to, sizes, keys)
}

/// The same of what can only be asked for by name: the newest of these heads, and the end.
pub fn copy_heads_of(
    source: &Opened,
    to: &dyn Store,
    sizes: (u64, u64),
    keys: &[VerifierKey],
) -> Outcome {
    match source {
        Opened::Store(store) => copy_heads(store.as_ref(), to, sizes, keys),
        Opened::Url(url) => {
            copy_named_heads(url, vec![head_path(sizes.1), end::PATH.into()], to, sizes, keys)
        }
    }
}

fn copy_named_heads(
    source: &dyn published::Source,
    paths: Vec<String>,
    to: &dyn Store,
    (from, size): (u64, u64),
    keys: &[VerifierKey],
) -> Outcome {
    // Held against what was verified and is here: nobody's word for it, and nobody's tiles.
    let mut tree = Tree::new(to, size);
    for path in paths {
        let at = parse_head_path(&path);
        if path != end::PATH && at.is_none_or(|at| at < from || at > size) {
            continue;
        }
        let Some(bytes) = source.get(&path, MAX_NOTE)? else { continue };
        if let Some(end) = End::decode(&bytes).ok().filter(|_| path == end::PATH) {
            // It is of the newest head, or of none that is here.
            if end.must_be_by(keys).is_ok() && tree.holds(&end.last)? && end.last.size == size {
                to.put(&path, &bytes)?;
            }
            continue;
        }
        let Ok(head) = SignedCheckpoint::decode(&bytes) else { continue };
        let signed = head.must_be_by(keys).is_ok();
        if at != Some(head.checkpoint.size) || !signed || !tree.holds(&head.checkpoint)? {
            continue;
        }
        // One of the same size may have more cosignatures here, or there.
        let here = to.get(&path, MAX_NOTE)?.and_then(|note| SignedCheckpoint::decode(&note).ok());
        let here = here.filter(|here| here.note.text == head.note.text);
        let mut joined = here.clone().unwrap_or_else(|| head.clone());
        for line in head.note.signatures {
            let known = |other: &SignatureLine| (other.id, &other.name) == (line.id, &line.name);
            if !joined.note.signatures.iter().any(known) {
                joined.note.signatures.push(line);
            }
        }
        if here.as_ref() != Some(&joined) && SignedCheckpoint::decode(&joined.encode()).is_ok() {
            to.put(&path, &joined.encode())?;
        }
    }
    Ok(())
}
