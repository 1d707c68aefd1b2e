//! `log witness-request` and `log add-cosignatures`.

use crate::cosigning::{Round, Witnesses};
use crate::place::{self, Place};
use crate::store::Swapped;
use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::optical::{Inlet, Kind, Outlet, Show};
use coldlog_kit::published::Tree;
use coldlog_kit::terminal::{field, say, talk};
use coldlog_kit::time;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::note::{MAX_NOTE, VerifierKey};
use coldlog_spec::policy::Policy;
use coldlog_spec::tile::head_path;
use coldlog_spec::verify::cosigned::{self, NotTaken};
use coldlog_spec::witnessing::{self, Response};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What `log witness-request` is asked.
pub struct Request {
    /// Where the request goes; what is shown needs no file.
    pub output: Option<PathBuf>,
    /// The size that the witness saw last.
    pub old: Option<u64>,
    /// Replace what is there.
    pub force: bool,
    /// How it is shown as QR codes.
    pub show: Show,
}

/// `log witness-request`
pub fn request(home: &Path, options: &Request) -> Outcome {
    let outlet = Outlet::new(options.output.as_deref(), &options.show, options.force)?;
    let place = Place::open(home)?;
    let old = match options.old {
        Some(old) => old,
        None => place.index.cosigned_size()?,
    };
    let path = Tree::new(place.store.as_ref(), place.head.checkpoint.size).consistency(old)?;
    let mut head = place.head.clone();
    // A witness needs the log's own lines only.
    head.note.signatures.retain(|line| line.name == head.checkpoint.origin);
    let request = witnessing::Request { old, path, head };
    let existing = Existing::from_force(options.force);
    files::write(outlet.path(), &request.encode(), existing, Mode::Public)?;
    let size = place.head.checkpoint.size;
    drop(place);
    say(format!("request for the head of size {size}, from size {old}, in {}", outlet.name()));
    outlet.deliver(Kind::WitnessRequest)
}

/// `log add-cosignatures`
pub fn add(home: &Path, responses: &[PathBuf], qr: Option<&Path>, policy: &Path) -> Outcome {
    let policy = coldlog_kit::policy::read("log", policy)?;
    if let Some(qr) = qr {
        if responses.len() > 1 {
            return trouble("QR codes give one answer: name one file at most, where it is put");
        }
        let file = responses.first().map(PathBuf::as_path);
        let inlet = Inlet::open(file, Some(qr), Kind::WitnessResponse, false)?;
        return take(home, &[inlet.path().into()], &policy);
    }
    take(home, responses, &policy)
}

fn take(home: &Path, responses: &[PathBuf], policy: &Policy) -> Outcome {
    let place = Place::open(home)?;
    let mut head = place.head.clone();
    let mut refused = Vec::new();
    for path in responses {
        let response = Response::decode(&files::read(path, MAX_NOTE as u64)?)
            .with_context(|| path.display().to_string())?;
        match response.status {
            200 => {}
            409 => {
                let known = field(response.body.trim());
                refused.push(format!(
                    "{} saw size {known} last; make a request with `log witness-request --old {known}`",
                    field(&response.witness)
                ));
                continue;
            }
            status => {
                refused.push(format!(
                    "{} answered {status}: {}",
                    field(&response.witness),
                    field(response.body.trim())
                ));
                continue;
            }
        }
        let lines = response.lines().with_context(|| path.display().to_string())?;
        let keys: Vec<&VerifierKey> = policy.witnesses.iter().map(|(_, key)| key).collect();
        match cosigned::taken(&head, lines, &keys, time::now(), false) {
            Ok(lines) => cosigned::put(&mut head, lines),
            // Whoever the policy does not name may cosign as much as they like.
            Err(NotTaken::NoKnownKey { .. }) => {}
            Err(why) => {
                let size = head.checkpoint.size;
                let whose = format!(
                    "{} is no answer for the newest head, of size {size} (was it asked for an older one?)",
                    path.display()
                );
                return Err(why).context(whose).or_no();
            }
        }
    }
    let bytes = head.encode();
    if head != place.head {
        SignedCheckpoint::decode(&bytes).context("too many cosignatures for one head")?;
        if place.store.swap_head(Some(&place.head), &head)? == Swapped::Lost {
            return no(
                "another writer moved the head meanwhile: make a new request with `log witness-request`",
            );
        }
        place.index.set_cosigned_size(head.checkpoint.size)?;
    }
    if policy.verify_head(&head).is_ok() {
        remember_cosigned(home, &head)?;
    }
    if !refused.is_empty() {
        return no(refused.join("; "));
    }
    match policy.verify_head(&head) {
        Ok(cosigned) => {
            let names: Vec<&str> = cosigned.witnesses().iter().map(|w| w.name.as_str()).collect();
            say(format!(
                "the head of size {} meets the quorum: {}",
                head.checkpoint.size,
                names.join(", ")
            ));
            Ok(())
        }
        Err(why) => no(why),
    }
}

/// The newest head that met a quorum, as this machine knows it: what a server with a policy shows.
pub(crate) const COSIGNED: &str = "cosigned-head";

fn remember_cosigned(home: &Path, head: &SignedCheckpoint) -> anyhow::Result<()> {
    if let Some(before) = newest_cosigned(home)?
        && before.checkpoint.size > head.checkpoint.size
    {
        return Ok(());
    }
    files::write(&home.join(COSIGNED), &head.encode(), Existing::Replace, Mode::Public)
}

/// The newest head that met a quorum; `None` where none has.
pub(crate) fn newest_cosigned(home: &Path) -> anyhow::Result<Option<SignedCheckpoint>> {
    let path = home.join(COSIGNED);
    if !files::is_there(&path)? {
        return Ok(None);
    }
    let head = SignedCheckpoint::decode(&files::read(&path, MAX_NOTE as u64)?);
    Ok(Some(head.with_context(|| path.display().to_string())?))
}

/// What `log cosign` is asked.
pub struct Cosign {
    /// The policy: its witnesses with their URLs, and its quorum.
    pub policy: PathBuf,
    /// How long each witness has.
    pub deadline: Duration,
    /// How long the others have once the quorum holds.
    pub linger: Duration,
}

/// `log cosign`
pub fn cosign(home: &Path, options: &Cosign) -> Outcome {
    let policy = coldlog_kit::policy::read("log", &options.policy)?;
    let witnesses = Witnesses::new(options.deadline, options.linger)?;
    let (head, refused) = round(home, &witnesses, &policy)?;
    refused.iter().for_each(|why| talk(format!("log: {why}")));
    let cosigned = policy.verify_head(&head).or_no()?;
    let names: Vec<&str> = cosigned.witnesses().iter().map(|w| w.name.as_str()).collect();
    let size = head.checkpoint.size;
    say(format!("the head of size {size} meets the quorum: {}", names.join(", ")));
    Ok(())
}

/// Asks all witnesses to cosign the newest head, and publishes it with what they gave. The log is held only
/// before and after. Returns the head, and who did not cosign it.
pub(crate) fn round(
    home: &Path,
    witnesses: &Witnesses,
    policy: &Policy,
) -> Outcome<(SignedCheckpoint, Vec<String>)> {
    let (head, known) = {
        let place = Place::open(home)?;
        (place.head.clone(), place.index.cosigned_size()?)
    };
    policy.verify_log(&head).or_no()?;
    let store = Arc::from(place::store(home)?);
    let Round { head: cosigned, fresh, refused, ahead } =
        witnesses.ask(store, &head, policy, known.min(head.checkpoint.size))?;
    // One witness can say any size: only where the others do not make a quorum either is it believed.
    let has_quorum = policy.quorum().is_some() && policy.verify_head(&fresh).is_ok();
    if let Some(told) = ahead.filter(|_| !has_quorum) {
        return no(format!(
            "{told}, it has {} entries here: it was restored from an older copy, or somebody else signs with its key; get that head from the witness, and run `log recover --newest HEAD`",
            head.checkpoint.size
        ));
    }
    if cosigned != head {
        publish(home, &head, &cosigned, policy)?;
    }
    Ok((cosigned, refused))
}

fn publish(
    home: &Path,
    before: &SignedCheckpoint,
    cosigned: &SignedCheckpoint,
    policy: &Policy,
) -> Outcome {
    let place = Place::open(home)?;
    let size = cosigned.checkpoint.size;
    if place.head == *before {
        if place.store.swap_head(Some(before), cosigned)? == Swapped::Lost {
            return no("another writer moved the head meanwhile: ask again");
        }
    } else if size > 0 && place.head.checkpoint.size > size {
        // The log has grown while the witnesses were asked: this head is history, and cosigned all the same.
        let path = head_path(size);
        let there = place.store.get(&path, MAX_NOTE)?;
        let there = there.and_then(|note| SignedCheckpoint::decode(&note).ok());
        let mut joined = there.unwrap_or_else(|| before.clone());
        if joined.checkpoint != cosigned.checkpoint {
            return no(format!(
                "{path} is another head than the one that was cosigned: run `log fsck`"
            ));
        }
        cosigned::put(&mut joined, cosigned.note.signatures.clone());
        place.store.put(&path, &joined.encode())?;
    } else {
        return no("another writer added cosignatures meanwhile: ask again");
    }
    place.index.set_cosigned_size(size.max(place.index.cosigned_size()?))?;
    if policy.verify_head(cosigned).is_ok() {
        remember_cosigned(home, cosigned)?;
    }
    Ok(())
}
