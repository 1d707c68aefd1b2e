//! `verifier watch`, and `verifier heads export` and `import`: every head that was ever seen is held against
//! all others; the first two that do not fit are evidence.
//!
//! The memory is a folder: `ORIGIN/SIZE-ROOT`, a file for each head, ORIGIN being SHA-256 of the origin.
//! `ORIGIN/proven` says from which size on they must be held against the next tiles; what could not be compared
//! yet takes it back.

use super::heads::{Convicted, fit};
use anyhow::{Context, Result};
use coldlog_kit::exit::{Failure, OrNo, Outcome, no, text_of, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::published::{Source, Tree};
use coldlog_kit::terminal::{field, say, talk};
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint, parse_decimal};
use coldlog_spec::hash::Hash;
use coldlog_spec::heads::{Heads, MAX_BYTES};
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::policy::Policy;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What the command line says.
pub struct Options {
    /// Published logs and mirrors (folders, URLs), and single heads: URLs and files whose name ends in
    /// `checkpoint`.
    pub places: Vec<String>,
    /// The policy, by whose keys heads are believed.
    pub policy: PathBuf,
    /// The memory.
    pub memory: PathBuf,
    /// Seconds between two rounds.
    pub every: u64,
    /// End after so many rounds.
    pub rounds: Option<u64>,
    /// Where evidence goes.
    pub evidence: PathBuf,
    /// A program that is run with the evidence file.
    pub on_evidence: Option<PathBuf>,
}

/// `verifier watch`
pub fn run(options: &Options) -> Outcome {
    let policy = super::policy(&options.policy)?;
    let places = options.places.iter().map(|place| Place::open(place));
    let places: Vec<Place> = places.collect::<Result<_>>()?;
    if places.is_empty() {
        return trouble(
            "name at least one place: a published log, a mirror, a witness's checkpoint",
        );
    }
    let mut round = 0;
    loop {
        let (seen, failed) = look(&places, &policy);
        let known = compare(&options.memory, &policy, &seen, &options.evidence)
            .or_else(|failure| convicted(failure, options))?;
        known.iter().for_each(say);
        failed.iter().for_each(|why| talk(format!("verifier: {why}")));
        round += 1;
        if options.rounds.is_some_and(|rounds| round >= rounds) {
            return match failed.as_slice() {
                [] => Ok(()),
                _ => trouble(format!(
                    "{} of {} places could not be read",
                    failed.len(),
                    places.len()
                )),
            };
        }
        std::thread::sleep(Duration::from_secs(options.every.max(1)));
    }
}

// The program is run whatever else: it is why somebody watches.
fn convicted(failure: Failure, options: &Options) -> Outcome<Vec<String>> {
    if let (Failure::No(why), Some(program)) = (&failure, &options.on_evidence)
        && let Some(Convicted { place, .. }) = why.downcast_ref()
    {
        let ended = Command::new(program).arg(place).status();
        match ended {
            Ok(status) if status.success() => {}
            Ok(status) => talk(format!("verifier: {} ended with {status}", program.display())),
            Err(why) => talk(format!("verifier: {} could not be run: {why}", program.display())),
        }
    }
    Err(failure)
}

/// `verifier heads export`
pub fn export(memory: &Path, output: &Path, force: bool) -> Outcome {
    let mut all = Vec::new();
    if memory.is_dir() {
        for entry in std::fs::read_dir(memory)? {
            all.extend(remembered(&entry?.path(), 0)?);
        }
    }
    let heads = Heads::new(all);
    if heads.0.is_empty() {
        return no(format!("{} remembers no head: run `verifier watch`", memory.display()));
    }
    files::write(output, &heads.encode(), Existing::from_force(force), Mode::Public)?;
    say(format!("{} heads are in {}", heads.0.len(), output.display()));
    Ok(())
}

/// `verifier heads import`: what others saw is held against what was seen here.
pub fn import(
    file: &Path,
    memory: &Path,
    policy: &Path,
    places: &[String],
    evidence: &Path,
) -> Outcome {
    let policy = super::policy(policy)?;
    let places = places.iter().map(|place| Place::open(place)).collect::<Result<Vec<_>>>()?;
    let (mut seen, failed) = look(&places, &policy);
    if let Some(why) = failed.first() {
        return trouble(why);
    }
    let heads = Heads::decode(&files::read(file, MAX_BYTES as u64)?)?;
    for head in heads.0 {
        policy
            .verify_log(&head)
            .with_context(|| {
                format!("a head of size {} in {}", head.checkpoint.size, file.display())
            })
            .or_no()?;
        seen.push(Seen { head, tree: None });
    }
    compare(memory, &policy, &seen, evidence)?.iter().for_each(say);
    Ok(())
}

/// Where heads are read.
struct Place {
    name: String,
    source: Box<dyn Source>,
    /// The head's path.
    head: String,
    /// Whether the log's tiles are there, too.
    tiles: bool,
}

impl Place {
    fn open(text: &str) -> Result<Place> {
        let (folder, head) = match text.strip_suffix("checkpoint") {
            Some(folder) if folder.is_empty() || folder.ends_with('/') => (folder, true),
            _ => (text, false),
        };
        let folder = if folder.is_empty() { "." } else { folder };
        let source = super::source(Path::new(folder))?;
        Ok(Place { name: text.into(), source, head: "checkpoint".into(), tiles: !head })
    }

    fn head(&self, policy: &Policy) -> Result<SignedCheckpoint> {
        let bytes = self.source.get(&self.head, MAX_NOTE)?;
        let head = SignedCheckpoint::decode(&bytes.context("no checkpoint is there")?)?;
        policy.verify_log(&head)?;
        Ok(head)
    }
}

/// A head that was seen, with the tree that is behind it.
struct Seen<'a> {
    head: SignedCheckpoint,
    tree: Option<&'a dyn Source>,
}

// What is read from all places; and what could not be.
fn look<'a>(places: &'a [Place], policy: &Policy) -> (Vec<Seen<'a>>, Vec<String>) {
    let (mut seen, mut failed) = (Vec::new(), Vec::new());
    for place in places {
        match place.head(policy) {
            Ok(head) => seen.push(Seen { head, tree: place.tiles.then_some(&*place.source) }),
            Err(why) => failed.push(format!("{}: {}", place.name, text_of(&why))),
        }
    }
    (seen, failed)
}

pub(crate) fn folder_of(memory: &Path, origin: &str) -> PathBuf {
    memory.join(Hash::of(origin.as_bytes()).to_hex())
}

pub(crate) fn file_of(head: &Checkpoint) -> String {
    format!("{:020}-{}", head.size, head.root.to_hex())
}

// The heads in a folder of the memory from a size on.
pub(crate) fn remembered(folder: &Path, from: u64) -> Result<Vec<SignedCheckpoint>> {
    let mut heads = Vec::new();
    if !folder.is_dir() {
        return Ok(heads);
    }
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some((size, _)) = name.to_str().and_then(|name| name.split_once('-')) else { continue };
        if size.parse::<u64>().is_ok_and(|size| size >= from) {
            let head =
                SignedCheckpoint::decode(&files::read(&folder.join(&name), MAX_NOTE as u64)?);
            heads.push(head.with_context(|| folder.join(&name).display().to_string())?);
        }
    }
    Ok(heads)
}

// Holds what was seen against the memory and against itself, log by log, and remembers it. Returns what to
// tell.
fn compare(memory: &Path, policy: &Policy, seen: &[Seen], evidence: &Path) -> Outcome<Vec<String>> {
    files::create_folder(memory)?;
    let _lock = files::lock(memory)?;
    let mut logs: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
    for one in seen {
        logs.entry(&one.head.checkpoint.origin).or_default().push(one);
    }
    let mut told = Vec::new();
    for (origin, seen) in logs {
        told.push(one_log(&folder_of(memory, origin), origin, policy, &seen, evidence)?);
    }
    Ok(told)
}

fn one_log(
    folder: &Path,
    origin: &str,
    policy: &Policy,
    seen: &[&Seen],
    evidence: &Path,
) -> Outcome<String> {
    files::create_folder(folder)?;
    let proven = folder.join("proven");
    let before = match files::is_there(&proven)? {
        true => {
            let text = files::read(&proven, 64)?;
            let size =
                std::str::from_utf8(&text).ok().and_then(|text| parse_decimal(text.trim_end()));
            size.with_context(|| format!("{} is no size", proven.display()))?
        }
        false => 0,
    };
    // First of all it is remembered: what does not fit must not be lost.
    for one in seen {
        let path = folder.join(file_of(&one.head.checkpoint));
        if !files::is_there(&path)? {
            files::write(&path, &one.head.encode(), Existing::Replace, Mode::Public)?;
        }
    }
    // Below what is proven one head stands for all: the newest of them.
    let mut heads = remembered(folder, before)?;
    heads.extend(seen.iter().map(|one| one.head.clone()));
    heads.sort_by_key(|head| (head.checkpoint.size, head.checkpoint.root.0));
    heads.dedup_by(|a, b| a.checkpoint == b.checkpoint);
    for pair in heads.windows(2) {
        if let [one, other] = pair
            && one.checkpoint.size == other.checkpoint.size
        {
            fit(one, other, &[], policy, evidence)?;
        }
    }
    // An older head of a size that was proven long ago has its own file, too.
    for one in seen.iter().filter(|one| one.head.checkpoint.size < before) {
        for other in remembered(folder, one.head.checkpoint.size)? {
            if other.checkpoint.size == one.head.checkpoint.size {
                fit(&other, &one.head, &[], policy, evidence)?;
            }
        }
    }
    let mut largest: Option<(&SignedCheckpoint, Tree)> = None;
    for one in seen {
        let Some(source) = one.tree else { continue };
        let Checkpoint { size, root, .. } = one.head.checkpoint;
        let mut tree = Tree::new(source, size);
        if tree.root()? != root {
            return no(format!(
                "the tiles of {} do not give the root that its head of size {size} says: somebody altered that copy, or is altering it now",
                field(origin)
            ));
        }
        if largest.as_ref().is_none_or(|(head, _)| head.checkpoint.size < size) {
            largest = Some((&one.head, tree));
        }
    }
    let newest = heads.last().map_or(0, |head| head.checkpoint.size);
    let Some((published, mut tree)) = largest else {
        // Without tiles nothing of another size was compared: it waits for those that come.
        let least = seen.iter().map(|one| one.head.checkpoint.size).min().unwrap_or(before);
        if least < before {
            write_proven(&proven, least)?;
        }
        let proven = before.min(least);
        return Ok(format!("{}: newest head {newest}, proven up to {proven}", field(origin)));
    };
    let size = published.checkpoint.size;
    let mut open = 0;
    for head in &heads {
        if head.checkpoint.size > size {
            open += 1;
            continue;
        }
        let path = tree.path_from(&head.checkpoint)?;
        fit(head, published, &path, policy, evidence)?;
    }
    // All up to here fit these tiles. Where there are larger ones, whether these do is not known.
    if size != before {
        write_proven(&proven, size)?;
    }
    let waits = match open {
        0 => String::new(),
        _ => format!("; {open} newer ones wait for its tiles"),
    };
    Ok(format!("{}: one history up to {size}{waits}", field(origin)))
}

fn write_proven(path: &Path, size: u64) -> Result<()> {
    files::write(path, format!("{size}\n").as_bytes(), Existing::Replace, Mode::Public)
}
