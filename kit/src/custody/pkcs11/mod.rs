//! Keys in PKCS#11 tokens: Ed25519 by CKM_EDDSA, without context or prehash.
//!
//! A token is found by its serial number, a key by its CKA_ID. There is one login a run: a PIN is never
//! tried twice, and never kept, so that a session that was lost with its login ends the run.

mod attested;
mod counter;
mod find;
mod login;
mod make;
mod trouble;

pub(super) use make::make;

use super::InToken;
use crate::secret::Source;
use anyhow::{Context, Result, bail};
use coldlog_spec::ed25519::{Holder, NotSigned};
use coldlog_spec::hash::to_hex;
use coldlog_spec::verify::counter::Counted;
use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use find::Place;
use std::sync::{Mutex, MutexGuard};

/// A token that is open, with a key in it.
pub(super) struct Token {
    open: Mutex<Open>,
    key: InToken,
    /// Both in words, for every error.
    called: String,
}

struct Open {
    place: Place,
    session: Session,
    handle: ObjectHandle,
}

impl Token {
    /// Opens the token of a key, with at most one login.
    pub(super) fn open(key: &InToken, source: &Source) -> Result<Token> {
        let place = find::by_serial(&key.module, &key.serial)?;
        let session = place.session_that_counts()?;
        login::log_in(&session, &place, source)?;
        let handle = private_key(&session, &place, &key.id)?;
        attested::must_sign_without_asking(&session, handle, &place)?;
        Ok(Token::over(place, session, handle, key.clone()))
    }

    fn over(place: Place, session: Session, handle: ObjectHandle, key: InToken) -> Token {
        let called = format!("key {} in {place}", to_hex(&key.id));
        Token { open: Mutex::new(Open { place, session, handle }), key, called }
    }

    fn locked(&self) -> Result<MutexGuard<'_, Open>> {
        let open = self.open.lock();
        open.map_err(|_| anyhow::anyhow!("{}: another use of it was interrupted", self.called))
    }
}

fn of_key(id: &[u8]) -> [Attribute; 3] {
    [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Token(true), Attribute::Id(id.to_vec())]
}

fn private_key(session: &Session, place: &Place, id: &[u8]) -> Result<ObjectHandle> {
    let found = session.find_objects(&of_key(id)).with_context(|| format!("searching {place}"))?;
    match found[..] {
        [handle] => Ok(handle),
        [] => bail!(
            "{place} holds no private key {}: it was removed, or the token was initialised anew",
            to_hex(id)
        ),
        _ => bail!(
            "{place} holds {} private keys {}: which one is meant cannot be told",
            found.len(),
            to_hex(id)
        ),
    }
}

fn eddsa() -> Mechanism<'static> {
    Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519))
}

impl Holder for Token {
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], NotSigned> {
        let Ok(mut open) = self.open.lock() else {
            return Err(NotSigned(format!("{}: another signature was interrupted", self.called)));
        };
        let signed = match open.session.sign(&eddsa(), open.handle, message) {
            Err(why) if trouble::is_session_lost(&why) => open
                .again(&self.key.id)
                .and_then(|()| Ok(open.session.sign(&eddsa(), open.handle, message)?)),
            other => other.map_err(Lost::Token),
        };
        let signature = signed.map_err(|lost| NotSigned(trouble::words(&lost, &self.called)))?;
        let length = signature.len();
        signature.try_into().map_err(|_| {
            let called = &self.called;
            NotSigned(format!("{called} gave a signature of {length} bytes, Ed25519 has 64"))
        })
    }
}

impl super::Place for Token {
    fn counted(&self) -> Result<Option<Counted>> {
        let open = self.locked()?;
        counter::read(&open.session, &open.place, &self.key.id)
    }

    fn count(&self, counted: Counted) -> Result<()> {
        let open = self.locked()?;
        counter::write(&open.session, &open.place, &self.key.id, counted)
    }
}

/// Why a signature was not made.
enum Lost {
    /// The token's own word.
    Token(Error),
    /// The session is gone, and a new one would take the PIN again.
    Login,
    /// The session is new, and the key is not there, or there twice.
    Key,
}

impl From<Error> for Lost {
    fn from(why: Error) -> Lost {
        Lost::Token(why)
    }
}

impl Open {
    /// A new session for one that was lost: only where it takes no second login.
    fn again(&mut self, id: &[u8]) -> Result<(), Lost> {
        let session = self.place.context.open_rw_session(self.place.slot)?;
        if !login::is_logged_in(&session)? && self.place.now()?.login_required() {
            return Err(Lost::Login);
        }
        // The one in the token, as it was found first: not one of this session.
        let [handle] = session.find_objects(&of_key(id))?[..] else { return Err(Lost::Key) };
        self.handle = handle;
        self.session = session;
        Ok(())
    }
}

// One boolean attribute; `None` where the token does not say.
fn flag(session: &Session, handle: ObjectHandle, which: AttributeType) -> Result<Option<bool>> {
    let found = session.get_attributes(handle, &[which])?;
    Ok(found.first().and_then(|attribute| match attribute {
        Attribute::Sensitive(yes)
        | Attribute::Extractable(yes)
        | Attribute::AlwaysSensitive(yes)
        | Attribute::NeverExtractable(yes)
        | Attribute::Local(yes)
        | Attribute::Private(yes)
        | Attribute::Token(yes)
        | Attribute::AlwaysAuthenticate(yes) => Some(*yes),
        _ => None,
    }))
}
