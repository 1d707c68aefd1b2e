//! Whose checkpoints a witness takes: 404 and 403.

use crate::conformance::keys::{Kind, Signer};
use crate::conformance::logs::{Which, now, subject};
use crate::conformance::request::Submission;
use crate::conformance::standard as say;
use crate::conformance::suite::{Expected, Suite};
use coldlog_spec::note::SignatureLine;

pub(super) fn all(suite: &mut Suite) {
    origins(suite);
    untrusted(suite);
    failing(suite);
    two_keys(suite);
    extensions(suite);
}

// The head that the witness has, whose lines are replaced: where it is cosigned against the rules, the
// next case still finds the same witness.
fn known_head(suite: &Suite, which: Which) -> Submission {
    let log = suite.log(which);
    log.submission(log.size)
}

fn forbidden(
    suite: &mut Suite,
    name: &str,
    sentence: &'static str,
    mut submission: Submission,
    lines: Vec<SignatureLine>,
) {
    submission.note.signatures = lines;
    suite.refuses(name, sentence, &submission.body(), Expected::Status(403));
}

fn origins(suite: &mut Suite) {
    // Of a size that needs no proof, so that nothing else is wrong.
    let mut unknown = suite.log(Which::Silent).submission(4);
    unknown.head.origin = suite.stranger.verifier.name.clone();
    unknown.note.text = unknown.head.text();
    let signed = subject(&unknown.head, &unknown.note.text);
    let stranger = suite.stranger.sign(&signed, now());
    let known = suite.log(Which::Single).signers[0].sign(&signed, now());
    for (name, line) in [("unknown-origin", stranger), ("unknown-origin/known-key", known)] {
        unknown.note.signatures = vec![line];
        suite.refuses(name, say::UNKNOWN_ORIGIN, &unknown.body(), Expected::Status(404));
    }

    let submission = known_head(suite, Which::Single);
    let other = suite.log(Which::Hybrid);
    let lines = other.lines(&submission.head, &submission.note.text);
    forbidden(suite, "signed-by-another-log", say::UNTRUSTED, submission, lines);
}

fn untrusted(suite: &mut Suite) {
    let submission = known_head(suite, Which::Single);
    let signed = subject(&submission.head, &submission.note.text);
    let stranger = suite.stranger.sign(&signed, now());
    let origin = submission.head.origin.clone();
    let forged = Signer::new(&origin, Kind::Ed25519, &[3; 32]).sign(&signed, now());
    let mut renamed = suite.log(Which::Single).signers[0].sign(&signed, now());
    renamed.name = "stranger.example/log".into();
    let cases = [
        ("signed-by-a-stranger", stranger),
        ("signed-by-a-key-of-the-same-name", forged),
        ("signed-under-another-name", renamed),
    ];
    for (name, line) in cases {
        forbidden(suite, name, say::UNTRUSTED, submission.clone(), vec![line]);
    }
}

fn failing(suite: &mut Suite) {
    let submission = known_head(suite, Which::Single);
    let good = submission.note.signatures[0].clone();
    let altered = |change: fn(&mut Vec<u8>)| {
        let mut line = good.clone();
        change(&mut line.signature);
        line
    };
    let log = suite.log(Which::Single);
    let elsewhere = log.submission(log.size + 4).note.signatures[0].clone();
    let flipped = altered(|bytes| bytes[10] ^= 1);
    let cases = [
        ("failing-signature/flipped-bit", vec![flipped.clone()]),
        ("failing-signature/of-another-head", vec![elsewhere]),
        ("failing-signature/zeros", vec![altered(|bytes| bytes.fill(0))]),
        ("failing-signature/too-short", vec![altered(|bytes| bytes.truncate(63))]),
        ("failing-signature/too-long", vec![altered(|bytes| bytes.push(0))]),
        ("failing-signature/beside-a-good-one", vec![good.clone(), flipped.clone()]),
        ("failing-signature/before-a-good-one", vec![flipped, good.clone()]),
    ];
    for (name, lines) in cases {
        forbidden(suite, name, say::FAILING, submission.clone(), lines);
    }
}

fn two_keys(suite: &mut Suite) {
    for which in [Which::Hybrid, Which::Rotated] {
        let submission = known_head(suite, which);
        for broken in [0, 1] {
            let mut lines = submission.note.signatures.clone();
            if let Some(byte) = lines[broken].signature.last_mut() {
                *byte ^= 1;
            }
            let key = ["first", "second"][broken];
            let name = format!("two-keys/{}/{key}-fails", which.name());
            forbidden(suite, &name, say::FAILING, submission.clone(), lines.clone());
            let name = format!("two-keys/{}/{key}-fails-alone", which.name());
            let alone = vec![lines.swap_remove(broken)];
            forbidden(suite, &name, say::FAILING, submission.clone(), alone);
        }
    }
    // The time is signed too, and stands before the signature.
    let submission = known_head(suite, Which::Hybrid);
    let mut lines = submission.note.signatures.clone();
    lines[1].signature[7] ^= 1;
    forbidden(suite, "two-keys/hybrid/other-time", say::FAILING, submission.clone(), lines);
    let mut lines = submission.note.signatures.clone();
    lines[1].signature.truncate(7);
    forbidden(suite, "two-keys/hybrid/half-a-time", say::FAILING, submission, lines);
}

// The same for heads that the witness has not seen.
fn extensions(suite: &mut Suite) {
    let log = suite.log(Which::Single);
    let submission = log.submission(log.size + 3);
    let signed = subject(&submission.head, &submission.note.text);
    let stranger = vec![suite.stranger.sign(&signed, now())];
    let mut flipped = submission.note.signatures.clone();
    flipped[0].signature[10] ^= 1;
    let name = "signed-by-a-stranger/new-head";
    forbidden(suite, name, say::UNTRUSTED, submission.clone(), stranger);
    forbidden(suite, "failing-signature/new-head", say::FAILING, submission, flipped);
}
