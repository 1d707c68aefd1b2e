//! What opened the key for a signature (`formats.cddl`: `factor`), and which second factor a signer
//! demands (`second_factor` of a genesis).

use crate::cbor::{DecodeError, Items, Value};

/// The most factors of a record.
pub const MAX_FACTORS: usize = 8;

/// A second factor that a genesis demands before each use of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondFactor {
    /// A code of RFC 6238.
    Totp,
    /// A second passphrase, held by another person: the key file opens by both together.
    SecondPassphrase,
}

impl SecondFactor {
    /// As it stands in the genesis and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            SecondFactor::Totp => "totp",
            SecondFactor::SecondPassphrase => "second-passphrase",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<SecondFactor> {
        [SecondFactor::Totp, SecondFactor::SecondPassphrase]
            .into_iter()
            .find(|factor| factor.name() == name)
    }
}

/// A factor that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Factor {
    /// One that has a name only: `passphrase`, `second-passphrase`, `pkcs11-pin`, and so on.
    Named(String),
    /// A code of RFC 6238: the step that it was for, and the step by the signer's own clock. How far
    /// they are apart is the drift of one of the two clocks.
    Totp {
        /// The step of the code.
        used: u64,
        /// The step of the clock.
        clock: u64,
    },
}

impl Factor {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Factor::Named(name) => name.clone(),
            Factor::Totp { used, clock } if used == clock => "totp".into(),
            Factor::Totp { used, clock } if used > clock => {
                format!("totp (+{} steps)", used - clock)
            }
            Factor::Totp { used, clock } => format!("totp (-{} steps)", clock - used),
        }
    }

    /// An item of the record's list.
    pub fn to_value(&self) -> Value {
        match self {
            Factor::Named(name) => Value::Array(vec![name.as_str().into()]),
            Factor::Totp { used, clock } => {
                Value::Array(vec!["totp".into(), (*used).into(), (*clock).into()])
            }
        }
    }

    /// Reads an item.
    pub fn from_value(what: &'static str, value: Value) -> Result<Factor, DecodeError> {
        let mut items = Items::new(what, "a factor", value, 1..=3)?;
        let left = items.left();
        let name = items.text("a factor", 32)?;
        match (name.as_str(), left) {
            ("totp", 3) => {
                Ok(Factor::Totp { used: items.uint("used")?, clock: items.uint("clock")? })
            }
            ("totp", _) => Err(DecodeError::field(what, "totp", "two steps", left.to_string())),
            (_, 1) => Ok(Factor::Named(name)),
            _ => Err(DecodeError::field(what, "a factor", "a name only", left.to_string())),
        }
    }
}
