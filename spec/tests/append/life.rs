//! Key events, against the same rules: whose key signs next, and when a journal has ended.

use super::common::life::*;
use super::common::rules::*;
use super::common::*;
use super::progress;
use coldlog_spec::statement::{Payload, Statement};
use coldlog_spec::verify::admission::MAX_EVENTS;
use coldlog_spec::verify::append::{Progress, Refusal, follows};
use proptest::prelude::*;

fn many(count: usize, last: Step) -> Vec<Step> {
    let mut steps = vec![Step::Change(1); count];
    steps.push(last);
    steps
}

pub(crate) fn rows() -> Vec<Row<Refusal>> {
    use Step::*;
    let life = |steps: Vec<Step>| lived(&steps).map(drop);
    let rotate = Rotate(1, 2, 2);
    vec![
        row(
            "the old key after it handed over",
            life,
            [vec![rotate, Record(2)], vec![rotate, Record(1)]],
            "Statement",
            "(kid)",
        ),
        row(
            "the new key before it took over",
            life,
            [vec![rotate, Record(2)], vec![Record(2)]],
            "Statement",
            "(kid)",
        ),
        row(
            "a key that does not consent",
            life,
            [vec![rotate], vec![Rotate(1, 2, 3)]],
            "Event",
            "did not consent",
        ),
        row(
            "back to an old key",
            life,
            [vec![rotate, Rotate(2, 3, 3)], vec![rotate, Rotate(2, 1, 1)]],
            "Event",
            "never comes back",
        ),
        row(
            "a rotation by the old key",
            life,
            [vec![rotate, Rotate(2, 3, 3)], vec![rotate, Rotate(1, 3, 3)]],
            "Statement",
            "(kid)",
        ),
        row(
            "another's key revoked",
            life,
            [vec![Revoke(1, 1, 1)], vec![Revoke(1, 3, 1)]],
            "Event",
            "never had",
        ),
        row(
            "records to come revoked",
            life,
            [vec![Revoke(1, 1, 1)], vec![Revoke(1, 1, 2)]],
            "Event",
            "is not written yet",
        ),
        row(
            "an old key retired",
            life,
            [vec![rotate, Retire(2, 2)], vec![rotate, Retire(2, 1)]],
            "Event",
            "in force now",
        ),
        row(
            "a record after the retirement",
            life,
            [vec![Record(1), Retire(1, 1)], vec![Retire(1, 1), Record(1)]],
            "Ended",
            "ended with its retirement",
        ),
        row(
            "a record by the revoked key",
            life,
            [vec![rotate, Revoke(2, 1, 1), Record(2)], vec![Revoke(1, 1, 1), Record(1)]],
            "Ended",
            "its revocation",
        ),
        row(
            "a record after a revocation outside",
            life,
            [vec![rotate, Outside(1), Record(2)], vec![rotate, Outside(2), Record(2)]],
            "RevokedOutside",
            "by an entry outside of the journal",
        ),
        row(
            "a rotation after a revocation outside",
            life,
            [vec![rotate, Outside(1)], vec![Outside(1), rotate]],
            "RevokedOutside",
            "record 1 cannot follow",
        ),
        row(
            "one key event too many",
            life,
            [many(MAX_EVENTS - 1, Retire(1, 1)), many(MAX_EVENTS, Change(1))],
            "TooManyEvents",
            "record 1025",
        ),
        row(
            "a genesis within",
            life,
            [vec![Change(1), Record(1)], vec![Change(1), Genesis]],
            "LateGenesis",
            "number 2",
        ),
    ]
}

#[test]
fn key_events_change_what_is_in_force() {
    use Step::*;
    let rotated = lived(&[Rotate(1, 2, 2), Change(2), Rotate(2, 3, 3), Record(3)]).unwrap();
    assert_eq!(rotated.key, seeded(3).public());
    assert_eq!(rotated.keys(), [1, 2, 3].map(|seed| seeded(seed).public()));
    assert_eq!(rotated.recipients(), ["age1y"]);
    assert!(rotated.ended().is_none());
    let ended = lived(&[Record(1), Retire(1, 1)]).unwrap();
    assert_eq!(ended.ended().map(|ended| (ended.sequence, ended.event)), Some((2, "retirement")));
    // To revoke a key that was given up ends nothing.
    assert!(lived(&[Rotate(1, 2, 2), Revoke(2, 1, 1)]).unwrap().ended().is_none());
}

// Consent is to one place in one journal: it cannot be taken along to another.
#[test]
fn consent_to_a_rotation_holds_at_its_place_only() {
    let place = after(1, admission().genesis.leaf());
    let made = statement_of(Step::Rotate(1, 2, 2), &place);
    let Payload::KeyEvent(event) = made.payload.clone() else { panic!() };
    let elsewhere = after(2, newest().leaf());
    let moved =
        Statement::sign(&signer(), &claims(), &elsewhere, Payload::KeyEvent(event)).unwrap();
    let why = follows(&moved, &admission(), &progress(), |_| true).unwrap_err();
    assert!(why.to_string().contains("did not consent"), "{why}");
    let there = Progress { next: 1, head: Some(admission().genesis.leaf()) };
    follows(&made, &admission(), &there, |_| true).unwrap();
}

// What the rules come to, in few words: the key that signs next, or none.
fn model(steps: &[Step]) -> bool {
    let (mut had, mut in_force, mut over) = (vec![1], 1, false);
    for (number, step) in (1u64..).zip(steps) {
        let by = match step {
            Step::Record(by) | Step::Rotate(by, ..) | Step::Change(by) => *by,
            Step::Revoke(by, ..) | Step::Retire(by, _) => *by,
            Step::Outside(_) | Step::Genesis => return false,
        };
        if over || by != in_force {
            return false;
        }
        match step {
            Step::Rotate(_, to, consents) => {
                if had.contains(to) || consents != to {
                    return false;
                }
                had.push(*to);
                in_force = *to;
            }
            Step::Revoke(_, key, from) => {
                if !had.contains(key) || *from > number {
                    return false;
                }
                over = *key == in_force;
            }
            Step::Retire(_, key) => {
                if *key != in_force {
                    return false;
                }
                over = true;
            }
            _ => {}
        }
    }
    true
}

fn any_step() -> impl Strategy<Value = Step> {
    let seed = || 1u8..=3;
    prop_oneof![
        3 => seed().prop_map(Step::Record),
        3 => (seed(), seed(), seed()).prop_map(|(by, to, by_whom)| Step::Rotate(by, to, by_whom)),
        2 => (seed(), 2u8..=3).prop_map(|(by, to)| Step::Rotate(by, to, to)),
        1 => seed().prop_map(Step::Change),
        1 => (seed(), seed(), 0u64..6).prop_map(|(by, key, from)| Step::Revoke(by, key, from)),
        1 => (seed(), seed()).prop_map(|(by, key)| Step::Retire(by, key)),
        1 => Just(Step::Genesis),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn any_life_of_a_journal_is_taken_as_far_as_the_rules_go(steps in proptest::collection::vec(any_step(), 0..6)) {
        for end in 0..=steps.len() {
            prop_assert_eq!(lived(&steps[..end]).is_ok(), model(&steps[..end]), "{:?}", &steps[..end]);
        }
    }
}
