//! A new key, made in the token.

use super::find::{self, Place};
use super::{InToken, Token, attested, login};
use crate::secret::Source;
use anyhow::{Context, Result, bail};
use coldlog_spec::ed25519::PublicKey;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectHandle};
use cryptoki::session::Session;
use std::path::Path;

/// What CKA_EC_PARAMS says for Ed25519 (RFC 8410's object identifier), and what older tokens want
/// instead of it: the curve's name as a PrintableString (PKCS#11 v3.0, section 2.3.10).
const OID: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];
const NAME: [u8; 14] = *b"\x13\x0cedwards25519";

/// Makes a key in the token with this serial number, proves that it cannot leave, and says so.
pub(in super::super) fn make(
    module: &Path,
    serial: &str,
    label: &str,
    source: &Source,
) -> Result<(InToken, Token, String)> {
    let module = std::path::absolute(module).context("the module's path")?;
    if module.to_str().is_none_or(|path| path.len() > 1024) {
        bail!("the module's path is no UTF-8, or longer than 1,024 bytes: choose another");
    }
    let place = find::by_serial(&module, serial)?;
    must_know_ed25519(&place)?;
    let session = place.session(true)?;
    login::log_in(&session, &place, source)?;
    let id = crate::secret::random()?[..16].to_vec();
    let (public, private) = generate(&session, &place, &id, label)?;
    let made = public_key(&session, public, &place)
        .and_then(|key| Ok((key, attested::prove(&session, private, &place, label)?)));
    let (public_key, attested) = match made {
        Ok(made) => made,
        Err(why) => {
            // A key that is not what was asked for must not be taken for one.
            let _ = session.destroy_object(private);
            let _ = session.destroy_object(public);
            return Err(why.context("the key that was made is not kept"));
        }
    };
    let key = InToken { module, serial: serial.into(), id, public: public_key };
    Ok((key.clone(), Token::over(place, session, private, key), attested))
}

fn must_know_ed25519(place: &Place) -> Result<()> {
    let known = place.context.get_mechanism_list(place.slot);
    let known = known.with_context(|| format!("asking {place} what it can do"))?;
    for (needed, name) in [
        (MechanismType::EDDSA, "CKM_EDDSA"),
        (MechanismType::ECC_EDWARDS_KEY_PAIR_GEN, "CKM_EC_EDWARDS_KEY_PAIR_GEN"),
    ] {
        if !known.contains(&needed) {
            bail!(
                "{place} has no {name}: it cannot make or use Ed25519 keys; statements are signed with nothing else"
            );
        }
    }
    Ok(())
}

fn generate(
    session: &Session,
    place: &Place,
    id: &[u8],
    label: &str,
) -> Result<(ObjectHandle, ObjectHandle)> {
    let common = [
        Attribute::Token(true),
        Attribute::KeyType(KeyType::EC_EDWARDS),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(id.to_vec()),
    ];
    let mut private = common.to_vec();
    private.extend([
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ]);
    let with = |curve: &[u8]| {
        let mut public = common.to_vec();
        public.extend([Attribute::Verify(true), Attribute::EcParams(curve.to_vec())]);
        session.generate_key_pair(&Mechanism::EccEdwardsKeyPairGen, &public, &private)
    };
    let made = match with(&OID) {
        Err(Error::Pkcs11(
            RvError::CurveNotSupported
            | RvError::DomainParamsInvalid
            | RvError::AttributeValueInvalid
            | RvError::TemplateInconsistent,
            _,
        )) => with(&NAME),
        other => other,
    };
    made.map_err(|why| anyhow::anyhow!("{place} did not make an Ed25519 key: {why}"))
}

// CKA_EC_POINT: the 32 bytes, in a DER OCTET STRING or (PKCS#11 v3.0, erratum) bare.
fn public_key(session: &Session, handle: ObjectHandle, place: &Place) -> Result<PublicKey> {
    let found = session.get_attributes(handle, &[AttributeType::EcPoint])?;
    let Some(Attribute::EcPoint(point)) = found.first() else {
        bail!("{place} does not give the public key out");
    };
    let bytes = match point[..] {
        [0x04, 0x20, ref key @ ..] if key.len() == 32 => key,
        _ => &point[..],
    };
    PublicKey::from_bytes(bytes).with_context(|| format!("the public key from {place}"))
}
