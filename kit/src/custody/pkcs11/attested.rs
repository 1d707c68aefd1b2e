//! What a token says of a key: that it was made there, and cannot leave.

use super::find::Place;
use super::flag;
use crate::terminal::field;
use anyhow::{Result, bail};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;

/// What must be so of a key that never leaves its token.
const DEMANDED: [(AttributeType, &str, bool); 7] = [
    (AttributeType::Token, "CKA_TOKEN", true),
    (AttributeType::Private, "CKA_PRIVATE", true),
    (AttributeType::Sensitive, "CKA_SENSITIVE", true),
    (AttributeType::Extractable, "CKA_EXTRACTABLE", false),
    (AttributeType::AlwaysSensitive, "CKA_ALWAYS_SENSITIVE", true),
    (AttributeType::NeverExtractable, "CKA_NEVER_EXTRACTABLE", true),
    (AttributeType::Local, "CKA_LOCAL", true),
];

/// Reads back what the key is, tries to get it out, and says what came of it.
pub(super) fn prove(
    session: &Session,
    key: ObjectHandle,
    place: &Place,
    label: &str,
) -> Result<String> {
    for (which, name, wanted) in DEMANDED {
        match flag(session, key, which)? {
            Some(found) if found == wanted => {}
            Some(found) => bail!("{place} made a key with {name} {found}, demanded was {wanted}"),
            None => bail!("{place} does not say {name} of the key, demanded was {wanted}"),
        }
    }
    let read = must_not_be_readable(session, key, place)?;
    let wrapped = must_not_wrap(session, key, place)?;
    must_sign_without_asking(session, key, place)?;
    let info = &place.info;
    Ok(format!(
        "key      {:?}, made in {place}\n\
         token    {} {}, hardware {}, firmware {}\n\
         attests  made in the token (CKA_LOCAL), always sensitive, never extractable; {read}; {wrapped}\n\
         This is the token's own word, which PKCS#11 has no certificate for: a token in software, as SoftHSM is one, says the same.",
        field(label),
        field(info.manufacturer_id()),
        field(info.model()),
        info.hardware_version(),
        info.firmware_version(),
    ))
}

fn must_not_be_readable(session: &Session, key: ObjectHandle, place: &Place) -> Result<String> {
    match session.get_attributes(key, &[AttributeType::Value]) {
        Ok(found) if found.is_empty() => Ok("reading its value is refused".into()),
        Ok(_) => bail!("{place} gave out the private key's value (CKA_VALUE): it protects nothing"),
        Err(why) => Ok(format!("reading its value is refused ({})", code(&why))),
    }
}

// Under a key of the session alone, which is gone with it.
fn must_not_wrap(session: &Session, key: ObjectHandle, place: &Place) -> Result<String> {
    let template = [
        Attribute::Token(false),
        Attribute::Wrap(true),
        Attribute::Encrypt(true),
        Attribute::ValueLen(32.into()),
    ];
    let Ok(wrapping) = session.generate_key(&Mechanism::AesKeyGen, &template) else {
        return Ok("it makes no AES key to try wrapping with".into());
    };
    let tried = [Mechanism::AesKeyWrapPad, Mechanism::AesKeyWrap]
        .map(|mechanism| session.wrap_key(&mechanism, wrapping, key));
    let _ = session.destroy_object(wrapping);
    let mut said = None;
    for answer in tried {
        match answer {
            Ok(_) => bail!("{place} wrapped the private key: it can leave the token"),
            Err(why) => said = said.or(Some(code(&why))),
        }
    }
    Ok(format!("wrapping it is refused ({})", said.unwrap_or_default()))
}

fn code(why: &Error) -> String {
    match why {
        Error::Pkcs11(code, _) => format!("{code:?}"),
        other => other.to_string(),
    }
}

/// Refuses a key that takes the PIN for every signature.
pub(super) fn must_sign_without_asking(
    session: &Session,
    key: ObjectHandle,
    place: &Place,
) -> Result<()> {
    let asks = match flag(session, key, AttributeType::AlwaysAuthenticate) {
        Ok(asks) => asks == Some(true),
        // Older tokens do not know the attribute.
        Err(why) => match why.downcast_ref::<Error>() {
            Some(Error::Pkcs11(RvError::AttributeTypeInvalid, _)) => false,
            _ => return Err(why),
        },
    };
    if asks {
        bail!(
            "the key in {place} takes the PIN for each signature (CKA_ALWAYS_AUTHENTICATE), and a document takes three: its own, its statement's and the tail's; use a key that takes the PIN once a session"
        );
    }
    Ok(())
}
