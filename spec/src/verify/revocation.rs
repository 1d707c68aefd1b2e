//! "Is this a revocation that was prepared for a key of this journal?" — it stands outside the journal, for
//! the machine that holds the journal may be gone.

use super::append::{Refusal, must_be_sealed};
use crate::cose::Claims;
use crate::ed25519::PublicKey;
use crate::key_event::{Event, revocation_claims, revoked_journal};
use crate::statement::{Payload, Statement};

/// Why it is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPrepared {
    /// Something else.
    #[error("expected a prepared revocation (`signer revoke --prepare`), found {found}")]
    OtherKind {
        /// What it is.
        found: String,
    },
    /// Of a key that the journal never had.
    #[error(
        "it revokes the key {key}, which the journal {journal} never had: it is of another journal, or the log lacks the rotation to that key"
    )]
    OtherKey {
        /// The key.
        key: String,
        /// The journal.
        journal: String,
    },
    /// It does not hold.
    #[error(transparent)]
    Refused(#[from] Box<Refusal>),
}

impl From<Refusal> for NotPrepared {
    fn from(refusal: Refusal) -> NotPrepared {
        NotPrepared::Refused(Box::new(refusal))
    }
}

/// Whether a statement has the form of a prepared revocation; nothing is verified.
pub fn is_prepared(statement: &Statement) -> bool {
    let revokes = |payload: &Payload| matches!(payload, Payload::KeyEvent(event) if matches!(event.event, Event::Revocation { .. }));
    statement.position.sequence == 0
        && revokes(&statement.payload)
        && revoked_journal(statement.claims()).is_some()
}

/// Verifies a prepared revocation of one of the keys that a journal has had, by that key. Returns the key.
pub fn verify_prepared<'a>(
    statement: &Statement,
    sealed: &[u8],
    journal: &Claims,
    keys: impl IntoIterator<Item = &'a PublicKey>,
) -> Result<PublicKey, NotPrepared> {
    let key = verify_by_itself(statement, journal, keys)?;
    must_be_sealed(sealed)?;
    Ok(key)
}

/// The same where its sealed record is not at hand.
pub fn verify_by_itself<'a>(
    statement: &Statement,
    journal: &Claims,
    keys: impl IntoIterator<Item = &'a PublicKey>,
) -> Result<PublicKey, NotPrepared> {
    let event = match &statement.payload {
        Payload::KeyEvent(event) if is_prepared(statement) => event,
        _ => {
            let found = format!("record {} of a journal", statement.position.sequence);
            return Err(NotPrepared::OtherKind { found });
        }
    };
    let Event::Revocation { key, since } = &event.event else {
        return Err(NotPrepared::OtherKind { found: format!("a {}", event.event.name()) });
    };
    let key = PublicKey::from_bytes(key).map_err(Refusal::from)?;
    if !keys.into_iter().any(|had| *had == key) {
        let journal = format!("{} / {}", journal.issuer, journal.subject);
        return Err(NotPrepared::OtherKey { key: format!("{key:?}"), journal });
    }
    let expected = revocation_claims(journal, &key, since);
    if *statement.claims() != expected {
        return Err(Refusal::other_journal(&expected, statement.claims()).into());
    }
    statement.verify(&key).map_err(Refusal::from)?;
    Ok(key)
}
