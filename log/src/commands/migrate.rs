//! `log migrate`: a successor of a frozen log, whose first entry names the predecessor's last head.

use crate::commands::manage;
use crate::own;
use crate::place::{self, Place};
use crate::store::Store;
use coldlog_kit::custody::NewKey;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files;
use coldlog_kit::published::{self, Tree};
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::end::{self, End};
use coldlog_spec::hash::Hash;
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::policy::{MAX_POLICY, Policy};
use coldlog_spec::rehearsal::{is_rehearsal, own_name};
use coldlog_spec::statement::{KnownHead, Payload};
use coldlog_spec::tile::entries_path;
use coldlog_spec::verify::succession;
use std::path::{Path, PathBuf};

/// What the command line says.
pub struct Options {
    /// The successor's folder.
    pub to: PathBuf,
    /// Its origin.
    pub origin: String,
    /// The object store to publish it into.
    pub store: Option<String>,
    /// Do not encrypt its key file.
    pub unencrypted: bool,
    /// The policy under which the predecessor's last head holds.
    pub policy: PathBuf,
    /// The passphrase's source, for the successor's key.
    pub secret: Source,
}

/// Runs the command; one that was interrupted goes on.
pub fn run(home: &Path, options: &Options) -> Outcome {
    place::must_be_home(home)?;
    let policy = coldlog_kit::policy::read("log", &options.policy)?;
    let last = ended(place::store(home)?.as_ref(), &policy)?;
    let practised = is_rehearsal(&last.checkpoint.origin);
    let origin = own_name(&options.origin, practised).or_no()?;
    if last.checkpoint.origin == origin {
        return no("a successor is another log: it has an origin of its own");
    }
    let to = options.to.as_path();
    let begun = files::is_there(&to.join("log.policy"))?
        && place::store(to)?.get("checkpoint", MAX_NOTE)?.is_some();
    if !begun {
        let store = options.store.as_deref();
        let (unencrypted, place) = (options.unencrypted, NewKey::default());
        manage::init(to, &origin, practised, store, unencrypted, &place, &options.secret)?;
    }
    let mut place = Place::open(to)?;
    let keys = manage::keys(&place, &options.secret)?;
    if keys.origin() != origin {
        return no(format!("{} holds the log {:?}", to.display(), keys.origin()));
    }
    if place.head.checkpoint.size == 0 {
        // The same signers write on, from their geneses on: `signer export --log ORIGIN`.
        let rules = Place::open(home)?.rules()?.rules.clone();
        let head = KnownHead {
            origin: last.checkpoint.origin.clone(),
            size: last.checkpoint.size,
            root: last.checkpoint.root,
            note: Hash::of(&last.encode()),
        };
        own::say(&mut place, &keys, Some(&head), |_| Ok(Some(Payload::Rules(rules.clone()))))?;
    }
    let entry =
        Tree::new(place.store.as_ref(), place.head.checkpoint.size).entry(0, entries_path)?;
    let own_lines = files::read(&to.join("log.policy"), 1 << 16)?;
    let both = [&own_lines[..], &files::read(&options.policy, MAX_POLICY as u64)?].concat();
    let both = if policy.names(&origin) { policy } else { Policy::parse(&both)? };
    let end = read_end(place::store(home)?.as_ref())?;
    succession::succeeds(&entry, &origin, &end, &last, &both).or_no()?;
    say(format!(
        "{} succeeds {}, which ends with {} entries; its first entry says so, and the same signers may write to it",
        origin, last.checkpoint.origin, last.checkpoint.size
    ));
    Ok(())
}

fn read_end(store: &dyn Store) -> Outcome<End> {
    match store.get(end::PATH, MAX_NOTE)? {
        Some(bytes) => Ok(End::decode(&bytes)?),
        None => no("the log is not frozen, so another head could follow: run `log freeze` first"),
    }
}

// The last head of a frozen log.
fn ended(store: &dyn Store, policy: &Policy) -> Outcome<SignedCheckpoint> {
    let end = read_end(store)?;
    let last = published::head(store)?;
    end.verify(&last, policy).or_no()?;
    Ok(last)
}
