//! What a key file holds of an Ed25519 key that lives elsewhere: `held-key` in formats.cddl.

use crate::terminal::field;
use anyhow::Result;
use coldlog_spec::cbor::{self, DecodeError, Items, Value, show};
use coldlog_spec::ed25519::PublicKey;
use coldlog_spec::hash::to_hex;
use coldlog_spec::kind::Kind;
use serde_json::json;
use std::path::PathBuf;

/// The bytes that PKCS#11 has for a serial number.
const MAX_SERIAL: usize = 16;
const MAX_PATH: usize = 1024;
const MAX_ID: usize = 64;
const MAX_COMMENT: usize = 255;

/// Where a key lives, and which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// In a PKCS#11 token.
    Token(InToken),
    /// In an ssh-agent.
    Agent(InAgent),
}

/// A key in a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InToken {
    /// The module that speaks to the token, absolute.
    pub module: PathBuf,
    /// The token's serial number. Labels can be alike.
    pub serial: String,
    /// CKA_ID
    pub id: Vec<u8>,
    /// The public key.
    pub public: PublicKey,
}

/// A key in an ssh-agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InAgent {
    /// The public key, by which the agent is asked.
    pub public: PublicKey,
    /// What the owner calls it.
    pub comment: String,
}

impl Reference {
    /// How well the place keeps the key: a token 2, an agent 1; a key file would be 0.
    pub fn rank(&self) -> u8 {
        match self {
            Reference::Token(_) => 2,
            Reference::Agent(_) => 1,
        }
    }

    /// The public key.
    pub fn public(&self) -> &PublicKey {
        match self {
            Reference::Token(key) => &key.public,
            Reference::Agent(key) => &key.public,
        }
    }

    /// For `--json`.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Reference::Token(key) => json!({
                "place": "pkcs11", "module": key.module.display().to_string(),
                "token_serial": key.serial, "key_id": to_hex(&key.id),
            }),
            Reference::Agent(key) => json!({"place": "ssh-agent", "comment": key.comment}),
        }
    }

    pub(crate) fn encode(&self) -> Value {
        Value::Array(match self {
            Reference::Token(key) => vec![
                "pkcs11".into(),
                key.module.to_string_lossy().as_ref().into(),
                key.serial.as_str().into(),
                cbor::bytes(&key.id),
                cbor::bytes(key.public.as_bytes()),
            ],
            Reference::Agent(key) => vec![
                "ssh-agent".into(),
                cbor::bytes(key.public.as_bytes()),
                key.comment.as_str().into(),
            ],
        })
    }

    pub(crate) fn decode(value: Value) -> Result<Reference> {
        let what = Kind::Key.tag();
        let mut items = Items::new(what, "the held key", value, 3..=5)?;
        let place = items.text("where the key is held", 16)?;
        let left = items.left();
        let reference = match (place.as_str(), left) {
            ("pkcs11", 4) => Reference::Token(InToken {
                module: decode_module(items.text("the module", MAX_PATH)?)?,
                serial: items.text("the serial number", MAX_SERIAL)?,
                id: decode_id(items.bytes("the key's id", MAX_ID)?)?,
                public: decode_public(&mut items)?,
            }),
            ("ssh-agent", 2) => Reference::Agent(InAgent {
                public: decode_public(&mut items)?,
                comment: items.text("the comment", MAX_COMMENT)?,
            }),
            _ => {
                let expected = "pkcs11 with four items, or ssh-agent with two";
                let found = format!("{place:?} with {left}");
                Err(DecodeError::field(what, "where the key is held", expected, found))?
            }
        };
        Ok(reference)
    }
}

// A module is loaded into the program: never one that a search path could choose.
fn decode_module(text: String) -> Result<PathBuf, DecodeError> {
    match text.starts_with('/') && !text.contains('\0') {
        true => Ok(text.into()),
        false => {
            let found = show(&text.as_str().into());
            Err(DecodeError::field(Kind::Key.tag(), "the module", "an absolute path", found))
        }
    }
}

fn decode_id(id: Vec<u8>) -> Result<Vec<u8>, DecodeError> {
    match id.is_empty() {
        false => Ok(id),
        true => Err(DecodeError::field(Kind::Key.tag(), "the key's id", "1 to 64 bytes", "none")),
    }
}

fn decode_public(items: &mut Items) -> Result<PublicKey> {
    Ok(PublicKey::from_bytes(&items.hash("the public key")?.0)?)
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reference::Token(key) => write!(
                f,
                "in the token with the serial number {} (key {}, module {})",
                field(&key.serial),
                to_hex(&key.id),
                key.module.display()
            ),
            Reference::Agent(key) => write!(f, "in the ssh-agent, as {:?}", field(&key.comment)),
        }
    }
}

#[cfg(test)]
mod tests;
