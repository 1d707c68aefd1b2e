//! A policy from keys and from lines of others: what is given, and the text that it makes.

use coldlog_kit::files;
use coldlog_spec::note::{KeyMaterial, VerifierKey};
use coldlog_spec::policy::{MAX_POLICY, Policy, PolicyError};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;

/// Why no policy can be made of what is given.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotComposed {
    #[error("{given} is neither a key nor a file: {why}")]
    NeitherKeyNorFile {
        given: String,
        why: String,
        #[source]
        source: anyhow::Error,
    },
    #[error("{file}")]
    Lines {
        file: String,
        #[source]
        source: PolicyError,
    },
    #[error("{file} is a whole policy; give files with the lines of one {role} each, {own}")]
    WholePolicy { file: String, role: &'static str, own: &'static str },
    #[error("{file} has no {role} line; expected the file that `{role} init` writes, {own}")]
    NoLine { file: String, role: &'static str, own: &'static str },
    #[error("{file} has lines that are not of a {role}; give them with their own option")]
    OtherLines { file: String, role: &'static str },
    #[error(
        "the key of {name} is of type 0x01, which has no time and cannot cosign: it is a log's"
    )]
    NotAWitness { name: String },
    #[error("{given} is given twice: give each log and witness once")]
    GivenTwice { given: String },
    #[error("{first} and {second} give the same key of {name}: give each key once")]
    KeyTwice { name: String, first: String, second: String },
    #[error(
        "{first} and {second} both give keys of the witness {name}, which would count as two: give all of its keys in one file, or all on the command line"
    )]
    WitnessTwice { name: String, first: String, second: String },
    #[error(
        "the name {name}, by {given}, is reserved or taken; on the command line another one is given as NAME@KEY"
    )]
    NameTaken { name: String, given: String },
    #[error(
        "the quorum is to be {found:?}, expected all, any, or 1 to {count}, as many as there are witnesses"
    )]
    Quorum { found: String, count: usize },
    #[error("the lines do not make a policy")]
    Policy(#[source] PolicyError),
}

/// What stands for a log or a witness on the command line.
pub(super) enum Given {
    /// A verifier key, `NAME@` before it where the policy shall call it otherwise.
    Key { shown: String, name: String, key: Box<VerifierKey> },
    /// A file with lines of a policy.
    File { shown: String, bytes: Vec<u8> },
}

impl Given {
    /// A key, if it is one; otherwise a file.
    pub(super) fn read(given: &OsStr) -> Result<Given, NotComposed> {
        let text = given.to_string_lossy();
        let why = match VerifierKey::decode(&text) {
            Ok(key) => return Ok(Given::of(key.name.clone(), key)),
            Err(why) => why,
        };
        // A key's own name may have an @ as well: only what is no key is cut there.
        if let Some((name, key)) = text.split_once('@')
            && let Ok(key) = VerifierKey::decode(key)
        {
            return Ok(Given::of(name.into(), key));
        }
        let bytes = files::read(Path::new(given), MAX_POLICY as u64);
        let shown = text.into_owned();
        match bytes {
            Ok(bytes) => Ok(Given::File { shown, bytes }),
            Err(source) => {
                let (given, why) = (shortened(&shown), why.to_string());
                Err(NotComposed::NeitherKeyNorFile { given, why, source })
            }
        }
    }

    fn of(name: String, key: VerifierKey) -> Given {
        Given::Key {
            shown: format!("the key {}+{:08x}", key.name, key.id()),
            name,
            key: Box::new(key),
        }
    }
}

// A key with a typing error is 1,800 characters.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

/// A policy that was made.
pub(super) struct Composed {
    /// Its bytes.
    pub(super) text: Vec<u8>,
    /// The quorum's name.
    pub(super) quorum: String,
    /// What they say.
    pub(super) policy: Policy,
}

/// Lines of logs, of witnesses, a group of all witnesses, and the quorum.
pub(super) fn compose(
    logs: &[Given],
    witnesses: &[Given],
    quorum: Option<&str>,
) -> Result<Composed, NotComposed> {
    let mut draft = Draft::default();
    for given in logs {
        draft.log(given)?;
    }
    draft.witnesses(witnesses)?;
    let count = draft.members.len();
    let needed = match quorum {
        None => count / 2 + 1,
        Some("all") => count,
        Some("any") => 1,
        Some(number) => number
            .parse()
            .ok()
            .filter(|needed| (1..=count).contains(needed))
            .ok_or_else(|| NotComposed::Quorum { found: number.into(), count })?,
    };
    let quorum = match draft.members.as_slice() {
        [only] => only.clone(),
        members => {
            let mut name = format!("{needed}-of-{count}");
            while draft.names.contains(&name) {
                name.insert_str(0, "quorum-");
            }
            let line = format!("group {name} {needed} {}\n", members.join(" "));
            draft.text.extend_from_slice(line.as_bytes());
            name
        }
    };
    draft.text.extend_from_slice(format!("quorum {quorum}\n").as_bytes());
    let policy = Policy::parse(&draft.text).map_err(NotComposed::Policy)?;
    Ok(Composed { text: draft.text, quorum, policy })
}

const LOG: (&str, &str) = ("log", "log.policy");
const WITNESS: (&str, &str) = ("witness", "witness.policy");

#[derive(Default)]
struct Draft {
    text: Vec<u8>,
    /// Names of witnesses and groups.
    names: BTreeSet<String>,
    /// Who gave a key.
    keys: BTreeMap<Vec<u8>, String>,
    /// Who gave the keys of a witness.
    parties: BTreeMap<String, String>,
    /// What the quorum counts.
    members: Vec<String>,
}

impl Draft {
    fn log(&mut self, given: &Given) -> Result<(), NotComposed> {
        match given {
            Given::Key { shown, key, .. } => {
                self.key(key, shown)?;
                self.line(format!("log {}", key.encode()).as_bytes());
            }
            Given::File { shown, bytes } => {
                let lines = lines(shown, bytes, LOG)?;
                for key in &lines.logs {
                    self.key(key, shown)?;
                }
                self.line(bytes);
            }
        }
        Ok(())
    }

    fn witnesses(&mut self, all: &[Given]) -> Result<(), NotComposed> {
        let mut done: BTreeSet<&str> = BTreeSet::new();
        for given in all {
            match given {
                Given::File { shown, bytes } => self.witness_file(shown, bytes)?,
                Given::Key { shown, name, key } if done.insert(&key.name) => {
                    self.party(&key.name, shown)?;
                    let same = all.iter().filter_map(|given| match given {
                        Given::Key { shown, key: other, .. } if other.name == key.name => {
                            Some((shown.as_str(), other.as_ref()))
                        }
                        _ => None,
                    });
                    self.witness_keys(name, &same.collect::<Vec<_>>(), shown)?;
                }
                Given::Key { .. } => {}
            }
        }
        Ok(())
    }

    // The keys on the command line that have one name are one witness. In the policy it has the name
    // that was given first, and its keys their kind behind that.
    fn witness_keys(
        &mut self,
        base: &str,
        keys: &[(&str, &VerifierKey)],
        first: &str,
    ) -> Result<(), NotComposed> {
        let mut names = Vec::new();
        for (shown, key) in keys {
            let kind = match key.material {
                KeyMaterial::Ed25519(_) => {
                    return Err(NotComposed::NotAWitness { name: key.name.clone() });
                }
                KeyMaterial::Ed25519Cosigner(_) => "ed25519",
                KeyMaterial::MlDsa44Cosigner(_) => "ml-dsa-44",
            };
            self.key(key, shown)?;
            let name = match keys.len() {
                1 => base.to_owned(),
                _ => self.free(&format!("{base}/{kind}")),
            };
            self.name(&name, shown)?;
            self.line(format!("witness {name} {}", key.encode()).as_bytes());
            names.push(name);
        }
        self.member(base, names, first)
    }

    fn witness_file(&mut self, shown: &str, bytes: &[u8]) -> Result<(), NotComposed> {
        let lines = lines(shown, bytes, WITNESS)?;
        let mut party_of: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        for (name, key) in &lines.witnesses {
            self.key(key, shown)?;
            self.party(&key.name, shown)?;
            self.name(name, shown)?;
            party_of.insert(name, Some(&key.name));
        }
        let mut inside: BTreeSet<&str> = BTreeSet::new();
        for (name, _, members) in lines.groups() {
            self.name(name, shown)?;
            inside.extend(members.iter().map(String::as_str));
            let mut parties = members.iter().map(|member| party_of[member.as_str()]);
            let first = parties.next().flatten().filter(|first| parties.all(|p| p == Some(first)));
            party_of.insert(name, first);
        }
        self.line(bytes);
        // What is in no group of the file, in its order; several keys of one witness become a group.
        let names = lines.witnesses.iter().map(|(name, _)| name.as_str());
        let names = names.chain(lines.groups().map(|(name, ..)| name));
        let mut tops: Vec<(Option<&str>, Vec<String>)> = Vec::new();
        for name in names.filter(|name| !inside.contains(name)) {
            let party = party_of[name];
            match tops.iter_mut().find(|(other, _)| party.is_some() && *other == party) {
                Some((_, own)) => own.push(name.into()),
                None => tops.push((party, vec![name.into()])),
            }
        }
        for (party, own) in tops {
            self.member(party.unwrap_or_default(), own, shown)?;
        }
        Ok(())
    }

    // One witness of the quorum: itself, or the group of all that is its own.
    fn member(&mut self, base: &str, own: Vec<String>, shown: &str) -> Result<(), NotComposed> {
        match own.as_slice() {
            [only] => self.members.push(only.clone()),
            _ => {
                self.name(base, shown)?;
                self.line(format!("group {base} any {}", own.join(" ")).as_bytes());
                self.members.push(base.into());
            }
        }
        Ok(())
    }

    fn party(&mut self, name: &str, shown: &str) -> Result<(), NotComposed> {
        let first = self.parties.entry(name.into()).or_insert_with(|| shown.into());
        if first == shown {
            return Ok(());
        }
        let (name, first, second) = (name.into(), first.clone(), shown.into());
        Err(NotComposed::WitnessTwice { name, first, second })
    }

    fn key(&mut self, key: &VerifierKey, shown: &str) -> Result<(), NotComposed> {
        match self.keys.insert(key.public_key().to_vec(), shown.into()) {
            None => Ok(()),
            Some(first) if first == shown => Err(NotComposed::GivenTwice { given: first }),
            Some(first) => {
                let (name, second) = (key.name.clone(), shown.into());
                Err(NotComposed::KeyTwice { name, first, second })
            }
        }
    }

    fn name(&mut self, name: &str, shown: &str) -> Result<(), NotComposed> {
        let is_word = !name.is_empty() && !name.contains(|c: char| c == ' ' || c.is_control());
        match is_word && name != "none" && self.names.insert(name.into()) {
            true => Ok(()),
            false => Err(NotComposed::NameTaken { name: name.into(), given: shown.into() }),
        }
    }

    // Two keys of one kind and name: the second is numbered.
    fn free(&self, name: &str) -> String {
        let mut all = std::iter::once(name.to_owned()).chain((2..).map(|n| format!("{name}-{n}")));
        all.find(|name| !self.names.contains(name)).unwrap_or_default()
    }

    fn line(&mut self, line: &[u8]) {
        self.text.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            self.text.push(b'\n');
        }
    }
}

// The lines of a file, which are all of one role, and no policy yet.
fn lines(
    shown: &str,
    bytes: &[u8],
    (role, own): (&'static str, &'static str),
) -> Result<Policy, NotComposed> {
    let file = shown.to_owned();
    if Policy::parse(bytes).is_ok() {
        return Err(NotComposed::WholePolicy { file, role, own });
    }
    let lines = match Policy::parse(&[bytes, b"\nquorum none\n"].concat()) {
        Ok(lines) => lines,
        Err(source) => return Err(NotComposed::Lines { file, source }),
    };
    let witnesses = !lines.witnesses.is_empty() || lines.groups().next().is_some();
    let (own_lines, others) = match role == LOG.0 {
        true => (!lines.logs.is_empty(), witnesses),
        false => (!lines.witnesses.is_empty(), !lines.logs.is_empty()),
    };
    match (own_lines, others) {
        (_, true) => Err(NotComposed::OtherLines { file, role }),
        (false, _) => Err(NotComposed::NoLine { file, role, own }),
        (true, false) => Ok(lines),
    }
}
