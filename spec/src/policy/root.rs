//! A trust root: a policy, the keys that may renew it, and the time for which it is meant
//! (`formats/root.md`). A signed note, or, before anybody has signed, its text alone:
//!
//! ```text
//! coldlog-root/v1
//! version 2
//! previous <SHA-256 of the text of version 1>      or `none`
//! not-before <POSIX seconds>
//! expires <POSIX seconds>
//! threshold 2
//! key <verifier key>                               one line or more
//! policy
//! <the lines of a policy, to the byte>
//! ```

use super::{Policy, PolicyError, Utc, Window};
use crate::checkpoint::parse_decimal;
use crate::ed25519::{NotSigned, SecretKey};
use crate::hash::Hash;
use crate::note::{KeyMaterial, MAX_NOTE, Note, NoteError, SignatureLine, VerifierKey};
use std::collections::BTreeSet;

const FIRST_LINE: &str = "coldlog-root/v1\n";
/// The most policy keys of one root: the keys of two fit into the lines of one note.
pub const MAX_KEYS: usize = 64;

/// What a root says, before it is one.
#[derive(Debug, Clone)]
pub struct Content {
    /// Counted from 1.
    pub version: u64,
    /// The digest of the root before; `None` for the first.
    pub previous: Option<Hash>,
    /// The time for which the policy is meant.
    pub window: Window,
    /// How many of the keys renew it.
    pub threshold: usize,
    /// The policy keys.
    pub keys: Vec<VerifierKey>,
    /// The policy.
    pub policy: String,
}

/// A trust root, decoded; its signatures are not verified.
#[derive(Debug, Clone)]
pub struct Root {
    content: Content,
    policy: Policy,
    note: Note,
}

/// Why bytes are no trust root, or one that nobody may use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// Not a note, or a signature that does not verify.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A line that is not the format.
    #[error("trust root line {line}: expected {expected}, found {found}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// The policy in it is none.
    #[error("in the trust root, {0}")]
    Policy(PolicyError),
    /// The policy in it cannot stand in a note.
    #[error(
        "a policy in a trust root is UTF-8 text without tabs: write spaces in their place, and only names in UTF-8"
    )]
    NotText,
    /// A window that ends before it begins.
    #[error(
        "the trust root expires at {}, which is not after its beginning at {}",
        Utc(*expires),
        Utc(*not_before)
    )]
    Window {
        /// POSIX seconds.
        not_before: u64,
        /// POSIX seconds.
        expires: u64,
    },
    /// A threshold that no keys meet, or none.
    #[error(
        "the threshold of the trust root is {threshold}, of {keys} policy keys; expected 1 to {keys}"
    )]
    Threshold {
        /// How many must sign.
        threshold: usize,
        /// How many there are.
        keys: usize,
    },
    /// A key that stands twice, by its name or its bytes.
    #[error("the policy key {name} stands twice in the trust root: one hand would count as two")]
    KeyTwice {
        /// Its name.
        name: String,
    },
    /// A key of another kind, or with another office.
    #[error("the key {name} cannot be a policy key: {why}")]
    NotAPolicyKey {
        /// Its name.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// Not signed by its own rules.
    #[error(
        "the trust root, version {version}, is signed by {} of its own policy keys{}, {threshold} are needed: `verifier policy sign` adds a signature",
        by.len(),
        listed(by)
    )]
    TooFewOwn {
        /// The version.
        version: u64,
        /// Who signed.
        by: Vec<String>,
        /// How many must sign.
        threshold: usize,
    },
}

/// ` (a, b)`, or nothing.
pub(crate) fn listed(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}

// The lines of the header, one after the other.
struct Lines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Lines<'a> {
    // What follows a word on the next line.
    fn value(&mut self, word: &str, expected: &'static str) -> Result<&'a str, RootError> {
        let line = self.peek();
        let value = line.strip_prefix(word).and_then(|rest| rest.strip_prefix(' '));
        let value = value.ok_or_else(|| self.malformed(expected))?;
        self.advance();
        Ok(value)
    }

    fn number(&mut self, word: &str, expected: &'static str) -> Result<u64, RootError> {
        let malformed = self.malformed(expected);
        parse_decimal(self.value(word, expected)?).ok_or(malformed)
    }

    fn peek(&self) -> &'a str {
        self.rest.split('\n').next().unwrap_or_default()
    }

    fn advance(&mut self) {
        self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
        self.number += 1;
    }

    fn malformed(&self, expected: &'static str) -> RootError {
        let start: String = self.peek().chars().take(60).collect();
        RootError::Malformed { line: self.number, expected, found: format!("{start:?}") }
    }
}

/// Whether a file is a trust root by how it begins.
pub(super) fn is_root(bytes: &[u8]) -> bool {
    bytes.starts_with(FIRST_LINE.as_bytes())
}

impl Root {
    /// A root that nobody has signed yet.
    pub fn new(content: Content) -> Result<Root, RootError> {
        Root::decode(content.text().as_bytes())
    }

    /// Reads a root, signed or not.
    pub fn decode(bytes: &[u8]) -> Result<Root, RootError> {
        if bytes.len() > MAX_NOTE {
            let found = bytes.len();
            return Err(NoteError::TooLarge { unit: "bytes", found, limit: MAX_NOTE }.into());
        }
        let text = std::str::from_utf8(bytes).map_err(|_| RootError::NotText)?;
        if text.contains(|c: char| c.is_ascii_control() && c != '\n') {
            return Err(RootError::NotText);
        }
        // No line of a policy begins like a signature.
        let signed = text.trim_end_matches('\n').rsplit('\n').next();
        let note = match signed.is_some_and(|line| line.starts_with("\u{2014} ")) {
            true => Note::decode(bytes)?,
            false => Note { text: text.into(), signatures: Vec::new() },
        };
        let content = Content::parse(&note.text)?;
        let header = note.text.len() - content.policy.len();
        let before = note.text[..header].matches('\n').count();
        let policy = Policy::parse_one(content.policy.as_bytes()).map_err(|why| {
            let line = if why.line == 0 { 0 } else { before + why.line };
            RootError::Policy(PolicyError { line, why: why.why })
        })?;
        content.must_be_sound(&policy)?;
        Ok(Root { content, policy, note })
    }

    /// The note, or the text alone where nobody has signed.
    pub fn encode(&self) -> Vec<u8> {
        match self.note.signatures.is_empty() {
            true => self.note.text.clone().into_bytes(),
            false => self.note.encode(),
        }
    }

    /// What it says.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The policy in it.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The policy with this root around it, signed or not: to be shown, and compared. Nothing is judged by it.
    pub fn draft(&self) -> Policy {
        Policy { root: Some(Box::new(self.clone())), ..self.policy.clone() }
    }

    /// SHA-256 of the text, whoever has signed it: what the next root names, and what people compare.
    pub fn digest(&self) -> Hash {
        Hash::of(self.note.text.as_bytes())
    }

    /// Signs as `name`; a key that has signed already adds nothing.
    pub fn sign(&mut self, name: &str, key: &SecretKey) -> Result<(), NotSigned> {
        let verifier = VerifierKey::new(name.into(), KeyMaterial::Ed25519(key.public()));
        let signature = key.sign(self.note.text.as_bytes())?.to_vec();
        let line = SignatureLine { name: name.into(), id: verifier.id(), signature };
        if !self.note.signatures.contains(&line) {
            self.note.signatures.push(line);
        }
        Ok(())
    }

    /// Adds the signatures on another copy of the same text; whether it is the same.
    pub fn join(&mut self, other: &Root) -> bool {
        if other.note.text != self.note.text {
            return false;
        }
        for line in &other.note.signatures {
            if !self.note.signatures.contains(line) {
                self.note.signatures.push(line.clone());
            }
        }
        true
    }

    /// The names of those of the keys that have signed. A line by one of them that does not verify makes
    /// the whole bad; lines by others say nothing.
    pub fn signed_by(&self, keys: &[VerifierKey]) -> Result<Vec<String>, NoteError> {
        let mut names = Vec::new();
        for key in keys {
            let KeyMaterial::Ed25519(public) = &key.material else { continue };
            let by_it = |line: &&SignatureLine| line.id == key.id() && line.name == key.name;
            let mut lines = self.note.signatures.iter().filter(by_it).peekable();
            if lines.peek().is_none() {
                continue;
            }
            if !lines.all(|line| public.verify(self.note.text.as_bytes(), &line.signature)) {
                return Err(NoteError::BadSignature { name: key.name.clone(), id: key.id() });
            }
            names.push(key.name.clone());
        }
        Ok(names)
    }

    /// Whether it is signed by its own rules: without that it is a draft, or somebody's invention.
    pub fn must_be_signed(&self) -> Result<Vec<String>, RootError> {
        let Content { version, threshold, .. } = self.content;
        match self.signed_by(&self.content.keys)? {
            by if by.len() < threshold => Err(RootError::TooFewOwn { version, by, threshold }),
            by => Ok(by),
        }
    }
}

impl Content {
    fn text(&self) -> String {
        let previous = self.previous.map_or("none".into(), |hash| hash.to_hex());
        let Window { not_before, expires } = self.window;
        let (version, threshold) = (self.version, self.threshold);
        let mut text = format!(
            "{FIRST_LINE}version {version}\nprevious {previous}\nnot-before {not_before}\nexpires {expires}\nthreshold {threshold}\n"
        );
        for key in &self.keys {
            text.push_str(&format!("key {}\n", key.encode()));
        }
        text + "policy\n" + &self.policy
    }

    fn parse(text: &str) -> Result<Content, RootError> {
        let mut lines = Lines { rest: text, number: 1 };
        if lines.peek() != FIRST_LINE.trim_end() {
            return Err(lines.malformed("`coldlog-root/v1`"));
        }
        lines.advance();
        let malformed = lines.malformed("`version <number from 1>`");
        let version = lines.number("version", "`version <number from 1>`")?;
        if version == 0 {
            return Err(malformed);
        }
        const PREVIOUS: &str =
            "`previous none` for version 1, `previous <64 hex digits>` for others";
        let malformed = lines.malformed(PREVIOUS);
        let previous = match lines.value("previous", PREVIOUS)? {
            "none" if version == 1 => None,
            digits => Some(
                Hash::from_hex(digits)
                    .filter(|hash| version > 1 && hash.to_hex() == digits)
                    .ok_or(malformed)?,
            ),
        };
        let not_before = lines.number("not-before", "`not-before <POSIX seconds>`")?;
        let expires = lines.number("expires", "`expires <POSIX seconds>`")?;
        let threshold = lines.number("threshold", "`threshold <number>`")?;
        let mut keys = Vec::new();
        while lines.peek() != "policy" {
            if keys.len() == MAX_KEYS {
                return Err(
                    lines.malformed("`policy`, for a trust root has 64 policy keys at most")
                );
            }
            let key = lines.value("key", "`key <verifier key>` or `policy`")?;
            keys.push(VerifierKey::decode(key)?);
        }
        lines.advance();
        if !lines.rest.ends_with('\n') {
            return Err(lines.malformed("the lines of a policy, each with its newline"));
        }
        Ok(Content {
            version,
            previous,
            window: Window { not_before, expires },
            threshold: usize::try_from(threshold).unwrap_or(usize::MAX),
            keys,
            policy: lines.rest.into(),
        })
    }

    fn must_be_sound(&self, policy: &Policy) -> Result<(), RootError> {
        let Window { not_before, expires } = self.window;
        if expires <= not_before {
            return Err(RootError::Window { not_before, expires });
        }
        let (threshold, keys) = (self.threshold, self.keys.len());
        if !(1..=keys).contains(&threshold) {
            return Err(RootError::Threshold { threshold, keys });
        }
        let (mut names, mut publics) = (BTreeSet::new(), BTreeSet::new());
        let others = policy.logs.iter().chain(policy.witnesses.iter().map(|(_, key)| key));
        let others: BTreeSet<&[u8]> = others.map(VerifierKey::public_key).collect();
        for key in &self.keys {
            let name = key.name.clone();
            if key.ed25519().is_none() {
                let why = "it is not an Ed25519 key of type 0x01; `verifier policy key` makes one";
                return Err(RootError::NotAPolicyKey { name, why });
            }
            if others.contains(key.public_key()) {
                let why = "it is the key of a log or a witness of the policy, which does not decide whom to believe";
                return Err(RootError::NotAPolicyKey { name, why });
            }
            if !names.insert(&key.name) || !publics.insert(key.public_key()) {
                return Err(RootError::KeyTwice { name });
            }
        }
        Ok(())
    }
}
