//! `verifier key-events` and `verifier impact`: the life of keys, from a copy of the log.

use super::audit::each_entry;
use super::heads::HEAD;
use crate::openings::OpeningArgs;
use anyhow::{Context, Result};
use coldlog_kit::exit::{Failure, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::published::{Source, Tree};
use coldlog_kit::report::{self, Report};
use coldlog_kit::seal::{self, Identity};
use coldlog_kit::terminal::{field, say};
use coldlog_kit::time;
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::cose::Claims;
use coldlog_spec::ed25519::PublicKey;
use coldlog_spec::key_event::{Event, Since, revoked_journal};
use coldlog_spec::key_events::{KeyEvents, LoggedEvent, MAX_BYTES, MAX_EVENTS};
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::policy::Policy;
use coldlog_spec::record::{Disclosure, Operation};
use coldlog_spec::statement::{Payload, Statement};
use coldlog_spec::tile::{head_path, parse_head_path};
use coldlog_spec::verify::admission::{Admission, verify_genesis};
use coldlog_spec::verify::keys::{Made, Revoked};
use coldlog_spec::verify::revocation::{is_prepared, verify_by_itself};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Reads a file of key events.
pub(crate) fn read(path: &Path) -> Result<KeyEvents> {
    let bytes = files::read(path, MAX_BYTES as u64)?;
    KeyEvents::decode(&bytes).with_context(|| path.display().to_string())
}

/// `verifier key-events`: what `verifier check --key-events` takes.
pub fn events(
    log: &Path,
    policy: &Path,
    signer: Option<&str>,
    output: &Path,
    force: bool,
) -> Outcome {
    let Some(file) = gather(log, policy, signer)? else {
        return no("0 key events: the log has no entry of that signer");
    };
    let bytes = file.encode();
    // What `verifier check` would not read helps nobody.
    KeyEvents::decode(&bytes).with_context(|| output.display().to_string())?;
    files::write(output, &bytes, Existing::from_force(force), Mode::Public)?;
    say(format!(
        "{} key events as of {} at size {}, in {}",
        file.events.len(),
        file.head.checkpoint.origin,
        file.head.checkpoint.size,
        output.display()
    ));
    Ok(())
}

/// The same as bytes; none where the log has no entry of that signer.
pub(crate) fn events_of(log: &Path, policy: &Path, signer: &str) -> Result<Option<Vec<u8>>> {
    match gather(log, policy, Some(signer)) {
        Ok(file) => Ok(file.map(|file| file.encode())),
        Err(Failure::No(why) | Failure::Trouble(why)) => Err(why),
    }
}

fn gather(log: &Path, policy: &Path, signer: Option<&str>) -> Outcome<Option<KeyEvents>> {
    let policy = super::policy(policy)?;
    let mut checks = report::Checks::new(&[HEAD, "", ""]);
    let mut found: Vec<(u64, Statement)> = Vec::new();
    let head = each_entry(log, &policy, &mut checks, |place, entry, _| {
        let statement = Statement::decode(entry).with_context(|| format!("entry {place}"))?;
        let of_it = signer.is_none_or(|name| name == statement.claims().issuer);
        if of_it && matches!(statement.payload, Payload::KeyEvent(_)) {
            found.push((place, statement));
        }
        Ok(())
    })?;
    if found.is_empty() {
        return Ok(None);
    }
    if found.len() > MAX_EVENTS {
        return no(format!(
            "the log has {} key events, a file holds {MAX_EVENTS}: name one signer with --signer",
            found.len()
        ));
    }
    let source = super::source(log)?;
    let mut tree = Tree::new(source.as_ref(), head.checkpoint().size);
    let events = found.into_iter().map(|(index, statement)| {
        Ok(LoggedEvent { path: tree.inclusion(index)?, statement, index })
    });
    let events = events.collect::<Result<Vec<_>>>()?;
    let head = head_at(source.as_ref(), head.checkpoint().size)?;
    Ok(Some(KeyEvents { head, events }))
}

// The newest head, which is the one that was verified.
fn head_at(source: &dyn Source, size: u64) -> Result<SignedCheckpoint> {
    let head = coldlog_kit::published::head(source)?;
    anyhow::ensure!(
        head.checkpoint.size == size,
        "the log went on meanwhile: run the command again"
    );
    Ok(head)
}

/// What `verifier impact` is asked.
pub struct Impact {
    /// The key: 64 hex digits, an OpenSSH public key, or its file.
    pub key: String,
    /// The log.
    pub log: PathBuf,
    /// The policy.
    pub policy: PathBuf,
    /// From a record on.
    pub since_record: Option<u64>,
    /// From a time on.
    pub since_time: Option<String>,
    /// For all that is not under a head.
    pub since_head: Option<PathBuf>,
    /// Opens the records, to name the documents.
    pub identity: Option<PathBuf>,
    /// Who opens them, and why.
    pub opening: OpeningArgs,
    /// One JSON object.
    pub json: bool,
}

struct Signed {
    index: u64,
    statement: Statement,
    document: Option<String>,
}

fn since(options: &Impact) -> Outcome<Option<Since>> {
    let Impact { since_record, since_time, since_head, .. } = options;
    Ok(match (since_record, since_time, since_head) {
        (None, None, None) => None,
        (Some(number), None, None) => Some(Since::Record(*number)),
        (None, Some(text), None) => {
            Some(Since::Time(time::parse(text).map_err(anyhow::Error::msg)?))
        }
        (None, None, Some(path)) => {
            let head = SignedCheckpoint::decode(&files::read(path, MAX_NOTE as u64)?)
                .with_context(|| path.display().to_string())?
                .checkpoint;
            Some(Since::Head { origin: head.origin, size: head.size, root: head.root })
        }
        _ => return trouble("one bound: --since-record, --since-time or --since-head"),
    })
}

/// `verifier impact`: what of a key's signatures stays trusted, and what does not.
pub fn impact(options: &Impact) -> Outcome {
    const CHECKS: [&str; 3] = [HEAD, "each entry is read", "the entries have the root of the head"];
    report::run(options.json, &CHECKS, |checks| {
        let key = super::check::read_signer(&options.key)?;
        let asked = since(options)?;
        let policy = super::policy(&options.policy)?;
        let identities = match &options.identity {
            Some(path) => seal::read_identities(path)?,
            None => Vec::new(),
        };
        if !identities.is_empty() {
            let head = coldlog_kit::published::head(super::source(&options.log)?.as_ref())?;
            let Checkpoint { origin, size, .. } = &head.checkpoint;
            options.opening.note(origin, "verifier impact", (0, *size))?;
        }
        let (kid, mut signed, mut revoked) = (key.thumbprint(), Vec::new(), Vec::new());
        let mut journals = Journals::default();
        let mut sizes: BTreeSet<u64> = BTreeSet::new();
        let head = each_entry(&options.log, &policy, checks, |index, entry, sealed| {
            let statement = Statement::decode(entry).with_context(|| format!("entry {index}"))?;
            sizes.extend(statement.position.head.as_ref().map(|head| head.size));
            if let Some(since) = journals.revocation(&statement, &key) {
                revoked.push((index, since));
            }
            if statement.names(&kid).is_err() || statement.verify(&key).is_err() {
                return Ok(());
            }
            if !matches!(statement.payload, Payload::Commitment(_)) {
                return Ok(());
            }
            let document = document(&statement, sealed, &identities)?;
            signed.push(Signed { index, statement, document });
            Ok(())
        })?;
        if signed.is_empty() {
            return no(format!("0 records by {key:?} are in this log: is it the right key?"));
        }
        let origin = head.checkpoint().origin.clone();
        let bounds: Vec<Revoked> = match asked {
            Some(since) => {
                vec![Revoked { key: key.clone(), since, place: (origin.clone(), u64::MAX) }]
            }
            None => revoked
                .into_iter()
                .map(|(at, since)| Revoked { key: key.clone(), since, place: (origin.clone(), at) })
                .collect(),
        };
        if bounds.is_empty() {
            return no(format!(
                "the log holds no revocation of {key:?}: say what is suspected, with --since-record, --since-time or --since-head"
            ));
        }
        sizes.insert(head.checkpoint().size);
        let times = times(&options.log, &policy, sizes)?;
        Ok(told(&key, &origin, &bounds, &signed, &times))
    })
}

// The journals, as far as their key events hold: a revocation counts that whoever may revoke has signed.
#[derive(Default)]
struct Journals(BTreeMap<Claims, Admission>);

impl Journals {
    fn revocation(&mut self, statement: &Statement, key: &PublicKey) -> Option<Since> {
        let Payload::KeyEvent(event) = &statement.payload else { return None };
        let revoked = match &event.event {
            Event::Revocation { key: named, since } if named == key.as_bytes() => Some(since),
            _ => None,
        };
        if is_prepared(statement) {
            let journal = revoked_journal(statement.claims())?;
            let known = self.0.get_mut(&journal)?;
            let by = verify_by_itself(statement, &journal, known.keys()).ok()?;
            known.take_revocation(&by);
            return revoked.cloned();
        }
        match self.0.get_mut(statement.claims()) {
            None => {
                let genesis = verify_genesis(statement.bytes()).ok()?;
                self.0.insert(statement.claims().clone(), genesis);
                None
            }
            Some(known) => {
                statement.verify(&known.key).ok()?;
                known.take(statement).ok()?;
                revoked.cloned()
            }
        }
    }
}

// The name of the document that a record is of, where somebody may open it.
fn document(
    statement: &Statement,
    sealed: &[u8],
    identities: &[Identity],
) -> Outcome<Option<String>> {
    if identities.is_empty() {
        return Ok(None);
    }
    let bytes = seal::open(sealed, identities)?;
    coldlog_kit::exit::OrNo::or_no(statement.must_commit_to(&bytes))?;
    Ok(match Disclosure::decode(&bytes)?.record.operation {
        Operation::Sign { document, .. } => Some(format!("{} {}", document.name, document.version)),
        _ => None,
    })
}

// When witnesses vouched for the published heads of these sizes, and of those that a folder lists.
fn times(log: &Path, policy: &Policy, mut sizes: BTreeSet<u64>) -> Result<Vec<(u64, u64)>> {
    if let Ok(folder) = std::fs::read_dir(log.join("heads")) {
        for file in folder {
            let name = file?.file_name();
            let name = name.to_str().map(|name| format!("heads/{name}"));
            sizes.extend(name.and_then(|name| parse_head_path(&name)));
        }
    }
    let source = super::source(log)?;
    let mut times = Vec::new();
    for size in sizes {
        let Some(note) = source.get(&head_path(size), MAX_NOTE)? else { continue };
        let Ok(head) = SignedCheckpoint::decode(&note) else { continue };
        let cosigned = policy.verify_head(&head).ok();
        if let Some(time) = cosigned.and_then(|cosigned| cosigned.not_after())
            && head.checkpoint.size == size
        {
            times.push((size, time));
        }
    }
    Ok(times)
}

fn told(
    key: &PublicKey,
    origin: &str,
    bounds: &[Revoked],
    signed: &[Signed],
    times: &[(u64, u64)],
) -> Report {
    let (mut text, mut records, mut kept) = (Vec::new(), Vec::new(), 0);
    for Signed { index, statement, document } in signed {
        let covering = times.iter().filter(|(size, _)| size > index);
        let not_after = covering.map(|(_, time)| *time).min();
        let sequence = statement.position.sequence;
        let places = [(origin, *index)];
        let made = Made { sequence, places: &places, not_after };
        let stays = bounds.iter().all(|bound| bound.spares(made));
        kept += u64::from(stays);
        let verdict = if stays { "stays" } else { "LOST" };
        let seen = not_after.map_or("not known".into(), time::show);
        text.push(format!(
            "{verdict:<6} record {sequence} of {}, entry {index}, not after {seen}{}",
            field(&statement.claims().issuer),
            document.as_ref().map_or(String::new(), |name| format!(": {}", field(name)))
        ));
        records.push(json!({
            "stays": stays, "signer": statement.claims().issuer, "sequence": sequence,
            "index": index, "not_after": not_after.map(time::show), "document": document,
        }));
    }
    let since: Vec<String> = bounds.iter().map(|bound| bound.since.to_string()).collect();
    let lost = signed.len() as u64 - kept;
    text.push(format!("{key:?} revoked {}: {kept} stay trusted, {lost} do not", since.join("; ")));
    let records = Value::Array(records);
    let fields = json!({"revoked": since, "stay": kept, "lost": lost, "records": records});
    Report { text, fields }
}
