//! What `sign-subtree` refuses: 400, 403, 404 and 422.

use super::subtrees::{ask, request};
use crate::conformance::keys::{Kind, Signer};
use crate::conformance::logs::{Which, now, subject};
use crate::conformance::request::SubtreeRequest;
use crate::conformance::standard as say;
use crate::conformance::suite::{Cosigned, Expected, Suite};
use coldlog_spec::hash::Hash;

pub(super) fn all(suite: &mut Suite, head: &Cosigned) {
    ranges(suite, head);
    bodies(suite, head);
    proofs(suite, head);
    whose(suite, head);
    let sound = request(suite, head, 8, 13).body();
    for method in ["GET", "PUT"] {
        suite.case(&format!("subtree/method/{method}"), say::POST, |suite| {
            let sent = Some(sound.as_slice()).filter(|_| method == "PUT");
            Expected::Refusal.check(&suite.witness.ask(method, "sign-subtree", sent)?)
        });
    }
}

fn refuses(suite: &mut Suite, name: &str, sentence: &'static str, body: &[u8], status: u16) {
    let name = format!("subtree/{name}");
    suite.case(&name, sentence, |suite| Expected::Status(status).check(&ask(suite, body)?));
}

fn ranges(suite: &mut Suite, head: &Cosigned) {
    let size = head.submission.head.size;
    let cases = [
        ("not-aligned", 1, 3),
        ("wider-than-aligned", 4, 9),
        ("backwards", 8, 4),
        ("of-no-leaf", 8, 8),
        ("of-no-leaf-at-the-start", 0, 0),
        ("beyond-the-head", 0, size + 1),
        ("far-beyond-the-head", 1 << 40, (1 << 40) + 1),
        ("at-the-end-of-numbers", u64::MAX - 1, u64::MAX),
    ];
    for (name, start, end) in cases {
        let request = request(suite, head, start, end);
        refuses(suite, name, say::SUBTREE_RANGE, &request.body(), 400);
    }
}

fn bodies(suite: &mut Suite, head: &Cosigned) {
    let sound = request(suite, head, 8, 13);
    let body = String::from_utf8_lossy(&sound.body()).into_owned();
    let first = |line: &str| body.replacen("subtree 8 13\n", line, 1);
    let mut many = sound.clone();
    many.proof = vec![Hash([9; 32]); 64];
    let many = String::from_utf8_lossy(&many.body()).into_owned();
    let hash = super::super::request::lines(std::slice::from_ref(&sound.root));
    // Of a subtree that needs no proof, whose first hash would be taken for the one that is missing.
    let size = head.submission.head.size;
    let whole = String::from_utf8_lossy(&request(suite, head, 0, size).body()).into_owned();
    let without_hash: String = whole
        .split_inclusive('\n')
        .enumerate()
        .filter(|(place, _)| *place != 1)
        .map(|(_, line)| line)
        .collect();
    let cases = [
        ("empty-body", String::new()),
        ("no-range-line", first("")),
        ("start-with-a-leading-zero", first("subtree 08 13\n")),
        ("end-with-a-leading-zero", first("subtree 8 013\n")),
        ("range-with-two-spaces", first("subtree 8  13\n")),
        ("range-with-a-plus", first("subtree +8 13\n")),
        ("range-with-a-minus", first("subtree -8 13\n")),
        ("range-without-an-end", first("subtree 8\n")),
        ("range-with-a-third-number", first("subtree 8 13 14\n")),
        ("end-of-2-to-the-64", first("subtree 0 18446744073709551616\n")),
        ("range-with-a-carriage-return", first("subtree 8 13\r\n")),
        ("another-word-than-subtree", first("old 8 13\n")),
        ("no-hash-line", without_hash),
        ("hash-not-in-base64", body.replacen(&hash, "!!!!\n", 1)),
        ("hash-of-31-bytes", body.replacen(&hash, &("A".repeat(40) + "AA==\n"), 1)),
        ("64-hashes", many),
        ("no-empty-line", body.replacen("\n\n", "\n", 1)),
        ("no-checkpoint", body.split_inclusive("\n\n").next().unwrap_or_default().into()),
        ("no-final-newline", body.trim_end().into()),
        ("carriage-returns", body.replace('\n', "\r\n")),
    ];
    for (name, body) in cases {
        refuses(suite, &format!("malformed/{name}"), say::SUBTREE_BODY, body.as_bytes(), 400);
    }
}

fn proofs(suite: &mut Suite, head: &Cosigned) {
    let sound = request(suite, head, 8, 13);
    let other = request(suite, head, 8, 12);
    let with = |change: &dyn Fn(&mut SubtreeRequest)| {
        let mut request = sound.clone();
        change(&mut request);
        request
    };
    let mut cases = vec![
        ("other-hash".to_owned(), with(&|request| request.root = Hash([7; 32]))),
        ("hash-of-another-subtree".into(), with(&|request| request.root = other.root)),
        ("none".into(), with(&|request| request.proof.clear())),
        ("truncated".into(), with(&|request| request.proof.truncate(request.proof.len() - 1))),
        ("extended".into(), with(&|request| request.proof.push(Hash([9; 32])))),
        ("of-another-subtree".into(), with(&|request| request.proof.clone_from(&other.proof))),
        ("of-63-hashes".into(), with(&|request| request.proof = vec![Hash([9; 32]); 63])),
    ];
    for place in 0..sound.proof.len() {
        let flip = |request: &mut SubtreeRequest| request.proof[place].0[31] ^= 1;
        cases.push((format!("flipped-bit-{place}"), with(&flip)));
    }
    for (name, request) in cases {
        let name = format!("wrong-proof/{name}");
        refuses(suite, &name, say::SUBTREE_PROOF, &request.body(), 422);
    }
}

fn whose(suite: &mut Suite, head: &Cosigned) {
    let sound = request(suite, head, 8, 13);
    let lines = |lines| {
        let mut request = sound.clone();
        request.note.signatures = lines;
        request
    };
    let log = head.submission.note.signatures.clone();
    let mut broken = sound.note.signatures.clone();
    for line in &mut broken {
        line.signature.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1);
    }
    let signed = subject(&head.submission.head, &head.submission.note.text);
    let strangers = suite
        .witness
        .keys
        .iter()
        .map(|key| Signer::new(&key.name, Kind::MlDsa44, &[3; 32]).sign(&signed, now()));
    let strangers = strangers.collect();
    // A head that the witness refused, under the cosignatures of another one.
    let mut moved = sound.clone();
    let fork = suite.log(Which::Single).fork(signed.end, 20, 99);
    moved.proof = fork.subtree_consistency(8, 13);
    moved.note.text = suite.log(Which::Single).head(&fork).text();
    let cases = [
        ("not-cosigned", lines(log)),
        ("cosignature-fails", lines(broken)),
        ("cosigned-by-strangers", lines(strangers)),
        ("cosignature-of-another-head", moved),
    ];
    for (name, request) in cases {
        refuses(suite, name, say::SUBTREE_COSIGNED, &request.body(), 403);
    }

    let mut unknown = sound.clone();
    let (origin, stranger) = (&head.submission.head.origin, &suite.stranger.verifier.name);
    unknown.note.text = unknown.note.text.replacen(origin.as_str(), stranger, 1);
    refuses(suite, "unknown-origin", say::SUBTREE_ORIGIN, &unknown.body(), 404);
}
