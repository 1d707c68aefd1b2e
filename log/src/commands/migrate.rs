//! `log migrate`: a successor of a frozen log, whose first entry names the predecessor's last head.

use crate::admit::Judge;
use crate::commands::{append, manage};
use crate::place::{self, Place, admission_path};
use crate::store::Store;
use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::published::{self, Tree};
use coldlog_kit::secret::{self, Source};
use coldlog_kit::terminal::say;
use coldlog_kit::{seal, time};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::end::{self, End};
use coldlog_spec::hash::Hash;
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::policy::{MAX_POLICY, Policy};
use coldlog_spec::record::{Disclosure, Operation, Record};
use coldlog_spec::statement::{KeyEvent, KnownHead, Payload, Position, Statement};
use coldlog_spec::tile::entries_path;
use coldlog_spec::verify::append::verify_genesis;
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
    let policy = Policy::parse(&files::read(&options.policy, MAX_POLICY as u64)?)?;
    let last = ended(place::store(home)?.as_ref(), &policy)?;
    if last.checkpoint.origin == options.origin {
        return no("a successor is another log: it has an origin of its own");
    }
    let to = options.to.as_path();
    let begun = files::is_there(&to.join("log.policy"))?
        && place::store(to)?.get("checkpoint", MAX_NOTE)?.is_some();
    if !begun {
        let store = options.store.as_deref();
        manage::init(to, &options.origin, store, options.unencrypted, &options.secret)?;
    }
    // The signers write on, from their geneses on: `signer export --log ORIGIN`.
    for entry in std::fs::read_dir(home.join("allowed")).context("the allowed signers")? {
        let path = entry.context("the allowed signers")?.path();
        let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|e| e == "cbor"))
        else {
            continue;
        };
        let genesis = files::read(&path, 1 << 16)?;
        verify_genesis(&genesis).with_context(|| path.display().to_string())?;
        files::write(&to.join("allowed").join(name), &genesis, Existing::Keep, Mode::Public)?;
    }
    let mut place = Place::open(to)?;
    let keys = manage::keys(&place, &options.secret)?;
    if keys.origin() != options.origin {
        return no(format!("{} holds the log {:?}", to.display(), keys.origin()));
    }
    if place.head.checkpoint.size == 0 {
        let (genesis, sealed) = first_entry(&keys.current, &last)?;
        let admission = verify_genesis(genesis.bytes())?;
        append::sequenced(&mut place, &keys, |place, edge| {
            let mut judge = Judge::new(place, &admission)?;
            judge.judge(&genesis)?.or_no()?;
            judge.push(&genesis, &sealed, edge)?;
            Ok(())
        })?;
    }
    let entry =
        Tree::new(place.store.as_ref(), place.head.checkpoint.size).entry(0, entries_path)?;
    let own_lines = files::read(&to.join("log.policy"), 1 << 16)?;
    let both = [&own_lines[..], &files::read(&options.policy, MAX_POLICY as u64)?].concat();
    let both = if policy.names(&options.origin) { policy } else { Policy::parse(&both)? };
    let end = read_end(place::store(home)?.as_ref())?;
    succession::succeeds(&entry, &options.origin, &end, &last, &both).or_no()?;
    let own = admission_path(to, &succession::claims(&options.origin));
    files::write(&own, &entry, Existing::Keep, Mode::Public)?;
    say(format!(
        "{} succeeds {}, which ends with {} entries; its first entry says so, and the same signers may write to it",
        options.origin, last.checkpoint.origin, last.checkpoint.size
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

// The genesis of the successor's own journal, and its record, which only the log's key opens.
fn first_entry(
    keys: &coldlog_kit::keyfile::Keys,
    last: &SignedCheckpoint,
) -> anyhow::Result<(Statement, Vec<u8>)> {
    let record = Record {
        time: time::now(),
        operator: keys.name.clone(),
        purpose: format!("succession of {}", last.checkpoint.origin),
        device: String::new(),
        operation: Operation::Genesis { operators: vec![keys.name.clone()] },
    };
    let disclosure = Disclosure { salt: secret::random()?, record };
    let recipients = [keys.recipient()];
    let event = KeyEvent {
        key: *keys.ed25519().public().as_bytes(),
        recipients: recipients.iter().map(ToString::to_string).collect(),
        commitment: disclosure.commitment(),
    };
    let head = KnownHead {
        origin: last.checkpoint.origin.clone(),
        size: last.checkpoint.size,
        root: last.checkpoint.root,
        note: Hash::of(&last.encode()),
    };
    let position = Position { sequence: 0, previous: None, head: Some(head) };
    let claims = succession::claims(&keys.name);
    let genesis = Statement::sign(&keys.ed25519(), &claims, &position, Payload::KeyEvent(event));
    let sealed = seal::seal(&disclosure.encode(), &recipients)?;
    Ok((genesis, sealed))
}
