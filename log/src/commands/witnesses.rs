//! `log witness-request` and `log add-cosignatures`.

use crate::place::Place;
use crate::store::Swapped;
use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::published::Tree;
use coldlog_kit::terminal::{field, say};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::policy::{MAX_POLICY, Policy};
use coldlog_spec::witnessing::{Request, Response};
use std::path::{Path, PathBuf};

/// `log witness-request`
pub fn request(home: &Path, output: &Path, old: Option<u64>, force: bool) -> Outcome {
    let place = Place::open(home)?;
    let old = match old {
        Some(old) => old,
        None => place.index.cosigned_size()?,
    };
    let path = Tree::new(place.store.as_ref(), place.head.checkpoint.size).consistency(old)?;
    let mut head = place.head.clone();
    // A witness needs the log's own lines only.
    head.note.signatures.retain(|line| line.name == head.checkpoint.origin);
    let request = Request { old, path, head };
    files::write(output, &request.encode(), Existing::from_force(force), Mode::Public)?;
    let size = place.head.checkpoint.size;
    say(format!("request for the head of size {size}, from size {old}, in {}", output.display()));
    Ok(())
}

/// `log add-cosignatures`
pub fn add(home: &Path, responses: &[PathBuf], policy: &Path) -> Outcome {
    let policy = Policy::parse(&files::read(policy, MAX_POLICY as u64)?)?;
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
        for line in response.lines().with_context(|| path.display().to_string())? {
            let known = policy
                .witnesses
                .iter()
                .any(|(_, key)| key.name == line.name && key.id() == line.id);
            if !known {
                continue;
            }
            head.note.signatures.retain(|other| (other.id, &other.name) != (line.id, &line.name));
            head.note.signatures.push(line);
        }
        // Checked file by file, so that a bad one is named.
        let size = head.checkpoint.size;
        policy
            .witness_times(&head)
            .with_context(|| format!("{} is no answer for the newest head, of size {size} (was it asked for an older one?)", path.display()))
            .or_no()?;
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
