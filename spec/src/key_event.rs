//! Key events: the life of a signer's key, in the clear, each a statement of the signer's journal
//! (`formats.cddl`: `key-event`; `formats/key-events.md`).

use crate::batch::Tail;
use crate::cbor::{self, DecodeError, Fields, Items, KeyOrder, Value, show};
use crate::cose::{ALG_EDDSA, Claims, Headers, Sign1, label};
use crate::ed25519::{NotSigned, PublicKey, SecretKey};
use crate::hash::Hash;
use crate::statement::{KnownHead, Position};
use crate::tile::MAX_ENTRY;

const WHAT: &str = "key event";
/// The content type of a key event's payload.
pub const KEY_EVENT_TYPE: &str = "application/vnd.coldlog.key-event+cbor";
/// The `typ` of the new key's consent to a rotation.
const ACCEPTANCE_TYPE: &str = "application/vnd.coldlog.rotation+cbor";
const VERSION: u64 = 1;

/// A prepared revocation stands alone in a journal that is called like the one it ends, with this and the
/// beginning of the key's thumbprint behind it: one for each key.
const REVOCATION_MARK: &str = ".revocation.";

/// An event in the life of a signer's key. What is not public (who, why, the operators' names) is in
/// the disclosure to which it commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEvent {
    /// What happened.
    pub event: Event,
    /// The commitment to its disclosure.
    pub commitment: Hash,
}

/// The kinds of key event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A journal begins.
    Genesis {
        /// The signer's Ed25519 public key.
        key: [u8; 32],
        /// The age recipients that every record is sealed to.
        recipients: Vec<String>,
        /// The journal that it goes on with, where that one was lost.
        recovers: Option<Recovers>,
    },
    /// Another key signs from the next statement on. The old key signs the event, the new one consents.
    Rotation {
        /// The new key.
        key: [u8; 32],
        /// Its consent: a COSE_Sign1, see [`KeyEvent::rotation`].
        accepted: Vec<u8>,
    },
    /// Others operate the signer, approve, or read its records, from the next statement on.
    Change {
        /// The age recipients from now on.
        recipients: Vec<String>,
    },
    /// A key is not to be trusted from a bound on. Where it is the key in force, the journal ends.
    Revocation {
        /// The revoked key.
        key: [u8; 32],
        /// From when on.
        since: Since,
    },
    /// The journal ends as planned; all that it holds stays good.
    Retirement {
        /// The key in force.
        key: [u8; 32],
    },
}

/// The journal that a new one goes on with after a loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovers {
    /// The leaf hash of its genesis.
    pub genesis: Hash,
    /// As far as it is known.
    pub tail: Tail,
}

/// From when on a revoked key is not to be trusted. What was signed before is good, where witnessed
/// heads show that it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// From the moment at which the revocation is in the log: what a revocation says that was
    /// prepared before anybody knew.
    Publication,
    /// From a statement of the journal on.
    Record(u64),
    /// All that is not in the tree of this head of a log.
    Head {
        /// The log.
        origin: String,
        /// The head's size.
        size: u64,
        /// Its root.
        root: Hash,
    },
    /// All that witnesses did not see by this time, in POSIX seconds.
    Time(u64),
}

impl Event {
    /// Its name in the bytes and in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Genesis { .. } => "genesis",
            Event::Rotation { .. } => "rotation",
            Event::Change { .. } => "change",
            Event::Revocation { .. } => "revocation",
            Event::Retirement { .. } => "retirement",
        }
    }

    /// Who may read the records from now on, where it says so.
    pub fn recipients(&self) -> Option<&[String]> {
        match self {
            Event::Genesis { recipients, .. } | Event::Change { recipients } => Some(recipients),
            _ => None,
        }
    }
}

fn texts(texts: &[String]) -> Value {
    Value::Array(texts.iter().map(|text| text.as_str().into()).collect())
}

impl Since {
    fn to_value(&self) -> Value {
        match self {
            Since::Publication => Value::Array(vec!["publication".into()]),
            Since::Record(number) => Value::Array(vec!["record".into(), (*number).into()]),
            Since::Head { origin, size, root } => Value::Array(vec![
                "head".into(),
                origin.as_str().into(),
                (*size).into(),
                cbor::bytes(root.0),
            ]),
            Since::Time(time) => Value::Array(vec!["time".into(), (*time).into()]),
        }
    }

    fn from_value(value: Value) -> Result<Since, DecodeError> {
        let mut items = Items::new(WHAT, "since", value, 1..=4)?;
        let kind = items.text("since", 16)?;
        let since = match (kind.as_str(), items.left()) {
            ("publication", 0) => Since::Publication,
            ("record", 1) => Since::Record(items.uint("since: record")?),
            ("time", 1) => Since::Time(items.uint("since: time")?),
            ("head", 3) => Since::Head {
                origin: items.text("since: origin", Claims::LIMIT)?,
                size: items.uint("since: size")?,
                root: items.hash("since: root")?,
            },
            _ => {
                let expected = "publication, record with a number, head with origin, size and root, or time with seconds";
                return Err(DecodeError::field(WHAT, "since", expected, kind));
            }
        };
        Ok(since)
    }
}

impl KeyEvent {
    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut entries = vec![
            ("v", VERSION.into()),
            ("event", self.event.name().into()),
            ("commitment", cbor::bytes(self.commitment.0)),
        ];
        match &self.event {
            Event::Genesis { key, recipients, recovers } => {
                entries.push(("key", cbor::bytes(key)));
                entries.push(("recipients", texts(recipients)));
                if let Some(Recovers { genesis, tail }) = recovers {
                    let items =
                        [cbor::bytes(genesis.0), tail.count.into(), cbor::bytes(tail.head.0)];
                    entries.push(("recovers", Value::Array(items.to_vec())));
                }
            }
            Event::Rotation { key, accepted } => {
                entries.push(("key", cbor::bytes(key)));
                entries.push(("accepted", cbor::bytes(accepted)));
            }
            Event::Change { recipients } => entries.push(("recipients", texts(recipients))),
            Event::Revocation { key, since } => {
                entries.push(("key", cbor::bytes(key)));
                entries.push(("since", since.to_value()));
            }
            Event::Retirement { key } => entries.push(("key", cbor::bytes(key))),
        }
        cbor::to_bytes(&cbor::text_map(entries))
    }

    /// Reads a payload.
    pub fn decode(bytes: &[u8]) -> Result<KeyEvent, DecodeError> {
        let value = cbor::decode(WHAT, bytes, MAX_ENTRY)?;
        let mut fields = Fields::new(WHAT, "the event", value)?;
        let version = fields.uint("v")?;
        if version != VERSION {
            return Err(DecodeError::Unsupported {
                what: WHAT,
                found: version,
                supported: VERSION,
            });
        }
        let recipients = |fields: &mut Fields| {
            let mut items = Items::new(WHAT, "recipients", fields.take("recipients")?, 1..=64)?;
            (0..items.left()).map(|_| items.text("recipients", 4096)).collect::<Result<_, _>>()
        };
        let event = match fields.text("event", 32)?.as_str() {
            "genesis" => Event::Genesis {
                key: fields.hash("key")?.0,
                recipients: recipients(&mut fields)?,
                recovers: fields.optional("recovers").map(Recovers::from_value).transpose()?,
            },
            "rotation" => Event::Rotation {
                key: fields.hash("key")?.0,
                accepted: fields.bytes("accepted", 1024)?,
            },
            "change" => Event::Change { recipients: recipients(&mut fields)? },
            "revocation" => Event::Revocation {
                key: fields.hash("key")?.0,
                since: Since::from_value(fields.take("since")?)?,
            },
            "retirement" => Event::Retirement { key: fields.hash("key")?.0 },
            other => {
                let expected = "genesis, rotation, change, revocation or retirement";
                return Err(DecodeError::field(WHAT, "event", expected, other));
            }
        };
        let commitment = fields.hash("commitment")?;
        fields.finish()?;
        Ok(KeyEvent { event, commitment })
    }

    /// The event by which a new key takes over at a position of a journal: with the new key's consent to
    /// this one place, so that nobody hands a journal to a key that does not want it, or twice.
    pub fn rotation(
        old: &PublicKey,
        new: &SecretKey,
        claims: &Claims,
        position: &Position,
        commitment: Hash,
    ) -> Result<KeyEvent, NotSigned> {
        let key = new.public();
        let headers = Headers(vec![
            (label::ALG, ALG_EDDSA.into()),
            (label::KID, cbor::bytes(key.thumbprint().0)),
            (label::CLAIMS, claims.to_value()),
            (label::TYP, ACCEPTANCE_TYPE.into()),
        ]);
        let payload = accepted_bytes(old, &key, position);
        let accepted = Sign1::sign(new, headers, &payload, true)?.encode();
        Ok(KeyEvent { event: Event::Rotation { key: *key.as_bytes(), accepted }, commitment })
    }
}

// What the new key consents to: `[old key, new key, sequence, previous]`.
fn accepted_bytes(old: &PublicKey, new: &PublicKey, position: &Position) -> Vec<u8> {
    let previous = position.previous.map_or(Value::Null, |hash| cbor::bytes(hash.0));
    cbor::to_bytes(&Value::Array(vec![
        cbor::bytes(old.as_bytes()),
        cbor::bytes(new.as_bytes()),
        position.sequence.into(),
        previous,
    ]))
}

/// Whether a new key consented to take over from the old one at a position.
pub(crate) fn consents(
    accepted: &[u8],
    (old, new): (&PublicKey, &PublicKey),
    claims: &Claims,
    position: &Position,
) -> Result<bool, DecodeError> {
    const WHAT: &str = "consent to a rotation";
    let sign1 = Sign1::decode(WHAT, accepted, 1024, KeyOrder::Sorted)?;
    let known = [label::ALG, label::KID, label::CLAIMS, label::TYP];
    let typ = sign1.protected.get(label::TYP);
    if typ != Some(&ACCEPTANCE_TYPE.into())
        || sign1.protected.unknown(&known).is_some()
        || !sign1.unprotected.0.is_empty()
        || sign1.payload.is_some()
    {
        let found = typ.map_or("other labels".into(), show);
        return Err(DecodeError::field(WHAT, "its headers", ACCEPTANCE_TYPE, found));
    }
    let kid = sign1.protected.get(label::KID) == Some(&cbor::bytes(new.thumbprint().0));
    let same = Claims::from_headers(WHAT, &sign1.protected)? == *claims;
    Ok(kid && same && sign1.verify(new, &accepted_bytes(old, new, position)))
}

impl Recovers {
    fn from_value(value: Value) -> Result<Recovers, DecodeError> {
        let mut items = Items::new(WHAT, "recovers", value, 3..=3)?;
        let genesis = items.hash("recovers: the genesis")?;
        let tail =
            Tail { count: items.uint("recovers: count")?, head: items.hash("recovers: head")? };
        Ok(Recovers { genesis, tail })
    }
}

/// The claims of a revocation that is no statement of the journal itself. Each bound has a name of its own: who
/// publishes one takes no other away, and all of them hold.
pub fn revocation_claims(journal: &Claims, key: &PublicKey, since: &Since) -> Claims {
    let first = |hash: Hash| hash.to_hex().get(..16).unwrap_or_default().to_owned();
    let mut subject = format!("{}{REVOCATION_MARK}{}", journal.subject, first(key.thumbprint()));
    if *since != Since::Publication {
        let bound = Hash::of(&cbor::to_bytes(&since.to_value()));
        subject = format!("{subject}.{}", first(bound));
    }
    Claims { issuer: journal.issuer.clone(), subject }
}

/// The journal that such a revocation is of, by its claims.
pub fn revoked_journal(claims: &Claims) -> Option<Claims> {
    let (subject, _) = claims.subject.rsplit_once(REVOCATION_MARK)?;
    Some(Claims { issuer: claims.issuer.clone(), subject: subject.into() })
}

impl std::fmt::Display for Since {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Since::Publication => f.write_str("from the moment at which the revocation was logged"),
            Since::Record(number) => write!(f, "from record {number} on"),
            Since::Head { origin, size, .. } => {
                write!(f, "for all that is not among the first {size} entries of {origin}")
            }
            Since::Time(time) => {
                write!(f, "for all that no witness had seen {time} seconds after 1970")
            }
        }
    }
}

impl From<&KnownHead> for Since {
    fn from(head: &KnownHead) -> Since {
        Since::Head { origin: head.origin.clone(), size: head.size, root: head.root }
    }
}
