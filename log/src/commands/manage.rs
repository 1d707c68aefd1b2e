//! `log init`, `log join`, `log head`.

use crate::keys::{LogKeys, key_file};
use crate::memory;
use crate::place::{self, Place};
use crate::store::Swapped;
use anyhow::Context;
use coldlog_kit::custody::{NewKey, Start};
use coldlog_kit::exit::{OrNo, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::{Keys, SCRYPT_LOG_N};
use coldlog_kit::report::{self, Report};
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_kit::time;
use coldlog_kit::{published, rehearsal as practice};
use coldlog_objects::is_url;
use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::merkle::empty_root;
use coldlog_spec::note::{MAX_NOTE, VerifierKey, is_key_name};
use coldlog_spec::rehearsal::own_name;
use serde_json::json;
use std::path::Path;

/// `log init`
pub fn init(
    home: &Path,
    origin: &str,
    rehearsal: bool,
    store: Option<&str>,
    unencrypted: bool,
    place: &NewKey,
    secret: &Source,
) -> Outcome {
    let origin = own_name(origin, rehearsal).or_no()?;
    let origin = origin.as_str();
    if !is_key_name(origin) {
        Err(anyhow::anyhow!(
            "{origin:?} cannot be an origin: no spaces, no plus, for example log.example/releases"
        ))?;
    }
    files::create_folder(home)?;
    let _lock = files::lock(home)?;
    if let Some(url) = store {
        if !is_url(url) {
            Err(anyhow::anyhow!(
                "{url:?} is no object store: name one like s3://bucket/log, or leave --store out for a folder"
            ))?;
        }
        let named = home.join("store");
        files::write(&named, format!("{url}\n").as_bytes(), Existing::Keep, Mode::Public)?;
    }
    let store = place::store(home)?;
    if store.get("checkpoint", MAX_NOTE)?.is_some() {
        Err(anyhow::anyhow!(
            "{} holds a log already; choose another --home or --store, or add this machine to that log with `log join`",
            store.place()
        ))?;
    }
    let key_file = key_file(home);
    // A key without a head is what an interrupted init leaves: it goes on with that key.
    let keys = if key_file.exists() {
        Keys::load(&key_file, "log", secret)?
    } else {
        let start = Start {
            role: "log",
            name: origin,
            place,
            after: None,
            seed: None,
            scrypt_log_n: SCRYPT_LOG_N,
            unencrypted,
        };
        start.run(&key_file, secret)?
    };
    if keys.name != origin {
        Err(anyhow::anyhow!(
            "{} is the key of {:?}, not of {origin:?}",
            key_file.display(),
            keys.name
        ))?;
    }
    // A log whose published part is gone is not a new one: its heads are out.
    if let Some(head) = memory::remembered(home)?.filter(|head| head.checkpoint.size > 0) {
        return no(format!(
            "this machine signed a head of size {} of {}: the log was lost, and is not made anew; bring it back with `log restore` and `log recover`, or choose another --home",
            head.checkpoint.size, head.checkpoint.origin
        ));
    }
    let head_keys = keys.head_keys();
    write_policy(home, &head_keys.log_verifiers())?;
    let empty = Checkpoint { origin: origin.into(), size: 0, root: empty_root() };
    let head = head_keys.sign_head(&empty, time::now())?;
    memory::remember(home, &head)?;
    if store.swap_head(None, &head)? == Swapped::Lost {
        return no(format!("{} holds a log already", store.place()));
    }
    let lines = home.join("log.policy");
    let line = format!("log {origin}; its lines for a policy are in {}", lines.display());
    say(practice::marked(origin, line));
    Ok(())
}

/// Adds keys to the lines that relying parties put into their policies; what the log signed once is
/// verified by its lines for ever.
pub(crate) fn write_policy(home: &Path, keys: &[VerifierKey]) -> anyhow::Result<()> {
    let path = home.join("log.policy");
    let mut all = if files::is_there(&path)? { verifiers(home)? } else { Vec::new() };
    for key in keys {
        if !all.contains(key) {
            all.push(key.clone());
        }
    }
    let lines: String = all.iter().map(|key| format!("log {}\n", key.encode())).collect();
    files::write(&path, lines.as_bytes(), Existing::Replace, Mode::Public)
}

/// `log join`: another machine that writes a log that is in an object store.
pub fn join(home: &Path, url: &str, secret: &Source) -> Outcome {
    let keys = LogKeys::load(home, secret)
        .context("joining needs the log's key file: copy it to this machine first")?;
    let store = place::open_store(url)?;
    let head = published::head(store.as_ref())?;
    if head.must_be_by(&keys.verifiers()).is_err() {
        return no(format!("the log in {url} is not of the key of {:?}", keys.origin()));
    }
    files::create_folder(home)?;
    let _lock = files::lock(home)?;
    let named = home.join("store");
    files::write(&named, format!("{url}\n").as_bytes(), Existing::Keep, Mode::Public)?;
    write_policy(home, &keys.verifiers())?;
    // One that joined before remembers more than a store that went back.
    if memory::remembered(home)?.is_none() {
        memory::remember(home, &head)?;
    }
    say(format!(
        "this machine may write the log {}, of {} entries now",
        keys.origin(),
        head.checkpoint.size
    ));
    Ok(())
}

/// `log head`
pub fn head(home: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        place::must_be_home(home)?;
        let head = published::head(place::store(home)?.as_ref())?;
        let checkpoint = &head.checkpoint;
        let signers: Vec<_> = head.note.signatures.iter().map(|line| line.name.clone()).collect();
        let fields = json!({
            "origin": checkpoint.origin, "size": checkpoint.size,
            "root": checkpoint.root.to_hex(), "signatures": signers,
        });
        let text = vec![String::from_utf8_lossy(&head.encode()).trim_end().into()];
        Ok(Report { text, fields })
    })
}

/// The log's verifier keys, as it published them when it was made.
pub(crate) fn verifiers(home: &Path) -> anyhow::Result<Vec<VerifierKey>> {
    let text = String::from_utf8(files::read(&home.join("log.policy"), 1 << 16)?)?;
    let keys = text.lines().filter_map(|line| line.strip_prefix("log "));
    keys.map(|key| VerifierKey::decode(key).map_err(Into::into)).collect()
}

/// The log's keys, for a log that may sign; they must be those of its head.
pub(crate) fn keys(place: &Place, secret: &Source) -> Outcome<LogKeys> {
    memory::may_sign(place)?;
    let keys = LogKeys::load(&place.home, secret)?;
    must_be_of(place, &keys)?;
    Ok(keys)
}

/// Refuses keys that are not those of the log's head.
pub(crate) fn must_be_of(place: &Place, keys: &LogKeys) -> Outcome {
    keys.must_have_signed(&place.head)?;
    let mut known = verifiers(&place.home)?;
    known.extend(keys.verifiers());
    let mut lines = place.head.note.signatures.iter().filter(|line| line.name == keys.origin());
    if lines.any(|line| known.iter().all(|key| key.id() != line.id)) {
        return no(
            "the newest head carries the line of a key of this log that is not in log.policy: its key is being changed on another machine; copy next-key.age, or after the change key.age, and log.policy from there",
        );
    }
    match keys.origin() == place.head.checkpoint.origin {
        true => Ok(()),
        false => trouble(format!("the key file is of {:?}", keys.origin())),
    }
}
