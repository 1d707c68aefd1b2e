//! The rules by which a log admits a record. Each row breaks one rule by one thing, in freshly signed
//! bytes, and stands beside its neighbour that keeps it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "append/life.rs"]
mod life;

mod common;

use coldlog_spec::batch::{SignedTail, Tail};
use coldlog_spec::cbor::{self, Value};
use coldlog_spec::cose::{ALG_ED25519, Claims, Headers, Sign1, label};
use coldlog_spec::ed25519::{SecretKey, Verifier};
use coldlog_spec::evidence::Evidence;
use coldlog_spec::hash::Hash;
use coldlog_spec::key_event::Event;
use coldlog_spec::rules::Rules;
use coldlog_spec::statement::{KnownHead, Payload, Position, Statement};
use coldlog_spec::tile::MAX_ENTRY;
use coldlog_spec::verify::append::{
    Progress, Refusal, follows, repeats, verify_genesis, verify_record, verify_records,
    verify_trailer,
};
use coldlog_spec::verify::heads::judge;
use common::rules::*;
use common::*;
use std::collections::BTreeSet;
use std::sync::LazyLock;

variants!(ALL, variant, Refusal:
    Decode Statement Key Rules NotASigners NotGenesis OtherJournal Gap Forked Chain Sealed ForeignHead
    LateGenesis Event Ended RevokedOutside TooManyEvents Count Digest TailSignature Tail);

const AGE: &[u8] = b"age-encryption.org/v1\n-> X25519 ...";

fn progress() -> Progress {
    Progress { next: 2, head: Some(newest().leaf()) }
}

fn known() -> KnownHead {
    KnownHead { origin: LOG.into(), size: 2, root: Hash([5; 32]), note: Hash([6; 32]) }
}

fn next() -> Position {
    Position { head: Some(known()), ..after(2, newest().leaf()) }
}

// What needs no order, for one record; among others, with and without tables, the answer is the same.
fn verified(statement: &[u8], sealed: &[u8]) -> Result<Statement, Refusal> {
    static VERIFIERS: LazyLock<[Verifier; 3]> = LazyLock::new(|| {
        let another = SecretKey::from_seed(&[77; 32]).public();
        let key = admission().key;
        // The last is for a key that is not the admission's: it must not be believed.
        [Verifier::new(&key, 1), Verifier::new(&key, 1000), Verifier::new(&another, 1000)]
    });
    let one = verify_record(statement, sealed, &admission());
    let good = commitment(&next(), 2);
    for verifier in VERIFIERS.iter() {
        let records = [(good.bytes(), AGE), (statement, sealed), (good.bytes(), AGE)];
        let many = verify_records(&records, &admission(), &[], verifier);
        assert_eq!(many, [Ok(good.clone()), one.clone(), Ok(good.clone())]);
    }
    one
}

// All that the log asks of one record, in its order.
fn admit(statement: &[u8], sealed: &[u8]) -> Result<(), Refusal> {
    let statement = verified(statement, sealed)?;
    let rules = b"coldlog-rules/1\nrequire known-head\nlargest-sealed 65535\n";
    Rules::parse(rules).unwrap().admit(&statement, sealed.len(), &[])?;
    let after = follows(&statement, &admission(), &progress(), |head| *head == known())?;
    assert_eq!(after, Progress { next: 3, head: Some(statement.leaf()) });
    Ok(())
}

// A good record, with its protected header and payload changed before `key` signs them.
fn signed(key: &SecretKey, change: impl Fn(&mut Vec<(i64, Value)>, &mut Vec<u8>)) -> Vec<u8> {
    let good = commitment(&next(), 2);
    let (mut headers, mut payload) =
        (envelope(good.bytes()).unwrap().protected.0, good.commitment().unwrap().0.to_vec());
    change(&mut headers, &mut payload);
    Sign1::sign(key, Headers(headers), &payload, false).unwrap().encode()
}

fn set(headers: &mut Vec<(i64, Value)>, label: i64, value: Value) {
    headers.retain(|(other, _)| *other != label);
    headers.push((label, value));
}

fn record_rows() -> Vec<Row<Refusal>> {
    let good = || commitment(&next(), 2).bytes().to_vec();
    let bytes = |bytes: Vec<u8>| admit(&bytes, AGE);
    let header = |(label, value): (i64, Value)| {
        admit(&signed(&signer(), |headers, _| set(headers, label, value.clone())), AGE)
    };
    let by = |(seed, kid): (u8, u8)| {
        let kid = cbor::bytes(SecretKey::from_seed(&[kid; 32]).public().thumbprint().0);
        let key = SecretKey::from_seed(&[seed; 32]);
        admit(&signed(&key, |headers, _| set(headers, label::KID, kid.clone())), AGE)
    };
    let claimed = |(issuer, subject): (&str, &str)| {
        let claims = Claims { issuer: issuer.into(), subject: subject.into() };
        let payload = Payload::Commitment(Hash([2; 32]));
        admit(Statement::sign(&signer(), &claims, &next(), payload).unwrap().bytes(), AGE)
    };
    let payload =
        |length: usize| admit(&signed(&signer(), |_, payload| payload.resize(length, 0)), AGE);
    let sealed = |sealed: Vec<u8>| admit(&good(), &sealed);
    let sealed_of = |length: usize| {
        let mut sealed = AGE.to_vec();
        sealed.resize(length, 7);
        sealed
    };
    let tail =
        SignedTail::sign(&signer(), &claims(), Tail { count: 2, head: newest().leaf() }).unwrap();
    let behind = [good(), vec![0]].concat();
    let with_label = {
        let mut sign1 = envelope(commitment(&next(), 2).bytes()).unwrap();
        sign1.unprotected = Headers(vec![(label::POLICY, 1.into())]);
        sign1.encode()
    };
    let alg = |alg: i64| (label::ALG, Value::from(alg));
    let sha256 = |alg: i64| (label::PAYLOAD_HASH_ALG, Value::from(alg));
    vec![
        row("a byte behind it", bytes, [good(), behind], "Decode", "1 more bytes follow"),
        row("an unprotected label", bytes, [good(), with_label], "Decode", "empty in a log entry"),
        row("a tail as a statement", bytes, [good(), tail.sign1.encode()], "Decode", "label 16"),
        row("Ed25519's other number", header, [alg(-8), alg(ALG_ED25519)], "Decode", "EdDSA (-8)"),
        row("another hash", header, [sha256(-16), sha256(-44)], "Decode", "SHA-256 (-16)"),
        row("a label of nobody", header, [alg(-8), (-70_009, 1.into())], "Decode", "-70009"),
        row("a longer payload", payload, [32, 33], "Decode", "SHA-256 digest"),
        row("a flipped bit", bytes, [good(), flipped(good())], "Statement", "does not verify"),
        row("a forger under our kid", by, [(1, 1), (99, 1)], "Statement", "does not verify"),
        row("our key under another kid", by, [(1, 1), (1, 99)], "Statement", "(kid)"),
        row("a stranger", by, [(1, 1), (99, 99)], "Statement", "(kid)"),
        row(
            "another issuer",
            claimed,
            [("signer.example", "journal"), ("other.example", "journal")],
            "OtherJournal",
            "of other.example / journal",
        ),
        row(
            "another journal",
            claimed,
            [("signer.example", "journal"), ("signer.example", "journal2")],
            "OtherJournal",
            "of signer.example / journal2",
        ),
        row("nothing sealed", sealed, [AGE.to_vec(), vec![]], "Sealed", "missing"),
        row("sealed by nothing", sealed, [AGE.to_vec(), b"{}".to_vec()], "Sealed", "2 bytes of"),
        row(
            "a version of age to come",
            sealed,
            [AGE.to_vec(), b"age-encryption.org/v10\n".to_vec()],
            "Sealed",
            "23 bytes of",
        ),
        row(
            "a sealed record that no bundle holds",
            sealed,
            [sealed_of(MAX_ENTRY), sealed_of(MAX_ENTRY + 1)],
            "Sealed",
            "65536 bytes of",
        ),
    ]
}

fn order_rows() -> Vec<Row<Refusal>> {
    let at = |position: Position| admit(commitment(&position, 2).bytes(), AGE);
    let number = |sequence| Position { sequence, ..next() };
    let previous = |hash| Position { previous: Some(hash), ..next() };
    let head = |head| Position { head: Some(head), ..next() };
    let says = |payload: Payload| {
        admit(Statement::sign(&signer(), &claims(), &next(), payload).unwrap().bytes(), AGE)
    };
    // At the start of a journal.
    let first = |statement: Statement| {
        let statement = verified(statement.bytes(), AGE)?;
        follows(&statement, &admission(), &Progress::default(), |_| false).map(|_| ())
    };
    let start = Position { sequence: 0, previous: None, head: None };
    let other = "which is not in this log's history";
    vec![
        row("a number left out", at, [next(), number(3)], "Gap", "is 3, expected 2"),
        row("a number again", at, [next(), number(1)], "Gap", "is 1, expected 2"),
        row("a number at the end of numbers", at, [next(), number(u64::MAX)], "Gap", "expected 2"),
        row("another record before", at, [next(), previous(Hash([7; 32]))], "Chain", "0707"),
        row(
            "a record between left out",
            at,
            [next(), previous(genesis("age1x").leaf())],
            "Chain",
            "forked",
        ),
        row(
            "another log's head",
            at,
            [next(), head(KnownHead { origin: "o".into(), ..known() })],
            "ForeignHead",
            other,
        ),
        row(
            "a head to come",
            at,
            [next(), head(KnownHead { size: 3, ..known() })],
            "ForeignHead",
            "size 3",
        ),
        row(
            "another root",
            at,
            [next(), head(KnownHead { root: Hash([7; 32]), ..known() })],
            "ForeignHead",
            "0707",
        ),
        row(
            "no head where the rules demand one",
            at,
            [next(), Position { head: None, ..next() }],
            "Rules",
            "record 2 names none",
        ),
        row(
            "rules that a signer makes",
            says,
            [Payload::Commitment(Hash([2; 32])), Payload::Rules(Rules::default())],
            "NotASigners",
            "a version of the rules",
        ),
        row(
            "a reseal that a signer notes",
            says,
            [Payload::Commitment(Hash([2; 32])), Payload::Reseal(reseal())],
            "NotASigners",
            "a note of a reseal",
        ),
        row(
            "a genesis late",
            says,
            [Payload::Commitment(Hash([2; 32])), event("age1x")],
            "LateGenesis",
            "number 2",
        ),
        row(
            "another genesis",
            first,
            [genesis("age1x"), genesis("age1y")],
            "Rules",
            "allow the signer anew",
        ),
        row(
            "a record as the first",
            first,
            [genesis("age1x"), commitment(&start, 1)],
            "Rules",
            "begins with",
        ),
    ]
}

fn genesis_rows() -> Vec<Row<Refusal>> {
    let judged = |bytes: Vec<u8>| verify_genesis(&bytes).map(|_| ());
    let good = || genesis("age1x").bytes().to_vec();
    let start = Position { sequence: 0, previous: None, head: None };
    let by = |(seed, named): (u8, [u8; 32])| {
        let Payload::KeyEvent(mut event) = event("age1x") else { panic!("a key event") };
        event.event =
            Event::Genesis { key: named, recipients: vec!["age1x".into()], recovers: None };
        let payload = Payload::KeyEvent(event);
        let key = SecretKey::from_seed(&[seed; 32]);
        judged(Statement::sign(&key, &claims(), &start, payload).unwrap().bytes().to_vec())
    };
    let own = (1, *signer().public().as_bytes());
    // The neutral point: everybody's signature would hold under it.
    let neutral = std::array::from_fn(|at| u8::from(at == 0));
    let record = commitment(&start, 1).bytes().to_vec();
    let late =
        Statement::sign(&signer(), &claims(), &after(1, Hash([1; 32])), event("age1x")).unwrap();
    let says = "expected a genesis (sequence number 0, a key event), found sequence number";
    vec![
        row("cut short", judged, [good(), good()[..99].to_vec()], "Decode", "not well-formed"),
        row("a flipped bit", judged, [good(), flipped(good())], "Statement", "does not verify"),
        row("by a stranger", by, [own, (99, own.1)], "Statement", "(kid)"),
        row("a key of small order", by, [own, (1, neutral)], "Key", "of small order"),
        row("a record", judged, [good(), record], "NotGenesis", says),
        row("a later event", judged, [good(), late.bytes().to_vec()], "NotGenesis", "number 1"),
    ]
}

fn repeat_rows() -> Vec<Row<Refusal>> {
    let again = |second: Statement| repeats(&second, newest().bytes(), &admission());
    let first = after(1, genesis("age1x").leaf());
    let head = Position { head: Some(known()), ..first.clone() };
    vec![
        row(
            "other content",
            again,
            [newest(), commitment(&first, 2)],
            "Forked",
            "number 1 is logged",
        ),
        row("another head known", again, [newest(), commitment(&head, 1)], "Forked", "number 1 is"),
    ]
}

fn trailer_rows() -> Vec<Row<Refusal>> {
    let end = |count, head| Tail { count, head };
    let good = || SignedTail::sign(&signer(), &claims(), end(2, newest().leaf())).unwrap();
    let trailer = |(count, digest, tail): (u64, u8, SignedTail)| {
        let claimed = (count, Hash([digest; 32]), &tail);
        verify_trailer(claimed, (1, Hash([8; 32])), &admission(), &progress())
    };
    let tail = |tail: SignedTail| trailer((1, 8, tail));
    let says = |tail: Tail| trailer((1, 8, SignedTail::sign(&signer(), &claims(), tail).unwrap()));
    let here = || end(2, newest().leaf());
    let altered = SignedTail::decode(&flipped(good().sign1.encode())).unwrap();
    let elsewhere = Claims { subject: "journal2".into(), ..claims() };
    let elsewhere = SignedTail::sign(&signer(), &elsewhere, here()).unwrap();
    let forger = SignedTail::sign(&stranger(), &claims(), here()).unwrap();
    let first = genesis("age1x").leaf();
    let not_signed = "not signed by the signer's key";
    vec![
        row(
            "a record more",
            trailer,
            [(1, 8, good()), (2, 8, good())],
            "Count",
            "counts 2 records, the batch has 1",
        ),
        row(
            "a record less",
            trailer,
            [(1, 8, good()), (0, 8, good())],
            "Count",
            "counts 0 records",
        ),
        row(
            "other bytes",
            trailer,
            [(1, 8, good()), (1, 9, good())],
            "Digest",
            "its trailer says 0909",
        ),
        row("a tail by a stranger", tail, [good(), forger], "TailSignature", not_signed),
        row("a flipped bit of the tail", tail, [good(), altered], "TailSignature", not_signed),
        row("a tail of another journal", tail, [good(), elsewhere], "TailSignature", not_signed),
        row("a tail beyond the batch", says, [here(), end(3, newest().leaf())], "Tail", "says 3:"),
        row("a tail before the batch's end", says, [here(), end(1, first)], "Tail", "says 1:"),
        row("a tail with another head", says, [here(), end(2, first)], "Tail", "ends at 2:"),
    ]
}

#[test]
fn every_rule_of_admission_refuses_what_breaks_only_it() {
    let tables =
        [record_rows(), order_rows(), genesis_rows(), repeat_rows(), trailer_rows(), life::rows()];
    let rows: Vec<Row<Refusal>> = tables.into_iter().flatten().collect();
    hold(&rows, variant);
    let reached: BTreeSet<&str> = rows.iter().map(|row| row.refusal).collect();
    assert_eq!(reached, ALL.iter().copied().collect());
}

#[test]
fn a_fork_that_the_log_refuses_convicts_the_signer() {
    for row in repeat_rows() {
        let Err(Refusal::Forked { sequence: 1, evidence }) = row.found else { panic!("no fork") };
        convicts_the_signer(&evidence, 1);
        // The same file with one statement twice convicts nobody.
        let Evidence::Fork { key, first, .. } = *evidence else { panic!("another kind") };
        let twice = Evidence::Fork { key, second: first.clone(), first };
        assert!(judge(&twice, &policy("two")).is_err());
    }
}
