//! The operation record and its disclosure: what only the auditors read (`formats.cddl`: `record`,
//! `disclosure`).

use crate::approval::{ApprovalPolicy, Carried};
use crate::cbor::{self, DecodeError, Fields, Items, Value};
use crate::factor::{Factor, MAX_FACTORS, SecondFactor};
use crate::hash::Hash;

const WHAT: &str = "operation record";
/// The largest disclosure: its age ciphertext must fit the 65,535 bytes of a bundle's entry.
pub const MAX_DISCLOSURE: usize = 60 * 1024;
/// The longest text of a record, in bytes.
pub const MAX_TEXT: usize = 4096;
/// The media type of a disclosure: a statement's label 259.
pub const DISCLOSURE_TYPE: &str = "application/vnd.coldlog.disclosure+cbor";
const VERSION: u64 = 1;

/// What a signer did, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// POSIX seconds by the signer's own clock: a claim.
    pub time: u64,
    /// Who did it.
    pub operator: String,
    /// Why.
    pub purpose: String,
    /// On which machine.
    pub device: String,
    /// What was odd about its clock, if anything was.
    pub clock: Option<Clock>,
    /// Who approved it.
    pub approved: Carried,
    /// What opened the key for it.
    pub factors: Vec<Factor>,
    /// What was done.
    pub operation: Operation,
}

/// What was odd about the clock when a record was made, in seconds; 0 where it was not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clock {
    /// Behind the record before.
    pub behind_last: u64,
    /// Behind a time that it cannot be before; the operator said that the clock is wrong.
    pub impossible: u64,
    /// Ahead of all that was known.
    pub ahead: u64,
}

impl Clock {
    const FIELDS: [&str; 3] = ["behind_last", "impossible", "ahead"];

    fn to_value(self) -> Value {
        let seconds = [self.behind_last, self.impossible, self.ahead];
        let odd = Clock::FIELDS.into_iter().zip(seconds).filter(|(_, seconds)| *seconds > 0);
        cbor::text_map(odd.map(|(field, seconds)| (field, seconds.into())).collect())
    }

    fn from_value(value: Value) -> Result<Clock, DecodeError> {
        let mut fields = Fields::new(WHAT, "clock", value)?;
        let mut seconds = [0; 3];
        for (field, seconds) in Clock::FIELDS.into_iter().zip(&mut seconds) {
            if let Some(value) = fields.optional(field) {
                *seconds = cbor::as_uint(WHAT, field, &value)?;
                if *seconds == 0 {
                    return Err(DecodeError::field(WHAT, field, "absent, or more than 0", "0"));
                }
            }
        }
        fields.finish()?;
        let [behind_last, impossible, ahead] = seconds;
        match seconds {
            [0, 0, 0] => Err(DecodeError::field(WHAT, "clock", "absent, or what is odd", "{}")),
            _ => Ok(Clock { behind_last, impossible, ahead }),
        }
    }
}

/// The kinds of operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// The journal's first record: who may operate it.
    Genesis {
        /// Names of the operators.
        operators: Vec<String>,
        /// Who must approve before anything is signed.
        approvals: ApprovalPolicy,
        /// What must be given beside the passphrase before the key is used.
        second_factor: Option<SecondFactor>,
    },
    /// A document was signed.
    Sign {
        /// The document.
        document: Document,
        /// Its signature.
        signature: Signature,
    },
    /// A key event: the new operators, where it changes them.
    KeyEvent {
        /// The event's name, as in its statement.
        event: String,
        /// Who may operate the signer from now on.
        operators: Option<Vec<String>>,
        /// Who must approve from now on, where a change says so.
        approvals: Option<ApprovalPolicy>,
    },
}

/// The key events that a record may be of; a genesis is a kind of its own.
const EVENTS: [&str; 4] = ["rotation", "change", "revocation", "retirement"];

/// A document as it was read, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its media type.
    pub media_type: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
}

/// A signature over a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The format.
    pub scheme: Scheme,
    /// The Ed25519 public key.
    pub key: [u8; 32],
    /// The signature file's bytes.
    pub bytes: Vec<u8>,
    /// Whether the signer verified it before it wrote this record. Only `true` was released.
    pub verified: bool,
}

/// Formats of document signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// OpenSSH's SSHSIG, namespace `file`, SHA-512.
    Sshsig,
    /// minisign, prehashed.
    Minisign,
}

impl Scheme {
    /// As it stands in the record.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Sshsig => "sshsig",
            Scheme::Minisign => "minisign",
        }
    }

    /// How the signature file's name ends.
    pub fn extension(self) -> &'static str {
        match self {
            Scheme::Sshsig => "sig",
            Scheme::Minisign => "minisig",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Scheme> {
        [Scheme::Sshsig, Scheme::Minisign].into_iter().find(|scheme| scheme.name() == name)
    }
}

impl Record {
    fn to_value(&self) -> Value {
        let mut entries = vec![
            ("v", VERSION.into()),
            ("time", self.time.into()),
            ("operator", self.operator.as_str().into()),
            ("purpose", self.purpose.as_str().into()),
            ("device", self.device.as_str().into()),
        ];
        if let Some(clock) = self.clock {
            entries.push(("clock", clock.to_value()));
        }
        entries.extend(self.approved.entries());
        // Absent where there are none: records without them have one form.
        if !self.factors.is_empty() {
            let factors = self.factors.iter().map(Factor::to_value).collect();
            entries.push(("factors", Value::Array(factors)));
        }
        match &self.operation {
            Operation::Genesis { operators, approvals, second_factor } => {
                entries.push(("operation", "genesis".into()));
                entries.push(("operators", names(operators)));
                entries.extend(approvals.to_value().map(|value| ("approval_policy", value)));
                entries.extend(second_factor.map(|one| ("second_factor", one.name().into())));
            }
            Operation::KeyEvent { event, operators, approvals } => {
                entries.push(("operation", event.as_str().into()));
                entries.extend(operators.as_deref().map(|all| ("operators", names(all))));
                let approvals = approvals.as_ref().and_then(ApprovalPolicy::to_value);
                entries.extend(approvals.map(|value| ("approval_policy", value)));
            }
            Operation::Sign { document, signature } => {
                entries.push(("operation", "sign".into()));
                let document = cbor::text_map(vec![
                    ("name", document.name.as_str().into()),
                    ("version", document.version.as_str().into()),
                    ("media_type", document.media_type.as_str().into()),
                    ("size", document.size.into()),
                    ("sha256", cbor::bytes(document.sha256.0)),
                ]);
                entries.push(("document", document));
                let signature = cbor::text_map(vec![
                    ("scheme", signature.scheme.name().into()),
                    ("key", cbor::bytes(signature.key)),
                    ("bytes", cbor::bytes(&signature.bytes)),
                    ("verified", signature.verified.into()),
                ]);
                entries.push(("signature", signature));
            }
        }
        cbor::text_map(entries)
    }

    fn from_value(value: Value) -> Result<Record, DecodeError> {
        let mut fields = Fields::new(WHAT, "the record", value)?;
        let version = fields.uint("v")?;
        if version != VERSION {
            return Err(DecodeError::Unsupported {
                what: WHAT,
                found: version,
                supported: VERSION,
            });
        }
        let (time, operator) = (fields.uint("time")?, fields.text("operator", MAX_TEXT)?);
        let (purpose, device) =
            (fields.text("purpose", MAX_TEXT)?, fields.text("device", MAX_TEXT)?);
        let clock = fields.optional("clock").map(Clock::from_value).transpose()?;
        let approved = Carried::take(WHAT, &mut fields)?;
        let factors = fields.optional("factors").map(read_factors).transpose()?.unwrap_or_default();
        let operation = match fields.text("operation", 32)?.as_str() {
            "genesis" => {
                let operators = operators(fields.take("operators")?)?;
                let approvals = fields.optional("approval_policy");
                let approvals = approvals.map(|value| ApprovalPolicy::from_value(WHAT, value));
                let approvals = approvals.transpose()?.unwrap_or_default();
                let second_factor = read_second_factor(&mut fields)?;
                Operation::Genesis { operators, approvals, second_factor }
            }
            "sign" => Operation::Sign {
                document: Document::from_value(fields.take("document")?)?,
                signature: Signature::from_value(fields.take("signature")?)?,
            },
            "change" => {
                let operators = Some(operators(fields.take("operators")?)?);
                let approvals = fields.optional("approval_policy");
                let approvals = approvals.map(|value| ApprovalPolicy::from_value(WHAT, value));
                let approvals = approvals.transpose()?;
                Operation::KeyEvent { event: "change".into(), operators, approvals }
            }
            event if EVENTS.contains(&event) => {
                Operation::KeyEvent { event: event.into(), operators: None, approvals: None }
            }
            other => {
                let expected = "genesis, sign, rotation, change, revocation or retirement";
                return Err(DecodeError::field(WHAT, "operation", expected, other));
            }
        };
        fields.finish()?;
        Ok(Record { time, operator, purpose, device, clock, approved, factors, operation })
    }
}

fn names(names: &[String]) -> Value {
    Value::Array(names.iter().map(|name| name.as_str().into()).collect())
}

fn operators(value: Value) -> Result<Vec<String>, DecodeError> {
    let mut items = Items::new(WHAT, "operators", value, 1..=256)?;
    (0..items.left()).map(|_| items.text("operators", MAX_TEXT)).collect()
}

fn read_factors(value: Value) -> Result<Vec<Factor>, DecodeError> {
    let mut items = Items::new(WHAT, "factors", value, 1..=MAX_FACTORS)?;
    (0..items.left()).map(|_| Factor::from_value(WHAT, items.any("a factor")?)).collect()
}

fn read_second_factor(fields: &mut Fields) -> Result<Option<SecondFactor>, DecodeError> {
    const EXPECTED: &str = "totp or second-passphrase";
    let Some(name) = fields.optional_text("second_factor", 32)? else { return Ok(None) };
    let factor = SecondFactor::from_name(&name);
    let factor = factor.ok_or_else(|| DecodeError::field(WHAT, "second_factor", EXPECTED, name))?;
    Ok(Some(factor))
}

impl Document {
    fn from_value(value: Value) -> Result<Document, DecodeError> {
        let mut fields = Fields::new(WHAT, "document", value)?;
        let document = Document {
            name: fields.text("name", MAX_TEXT)?,
            version: fields.text("version", MAX_TEXT)?,
            media_type: fields.text("media_type", MAX_TEXT)?,
            size: fields.uint("size")?,
            sha256: fields.hash("sha256")?,
        };
        fields.finish()?;
        Ok(document)
    }
}

impl Signature {
    fn from_value(value: Value) -> Result<Signature, DecodeError> {
        let mut fields = Fields::new(WHAT, "signature", value)?;
        let scheme = fields.text("scheme", 32)?;
        let scheme = Scheme::from_name(&scheme)
            .ok_or_else(|| DecodeError::field(WHAT, "scheme", "sshsig or minisign", scheme))?;
        let key = fields.hash("key")?.0;
        let bytes = fields.bytes("bytes", 8192)?;
        let verified = fields.take("verified")?;
        let verified = verified.as_bool().ok_or_else(|| {
            DecodeError::field(WHAT, "verified", "true or false", cbor::show(&verified))
        })?;
        fields.finish()?;
        Ok(Signature { scheme, key, bytes, verified })
    }
}

/// A record with the salt that hides it: `[salt, record]`. SHA-256 of its bytes is the commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// 32 random bytes, new for each record.
    pub salt: [u8; 32],
    /// The record.
    pub record: Record,
}

impl Disclosure {
    /// The bytes that the commitment covers and the auditors decrypt.
    pub fn encode(&self) -> Vec<u8> {
        cbor::to_bytes(&Value::Array(vec![cbor::bytes(self.salt), self.record.to_value()]))
    }

    /// Reads a disclosure.
    pub fn decode(bytes: &[u8]) -> Result<Disclosure, DecodeError> {
        let value = cbor::decode("disclosure", bytes, MAX_DISCLOSURE)?;
        let mut items = Items::new("disclosure", "the disclosure", value, 2..=2)?;
        let salt = items.hash("salt")?.0;
        Ok(Disclosure { salt, record: Record::from_value(items.any("record")?)? })
    }

    /// The commitment: SHA-256 of the encoding.
    pub fn commitment(&self) -> Hash {
        Hash::of(&self.encode())
    }
}
