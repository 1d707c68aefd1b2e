//! What conditions see of an event: names and values.

use super::event::{Event, Head, Read, Tick};
use crate::records::Row;
use coldlog_spec::verify::clock::{Claim, claim};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Names and values.
pub type Facts = Map<String, Value>;

/// The kinds of events, as a rule's `on` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum On {
    /// A signature's record.
    Record,
    /// A genesis, a rotation, a revocation and so on; the log's own rules, and records sealed anew.
    KeyEvent,
    /// The head, once a round.
    Head,
    /// A read of sealed records.
    Access,
    /// Something wrong with the log itself.
    Finding,
    /// The end of a round.
    Tick,
}

impl On {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            On::Record => "record",
            On::KeyEvent => "key-event",
            On::Head => "head",
            On::Access => "access",
            On::Finding => "finding",
            On::Tick => "tick",
        }
    }
}

/// A name that conditions of some kinds of events see.
pub struct Name {
    /// The name.
    pub name: &'static str,
    /// Its type in CEL.
    pub kind: &'static str,
    /// The kinds of events that have it.
    pub on: &'static [On],
    /// What it is.
    pub what: &'static str,
}

const ROW: &[On] = &[On::Record, On::KeyEvent];
const RECORD: &[On] = &[On::Record];
const HEAD: &[On] = &[On::Head];
const ACCESS: &[On] = &[On::Access];
const FINDING: &[On] = &[On::Finding];
const TICK: &[On] = &[On::Tick];
const ALL: &[On] = &[On::Record, On::KeyEvent, On::Head, On::Access, On::Finding, On::Tick];

const fn name(
    name: &'static str,
    kind: &'static str,
    on: &'static [On],
    what: &'static str,
) -> Name {
    Name { name, kind, on, what }
}

/// All names. `docs/rules.md` shows this table; a test compares them.
pub const NAMES: &[Name] = &[
    name(
        "time",
        "int",
        ALL,
        "when it happened, in POSIX seconds: for a record the claimed time, kept within the witnesses' bounds",
    ),
    name("now", "int", ALL, "when the monitor saw it"),
    name(
        "index",
        "int or null",
        &[On::Record, On::KeyEvent, On::Finding],
        "the entry's place in the log",
    ),
    name("leaf", "string", ROW, "its leaf hash, in hexadecimal"),
    name("signer", "string", ROW, "the signer's name"),
    name("journal", "string", ROW, "the journal's name"),
    name("sequence", "int", ROW, "its number in the journal"),
    name(
        "operation",
        "string",
        ROW,
        "`sign`; on key events `genesis`, `rotation`, `change`, `revocation`, `retirement`, `rules` or `reseal`",
    ),
    name("key", "string", ROW, "the thumbprint of the key that signed the statement"),
    name("known_head", "int or null", ROW, "the size of the newest head that the signer knew"),
    name("not_before", "int or null", ROW, "not made before, by the witnesses"),
    name("not_after", "int or null", ROW, "not made after, by the witnesses"),
    name(
        "opened",
        "bool",
        ROW,
        "whether an identity opened the sealed record; where not, the names below are null or empty",
    ),
    name("claimed", "int or null", ROW, "the signer's own clock"),
    name(
        "claim",
        "string or null",
        ROW,
        "`possible`, `before its head` or `after its logging`: the claimed time against the bounds",
    ),
    name("off", "int", ROW, "by how many seconds the claimed time is outside of the bounds"),
    name(
        "late",
        "int or null",
        ROW,
        "seconds from the claimed time to the head that covers the entry",
    ),
    name(
        "clock",
        "map or null",
        ROW,
        "what the signer noted of its clock: `behind_last`, `impossible`, `ahead`, in seconds",
    ),
    name("operator", "string or null", ROW, "who"),
    name("purpose", "string or null", ROW, "why"),
    name("device", "string or null", ROW, "on which machine"),
    name("approvals", "int", ROW, "how many approvals the record carries"),
    name("factors", "list", ROW, "what opened the key, in words"),
    name(
        "document",
        "map or null",
        RECORD,
        "`name`, `version`, `media_type`, `size`, `sha256`, `scheme`",
    ),
    name("origin", "string", HEAD, "the log's name"),
    name("size", "int", HEAD, "entries"),
    name("grown", "int", HEAD, "entries more than in the round before"),
    name("quorum", "bool", HEAD, "whether the quorum of witnesses cosigned it"),
    name(
        "age",
        "int or null",
        HEAD,
        "seconds since a quorum cosigned the newest head that has one",
    ),
    name("cosigned", "list", HEAD, "the names of the witnesses that cosigned it"),
    name("expected", "list", HEAD, "the names of all witnesses of the policy"),
    name("clocks", "map", HEAD, "for each that cosigned it, its newest time"),
    name("number", "int", ACCESS, "the read's number"),
    name("reader", "string", ACCESS, "who read"),
    name("address", "string", ACCESS, "from where"),
    name("first", "int", ACCESS, "the first entry that was read"),
    name("count", "int", ACCESS, "how many from there"),
    name(
        "kind",
        "string",
        FINDING,
        "what is wrong: `history`, `access-journal`, or a kind of the audit",
    ),
    name("severity", "string", FINDING, "`note`, `warning`, `high` or `critical`"),
    name("text", "string", FINDING, "in words"),
    name("failing", "string or null", TICK, "why the log could not be read"),
    name("failing_for", "int", TICK, "for how many seconds it could not"),
    name("behind", "int", TICK, "entries that no quorum has cosigned yet"),
    name("behind_for", "int", TICK, "for how many seconds there have been such entries"),
    name(
        "undelivered_for",
        "int",
        TICK,
        "for how many seconds the oldest message could not be delivered",
    ),
];

/// The fields of a name that is a map.
pub(crate) fn fields(name: &str) -> &'static [&'static str] {
    match name {
        "document" => &["name", "version", "media_type", "size", "sha256", "scheme"],
        "clock" => &["behind_last", "impossible", "ahead"],
        _ => &[],
    }
}

/// Whether events of a kind have a value of this name, which may be a path: `document.size`.
pub(crate) fn is_known(on: On, path: &str) -> bool {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    NAMES.iter().any(|name| name.name == first && name.on.contains(&on))
        && rest.is_none_or(|rest| fields(first).contains(&rest))
}

/// The value at a path; null where a part of it is.
pub(crate) fn at<'a>(facts: &'a Facts, path: &str) -> &'a Value {
    let mut parts = path.split('.');
    let first = parts.next().and_then(|part| facts.get(part)).unwrap_or(&Value::Null);
    parts.fold(first, |value, part| value.get(part).unwrap_or(&Value::Null))
}

impl Event {
    /// Its kind.
    pub fn on(&self) -> On {
        match self {
            Event::Row(row) if row.operation == "sign" => On::Record,
            Event::Row(_) => On::KeyEvent,
            Event::Head(_) => On::Head,
            Event::Access(_) => On::Access,
            Event::Finding(_) => On::Finding,
            Event::Tick(_) => On::Tick,
        }
    }

    /// What conditions see of it.
    pub fn facts(&self, now: u64) -> Facts {
        let value = match self {
            Event::Row(row) => of_row(row, now),
            Event::Head(head) => of_head(head, now),
            Event::Access(read) => of_read(read),
            Event::Finding(finding) => json!({
                "time": now, "kind": finding.kind, "severity": finding.severity.name(),
                "index": finding.index, "text": finding.text,
            }),
            Event::Tick(Tick { failing, failing_for, behind, behind_for, undelivered_for }) => {
                json!({
                    "time": now, "failing": failing, "failing_for": failing_for, "behind": behind, "behind_for": behind_for,
                    "undelivered_for": undelivered_for,
                })
            }
        };
        let mut facts = match value {
            Value::Object(facts) => facts,
            _ => Facts::new(),
        };
        facts.insert("now".into(), now.into());
        facts
    }

    /// What tells it from every other one, so that an alert over it is the same whenever it is made.
    pub fn place(&self) -> String {
        match self {
            Event::Row(row) => format!("entry {} {}", row.index, row.leaf),
            Event::Access(read) => format!("read {} {}", read.number, read.time),
            Event::Finding(finding) => {
                format!("finding {} {:?} {}", finding.kind, finding.index, finding.text)
            }
            // These last: the engine tells one episode from the next.
            Event::Head(_) => "head".into(),
            Event::Tick(_) => "tick".into(),
        }
    }
}

/// When a record was made, as well as can be known: what it claims, kept within the witnesses' bounds.
fn time_of(row: &Row, now: u64) -> u64 {
    let claimed = row.claimed.or(row.not_after).unwrap_or(now);
    let latest = row.not_after.unwrap_or(now);
    claimed.max(row.not_before.unwrap_or(0)).min(latest)
}

fn of_row(row: &Row, now: u64) -> Value {
    let (words, off) = match row.claimed.map(|time| claim(time, row.not_before, row.not_after)) {
        None => (None, 0),
        Some(Claim::Possible) => (Some("possible"), 0),
        Some(Claim::BeforeItsHead(seconds)) => (Some("before its head"), seconds),
        Some(Claim::AfterItsLogging(seconds)) => (Some("after its logging"), seconds),
    };
    let late = row.claimed.zip(row.not_after).map(|(claimed, by)| by.saturating_sub(claimed));
    let clock = row.clock.map(|clock| {
        json!({"behind_last": clock.behind_last, "impossible": clock.impossible, "ahead": clock.ahead})
    });
    let document = row.document.as_ref().map(|document| {
        json!({
            "name": document.name, "version": document.version, "media_type": document.media_type,
            "size": document.size, "sha256": document.sha256.to_hex(), "scheme": document.scheme,
        })
    });
    json!({
        "time": time_of(row, now), "index": row.index, "leaf": row.leaf.to_hex(), "signer": row.signer,
        "journal": row.journal, "sequence": row.sequence, "operation": row.operation, "key": row.key,
        "known_head": row.known_head, "not_before": row.not_before, "not_after": row.not_after,
        "opened": row.opened, "claimed": row.claimed, "claim": words, "off": off, "late": late,
        "clock": clock, "operator": row.operator, "purpose": row.purpose, "device": row.device,
        "approvals": row.approvals, "factors": row.factors, "document": document,
    })
}

fn of_head(head: &Head, now: u64) -> Value {
    let names: Vec<&str> = head.cosigned.iter().map(|witness| witness.name.as_str()).collect();
    let clocks: Facts =
        head.cosigned.iter().map(|witness| (witness.name.clone(), witness.time.into())).collect();
    json!({
        "time": now, "origin": head.origin, "size": head.size, "grown": head.grown,
        "quorum": head.quorum, "age": head.witnessed.map(|time| now.saturating_sub(time)),
        "cosigned": names, "expected": head.expected, "clocks": clocks,
    })
}

fn of_read(read: &Read) -> Value {
    json!({
        "time": read.time, "number": read.number, "reader": read.reader, "address": read.address,
        "first": read.first, "count": read.count,
    })
}

/// An event of a kind in which nothing is missing, on which conditions are tried when they are loaded.
pub(crate) fn sample(on: On) -> Facts {
    let names = NAMES.iter().filter(|name| name.on.contains(&on));
    let value = |name: &Name| match (name.name, name.kind) {
        ("document", _) => json!({"name": "app-1.0.tar.gz", "version": "1.0", "size": 4096,
            "media_type": "application/gzip", "sha256": "00", "scheme": "sshsig"}),
        ("clock", _) => json!({"behind_last": 1, "impossible": 1, "ahead": 1}),
        (_, "map") => json!({"w1.example/witness": 1_800_000_000}),
        (_, "list") => json!(["w1.example/witness"]),
        (_, "bool") => json!(true),
        (_, kind) if kind.starts_with("int") => json!(1_800_000_000),
        (_, _) => json!("sample"),
    };
    names.map(|name| (name.name.to_owned(), value(name))).collect()
}
