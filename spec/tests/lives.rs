//! What relying parties are told of a key, by key events under a cosigned head.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use coldlog_spec::batch::{SignedTail, Tail};
use coldlog_spec::document::DocumentHasher;
use coldlog_spec::hash::Hash;
use coldlog_spec::key_event::Since;
use coldlog_spec::record::Operation;
use coldlog_spec::record::Scheme;
use coldlog_spec::statement::{Payload, Statement};
use coldlog_spec::verify::disclosed::agrees;
use coldlog_spec::verify::document::{Logged, Proven, check};
use coldlog_spec::verify::keys::{Life, NotGood};
use coldlog_spec::verify::receipts::{Refusal, verify_tail};
use common::life::{Step, lived, logged, outside, seeded, statements_of};
use common::*;

// Something that is proven of a record of the journal: by a key, with a number, at an index.
fn proven(by: u8, sequence: u64, index: u64, log: &str) -> Proven {
    let digest = DocumentHasher::digest(Scheme::Sshsig, DOCUMENT);
    let proof = make_proof(record(), &TIMES);
    let full = check(&digest, &proof, &policy("two"), None, Some(&signer().public())).unwrap();
    let place = Logged { origin: log.into(), index, ..full.logged[0].clone() };
    Proven { key: seeded(by).public(), sequence, logged: vec![place], not_after: Some(100), ..full }
}

fn life(entries: &[Statement]) -> Life {
    Life::of(&logged(entries, &TIMES), &policy("two"), &claims()).unwrap()
}

#[test]
fn what_a_thief_logs_behind_the_revocation_is_not_taken_for_the_owners() {
    // The revocation from the drawer at index 2; then the thief hands over to his own key.
    let entries = statements_of(&[Step::Record(1), Step::Outside(1), Step::Rotate(1, 2, 2)]);
    let life = life(&entries);
    assert!(life.judge(&proven(1, 1, 1, LOG)).unwrap().spared.is_some());
    let evil = life.judge(&proven(2, 3, 3, LOG)).unwrap_err();
    assert_eq!(evil, NotGood::AfterRevocation { sequence: 3, index: 3, revoked: 2 });
}

#[test]
fn every_bound_holds_and_one_that_spares_all_takes_no_other_away() {
    let wide = outside(1, &Since::Time(u64::MAX));
    let entries = statements_of(&[Step::Record(1), Step::Record(1)]);
    let owners = outside(1, &Since::Record(2));
    let both = [&entries[..], &[wide, owners]].concat();
    let life = life(&both);
    assert_eq!(life.revoked().len(), 2);
    life.judge(&proven(1, 1, 1, LOG)).unwrap();
    assert!(matches!(life.judge(&proven(1, 2, 2, LOG)), Err(NotGood::Revoked { .. })));
}

#[test]
fn numbers_say_something_in_their_own_log_and_as_far_as_the_events_reach() {
    let life = life(&statements_of(&[Step::Record(1), Step::Revoke(1, 1, 2)]));
    life.judge(&proven(1, 1, 1, LOG)).unwrap();
    let elsewhere = life.judge(&proven(1, 1, 1, "b.example")).unwrap_err();
    assert_eq!(elsewhere, NotGood::OtherLog { log: LOG.into() });
    let newer = life.judge(&proven(1, 1, 3, LOG)).unwrap_err();
    assert_eq!(newer, NotGood::Older { log: LOG.into(), size: 3, index: 3 });
}

#[test]
fn a_key_before_the_demanded_one_is_not_as_good() {
    let life = life(&statements_of(&[Step::Rotate(1, 2, 2), Step::Record(2)]));
    let key = |seed: u8| seeded(seed).public();
    life.must_come_from(&key(1), &key(2)).unwrap();
    life.must_come_from(&key(2), &key(2)).unwrap();
    assert!(matches!(life.must_come_from(&key(2), &key(1)), Err(NotGood::Before { .. })));
}

#[test]
fn a_number_at_the_end_of_all_numbers_is_no_number_one() {
    let mut entries = statements_of(&[]);
    let last =
        common::life::statement_of(Step::Rotate(1, 2, 2), &after(u64::MAX, entries[0].leaf()));
    assert!(matches!(last.payload, Payload::KeyEvent(_)));
    entries.push(last);
    let life = life(&entries);
    assert!(matches!(life.judge(&proven(2, 0, 0, LOG)), Err(NotGood::NotInForce { .. })));
}

#[test]
fn a_tail_is_by_the_key_of_its_time_though_another_is_in_force_now() {
    let rotated = lived(&[Step::Rotate(1, 2, 2)]).unwrap();
    let own = Tail { count: 2, head: Hash([7; 32]) };
    let by = |seed: u8, count: u64| {
        let tail = Tail { count, head: Hash([7; 32]) };
        let tail = SignedTail::sign(&seeded(seed), &claims(), tail).unwrap();
        verify_tail(&tail, &rotated, &own, None)
    };
    // What was exported before the change, and after it.
    assert_eq!((by(1, 1), by(2, 2)), (Ok(()), Ok(())));
    assert_eq!((by(1, 2), by(2, 1)), (Err(Refusal::TailSignature), Err(Refusal::TailSignature)));
}

#[test]
fn a_record_is_of_the_kind_that_its_statement_says_in_public() {
    let kept = statements_of(&[Step::Change(1), Step::Record(1)]);
    let event =
        |name: &str| Operation::KeyEvent { event: name.into(), operators: None, approvals: None };
    agrees(&kept[1], &event("change")).unwrap();
    agrees(&kept[2], &record().operation).unwrap();
    assert!(agrees(&kept[1], &event("retirement")).is_err());
    assert!(agrees(&kept[2], &event("change")).is_err());
    assert!(agrees(&kept[1], &record().operation).is_err());
}
