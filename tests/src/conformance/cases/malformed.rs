//! Bodies that are none: any 4xx will do, as the standard says no status for them.

use crate::conformance::logs::{Which, subject};
use crate::conformance::request::{Submission, lines};
use crate::conformance::standard as say;
use crate::conformance::suite::{Expected, Suite};
use coldlog_spec::checkpoint::Checkpoint;
use coldlog_spec::hash::Hash;

type Bodies = Vec<(&'static str, &'static str, Vec<u8>)>;

pub(super) fn all(suite: &mut Suite) {
    let log = suite.log(Which::Single);
    // The head that the witness has: where a body is taken against the rules, the next case still
    // finds the same witness. Only hashes need a head beyond it.
    let sound = log.submission(log.size);
    let mut bodies = old_lines(&sound);
    bodies.extend(frames(&sound));
    bodies.extend(signature_lines(&sound));
    bodies.extend(checkpoints(suite, &sound));
    bodies.extend(proof_lines(&log.submission(log.size + 3)));
    for (name, sentence, body) in bodies {
        suite.refuses(&format!("malformed/{name}"), sentence, &body, Expected::Refusal);
    }
}

// Everything behind the first line.
fn rest(sound: &Submission) -> String {
    let body = text(sound);
    body.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default()
}

fn text(sound: &Submission) -> String {
    String::from_utf8_lossy(&sound.body()).into_owned()
}

fn old_lines(sound: &Submission) -> Bodies {
    let (old, rest) = (sound.old, rest(sound));
    let cases = [
        ("old-with-a-leading-zero", format!("old 0{old}\n")),
        ("old-with-a-minus", "old -1\n".into()),
        ("old-with-a-plus", format!("old +{old}\n")),
        ("old-without-a-space", format!("old{old}\n")),
        ("old-with-two-spaces", format!("old  {old}\n")),
        ("old-with-a-tab", format!("old\t{old}\n")),
        ("old-with-a-space-behind", format!("old {old} \n")),
        ("old-with-a-space-in-front", format!(" old {old}\n")),
        ("old-with-a-carriage-return", format!("old {old}\r\n")),
        ("old-in-hex", format!("old 0x{old:x}\n")),
        ("old-with-a-fraction", format!("old {old}.0\n")),
        ("old-in-capitals", format!("OLD {old}\n")),
        ("old-of-2-to-the-64", "old 18446744073709551616\n".into()),
        ("old-without-a-size", "old \n".into()),
        ("another-word-than-old", format!("size {old}\n")),
        ("no-old-line", String::new()),
        ("an-empty-line-first", format!("\nold {old}\n")),
        ("two-old-lines", format!("old {old}\nold {old}\n")),
    ];
    let bodies = cases.into_iter();
    bodies.map(|(name, line)| (name, say::OLD_LINE, (line + &rest).into_bytes())).collect()
}

fn proof_lines(sound: &Submission) -> Bodies {
    let frame = |proof: &str| {
        let mut body = format!("old {}\n{proof}\n", sound.old).into_bytes();
        body.extend(sound.note.encode());
        body
    };
    let first = lines(&sound.proof[..sound.proof.len().min(1)]);
    let others = lines(sound.proof.get(1..).unwrap_or_default());
    let replaced = |line: &str| frame(&format!("{line}\n{others}"));
    let first = first.trim_end();
    let cases = [
        ("hash-not-in-base64", replaced("!!!!")),
        ("hash-in-hex", replaced(&Hash([7; 32]).to_hex())),
        ("hash-without-padding", replaced(first.trim_end_matches('='))),
        // 31 and 33 bytes.
        ("hash-of-31-bytes", replaced(&format!("{}AA==", "A".repeat(40)))),
        ("hash-of-33-bytes", replaced(&"A".repeat(44))),
        ("hash-with-a-space-in-front", replaced(&format!(" {first}"))),
        ("hash-with-a-space-behind", replaced(&format!("{first} "))),
        ("two-hashes-in-a-line", replaced(&format!("{first}{first}"))),
    ];
    let mut bodies: Bodies =
        cases.into_iter().map(|(name, body)| (name, say::PROOF_LINE, body)).collect();
    let many = |count: usize| frame(&lines(&vec![Hash([9; 32]); count]));
    bodies.push(("64-hashes", say::PROOF_LINES, many(64)));
    bodies.push(("1000-hashes", say::PROOF_LINES, many(1000)));
    bodies
}

fn frames(sound: &Submission) -> Bodies {
    let body = text(sound);
    let note = String::from_utf8_lossy(&sound.note.encode()).into_owned();
    let head = format!("old {}\n{}", sound.old, lines(&sound.proof));
    vec![
        ("empty-body", say::BODY, Vec::new()),
        ("only-a-newline", say::BODY, b"\n".to_vec()),
        ("no-empty-line", say::BODY, (head.clone() + &note).into_bytes()),
        ("two-empty-lines", say::BODY, format!("{head}\n\n{note}").into_bytes()),
        ("no-checkpoint", say::BODY, format!("{head}\n").into_bytes()),
        ("only-a-checkpoint", say::BODY, note.clone().into_bytes()),
        ("two-checkpoints", say::BODY, format!("{body}\n{note}").into_bytes()),
        ("carriage-returns", say::NEWLINES, body.replace('\n', "\r\n").into_bytes()),
        ("only-carriage-returns", say::NEWLINES, body.replace('\n', "\r").into_bytes()),
        ("no-final-newline", say::NEWLINES, body.trim_end().as_bytes().to_vec()),
    ]
}

fn signature_lines(sound: &Submission) -> Bodies {
    let with = |line: &[u8]| [&sound.body(), line].concat();
    let bare = format!("old {}\n{}\n{}\n", sound.old, lines(&sound.proof), sound.note.text);
    vec![
        ("no-signature-line", say::NOTE_LINES, bare.into_bytes()),
        ("signature-line-with-a-hyphen", say::NOTE_LINES, with(b"- a.example AAAAAAAA\n")),
        ("signature-line-without-a-name", say::NOTE_LINES, with("\u{2014}  AAAAAAAA\n".as_bytes())),
        (
            "signature-line-without-a-signature",
            say::NOTE_LINES,
            with("\u{2014} a.example\n".as_bytes()),
        ),
        ("signature-not-in-base64", say::NOTE_LINES, with("\u{2014} a.example !!!!\n".as_bytes())),
        (
            "signature-shorter-than-an-id",
            say::NOTE_LINES,
            with("\u{2014} a.example AAA=\n".as_bytes()),
        ),
        ("something-behind-the-signatures", say::NOTE_LINES, with(b"and more\n")),
        ("not-utf-8", say::NOTE, with(b"\xe2\x80\x94 \xff\xfe AAAAAAAA\n")),
        ("surrogates", say::NOTE, with(b"\xe2\x80\x94 \xed\xa0\x80 AAAAAAAA\n")),
        ("control-character", say::NOTE, with(b"\xe2\x80\x94 a\x01b AAAAAAAA\n")),
    ]
}

// Texts that are no checkpoint, signed as they are, so that this alone is wrong.
fn checkpoints(suite: &Suite, sound: &Submission) -> Bodies {
    let log = suite.log(Which::Single);
    let Checkpoint { origin, size, root } = &sound.head;
    let hash = lines(std::slice::from_ref(root));
    let short = "A".repeat(40) + "AA==\n";
    let cases = [
        ("size-with-a-leading-zero", say::CHECKPOINT, format!("{origin}\n0{size}\n{hash}")),
        ("size-with-a-plus", say::CHECKPOINT, format!("{origin}\n+{size}\n{hash}")),
        ("size-with-a-minus", say::CHECKPOINT, format!("{origin}\n-1\n{hash}")),
        ("size-with-a-space", say::CHECKPOINT, format!("{origin}\n{size} \n{hash}")),
        ("size-of-2-to-the-64", say::CHECKPOINT, format!("{origin}\n18446744073709551616\n{hash}")),
        ("no-size", say::CHECKPOINT, format!("{origin}\n{hash}")),
        ("no-root", say::CHECKPOINT, format!("{origin}\n{size}\n")),
        ("root-of-31-bytes", say::CHECKPOINT, format!("{origin}\n{size}\n{short}")),
        ("root-not-in-base64", say::CHECKPOINT, format!("{origin}\n{size}\n!!!!\n")),
        ("root-in-hex", say::CHECKPOINT, format!("{origin}\n{size}\n{}\n", root.to_hex())),
        ("no-origin", say::CHECKPOINT, format!("\n{size}\n{hash}")),
        ("tab-in-an-extension-line", say::NOTE, format!("{origin}\n{size}\n{hash}a\tb\n")),
        ("carriage-return-in-the-text", say::NOTE, format!("{origin}\r\n{size}\r\n{hash}")),
    ];
    let signed = cases.into_iter().map(|(name, sentence, text)| {
        let lines = log.signers.iter().map(|signer| signer.sign(&subject(&sound.head, &text), 0));
        let mut submission = sound.clone();
        submission.note.signatures = lines.collect();
        submission.note.text = text;
        (name, sentence, submission.body())
    });
    signed.collect()
}
