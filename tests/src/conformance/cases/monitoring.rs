//! What monitors get: the latest cosigned checkpoint of a log.

use crate::conformance::cosignature::{is_by, verify};
use crate::conformance::http::Answer;
use crate::conformance::logs::{Which, subject};
use crate::conformance::report::Failure;
use crate::conformance::standard as say;
use crate::conformance::suite::{Expected, Suite};
use crate::conformance::witness::origin_hash;
use coldlog_spec::note::Note;
use std::time::{Duration, Instant};

/// While nothing is cosigned, as far as this suite knows.
pub(super) fn before(suite: &mut Suite) {
    for which in [Which::Silent, Which::Single] {
        if suite.log(which).size == 0 {
            let name = format!("monitoring/never-cosigned/{}", which.name());
            suite.case(&name, say::MONITOR_NEVER, |suite| {
                let hash = origin_hash(&suite.log(which).origin);
                Expected::Status(404).check(&suite.witness.monitor("GET", &hash)?)
            });
        }
    }
    suite.case("monitoring/unknown-origin", say::MONITOR_NEVER, |suite| {
        let hash = origin_hash(&suite.stranger.verifier.name);
        Expected::Status(404).check(&suite.witness.monitor("GET", &hash)?)
    });
}

/// What was cosigned last is served.
pub(super) fn after(suite: &mut Suite, when: &str) {
    let all = [Which::Single, Which::Hybrid, Which::Rotated, Which::Race, Which::Empty];
    for which in all {
        let name = format!("monitoring/{when}/{}", which.name());
        suite.case(&name, say::MONITOR, |suite| serves_the_latest(suite, which));
    }
}

fn serves_the_latest(suite: &Suite, which: Which) -> Result<(), Failure> {
    let until = Instant::now() + suite.witness.monitoring_delay;
    let hash = origin_hash(&suite.log(which).origin);
    loop {
        let served = suite.witness.monitor("GET", &hash)?;
        let checked = is_latest(suite, which, &served);
        // A witness MAY delay updating the checkpoint.
        if checked.is_ok() || Instant::now() >= until {
            return checked.map_err(|failure| Failure {
                got: format!("{} (--monitoring-delay waits longer)", failure.got),
                ..failure
            });
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

fn is_latest(suite: &Suite, which: Which, served: &Answer) -> Result<(), Failure> {
    Expected::Status(200).check(served)?;
    let wrong = |expected: &str| Failure::new(expected, served.describe());
    let note = Note::decode(&served.body).map_err(|why| wrong(&format!("a note ({why})")))?;
    let latest = suite.latest(which)?;
    let (head, text) = (&latest.submission.head, &latest.submission.note.text);
    if note.text != *text {
        return Err(wrong(&format!("the head that was cosigned last, of {} leaves", head.size)));
    }
    let signed = subject(head, text);

    // The log's lines that the witness verified, which are those of its own keys.
    let own = suite.log(which).signers.iter().map(|signer| &signer.verifier);
    let known: Vec<_> = own.chain(&suite.witness.keys).collect();
    for line in &note.signatures {
        let key = known.iter().find(|key| is_by(line, key));
        if key.is_some_and(|key| verify(key, line, &signed).is_none()) {
            return Err(wrong("no line by a known key that does not verify"));
        }
    }
    let own = suite.log(which).signers.iter().map(|signer| &signer.verifier);
    for key in own {
        let sent = latest.submission.note.signatures.iter().find(|line| is_by(line, key));
        if sent.is_some_and(|line| !note.signatures.contains(line)) {
            return Err(wrong("each line of the log's keys"));
        }
    }

    // A head may have been cosigned more than once: any of the lines that were returned for it will do.
    let returned: Vec<_> = suite.cosigned.get(&which).into_iter().flatten().collect();
    for key in &suite.witness.keys {
        let returned = returned.iter().filter(|cosigned| cosigned.submission.note.text == *text);
        let mut returned = returned.flat_map(|cosigned| &cosigned.cosignatures);
        let is_served = returned.any(|c| is_by(&c.line, key) && note.signatures.contains(&c.line));
        if !is_served {
            let id = key.id();
            return Err(wrong(&format!("the cosignature by key id {id:08x} that was returned")));
        }
    }
    Ok(())
}

/// What is served now, to compare later.
pub(super) fn snapshot(suite: &Suite) -> Vec<Option<Vec<u8>>> {
    Which::ALL.into_iter().map(|which| body(suite, which).ok()).collect()
}

fn body(suite: &Suite, which: Which) -> Result<Vec<u8>, Failure> {
    let served = suite.witness.monitor("GET", &origin_hash(&suite.log(which).origin))?;
    match which {
        Which::Silent => Expected::Status(404).check(&served).map(|()| Vec::new()),
        _ => Expected::Status(200).check(&served).map(|()| served.body),
    }
}

/// Refused requests change nothing that is served, and a path has one form.
pub(super) fn unchanged(suite: &mut Suite, before: &[Option<Vec<u8>>]) {
    for which in [Which::Hybrid, Which::Rotated, Which::Race, Which::Silent] {
        let name = format!("monitoring/refusals-change-nothing/{}", which.name());
        suite.case(&name, say::MAY_LOG, |suite| {
            let now = body(suite, which)?;
            match before.get(which as usize).and_then(Option::as_ref) {
                Some(before) if *before == now => Ok(()),
                _ => Err(Failure::new(
                    "what was served before",
                    format!("{:?}", String::from_utf8_lossy(&now)),
                )),
            }
        });
    }
    // This log was cosigned meanwhile, between refusals.
    suite.case("monitoring/refusals-change-nothing/single", say::MAY_LOG, |suite| {
        serves_the_latest(suite, Which::Single)
    });
    suite.case("monitoring/hash-in-capitals", say::MONITOR_HASH, |suite| {
        let hash = origin_hash(&suite.log(Which::Single).origin).to_ascii_uppercase();
        Expected::Status(404).check(&suite.witness.monitor("GET", &hash)?)
    });
    suite.case("monitoring/origin-instead-of-its-hash", say::MONITOR_HASH, |suite| {
        let origin = suite.log(Which::Single).origin.clone();
        Expected::Refusal.check(&suite.witness.monitor("GET", &origin)?)
    });
    suite.case("monitoring/method", say::MONITOR_GET, |suite| {
        let hash = origin_hash(&suite.log(Which::Single).origin);
        Expected::Refusal.check(&suite.witness.monitor("DELETE", &hash)?)
    });
}
