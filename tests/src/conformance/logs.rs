//! The logs that the suite plays: their keys, and how far their trees have grown at the witness.
//!
//! ```text
//! FOLDER/NAME.key     origin, and a seed for each key; mode 0600
//! FOLDER/NAME.log     a line `log <vkey>` for each key, for the witness's operator
//! FOLDER/NAME.state   `size <n>`, and `leaf <index> <variant>` for leaves that won a race
//! ```

use super::cosignature::Subject;
use super::keys::{Kind, Signer, random};
use super::request::Submission;
use super::tree::Tree;
use crate::write_private;
use anyhow::{Context, Result, bail, ensure};
use coldlog_spec::checkpoint::{Checkpoint, parse_decimal};
use coldlog_spec::hash::{Hash, from_hex, to_hex};
use coldlog_spec::merkle::leaf_hash;
use coldlog_spec::note::{Note, SignatureLine};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The largest tree that is played; each run adds about a hundred leaves.
const MAX_SIZE: u64 = 1 << 20;

/// The logs, by what is tried with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    /// One Ed25519 key: most cases.
    Single,
    /// An Ed25519 key and an ML-DSA-44 key.
    Hybrid,
    /// Two Ed25519 keys, as while a key is replaced.
    Rotated,
    /// One Ed25519 key: everything that is asked at once.
    Race,
    /// One Ed25519 key: its tree stays empty.
    Empty,
    /// One Ed25519 key: nothing of it is ever to be cosigned.
    Silent,
}

impl Which {
    /// All of them; the place of each is its number.
    pub const ALL: [Which; 6] =
        [Which::Single, Which::Hybrid, Which::Rotated, Which::Race, Which::Empty, Which::Silent];

    /// The name of its files, and the last part of its origin but one.
    pub fn name(self) -> &'static str {
        match self {
            Which::Single => "single",
            Which::Hybrid => "hybrid",
            Which::Rotated => "rotated",
            Which::Race => "race",
            Which::Empty => "empty",
            Which::Silent => "silent",
        }
    }

    fn kinds(self) -> &'static [Kind] {
        match self {
            Which::Hybrid => &[Kind::Ed25519, Kind::MlDsa44],
            Which::Rotated => &[Kind::Ed25519, Kind::Ed25519],
            _ => &[Kind::Ed25519],
        }
    }
}

/// A log of the suite.
#[derive(Debug)]
pub struct TestLog {
    /// Its origin.
    pub origin: String,
    /// Its keys.
    pub signers: Vec<Signer>,
    /// The size that the witness cosigned last, as far as its answers say.
    pub size: u64,
    variants: BTreeMap<u64, u32>,
    state: PathBuf,
}

/// The logs in a folder, in the order of [`Which::ALL`]; those that are missing are made.
pub fn open(folder: &Path) -> Result<Vec<TestLog>> {
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    Which::ALL.into_iter().map(|which| TestLog::open(folder, which)).collect()
}

impl TestLog {
    fn open(folder: &Path, which: Which) -> Result<TestLog> {
        let file = |suffix: &str| folder.join(format!("{}.{suffix}", which.name()));
        let key = file("key");
        if !key.try_exists()? {
            let tag = to_hex(&random::<4>()?);
            let mut text = format!("origin witness-conformance.example/{}/{tag}\n", which.name());
            for _ in which.kinds() {
                text.push_str(&format!("seed {}\n", to_hex(&random::<32>()?)));
            }
            write_private(&key, &text)?;
        }
        let text = read(&key)?;
        let (origin, signers) = keys(&text, which.kinds())
            .with_context(|| format!("{} is no key file of this suite", key.display()))?;
        let lines = signers.iter().map(|signer| format!("log {}\n", signer.verifier.encode()));
        std::fs::write(file("log"), lines.collect::<String>())?;

        let state = file("state");
        let (size, variants) = match state.try_exists()? {
            true => progress(&read(&state)?)
                .with_context(|| format!("{} is no state of this suite", state.display()))?,
            false => (0, BTreeMap::new()),
        };
        ensure!(size <= MAX_SIZE, "{} has grown too large: make new keys", origin);
        Ok(TestLog { origin, signers, size, variants, state })
    }

    /// The lines for the witness's operator.
    pub fn policy(&self) -> String {
        let lines = self.signers.iter().map(|signer| format!("log {}\n", signer.verifier.encode()));
        lines.collect()
    }

    /// The tree of a size.
    pub fn tree(&self, size: u64) -> Tree {
        let variant = |index: &u64| self.variants.get(index).copied().unwrap_or(0);
        Tree((0..size).map(|index| self.leaf(index, variant(&index))).collect())
    }

    /// The tree of a size with another leaf at one place: a fork.
    pub fn fork(&self, size: u64, index: u64, variant: u32) -> Tree {
        let mut tree = self.tree(size);
        if let Some(leaf) = tree.0.get_mut(index as usize) {
            *leaf = self.leaf(index, variant);
        }
        tree
    }

    fn leaf(&self, index: u64, variant: u32) -> Hash {
        leaf_hash(format!("{} {index} {variant}", self.origin).as_bytes())
    }

    /// The head of a tree.
    pub fn head(&self, tree: &Tree) -> Checkpoint {
        Checkpoint { origin: self.origin.clone(), size: tree.size(), root: tree.root() }
    }

    /// A head signed with all keys.
    pub fn sign(&self, head: &Checkpoint) -> Note {
        let text = head.text();
        let signatures = self.lines(head, &text);
        Note { text, signatures }
    }

    /// The lines of all keys on a head of any text.
    pub fn lines(&self, head: &Checkpoint, text: &str) -> Vec<SignatureLine> {
        let subject = subject(head, text);
        self.signers.iter().map(|signer| signer.sign(&subject, now())).collect()
    }

    /// The request that takes the witness from the size that it has to a larger one, or the same.
    pub fn submission(&self, size: u64) -> Submission {
        self.extension(&self.tree(size))
    }

    /// The same for any tree.
    pub fn extension(&self, tree: &Tree) -> Submission {
        let head = self.head(tree);
        let note = self.sign(&head);
        Submission { old: self.size, proof: tree.consistency(self.size), head, note }
    }

    /// Writes down that the witness has cosigned a size; `variant` is its last leaf's.
    pub fn advance(&mut self, size: u64, variant: u32) -> Result<()> {
        self.size = size;
        if variant != 0 && size > 0 {
            self.variants.insert(size - 1, variant);
        }
        let mut text = format!("size {size}\n");
        for (index, variant) in &self.variants {
            text.push_str(&format!("leaf {index} {variant}\n"));
        }
        let temporary = self.state.with_extension("state.new");
        std::fs::write(&temporary, text)?;
        std::fs::rename(&temporary, &self.state).context("writing the state")?;
        Ok(())
    }
}

/// What a head's signatures are about.
pub fn subject<'a>(head: &'a Checkpoint, text: &'a str) -> Subject<'a> {
    Subject { text: Some(text), origin: &head.origin, start: 0, end: head.size, root: head.root }
}

/// POSIX seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn read(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path);
    text.with_context(|| format!("reading {}", path.display()))
}

fn keys(text: &str, kinds: &[Kind]) -> Result<(String, Vec<Signer>)> {
    let mut lines = text.lines();
    let origin = lines.next().and_then(|line| line.strip_prefix("origin "));
    let origin = origin.context("no origin")?.to_owned();
    let mut signers = Vec::new();
    for kind in kinds {
        let seed = lines.next().and_then(|line| line.strip_prefix("seed ")).and_then(from_hex);
        let seed = seed.and_then(|seed| <[u8; 32]>::try_from(seed).ok()).context("no seed")?;
        signers.push(Signer::new(&origin, *kind, &seed));
    }
    Ok((origin, signers))
}

fn progress(text: &str) -> Result<(u64, BTreeMap<u64, u32>)> {
    let mut lines = text.lines();
    let size = lines.next().and_then(|line| line.strip_prefix("size ")).and_then(parse_decimal);
    let mut variants = BTreeMap::new();
    for line in lines {
        let leaf = line.strip_prefix("leaf ").and_then(|rest| rest.split_once(' '));
        let leaf = leaf.and_then(|(index, variant)| {
            Some((parse_decimal(index)?, u32::try_from(parse_decimal(variant)?).ok()?))
        });
        let Some((index, variant)) = leaf else { bail!("not a line `leaf INDEX VARIANT`: {line}") };
        variants.insert(index, variant);
    }
    Ok((size.context("no size")?, variants))
}
