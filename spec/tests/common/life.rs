//! Lives of journals, as steps: for the rules of key events.

use super::rules::admission;
use super::*;
use coldlog_spec::ed25519::Verifier;
use coldlog_spec::key_event::{Since, revocation_claims};
use coldlog_spec::key_events::{KeyEvents, LoggedEvent};
use coldlog_spec::verify::append::{Admission, Progress, Refusal, follows, verify_records};

const AGE: &[u8] = b"age-encryption.org/v1\n-> X25519 ...";

// A step in the life of a journal; keys are named by their seeds, 1 is the genesis's.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Record(u8),
    /// By, to, and who consents.
    Rotate(u8, u8, u8),
    Change(u8),
    /// By, the key, and the first record that is not to be trusted.
    Revoke(u8, u8, u64),
    /// By, and the key.
    Retire(u8, u8),
    /// Outside of the journal: the key.
    Outside(u8),
    Genesis,
}

pub(crate) fn seeded(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub(crate) fn statement_of(step: Step, position: &Position) -> Statement {
    let commitment = Hash([9; 32]);
    let event = |event: Event| Payload::KeyEvent(KeyEvent { event, commitment });
    let key = |seed: u8| *seeded(seed).public().as_bytes();
    let (by, payload) = match step {
        Step::Record(by) => (by, Payload::Commitment(commitment)),
        Step::Rotate(by, to, consents) => {
            let old = seeded(by).public();
            let mut made =
                KeyEvent::rotation(&old, &seeded(consents), &claims(), position, commitment)
                    .unwrap();
            let Event::Rotation { key: named, .. } = &mut made.event else { panic!() };
            *named = key(to);
            (by, Payload::KeyEvent(made))
        }
        Step::Change(by) => (by, event(Event::Change { recipients: vec!["age1y".into()] })),
        Step::Revoke(by, revoked, from) => {
            let since = Since::Record(from);
            (by, event(Event::Revocation { key: key(revoked), since }))
        }
        Step::Retire(by, retired) => (by, event(Event::Retirement { key: key(retired) })),
        Step::Genesis => (1, super::event("age1x")),
        Step::Outside(revoked) => return outside(revoked, &Since::Publication),
    };
    Statement::sign(&seeded(by), &claims(), position, payload).unwrap()
}

// Lives through the steps after a genesis; returns the journal at its end.
pub(crate) fn lived(steps: &[Step]) -> Result<Admission, Refusal> {
    let mut admission = admission();
    let mut progress = Progress { next: 1, head: Some(admission.genesis.leaf()) };
    for step in steps {
        if let Step::Outside(revoked) = step {
            admission.take_revocation(&seeded(*revoked).public());
            continue;
        }
        let position = after(progress.next, progress.head.unwrap());
        let statement = statement_of(*step, &position);
        // In a batch, all keys that its rotations name are known ahead of the order.
        let introduced = [2, 3].map(|seed| seeded(seed).public());
        let verifier = Verifier::new(&admission.key, 1);
        let judged =
            verify_records(&[(statement.bytes(), AGE)], &admission, &introduced, &verifier);
        judged.into_iter().next().unwrap()?;
        progress = follows(&statement, &admission, &progress, |_| true)?;
        admission.take(&statement)?;
    }
    Ok(admission)
}

// A revocation that stands outside of the journal.
pub(crate) fn outside(revoked: u8, since: &Since) -> Statement {
    let key = seeded(revoked);
    let event = Event::Revocation { key: *key.public().as_bytes(), since: since.clone() };
    let payload = Payload::KeyEvent(KeyEvent { event, commitment: Hash([9; 32]) });
    let claims = revocation_claims(&claims(), &key.public(), since);
    let position = Position { sequence: 0, previous: None, head: None };
    Statement::sign(&key, &claims, &position, payload).unwrap()
}

// A log with these entries, and the key events among them under its head, which all witnesses have cosigned.
pub(crate) fn logged(entries: &[Statement], times: &[(usize, u64)]) -> KeyEvents {
    let hashes: Vec<Hash> = entries.iter().map(Statement::leaf).collect();
    let size = entries.len() as u64;
    let mut events = Vec::new();
    for (index, statement) in (0..).zip(entries) {
        if matches!(statement.payload, Payload::KeyEvent(_)) {
            let path = merkle::inclusion_path(index, size, &mut reader(&hashes)).unwrap();
            events.push(LoggedEvent { statement: statement.clone(), index, path });
        }
    }
    KeyEvents { head: cosigned(size, root(&hashes), times), events }
}

// The statements of the steps, each after the one before, a genesis first.
pub(crate) fn statements_of(steps: &[Step]) -> Vec<Statement> {
    let mut all = vec![genesis("age1x")];
    let (mut next, mut head) = (1, all[0].leaf());
    for step in steps {
        let statement = statement_of(*step, &after(next, head));
        if !matches!(step, Step::Outside(_)) {
            (next, head) = (next + 1, statement.leaf());
        }
        all.push(statement);
    }
    all
}
