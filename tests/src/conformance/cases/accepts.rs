//! What a witness must cosign, and what its answers look like.

use crate::conformance::cosignature::is_by;
use crate::conformance::logs::{Which, now, subject};
use crate::conformance::report::Failure;
use crate::conformance::standard as say;
use crate::conformance::suite::{Expected, Suite};
use crate::conformance::witness::lines;
use coldlog_spec::note::{KeyMaterial, SignatureLine};

pub(super) fn all(suite: &mut Suite) {
    for which in [Which::Single, Which::Hybrid, Which::Rotated, Which::Race] {
        begin(suite, which);
    }
    answer(suite);
    suite.case("grows", say::SUCCESS, |suite| {
        // Steps that end within, at and beyond complete subtrees.
        for by in [1, 2, 3, 5, 8, 1, 16, 7] {
            suite.grow(Which::Single, by)?;
        }
        Ok(())
    });
    suite.case("cosigns-again", say::SUCCESS, |suite| {
        let before = suite.latest(Which::Single)?.time();
        let again = suite.grow(Which::Single, 0)?.time();
        match again >= before {
            true => Ok(()),
            false => Err(Failure::new(format!("a time from {before} on"), again.to_string())),
        }
    });
    unknown_lines(suite);
    extension_lines(suite);
    two_keys(suite);
    suite.case("empty-tree", say::EMPTY_ROOT, |suite| {
        suite.grow(Which::Empty, 0)?;
        suite.grow(Which::Empty, 0)
    });
}

// A log that the witness meets for the first time, or the one that an earlier run left.
fn begin(suite: &mut Suite, which: Which) {
    let name = which.name();
    let hint = "if the witness and the folder met apart from each other: make new keys";
    let explain = |failure: Failure| Failure { got: format!("{}; {hint}", failure.got), ..failure };
    if suite.log(which).size == 0 {
        suite.case(&format!("first-contact/{name}"), say::NEVER_COSIGNED, |suite| {
            suite.grow(which, 5).map_err(explain)
        });
    } else {
        suite.case(&format!("remembers/{name}"), say::PERSIST, |suite| {
            suite.grow(which, 0).map_err(explain)
        });
    }
}

// One answer, looked at from several sides.
fn answer(suite: &mut Suite) {
    let submission = suite.log(Which::Single).submission(suite.log(Which::Single).size + 3);
    let found = suite.case("accepts-an-extension", say::SUCCESS, |suite| {
        let answer = suite.witness.add_checkpoint(&submission.body())?;
        Expected::Status(200).check(&answer)?;
        Ok(answer)
    });
    let Some(answer) = found else { return };
    let found = suite.case("answer/signature-lines", say::LINES, |_| lines(&answer));
    let keys = suite.witness.keys.clone();
    let signed = subject(&submission.head, &submission.note.text);
    for key in &keys {
        let kind = match key.material {
            KeyMaterial::MlDsa44Cosigner(_) => "ml-dsa-44",
            _ => "ed25519",
        };
        let name = |what: &str| format!("answer/{what}/{kind}-{:08x}", key.id());
        let by_key = |line: &&SignatureLine| is_by(line, key);
        let line = found.iter().flatten().find(by_key);
        let missing = || Failure::new("a line by this key", "none");
        suite.case(&name("cosignature"), say::COSIGNATURES, |_| {
            let holds =
                crate::conformance::cosignature::verify(key, line.ok_or_else(missing)?, &signed);
            holds.ok_or_else(|| Failure::new("a line that verifies", "one that does not"))
        });
        let time = || {
            let time = line.ok_or_else(missing)?.signature.first_chunk::<8>();
            let time = time.ok_or_else(|| Failure::new("a timestamp", "a shorter signature"));
            time.map(|bytes| u64::from_be_bytes(*bytes))
        };
        suite.case(&name("timestamp"), say::TIMESTAMP, |_| match time()? {
            0 => Err(Failure::new("a timestamp", "zero")),
            _ => Ok(()),
        });
        suite.case(&name("time"), say::TIME, |_| match (time()?, now()) {
            (time, now) if time.abs_diff(now) <= 3600 => Ok(()),
            (time, now) => {
                Err(Failure::new(format!("a time within an hour of {now}"), time.to_string()))
            }
        });
    }
    suite.case("answer/no-line-of-the-log", say::COSIGNATURES, |suite| {
        let log = suite.log(Which::Single);
        let own = |line: &SignatureLine| log.signers.iter().any(|own| is_by(line, &own.verifier));
        match found.iter().flatten().any(own) {
            true => Err(Failure::new("lines by the witness's keys", "a line by the log's key")),
            false => Ok(()),
        }
    });
    // Whatever its answer was worth: the witness has this head now.
    suite.case("answer/whole", say::COSIGNATURES, |suite| {
        suite.accepted(Which::Single, &submission, 0, &answer)
    });
}

fn unknown_lines(suite: &mut Suite) {
    suite.case("ignores-unknown-keys", say::UNKNOWN_KEYS, |suite| {
        let log = suite.log(Which::Single);
        let mut submission = log.submission(log.size + 1);
        let known = &log.signers[0].verifier;
        let line = |name: &str, id: u32, length: usize| SignatureLine {
            name: name.into(),
            id,
            signature: vec![0x5a; length],
        };
        let lines = &mut submission.note.signatures;
        lines.insert(0, line(&known.name, known.id() ^ 1, 64));
        lines.insert(0, line("stranger.example/log", known.id(), 64));
        lines.push(line("stranger.example/log", 0, 1));
        lines.push(line("\u{2014}", u32::MAX, 2428));
        suite.accept(Which::Single, &submission)
    });
    suite.case("ignores-lines-under-its-own-name", say::UNKNOWN_KEYS, |suite| {
        let log = suite.log(Which::Single);
        let mut submission = log.submission(log.size + 1);
        for key in &suite.witness.keys {
            let line =
                SignatureLine { name: key.name.clone(), id: key.id(), signature: vec![7; 72] };
            submission.note.signatures.push(line);
        }
        suite.accept(Which::Single, &submission)
    });
    suite.case("sixteen-large-signatures", say::SIXTEEN, |suite| {
        let log = suite.log(Which::Single);
        let mut submission = log.submission(log.size + 1);
        for id in 0..15 {
            // As large as an ML-DSA-87 signature with a time.
            let line = SignatureLine {
                name: "stranger.example/log".into(),
                id,
                signature: vec![id as u8; 8 + 4627],
            };
            submission.note.signatures.insert(0, line);
        }
        suite.accept(Which::Single, &submission)
    });
}

fn extension_lines(suite: &mut Suite) {
    for which in [Which::Single, Which::Hybrid] {
        let name = format!("extension-lines/{}", which.name());
        suite.case(&name, say::EXTENSION_LINES, |suite| {
            let log = suite.log(which);
            let mut submission = log.submission(log.size + 1);
            submission.note.text.push_str("an extension line\nand another one\n");
            submission.note.signatures = log.lines(&submission.head, &submission.note.text);
            suite.accept(which, &submission)
        });
    }
}

fn two_keys(suite: &mut Suite) {
    let sets: [(Which, &str, &[usize]); 6] = [
        (Which::Hybrid, "ed25519", &[0]),
        (Which::Hybrid, "ml-dsa-44", &[1]),
        (Which::Hybrid, "both", &[0, 1]),
        (Which::Rotated, "one", &[0]),
        (Which::Rotated, "other", &[1]),
        (Which::Rotated, "both", &[1, 0]),
    ];
    for (which, keys, places) in sets {
        suite.case(&format!("two-keys/{}/{keys}", which.name()), say::SIGNATURE, |suite| {
            let log = suite.log(which);
            let mut submission = log.submission(log.size + 2);
            let lines = &submission.note.signatures;
            submission.note.signatures = places.iter().map(|at| lines[*at].clone()).collect();
            suite.accept(which, &submission)
        });
    }
}

/// After all refusals: the witness has what it had.
pub(super) fn unchanged(suite: &mut Suite) {
    for which in [Which::Single, Which::Hybrid, Which::Rotated, Which::Empty] {
        let name = format!("refusals-change-nothing/{}", which.name());
        suite.case(&name, say::MAY_LOG, |suite| suite.grow(which, 0));
    }
}
