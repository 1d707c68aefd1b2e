//! What a log says of itself, and the rules by which it lets others in. Each row breaks one rule by one
//! thing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use coldlog_spec::ed25519::PublicKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::rules::{MAX_RULES, NotAdmitted, Rules};
use coldlog_spec::statement::{Payload, Position, Statement};
use coldlog_spec::tile::MAX_ENTRY;
use coldlog_spec::verify::append::verify_genesis;
use coldlog_spec::verify::own::{self, NotOwn, Own};
use common::rules::*;
use common::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

variants!(ADMITTED, admitted_variant, NotAdmitted:
    NotAllowed OtherGenesis Recipient TooLarge NoKnownHead);
variants!(OWN, own_variant, NotOwn:
    Decode OtherJournal OtherKind OtherKey Signature Sealed Rehearsal Order);

fn parsed(lines: &str) -> Rules {
    Rules::parse(format!("coldlog-rules/1\n{lines}").as_bytes()).unwrap()
}

fn signer_line() -> String {
    format!("signer signer.example journal {}\n", genesis("age1x").leaf())
}

#[test]
fn the_rules_of_a_file_are_read_as_they_stand() {
    let read = common::rules();
    assert_eq!(read.signers.len(), 1);
    assert_eq!(read.signers[0].claims, claims());
    assert_eq!(read.signers[0].genesis, genesis("age1x").leaf());
    assert_eq!((read.largest_statement, read.largest_sealed), (4096, 16384));
    assert!(read.known_head);
    assert_eq!(read.recipients, ["age1x"]);
    assert_eq!(Rules::parse(&read.encode()), Ok(read));
    let nobody = Rules::default();
    assert_eq!(Rules::parse(&nobody.encode()), Ok(nobody.clone()));
    assert!(nobody.signers.is_empty());
    assert_eq!((nobody.largest_statement, nobody.largest_sealed), (MAX_ENTRY, MAX_ENTRY));
    let one = nobody.allowing(&claims(), &genesis("age1x").leaf()).unwrap();
    assert_eq!(one, parsed(&signer_line()));
    assert!(one.allowing(&claims(), &Hash([1; 32])).is_err(), "a journal has one genesis");
}

#[test]
fn a_line_that_is_not_understood_is_named() {
    let digits = "5e".repeat(32);
    let bad: &[(&str, usize, &str)] = &[
        ("", 1, "no newline"),
        ("coldlog-rules/1", 1, "no newline"),
        ("coldlog-rules/2\n", 1, "expected"),
        ("# first\ncoldlog-rules/1\n", 1, "expected"),
        ("coldlog-rules/1\nallow Ada\n", 2, "allow Ada"),
        ("coldlog-rules/1\n\n# why\nsigner a b\n", 4, "signer a b"),
        ("coldlog-rules/1\nsigner  a b 00\n", 2, "one space"),
        ("coldlog-rules/1\nsigner a b 00\n", 2, "64 digits"),
        (&format!("coldlog-rules/1\nsigner a b {}\n", digits.to_uppercase()), 2, "64 digits"),
        (&format!("coldlog-rules/1\nsigner a+ b {digits}\n"), 2, "no name"),
        (&format!("coldlog-rules/1\nsigner a b {digits}\nsigner a b {digits}\n"), 3, "twice"),
        ("coldlog-rules/1\nlargest-statement 0\n", 2, "from 1 to 65535"),
        ("coldlog-rules/1\nlargest-statement 007\n", 2, "from 1 to 65535"),
        ("coldlog-rules/1\nlargest-statement 65536\n", 2, "from 1 to 65535"),
        ("coldlog-rules/1\nlargest-sealed -1\n", 2, "from 1 to 65535"),
        ("coldlog-rules/1\nlargest-sealed 9\nlargest-sealed 9\n", 3, "twice"),
        ("coldlog-rules/1\nrequire known-head\nrequire known-head\n", 3, "twice"),
        ("coldlog-rules/1\nrequire recipient age1a\nrequire recipient age1a\n", 3, "twice"),
        ("coldlog-rules/1\nrequire recipient AGE-SECRET-KEY-1X\n", 2, "an age recipient"),
        ("coldlog-rules/1\nrequire nothing\n", 2, "require nothing"),
        ("coldlog-rules/1\n# a\u{7} bell\n", 2, "control"),
        ("coldlog-rules/1\r\n", 1, "expected"),
    ];
    for (text, line, says) in bad {
        let why = Rules::parse(text.as_bytes()).unwrap_err();
        assert_eq!(why.line, *line, "{text:?}: {why}");
        assert!(why.why.contains(says), "{text:?}: {why}");
        // A secret that was pasted into the wrong place is not repeated.
        assert!(!why.why.contains("SECRET"), "{why}");
    }
    assert!(Rules::parse(b"coldlog-rules/1\n# \xff\n").unwrap_err().why.contains("UTF-8"));
    let long = format!("coldlog-rules/1\n#{}\n", "x".repeat(MAX_RULES));
    assert!(Rules::parse(long.as_bytes()).unwrap_err().why.contains("at most"));
}

fn admission_rows() -> Vec<Row<NotAdmitted>> {
    let journal = |rules: String| parsed(&rules).admit_journal(&genesis("age1x")).map(|_| ());
    // The genesis says it by itself; a record goes by what is in force.
    let sealed = |rules: String| {
        let said = parsed(&rules).admit(&genesis("age1x"), 900, &[]);
        let record = commitment(&after(1, Hash([4; 32])), 1);
        let in_force = parsed(&rules).admit(&record, 900, &["age1x".into()]);
        assert_eq!(said, in_force);
        said
    };
    let line = signer_line;
    let with = |more: &str| format!("{}{more}\n", line());
    let other = |from: &str, to: &str| line().replace(from, to);
    let size = commitment(&after(1, Hash([4; 32])), 1).bytes().len();
    let record =
        |rules: String| parsed(&rules).admit(&commitment(&after(1, Hash([4; 32])), 1), 900, &[]);
    let head = |sequence: u64| {
        let previous = (sequence > 0).then_some(Hash([4; 32]));
        let position = Position { sequence, previous, head: None };
        parsed("require known-head\n").admit(&commitment(&position, 1), 900, &[])
    };
    let fingerprint = genesis("age1x").leaf().to_hex();
    vec![
        row("nobody", journal, [line(), String::new()], "NotAllowed", "signer.example / journal"),
        row("another journal", journal, [line(), other("journal", "j2")], "NotAllowed", "may not"),
        row(
            "another genesis",
            journal,
            [line(), other(&fingerprint, &"00".repeat(32))],
            "OtherGenesis",
            "allowed is 0000",
        ),
        row(
            "an auditor left out",
            sealed,
            [with("require recipient age1x"), with("require recipient age1y")],
            "Recipient",
            "sealed to age1y",
        ),
        row(
            "a statement too large",
            record,
            [format!("largest-statement {size}\n"), format!("largest-statement {}\n", size - 1)],
            "TooLarge",
            "statement has",
        ),
        row(
            "a sealed record too large",
            record,
            ["largest-sealed 900\n".into(), "largest-sealed 899\n".into()],
            "TooLarge",
            "has 900 bytes, the rules allow 899",
        ),
        // The first statement of a journal can know no head of this log.
        row("no head", head, [0, 1], "NoKnownHead", "record 1 names none"),
    ]
}

#[test]
fn every_rule_that_a_log_may_make_refuses_what_breaks_only_it() {
    let rows = admission_rows();
    hold(&rows, admitted_variant);
    let reached: BTreeSet<&str> = rows.iter().map(|row| row.refusal).collect();
    assert_eq!(reached, ADMITTED.iter().copied().collect());
}

fn keys() -> [PublicKey; 2] {
    [stranger().public(), signer().public()]
}

fn own_rows() -> Vec<Row<NotOwn>> {
    let judged = |bytes: Vec<u8>| own::verify(&bytes, b"", LOG, &keys()).map(|_| ());
    let says = |payload| judged(own(0, payload).bytes().to_vec());
    let good = || own(0, Payload::Rules(common::rules())).bytes().to_vec();
    let of = |claims| {
        let position = Position { sequence: 0, previous: None, head: None };
        let payload = Payload::Rules(common::rules());
        judged(Statement::sign(&signer(), &claims, &position, payload).unwrap().bytes().to_vec())
    };
    let known = |keys: Vec<PublicKey>| own::verify(&good(), b"", LOG, &keys).map(|_| ());
    let beside = |sealed: &[u8]| own::verify(&good(), sealed, LOG, &keys()).map(|_| ());
    let next = |number: u64| {
        let mut said = Own::default();
        let first = own(0, Payload::Rules(Rules::default()));
        said.take(&first).unwrap();
        let position = after(number, first.leaf());
        let payload = Payload::Rules(common::rules());
        said.take(&Statement::sign(&signer(), &own::claims(LOG), &position, payload).unwrap())
    };
    let behind = |previous: Hash| {
        let mut said = Own::default();
        said.take(&own(0, Payload::Rules(Rules::default()))).unwrap();
        let payload = Payload::Reseal(reseal());
        let position = after(1, previous);
        said.take(&Statement::sign(&signer(), &own::claims(LOG), &position, payload).unwrap())
    };
    let rules = || Payload::Rules(common::rules());
    let mut renamed = own::claims(LOG);
    renamed.subject = "journal".into();
    let first = own(0, Payload::Rules(Rules::default())).leaf();
    vec![
        row("cut short", judged, [good(), good()[..99].to_vec()], "Decode", "not well-formed"),
        row("another log's", of, [own::claims(LOG), own::claims("x")], "OtherJournal", "x / log"),
        row("another journal", of, [own::claims(LOG), renamed], "OtherJournal", "expected the log"),
        row(
            "a record",
            says,
            [Payload::Reseal(reseal()), Payload::Commitment(Hash([1; 32]))],
            "OtherKind",
            "a signer's record",
        ),
        row("a key event", says, [rules(), event("age1x")], "OtherKind", "a signer's key event"),
        row(
            "rules that let a rehearsal in",
            says,
            [
                Payload::Rules(parsed(&signer_line())),
                Payload::Rules(parsed(
                    &signer_line().replace("signer.", "rehearsal.invalid/signer."),
                )),
            ],
            "Rehearsal",
            "is of a rehearsal",
        ),
        row(
            "a key that is not the log's",
            known,
            [keys().to_vec(), vec![stranger().public()]],
            "OtherKey",
            "no Ed25519 key",
        ),
        row("no keys", known, [keys().to_vec(), vec![]], "OtherKey", "no Ed25519 key"),
        row("a flipped bit", judged, [good(), flipped(good())], "Signature", "does not verify"),
        row("sealed bytes", beside, [&b""[..], &b"x"[..]], "Sealed", "1 sealed bytes"),
        row("a number left out", next, [1, 2], "Order", "number 2 of the log's own"),
        row("another one before", behind, [first, Hash([7; 32])], "Order", "number 1 of"),
    ]
}

#[test]
fn every_rule_of_a_logs_own_statements_refuses_what_breaks_only_it() {
    let rows = own_rows();
    hold(&rows, own_variant);
    let reached: BTreeSet<&str> = rows.iter().map(|row| row.refusal).collect();
    assert_eq!(reached, OWN.iter().copied().collect());
}

#[test]
fn each_entry_is_judged_by_the_rules_before_it() {
    let mut said = Own::default();
    let first = genesis("age1x");
    let record = commitment(&after(1, first.leaf()), 1);
    let admitted = |said: &Own, genesis: &Statement, statement: &Statement| {
        let admission = verify_genesis(genesis.bytes()).unwrap();
        said.admitted(&admission, statement, 900).is_ok()
    };
    assert!(!admitted(&said, &first, &first), "nobody may write a log without rules");
    let rules = own(0, Payload::Rules(parsed(&signer_line())));
    said.take(&rules).unwrap();
    assert!(admitted(&said, &first, &first) && admitted(&said, &first, &record));
    let other = genesis("age1y");
    assert!(!admitted(&said, &other, &other) && !admitted(&said, &other, &record));
    let then = |said: &mut Own, number, before: &Statement, rules: Rules| {
        let position = after(number, before.leaf());
        let next = Statement::sign(&signer(), &own::claims(LOG), &position, Payload::Rules(rules))
            .unwrap();
        said.take(&next).unwrap();
        next
    };
    let strict =
        then(&mut said, 1, &rules, parsed(&format!("{}largest-sealed 899\n", signer_line())));
    assert!(!admitted(&said, &first, &record));
    then(&mut said, 2, &strict, Rules::default());
    assert!(!admitted(&said, &first, &record), "a signer that is no longer allowed");
    assert_eq!(said.versions(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn rules_that_are_read_are_written_as_they_were(
        lines in proptest::collection::vec("[a-z# .0-9-]{0,12}|require known-head|largest-sealed [0-9]{1,6}|signer a[0-9] b [0-9a-f]{64}", 0..6),
        end in "\n|\r\n||x",
    ) {
        let text = format!("coldlog-rules/1\n{}{end}", lines.join("\n"));
        if let Ok(rules) = Rules::parse(text.as_bytes()) {
            prop_assert_eq!(rules.encode(), text.as_bytes());
            let signers = lines.iter().filter(|line| line.starts_with("signer ")).count();
            prop_assert_eq!(rules.signers.len(), signers);
        }
    }
}
