//! `witness export-state`, `import-state` and `recover`: the memory, and what is done when it may be an
//! older one.

use crate::place::{self, Held};
use anyhow::Context;
use coldlog_kit::exit::{Failure, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::terminal::{field, say};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::heads::{Heads, MAX_BYTES};
use coldlog_spec::note::{MAX_NOTE, VerifierKey};
use coldlog_spec::policy::{MAX_POLICY, Policy};
use std::path::{Path, PathBuf};

/// `witness export-state`
pub fn export(home: &Path, output: &Path, force: bool) -> Outcome {
    let heads = place::all(home)?.into_iter().filter_map(|known| known.last).collect();
    let heads = Heads::new(heads);
    files::write(output, &heads.encode(), Existing::from_force(force), Mode::Public)?;
    say(format!("{} heads are in {}", heads.0.len(), output.display()));
    Ok(())
}

// This witness's own keys, as its policy lines name them.
fn own(home: &Path) -> anyhow::Result<Vec<VerifierKey>> {
    let mut lines = files::read(&home.join("witness.policy"), MAX_POLICY as u64)?;
    lines.extend_from_slice(b"quorum none\n");
    let policy = Policy::parse(&lines).context("witness.policy")?;
    Ok(policy.witnesses.into_iter().map(|(_, key)| key).collect())
}

/// What became of a head.
enum Taken {
    Forward,
    NothingNew,
}

// Only a head that this witness has cosigned, and only forward: its own word says that it extends all that
// it saw before.
fn take(home: &Path, head: &SignedCheckpoint, own: &[VerifierKey]) -> Outcome<Taken> {
    let (origin, size) = (field(&head.checkpoint.origin), head.checkpoint.size);
    let Some(held) = Held::open(home, &head.checkpoint.origin)? else {
        return no(format!("{origin} is not watched; add it with `witness add-log`"));
    };
    let known = held.known()?;
    let keys: Vec<&VerifierKey> = known.log.keys.iter().collect();
    let by_log = head.verified_by(&keys).map_err(|why| Failure::No(why.into()))?;
    if by_log.is_empty() {
        return no(format!("the head of {origin} at size {size} is not signed by that log"));
    }
    let own: Vec<&VerifierKey> = own.iter().collect();
    let ours = head.verified_by(&own).map_err(|why| Failure::No(why.into()))?;
    if ours.is_empty() {
        return no(format!(
            "the head of {origin} at size {size} is not cosigned by this witness: it says nothing about what this witness saw"
        ));
    }
    let last = known.last.map(|last| last.checkpoint);
    match last {
        Some(last) if last.size > size => Ok(Taken::NothingNew),
        Some(last) if last.size == size && last.root == head.checkpoint.root => {
            Ok(Taken::NothingNew)
        }
        Some(last) if last.size == size => no(format!(
            "this witness cosigned two heads of {origin} at size {size}, with the roots {} and {}: keep both; its word is worth nothing any more, make a new witness",
            last.root, head.checkpoint.root
        )),
        _ => {
            let mut kept = head.clone();
            let mut named = keys.iter().chain(&own).map(|key| (key.id(), key.name.as_str()));
            let named: Vec<_> = named.by_ref().collect();
            kept.note.signatures.retain(|line| named.contains(&(line.id, line.name.as_str())));
            if ours.len() < own.len() {
                return no(format!(
                    "the head of {origin} at size {size} has only one of this witness's two cosignatures: find one with both"
                ));
            }
            held.remember(&kept)?;
            say(format!("{origin} is at size {size} now"));
            Ok(Taken::Forward)
        }
    }
}

fn take_all(home: &Path, heads: &[SignedCheckpoint]) -> Outcome {
    place::must_be_home(home)?;
    let own = own(home)?;
    let mut forward = 0;
    for head in heads {
        forward += usize::from(matches!(take(home, head, &own)?, Taken::Forward));
    }
    say(format!("{forward} of {} heads were newer than those remembered", heads.len()));
    Ok(())
}

/// `witness import-state`
pub fn import(home: &Path, path: &Path) -> Outcome {
    take_all(home, &Heads::decode(&files::read(path, MAX_BYTES as u64)?)?.0)
}

/// `witness recover`: settles a folder that was restored, copied or moved.
pub fn recover(home: &Path, newest: &[PathBuf], nothing_newer: bool) -> Outcome {
    if newest.is_empty() && !nothing_newer {
        return trouble(
            "name the newest heads that carry this witness's cosignature (--newest HEAD...); where there are none, say --nothing-newer",
        );
    }
    let mut heads = Vec::new();
    for path in newest {
        let head = SignedCheckpoint::decode(&files::read(path, MAX_NOTE as u64)?);
        heads.push(head.with_context(|| path.display().to_string())?);
    }
    take_all(home, &heads)?;
    place::settle(home)?;
    say("this witness may cosign again; let no other copy of it cosign");
    Ok(())
}
