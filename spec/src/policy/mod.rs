//! Trust policies (C2SP tlog-policy): which logs, which witnesses, and how many must agree.

mod analysis;
mod difference;
mod history;
mod quorum;
pub(crate) mod root;
mod window;

pub use analysis::{Analysis, Defect, Member, Party, QuorumFacts, Rule, Size, Smallest, With};
pub use difference::{Change, differences, older_heads};
pub use history::{Earlier, extend};
pub use quorum::{CosignedCheckpoint, HeadError, Under, WitnessTime};
pub use root::{Content, MAX_KEYS, Root, RootError};
pub use window::{OutsideWindow, Standing, Utc, Validity, WARNED_BEFORE, Window};

use crate::hash::Hash;
use crate::note::{KeyMaterial, VerifierKey};
use crate::rehearsal;
use std::collections::BTreeSet;

/// The largest policy that we read.
pub const MAX_POLICY: usize = 1 << 20;

/// A line that is not the policy language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{why}", place(*line))]
pub struct PolicyError {
    /// Counted from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

fn place(line: usize) -> String {
    if line == 0 { "the policy: ".into() } else { format!("policy line {line}: ") }
}

/// A policy, with its groups resolved.
#[derive(Debug, Clone)]
pub struct Policy {
    /// SHA-256 of the file: a proof names it.
    pub digest: Hash,
    /// The keys of the logs.
    pub logs: Vec<VerifierKey>,
    /// The keys of the witnesses, each with its name in the policy.
    pub witnesses: Vec<(String, VerifierKey)>,
    /// In the order of the file: members stand above their group.
    /// Of witnesses, by their names.
    urls: Vec<(String, String)>,
    /// Of logs, by their origins.
    log_urls: Vec<(String, String)>,
    groups: Vec<(String, Group)>,
    quorum: Option<String>,
    /// What was in force for older heads.
    earlier: Vec<Earlier>,
    /// Who may renew it, and for how long it is meant, where it stands in a trust root.
    root: Option<Box<Root>>,
}

#[derive(Debug, Clone)]
struct Group {
    threshold: usize,
    members: Vec<String>,
}

// What has been read so far, and what may not stand again.
struct Reader {
    policy: Policy,
    quorum_seen: bool,
    names: BTreeSet<String>,
    members: BTreeSet<String>,
    log_keys: BTreeSet<Vec<u8>>,
    witness_keys: BTreeSet<Vec<u8>>,
}

impl Reader {
    fn line(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            [] => Ok(()),
            ["log", vkey] => self.log(vkey).map(|_| ()),
            ["log", vkey, url] => {
                let origin = self.log(vkey)?;
                self.policy.log_urls.push((origin, (*url).into()));
                Ok(())
            }
            ["witness", name, vkey] => self.witness(name, vkey),
            ["witness", name, vkey, url] => {
                self.witness(name, vkey)?;
                self.policy.urls.push(((*name).into(), (*url).into()));
                Ok(())
            }
            ["group", name, threshold, members @ ..] => self.group(name, threshold, members),
            ["quorum", name] => self.quorum(name),
            [word, ..] => {
                // What stands there is not repeated: it may be a secret in the wrong place.
                let known = "log, witness, group or quorum, each with its words";
                Err(format!("expected {known}, found another word of {} bytes", word.len()))
            }
        }
    }

    // The same key under another name is the same key: one machine would be two.
    fn log(&mut self, vkey: &str) -> Result<String, String> {
        let key = VerifierKey::decode(vkey).map_err(|why| why.to_string())?;
        if !self.log_keys.insert(key.public_key().to_vec()) {
            return Err(format!("the log key of {} stands twice", key.name));
        }
        let origin = key.name.clone();
        self.policy.logs.push(key);
        Ok(origin)
    }

    fn witness(&mut self, name: &str, vkey: &str) -> Result<(), String> {
        let key = VerifierKey::decode(vkey).map_err(|why| why.to_string())?;
        if matches!(key.material, KeyMaterial::Ed25519(_)) {
            return Err(format!("the key of {name} does not cosign: it has no time"));
        }
        if !self.witness_keys.insert(key.public_key().to_vec()) {
            return Err(format!("the key of {name} stands twice"));
        }
        self.define(name)?;
        self.policy.witnesses.push((name.into(), key));
        Ok(())
    }

    fn group(&mut self, name: &str, threshold: &str, members: &[&str]) -> Result<(), String> {
        for member in members {
            self.must_be_defined(member)?;
            if !self.members.insert((*member).into()) {
                return Err(format!("{member} is a member of a group already"));
            }
        }
        let count = members.len();
        let threshold = match threshold {
            "any" => Some(1),
            "all" => Some(count),
            // Rust would read a sign as well.
            number if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse().ok(),
            _ => None,
        };
        let threshold = threshold
            .filter(|threshold| (1..=count).contains(threshold))
            .ok_or_else(|| format!("the threshold must be any, all or 1 to {count}"))?;
        self.define(name)?;
        let members = members.iter().map(|member| (*member).into()).collect();
        self.policy.groups.push((name.into(), Group { threshold, members }));
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), String> {
        if std::mem::replace(&mut self.quorum_seen, true) {
            return Err("a second quorum; exactly one is allowed".into());
        }
        if name != "none" {
            self.must_be_defined(name)?;
            self.policy.quorum = Some(name.into());
        }
        Ok(())
    }

    fn must_be_defined(&self, name: &str) -> Result<(), String> {
        match self.names.contains(name) {
            true => Ok(()),
            false => Err(format!("{name} is not defined above")),
        }
    }

    fn define(&mut self, name: &str) -> Result<(), String> {
        match name != "none" && self.names.insert(name.into()) {
            true => Ok(()),
            false => Err(format!("the name {name} is reserved or taken")),
        }
    }
}

/// A word as a text. The standard has names as opaque octets: what is no UTF-8 is shown as ` (0xE9)`,
/// with a space, which no word has, so that different octets never become one name.
fn text_of(word: &[u8]) -> String {
    let mut text = String::new();
    for chunk in word.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!(" (0x{byte:02X})"));
        }
    }
    text
}

impl Policy {
    /// Reads a policy file, a trust root that is signed by its own rules, or a history of them.
    pub fn parse(bytes: &[u8]) -> Result<Policy, PolicyError> {
        match history::is_history(bytes) {
            true => history::parse(bytes),
            false => Policy::parse_section(bytes),
        }
    }

    // A policy, or a trust root with one in it.
    fn parse_section(bytes: &[u8]) -> Result<Policy, PolicyError> {
        if !root::is_root(bytes) {
            return Policy::parse_one(bytes);
        }
        let root = Root::decode(bytes).and_then(|root| root.must_be_signed().map(|_| root));
        let root = root.map_err(|why| match why {
            RootError::Policy(why) => why,
            why => PolicyError { line: 0, why: why.to_string() },
        })?;
        Ok(root.draft())
    }

    fn parse_one(bytes: &[u8]) -> Result<Policy, PolicyError> {
        if bytes.len() > MAX_POLICY {
            let why = format!("the file has {} bytes, at most {MAX_POLICY} are read", bytes.len());
            return Err(PolicyError { line: 0, why });
        }
        let mut reader = Reader {
            policy: Policy {
                digest: Hash::of(bytes),
                logs: Vec::new(),
                witnesses: Vec::new(),
                urls: Vec::new(),
                log_urls: Vec::new(),
                groups: Vec::new(),
                quorum: None,
                earlier: Vec::new(),
                root: None,
            },
            quorum_seen: false,
            names: BTreeSet::new(),
            members: BTreeSet::new(),
            log_keys: BTreeSet::new(),
            witness_keys: BTreeSet::new(),
        };
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let fail = |why: String| PolicyError { line: index + 1, why };
            if line.iter().any(|b| !matches!(b, 0x09 | 0x20..=0x7e | 0x80..=0xff)) {
                return Err(fail("it holds a control character".into()));
            }
            let words = line.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty());
            let words: Vec<String> = words.map(text_of).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            if words.first().is_some_and(|word| word.starts_with('#')) {
                continue;
            }
            reader.line(&words).map_err(fail)?;
        }
        if !reader.quorum_seen {
            let why = "no quorum line; write `quorum <group>` or `quorum none`".into();
            return Err(PolicyError { line: 0, why });
        }
        reader.policy.must_be_of_one_kind()?;
        Ok(reader.policy)
    }

    // A rehearsal's keys and real ones never stand in one policy, nor in one history of policies.
    fn must_be_of_one_kind(&self) -> Result<(), PolicyError> {
        rehearsal::may_all_meet(self.key_names())
            .map_err(|why| PolicyError { line: 0, why: why.to_string() })
    }

    /// The names of all its keys, of logs and of witnesses, now and for older heads.
    fn key_names(&self) -> impl Iterator<Item = &str> {
        let earlier = self.earlier.iter().map(|earlier| &earlier.policy);
        std::iter::once(self).chain(earlier).flat_map(|policy| {
            let witnesses = policy.witnesses.iter().map(|(_, key)| key);
            policy.logs.iter().chain(witnesses).map(|key| key.name.as_str())
        })
    }

    /// Refuses a rehearsal's party under a real policy, and the other way round ([`crate::rehearsal`]).
    pub fn may_judge(&self, name: &str) -> Result<(), rehearsal::NotMeant> {
        self.key_names().take(1).try_for_each(|own| rehearsal::may_meet(own, name))
    }

    /// Refuses a policy of a rehearsal that nobody asked for, and a real one where a rehearsal is practised.
    pub fn must_be(&self, rehearsal: bool) -> Result<(), rehearsal::NotMeant> {
        self.key_names().take(1).try_for_each(|own| rehearsal::must_be(own, rehearsal))
    }

    /// The groups in the order of the file, each with its name, how many of its members it needs, and
    /// their names. A member stands above its group, and is a member of no other.
    pub fn groups(&self) -> impl Iterator<Item = (&str, usize, &[String])> {
        self.groups.iter().map(|(name, group)| (name.as_str(), group.threshold, &group.members[..]))
    }

    /// Where witnesses are asked (the submission prefixes of C2SP tlog-witness), each URL once, with the keys
    /// that may answer there.
    pub fn submission_prefixes(&self) -> Vec<(&str, Vec<&VerifierKey>)> {
        let mut prefixes: Vec<(&str, Vec<&VerifierKey>)> = Vec::new();
        for (name, url) in &self.urls {
            let keys = self.witnesses.iter().filter(|(witness, _)| witness == name);
            let keys = keys.map(|(_, key)| key);
            let url = url.trim_end_matches('/');
            match prefixes.iter_mut().find(|(known, _)| *known == url) {
                Some((_, all)) => all.extend(keys),
                None => prefixes.push((url, keys.collect())),
            }
        }
        prefixes
    }

    /// The trust root that it stands in, where it does.
    pub fn root(&self) -> Option<&Root> {
        self.root.as_deref()
    }

    /// The time for which it is meant, where it stands in a trust root.
    pub fn window(&self) -> Option<Window> {
        self.root().map(|root| root.content().window)
    }

    /// Whether it names a log, now or for older heads.
    pub fn names(&self, origin: &str) -> bool {
        let earlier = self.earlier.iter().flat_map(|earlier| &earlier.policy.logs);
        self.logs.iter().chain(earlier).any(|key| key.name == origin)
    }

    /// The quorum's name; `None` for `quorum none`.
    pub fn quorum(&self) -> Option<&str> {
        self.quorum.as_deref()
    }

    /// The Ed25519 keys of a log, which sign its receipts: several, where it has changed its key. Those of
    /// now first, then those of older heads.
    pub fn receipt_keys(&self, origin: &str) -> impl Iterator<Item = &crate::ed25519::PublicKey> {
        let earlier = self.earlier.iter().flat_map(|earlier| &earlier.policy.logs);
        let keys = self.logs.iter().chain(earlier);
        keys.filter(move |key| key.name == origin).filter_map(VerifierKey::ed25519)
    }

    /// The key that a receipt of a log names; where it names none of the policy's, the first of them.
    pub fn receipt_key(
        &self,
        origin: &str,
        receipt: &crate::receipt::Receipt,
    ) -> Option<&crate::ed25519::PublicKey> {
        let named = receipt.sign1.protected.get(crate::cose::label::KID);
        let is_named = |key: &&crate::ed25519::PublicKey| {
            named.and_then(|kid| kid.as_bytes()).is_some_and(|kid| *kid == key.thumbprint().0)
        };
        self.receipt_keys(origin).find(is_named).or_else(|| self.receipt_keys(origin).next())
    }
}
