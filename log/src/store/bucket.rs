//! A log on an object store, where several sequencers may write (`spec/formats/pending.md`).
//!
//! The order of its steps is what keeps it from forking; `log/tests/sequencers.rs` runs two and three
//! sequencers through it in tens of thousands of interleavings, with a fault at every call.

use super::{Store, Swapped};
use crate::pipeline;
use anyhow::{Context, Result, bail};
use coldlog_kit::exit::Failure;
use coldlog_kit::published::Source;
use coldlog_kit::secret;
use coldlog_objects::{Objects, Version};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::pending::{
    FULL_PACK, MAX_FILES, MAX_PACK, MAX_PACKS, MAX_PENDING, Pack, Pending,
};
use coldlog_spec::tile::{MAX_BUNDLE, head_path};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The object that says which head is the newest.
const SEQUENCER: &str = "sequencer";
/// Where packs are.
const STAGING: &str = "staging";
/// How often a step is tried while other writers are faster.
const TRIES: usize = 100;

/// A log on an object store.
pub struct Bucket<O> {
    objects: O,
    /// A name that nobody else uses; it also makes every state of the head unlike every other, so that no
    /// store mistakes a newer one for an older.
    fresh_name: Box<dyn Fn() -> Result<String> + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The newest head as it was read, with its version.
    held: Option<(Pending, Version)>,
    staged: Staged,
}

// What this writer has put beyond the head.
#[derive(Default)]
struct Staged {
    name: String,
    /// The pack under way.
    open: BTreeMap<String, Vec<u8>>,
    bytes: usize,
    /// The packs that are put.
    packs: Vec<Hash>,
    /// In which pack a file is.
    places: HashMap<String, usize>,
    /// The pack that was read last.
    read: Option<(usize, Pack)>,
    settled: bool,
}

fn pack_key(staging: &str, number: usize) -> String {
    format!("{STAGING}/{staging}/{number}")
}

fn random_name() -> Result<String> {
    let random: [u8; 32] = secret::random()?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl<O: Objects> Bucket<O> {
    /// The log in an object store.
    pub fn new(objects: O) -> Bucket<O> {
        Bucket::with_names(objects, random_name)
    }

    /// The same, with names of the caller's: hexadecimal digits, and never one twice by anybody.
    pub fn with_names(
        objects: O,
        fresh_name: impl Fn() -> Result<String> + Send + Sync + 'static,
    ) -> Bucket<O> {
        Bucket { objects, fresh_name: Box::new(fresh_name), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_pending(&self) -> Result<Option<(Pending, Version)>> {
        let Some((bytes, version)) = self.objects.get(SEQUENCER, MAX_PENDING)? else {
            return Ok(None);
        };
        let pending = Pending::decode(&bytes);
        let pending = pending.with_context(|| format!("{} in {}", SEQUENCER, self.place()))?;
        Ok(Some((pending, version)))
    }

    fn published(&self, key: &str) -> Result<Option<(SignedCheckpoint, Version)>> {
        let Some((bytes, version)) = self.objects.get(key, MAX_NOTE)? else { return Ok(None) };
        let head = SignedCheckpoint::decode(&bytes);
        Ok(Some((head.with_context(|| format!("{key} in {}", self.place()))?, version)))
    }

    // Puts in place what a head needs, then publishes it. Anybody may do it, at any time, in parallel:
    // all puts of a shared name have the same bytes, or go forward only.
    fn complete(&self, pending: &Pending) -> Result<()> {
        let size = pending.head.checkpoint.size;
        let reached = self.published("checkpoint")?.map(|(head, _)| head.checkpoint.size);
        if reached.is_none_or(|reached| reached < size) {
            for (number, digest) in pending.packs.iter().enumerate() {
                if !self.put_in_place(pending, number, *digest)? {
                    return Ok(());
                }
            }
        }
        if size > 0 {
            self.publish(&head_path(size), size)?;
        }
        self.publish("checkpoint", size)?;
        if reached.is_none_or(|reached| reached < size) {
            for number in 0..pending.packs.len() {
                self.objects.delete(&pack_key(&pending.staging, number))?;
            }
        }
        Ok(())
    }

    // `false` when another writer has completed the head meanwhile.
    fn put_in_place(&self, pending: &Pending, number: usize, digest: Hash) -> Result<bool> {
        let key = pack_key(&pending.staging, number);
        let Some((bytes, _)) = self.objects.get(&key, MAX_PACK)? else {
            let reached = self.published("checkpoint")?.map(|(head, _)| head.checkpoint.size);
            if reached.is_some_and(|reached| reached >= pending.head.checkpoint.size) {
                return Ok(false);
            }
            bail!(
                "{}/{key} is missing, and the newest head needs it: put it back from a backup of the store; or restore the log into another place (`log restore --store`), and bring back what is newer with `log recover`",
                self.place()
            );
        };
        if Hash::of(&bytes) != digest {
            bail!(
                "{}/{key} was altered: put it back from a backup of the store; or restore the log into another place (`log restore --store`), and bring back what is newer with `log recover`",
                self.place()
            );
        }
        self.objects.put_all(&Pack::decode(&bytes)?.files)?;
        Ok(true)
    }

    // The published copy of the newest head, as long as that has this size. The copy is read before the
    // head, and put on the condition that it is still that one: so it never goes back.
    fn publish(&self, key: &str, size: u64) -> Result<()> {
        for _ in 0..TRIES {
            let copy = self.published(key)?;
            let newest = self.read_pending()?.context("the log's head is gone")?.0.head;
            if newest.checkpoint.size != size {
                // Whoever moved it on had completed this one before.
                return Ok(());
            }
            if copy.as_ref().is_some_and(|(copy, _)| *copy == newest) {
                return Ok(());
            }
            let version = copy.as_ref().map(|(_, version)| version);
            match self.objects.swap(key, version, &newest.encode()) {
                Ok(Swapped::Done) => return Ok(()),
                Ok(Swapped::Lost) => {}
                Err(why) => return Err(why),
            }
        }
        bail!("{}/{key} is written by too many others at once: try again", self.place())
    }

    fn put_pack(&self, staged: &mut Staged) -> Result<()> {
        if staged.open.is_empty() {
            return Ok(());
        }
        if staged.packs.len() == MAX_PACKS {
            bail!("more than {MAX_PACKS} packs for one head: append fewer records at a time");
        }
        let number = staged.packs.len();
        let files: Vec<(String, Vec<u8>)> = std::mem::take(&mut staged.open).into_iter().collect();
        staged.bytes = 0;
        for (path, _) in &files {
            staged.places.insert(path.clone(), number);
        }
        let bytes = Pack { files }.encode();
        self.objects.put(&pack_key(&staged.name, number), &bytes)?;
        staged.packs.push(Hash::of(&bytes));
        Ok(())
    }
}

impl<O: Objects> Source for Bucket<O> {
    fn get(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        let mut state = self.state();
        let staged = &mut state.staged;
        if let Some(bytes) = staged.open.get(path) {
            return Ok(Some(bytes.clone()));
        }
        let Some(&number) = staged.places.get(path) else {
            drop(state);
            return Ok(self.objects.get(path, limit)?.map(|(bytes, _)| bytes));
        };
        if staged.read.as_ref().is_none_or(|(read, _)| *read != number) {
            let key = pack_key(&staged.name, number);
            let (bytes, _) = self.objects.get(&key, MAX_PACK)?.context("a staged pack is gone")?;
            staged.read = Some((number, Pack::decode(&bytes)?));
        }
        let files = staged.read.as_ref().map(|(_, pack)| pack.files.as_slice()).unwrap_or_default();
        Ok(files.iter().find(|(name, _)| name == path).map(|(_, bytes)| bytes.clone()))
    }
}

impl<O: Objects> Store for Bucket<O> {
    fn refresh(&self) -> Result<SignedCheckpoint> {
        let Some((pending, version)) = self.read_pending()? else {
            bail!("{} holds no log; make one with `log init --store`", self.place());
        };
        if let Some((copy, _)) = self.published("checkpoint")?
            && copy.checkpoint.size > pending.head.checkpoint.size
        {
            // It may have been completed between the two looks: then the head has moved as well.
            let again = self.read_pending()?.context("the log's head is gone")?.0;
            if copy.checkpoint.size > again.head.checkpoint.size {
                bail!(
                    "in {} the published head has size {}, the sequencer's has {}: the store was restored in part; restore the log into another place (`log restore --store`), and bring back what is newer with `log recover`",
                    self.place(),
                    copy.checkpoint.size,
                    again.head.checkpoint.size
                );
            }
        }
        self.complete(&pending)?;
        let head = pending.head.clone();
        let mut state = self.state();
        *state = State { held: Some((pending, version)), staged: Staged::default() };
        Ok(head)
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.objects.put(path, bytes)?;
        match self.objects.get(path, bytes.len())? {
            Some((there, _)) if there == bytes => Ok(()),
            _ => bail!("{}/{path} does not read back as it was written", self.place()),
        }
    }

    fn put_many(&self, files: Vec<(String, Vec<u8>)>) -> Result<u64> {
        let mut new = Vec::new();
        for (path, bytes) in files {
            if self.objects.get(&path, MAX_BUNDLE).ok().flatten().is_none_or(|(b, _)| b != bytes) {
                new.push((path, bytes));
            }
        }
        self.objects.put_all(&new)?;
        for (path, bytes) in &new {
            match self.objects.get(path, bytes.len())? {
                Some((there, _)) if there == *bytes => {}
                _ => bail!("{}/{path} does not read back as it was written", self.place()),
            }
        }
        Ok(new.len() as u64)
    }

    fn begin(&self) {
        self.state().staged = Staged::default();
    }

    fn stage(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let mut state = self.state();
        let staged = &mut state.staged;
        if staged.name.is_empty() {
            staged.name = (self.fresh_name)()?;
        }
        staged.settled = false;
        staged.bytes += bytes.len();
        staged.open.insert(path.into(), bytes.into());
        if staged.bytes >= FULL_PACK || staged.open.len() == MAX_FILES {
            self.put_pack(staged)?;
        }
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        let mut state = self.state();
        let staged = &mut state.staged;
        self.put_pack(staged)?;
        let name = &staged.name;
        let mut packs = staged.packs.iter().enumerate();
        pipeline::ordered(
            || Ok(packs.next()),
            |(number, digest)| {
                let key = pack_key(name, number);
                match self.objects.get(&key, MAX_PACK)? {
                    Some((bytes, _)) if Hash::of(&bytes) == *digest => Ok(()),
                    _ => bail!("{}/{key} does not read back as it was written", self.place()),
                }
            },
            |result| Ok(result?),
        )
        .map_err(|failure| match failure {
            Failure::No(why) | Failure::Trouble(why) => why,
        })?;
        staged.settled = true;
        Ok(())
    }

    fn swap_head(&self, old: Option<&SignedCheckpoint>, new: &SignedCheckpoint) -> Result<Swapped> {
        let mut state = self.state();
        let staged = &state.staged;
        if !staged.open.is_empty() || !(staged.settled || staged.packs.is_empty()) {
            bail!("the head cannot move: what it stands for is not settled");
        }
        if state.held.as_ref().map(|(pending, _)| &pending.head) != old {
            return Ok(Swapped::Lost);
        }
        let staging = match staged.name.is_empty() {
            true => (self.fresh_name)()?,
            false => staged.name.clone(),
        };
        let next = Pending { head: new.clone(), staging, packs: staged.packs.clone() };
        let version = state.held.as_ref().map(|(_, version)| version);
        let swapped = self.objects.swap(SEQUENCER, version, &next.encode());
        if !matches!(swapped, Ok(Swapped::Done)) {
            // A call that failed, or was tried again by the client, may have been carried out.
            let found = self.read_pending().context(
                "whether the head moved is not known: run the command again, it repeats nothing",
            )?;
            if found.is_none_or(|(found, _)| found != next) {
                return swapped.map(|_| Swapped::Lost);
            }
        }
        *state = State::default();
        drop(state);
        self.complete(&next).context(
            "the head has moved, and all is stored, but not all is in its place: run any command on this log",
        )?;
        if let Some((pending, version)) = self.read_pending()?
            && pending == next
        {
            self.state().held = Some((pending, version));
        }
        Ok(Swapped::Done)
    }

    fn list(&self, folder: &str, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        // A store may name an object twice while others write.
        let mut seen = BTreeSet::new();
        self.objects.list(folder, &mut |path| match seen.insert(path.to_string()) {
            true => each(path),
            false => Ok(()),
        })
    }

    // A writer that is under way starts again: its head can no longer move once the newest one is marked
    // anew.
    fn collect(&self) -> Result<u64> {
        let head = self.refresh()?;
        let mut left = Vec::new();
        self.objects.list(STAGING, &mut |path| {
            left.push(format!("{STAGING}/{path}"));
            Ok(())
        })?;
        if left.is_empty() {
            return Ok(0);
        }
        self.begin();
        if self.swap_head(Some(&head), &head)? == Swapped::Lost {
            bail!("another writer is at work: try again when it is done");
        }
        left.iter().try_for_each(|key| self.objects.delete(key))?;
        Ok(left.len() as u64)
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.objects.delete(path)
    }

    fn place(&self) -> String {
        self.objects.place()
    }
}
