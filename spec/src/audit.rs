//! What an audit came to, signed by the auditor: for the next one to go on from, and for parts of one audit to be
//! joined (`formats.cddl`: `audit`; `formats/audit.md`).

use crate::cbor::{self, DecodeError, Items, KeyOrder, Value};
use crate::cose::{ALG_EDDSA, Claims, Headers, Sign1, label};
use crate::ed25519::{NotSigned, PublicKey, SecretKey};
use crate::hash::{Hash, to_hex};
use crate::kind::Kind;
use crate::note::MAX_NOTE;
use crate::record::MAX_DISCLOSURE;
use crate::tile::MAX_ENTRY;
use crate::verify::append::Progress;
use crate::verify::audit::{Clear, Finding, Kind as Finds, Place, Rows, Seam, Used};

const WHAT: &str = "coldlog-audit";
/// The content type of the payload.
pub const AUDIT_TYPE: &str = "application/vnd.coldlog.audit+cbor";
/// The largest file.
pub const MAX_AUDIT: usize = 1 << 30;
/// Findings that are written down; beyond, they are counted.
pub const MAX_FINDINGS: usize = 10_000;
const MAX_ITEMS: u64 = 1 << 24;
const MAX_TEXT: usize = 1 << 16;

/// What was looked at, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// SHA-256 of the policy.
    pub policy: Hash,
    /// The newest head, a note.
    pub head: Vec<u8>,
    /// The first entry.
    pub from: u64,
    /// Behind the last one.
    pub to: u64,
    /// Whether records were opened.
    pub opened: bool,
    /// POSIX seconds by the auditor's clock: begin and end.
    pub time: (u64, u64),
}

/// What there was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries.
    pub entries: u64,
    /// Records that were opened.
    pub opened: u64,
    /// Of these, documents that were signed.
    pub documents: u64,
}

/// An audit, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// The auditor's name, and the log's.
    pub claims: Claims,
    /// What was looked at.
    pub scope: Scope,
    /// SHA-256 over the statements in the clear before the part, which it took as given; see [`digest`].
    pub assumed: Hash,
    /// The tree above the bundles.
    pub rows: Rows,
    /// The statements in the clear that changed something, from the beginning of the log on.
    pub clear: Vec<Clear>,
    /// How far each journal is.
    pub places: Vec<(Claims, Place)>,
    /// The approvals that were used.
    pub used: Used,
    /// What there was.
    pub counts: Counts,
    /// What was found; sorted, each once.
    pub findings: Vec<Finding>,
    /// How many more there were of each kind.
    pub more: Vec<(Finds, u64)>,
}

/// SHA-256 over indexes and leaf hashes of statements in the clear.
pub fn digest(clear: &[Clear]) -> Hash {
    let each = clear.iter().flat_map(|one| {
        let leaf = crate::merkle::leaf_hash(&one.entry);
        [&one.index.to_be_bytes()[..], &leaf.0].concat()
    });
    Hash::of(&each.collect::<Vec<u8>>())
}

/// Why an audit's file is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// Not an audit.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Another auditor's.
    #[error(
        "the audit is signed by the key {found}, which is none of the auditors that are named; name it with --trust if you trust what it found"
    )]
    OtherAuditor {
        /// The thumbprint that it names.
        found: String,
    },
    /// Altered.
    #[error("the audit's signature does not verify: it was altered; start the audit anew")]
    Signature,
}

fn optional<T>(value: Option<T>, write: impl FnOnce(T) -> Value) -> Value {
    value.map_or(Value::Null, write)
}

fn texts(one: &str, other: &str) -> Value {
    Value::Array(vec![one.into(), other.into()])
}

fn optional_hash(hash: Option<Hash>) -> Value {
    optional(hash, |hash| cbor::bytes(hash.0))
}

impl Audit {
    /// The file.
    pub fn sign(&self, key: &SecretKey) -> Result<Vec<u8>, NotSigned> {
        let headers = Headers(vec![
            (label::ALG, ALG_EDDSA.into()),
            (label::CONTENT_TYPE, AUDIT_TYPE.into()),
            (label::KID, cbor::bytes(key.public().thumbprint().0)),
            (label::CLAIMS, self.claims.to_value()),
        ]);
        Ok(Sign1::sign(key, headers, &cbor::to_bytes(&self.payload()), false)?.encode())
    }

    /// Reads a file by one of these auditors.
    pub fn verify<'a>(
        bytes: &[u8],
        auditors: impl IntoIterator<Item = &'a PublicKey>,
    ) -> Result<Audit, AuditError> {
        let (sign1, audit) = Audit::open(bytes)?;
        let kid = sign1.protected.get(label::KID);
        let named = |key: &&PublicKey| kid == Some(&cbor::bytes(key.thumbprint().0));
        let Some(key) = auditors.into_iter().find(named) else {
            let found = kid.and_then(Value::as_bytes).map_or("none".into(), |kid| to_hex(kid));
            return Err(AuditError::OtherAuditor { found });
        };
        match sign1.verify(key, sign1.payload.as_deref().unwrap_or_default()) {
            true => Ok(audit),
            false => Err(AuditError::Signature),
        }
    }

    /// Reads a file; nothing is verified. For who only shows it.
    pub fn decode(bytes: &[u8]) -> Result<Audit, DecodeError> {
        Audit::open(bytes).map(|(_, audit)| audit)
    }

    fn open(bytes: &[u8]) -> Result<(Sign1, Audit), DecodeError> {
        let sign1 = Sign1::decode(WHAT, bytes, MAX_AUDIT, KeyOrder::Sorted)?;
        let known = [label::ALG, label::CONTENT_TYPE, label::KID, label::CLAIMS];
        let typ = sign1.protected.get(label::CONTENT_TYPE);
        let kid = sign1.protected.get(label::KID).and_then(Value::as_bytes);
        if typ != Some(&AUDIT_TYPE.into())
            || sign1.algorithm() != Some(ALG_EDDSA)
            || kid.is_none_or(|kid| kid.len() != 32)
            || sign1.protected.unknown(&known).is_some()
            || !sign1.unprotected.0.is_empty()
        {
            let found = typ.map_or("other labels".into(), cbor::show);
            return Err(DecodeError::field(WHAT, "its headers", AUDIT_TYPE, found));
        }
        let claims = Claims::from_headers(WHAT, &sign1.protected)?;
        let payload = sign1.payload.as_deref().unwrap_or_default();
        let value = cbor::decode_large(WHAT, payload, MAX_AUDIT, MAX_ITEMS)?;
        let audit = Audit::from_value(claims, value)?;
        Ok((sign1, audit))
    }

    /// As bytes that are signed.
    fn payload(&self) -> Value {
        let Scope { policy, head, from, to, opened, time } = &self.scope;
        let rows = self.rows.rows().iter();
        let rows = rows.map(|row| cbor::bytes(row.iter().flat_map(|h| h.0).collect::<Vec<u8>>()));
        let clear = self.clear.iter().map(|one| {
            let disclosure = optional(one.disclosure.as_ref(), cbor::bytes);
            Value::Array(vec![one.index.into(), cbor::bytes(&one.entry), disclosure])
        });
        let used = self.used.0.iter();
        let used: Vec<u8> =
            used.flat_map(|(key, index)| [&key[..], &index.to_be_bytes()].concat()).collect();
        let Counts { entries, opened: records, documents } = self.counts;
        let mut items = Kind::Audit.head();
        items.extend([
            cbor::bytes(policy.0),
            cbor::bytes(head),
            (*from).into(),
            (*to).into(),
            (*opened).into(),
            Value::Array(vec![time.0.into(), time.1.into()]),
            cbor::bytes(self.assumed.0),
            optional(self.rows.most(), |most| u64::from(most).into()),
            Value::Array(rows.collect()),
            Value::Array(clear.collect()),
            Value::Array(self.places.iter().map(place_value).collect()),
            cbor::bytes(used),
            Value::Array(vec![entries.into(), records.into(), documents.into()]),
            Value::Array(self.findings.iter().map(finding_value).collect()),
            Value::Array(
                self.more
                    .iter()
                    .map(|(kind, count)| Value::Array(vec![kind.name().into(), (*count).into()]))
                    .collect(),
            ),
        ]);
        Value::Array(items)
    }

    fn from_value(claims: Claims, value: Value) -> Result<Audit, DecodeError> {
        let mut items = Kind::Audit.open(value, 15)?;
        let policy = items.hash("policy")?;
        let head = items.bytes("head", MAX_NOTE)?;
        let (from, to) = (items.uint("from")?, items.uint("to")?);
        let opened = flag(items.any("opened")?)?;
        let mut time = Items::new(WHAT, "time", items.any("time")?, 2..=2)?;
        let time = (time.uint("begin")?, time.uint("end")?);
        let assumed = items.hash("assumed")?;
        let most = match items.any("rows at most")? {
            Value::Null => None,
            value => Some(narrow("rows at most", cbor::as_uint(WHAT, "rows at most", &value)?)?),
        };
        let rows = rows(items.any("rows")?)?;
        let rows = Rows::from_parts((from, to), rows, most).map_err(|why| {
            DecodeError::field(WHAT, "rows", "those of its entries", why.to_string())
        })?;
        let clear = list("clear", items.any("clear")?, |value| {
            let mut one = Items::new(WHAT, "clear", value, 3..=3)?;
            let (index, entry) = (one.uint("index")?, one.bytes("entry", MAX_ENTRY)?);
            let disclosure = match one.any("disclosure")? {
                Value::Null => None,
                value => Some(cbor::into_bytes(WHAT, "disclosure", value, MAX_DISCLOSURE)?),
            };
            Ok(Clear { index, entry, disclosure })
        })?;
        let places = list("places", items.any("places")?, read_place)?;
        let used = read_used(&items.bytes("used", MAX_AUDIT)?)?;
        let mut counts = Items::new(WHAT, "counts", items.any("counts")?, 3..=3)?;
        let counts = Counts {
            entries: counts.uint("entries")?,
            opened: counts.uint("records")?,
            documents: counts.uint("documents")?,
        };
        let findings = list("findings", items.any("findings")?, read_finding)?;
        sorted("findings", &findings)?;
        let more = list("more", items.any("more")?, |value| {
            let mut one = Items::new(WHAT, "more", value, 2..=2)?;
            Ok((read_kind(&one.text("kind", 64)?)?, one.uint("count")?))
        })?;
        sorted("more", &more)?;
        let scope = Scope { policy, head, from, to, opened, time };
        Ok(Audit { claims, scope, assumed, rows, clear, places, used, counts, findings, more })
    }
}

fn sorted<T: Ord>(field: &str, list: &[T]) -> Result<(), DecodeError> {
    match list.is_sorted_by(|one, next| one < next) {
        true => Ok(()),
        false => Err(DecodeError::field(WHAT, field, "sorted, each once", "another order")),
    }
}

fn flag(value: Value) -> Result<bool, DecodeError> {
    let found = cbor::show(&value);
    value.as_bool().ok_or_else(|| DecodeError::field(WHAT, "opened", "true or false", found))
}

fn narrow(field: &str, number: u64) -> Result<u8, DecodeError> {
    let narrow = u8::try_from(number).ok().filter(|number| (1..=7).contains(number));
    narrow.ok_or_else(|| DecodeError::field(WHAT, field, "1 to 7", number.to_string()))
}

fn list<T>(
    field: &str,
    value: Value,
    mut read: impl FnMut(Value) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut items = Items::new(WHAT, field, value, 0..=MAX_ITEMS as usize)?;
    (0..items.left()).map(|_| read(items.any(field)?)).collect()
}

fn rows(value: Value) -> Result<Vec<Vec<Hash>>, DecodeError> {
    list("rows", value, |value| {
        let bytes = cbor::into_bytes(WHAT, "a row", value, MAX_AUDIT)?;
        if !bytes.len().is_multiple_of(32) {
            let found = format!("{} bytes", bytes.len());
            return Err(DecodeError::field(WHAT, "a row", "hashes of 32 bytes", found));
        }
        Ok(bytes.chunks_exact(32).filter_map(Hash::from_slice).collect())
    })
}

fn read_used(bytes: &[u8]) -> Result<Used, DecodeError> {
    let mut used = Used::default();
    let each = bytes.chunks(24).map(|one| Some((one.first_chunk::<16>()?, one.last_chunk::<8>()?)));
    for one in each {
        let read = one.filter(|_| bytes.len().is_multiple_of(24));
        let (key, index) = read.ok_or_else(|| {
            DecodeError::field(WHAT, "used", "24 bytes each", format!("{} bytes", bytes.len()))
        })?;
        if used.0.last_key_value().is_some_and(|(before, _)| before >= key) {
            return Err(DecodeError::field(WHAT, "used", "sorted, each once", "another order"));
        }
        used.0.insert(*key, u64::from_be_bytes(*index));
    }
    Ok(used)
}

fn place_value((claims, place): &(Claims, Place)) -> Value {
    let seam = optional(place.seam, |Seam { index, sequence, previous }| {
        Value::Array(vec![index.into(), sequence.into(), optional_hash(previous)])
    });
    let progress = optional(place.progress.as_ref(), |Progress { next, head }| {
        Value::Array(vec![(*next).into(), optional_hash(*head)])
    });
    let journal = texts(&claims.issuer, &claims.subject);
    Value::Array(vec![journal, seam, progress, place.seen.into()])
}

fn journal(value: Value) -> Result<(String, String), DecodeError> {
    let mut items = Items::new(WHAT, "a journal", value, 2..=2)?;
    Ok((items.text("signer", Claims::LIMIT)?, items.text("journal", Claims::LIMIT)?))
}

fn read_place(value: Value) -> Result<(Claims, Place), DecodeError> {
    let mut items = Items::new(WHAT, "a place", value, 4..=4)?;
    let (issuer, subject) = journal(items.any("journal")?)?;
    let seam = match items.any("seam")? {
        Value::Null => None,
        value => {
            let mut seam = Items::new(WHAT, "a seam", value, 3..=3)?;
            let (index, sequence) = (seam.uint("index")?, seam.uint("sequence")?);
            Some(Seam { index, sequence, previous: seam.hash_or_null("previous")? })
        }
    };
    let progress = match items.any("progress")? {
        Value::Null => None,
        value => {
            let mut progress = Items::new(WHAT, "progress", value, 2..=2)?;
            let next = progress.uint("next")?;
            Some(Progress { next, head: progress.hash_or_null("head")? })
        }
    };
    let place = Place { seam, progress, seen: items.uint("seen")? };
    Ok((Claims { issuer, subject }, place))
}

fn read_kind(name: &str) -> Result<Finds, DecodeError> {
    let kind = Finds::from_name(name);
    kind.ok_or_else(|| DecodeError::field(WHAT, "kind", "a kind of finding", name))
}

fn finding_value(one: &Finding) -> Value {
    Value::Array(vec![
        optional(one.index, Value::from),
        one.kind.name().into(),
        optional(one.journal.as_ref(), |(signer, journal)| texts(signer, journal)),
        optional(one.sequence, Value::from),
        optional(one.file.as_deref(), Value::from),
        one.expected.as_str().into(),
        one.found.as_str().into(),
        optional_hash(one.evidence),
    ])
}

fn read_finding(value: Value) -> Result<Finding, DecodeError> {
    let mut items = Items::new(WHAT, "a finding", value, 8..=8)?;
    let number = |value: Value| match value {
        Value::Null => Ok(None),
        value => cbor::as_uint(WHAT, "a finding's place", &value).map(Some),
    };
    let index = number(items.any("index")?)?;
    let kind = read_kind(&items.text("kind", 64)?)?;
    let journal = match items.any("journal")? {
        Value::Null => None,
        value => Some(journal(value)?),
    };
    let sequence = number(items.any("sequence")?)?;
    let file = match items.any("file")? {
        Value::Null => None,
        value => Some(cbor::into_text(WHAT, "file", value, MAX_TEXT)?),
    };
    let (expected, found) = (items.text("expected", MAX_TEXT)?, items.text("found", MAX_TEXT)?);
    let evidence = items.hash_or_null("evidence")?;
    Ok(Finding { index, kind, journal, sequence, file, expected, found, evidence })
}
