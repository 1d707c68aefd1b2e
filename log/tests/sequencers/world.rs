//! The object store that everybody sees, and the scheduler that decides who calls it next and what becomes
//! of the call.

use anyhow::{Result, bail};
use coldlog_kit::published::{Source, Tree};
use coldlog_objects::{Objects, Swapped, Version};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::end::{self, End};
use coldlog_spec::hash::Hash;
use coldlog_spec::pending::Pending;
use coldlog_spec::tile::head_path;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// How many sequencers were killed at a call that changes the store.
pub(crate) static KILLS: AtomicU64 = AtomicU64::new(0);
/// What a fault-free schedule of this many calls would never need.
pub(crate) const MOST_CALLS: u64 = 20_000;

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// A call that changes the store.
#[derive(Clone)]
pub(crate) enum Change {
    Put(String, Vec<u8>),
    Swap(String, Option<String>, Vec<u8>),
    Delete(String),
}

pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) faults: bool,
    pub(crate) files: Files,
    /// Who waits for a turn, who has it, who has ended.
    pub(crate) waiting: BTreeSet<usize>,
    pub(crate) turn: Option<usize>,
    pub(crate) ended: BTreeSet<usize>,
    pub(crate) workers: usize,
    /// Who does not get a turn for a while.
    pub(crate) asleep: Option<usize>,
    pub(crate) killed: BTreeSet<usize>,
    /// What was sent and has not arrived.
    pub(crate) flying: Vec<Change>,
    pub(crate) calls: u64,
    /// Names that were given out.
    pub(crate) names: u64,
    /// Every state of the head, in order.
    pub(crate) history: Vec<Pending>,
    pub(crate) violation: Option<String>,
    pub(crate) acknowledged: BTreeSet<String>,
}

pub(crate) struct Snapshot<'a>(pub(crate) &'a Files);

impl Source for Snapshot<'_> {
    fn get(&self, path: &str, _: usize) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).cloned())
    }
}

// As S3 makes it: the same bytes have the same tag.
pub(crate) fn tag(bytes: &[u8]) -> String {
    Hash::of(bytes).to_hex()
}

impl World {
    pub(crate) fn apply(&mut self, change: Change) -> Swapped {
        match change {
            Change::Put(key, bytes) => {
                if let Some(there) = self.files.get(&key)
                    && *there != bytes
                {
                    self.wrong(format!("{key} was put again with other bytes"));
                }
                self.files.insert(key, bytes);
                self.must_end_at_the_head();
            }
            Change::Delete(key) => {
                self.files.remove(&key);
            }
            Change::Swap(key, expected, bytes) => {
                if self.files.get(&key).map(|there| tag(there)) != expected {
                    return Swapped::Lost;
                }
                self.files.insert(key.clone(), bytes);
                self.look_at(&key);
            }
        }
        Swapped::Done
    }

    pub(crate) fn wrong(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    // Where the log has an end, the newest head is the one that it names.
    fn must_end_at_the_head(&mut self) {
        let Some(bytes) = self.files.get(end::PATH) else { return };
        let (last, newest) = (End::decode(bytes).unwrap().last, &self.history.last().unwrap().head);
        if last != newest.checkpoint {
            self.wrong(format!("the log ends at {}, and goes on", last.size));
        }
    }

    fn look_at(&mut self, key: &str) {
        let bytes = self.files.get(key).cloned().unwrap_or_default();
        if key == "sequencer" {
            let pending = Pending::decode(&bytes).unwrap();
            let before = self.history.last().map_or(0, |p| p.head.checkpoint.size);
            if pending.head.checkpoint.size < before {
                self.wrong("the head went back".into());
            }
            self.history.push(pending);
            self.must_end_at_the_head();
            return;
        }
        let head = SignedCheckpoint::decode(&bytes).unwrap();
        // What is published follows the states of the head, and never goes back.
        let place = self.history.iter().rposition(|pending| pending.head == head);
        let newest = self.history.last().unwrap().head.checkpoint.size;
        match place {
            None => self.wrong(format!("{key} is no head of this log")),
            Some(_) if key == "checkpoint" => {
                let size = head.checkpoint.size;
                let root = Tree::new(&Snapshot(&self.files), size).root();
                if root.ok() != Some(head.checkpoint.root) {
                    self.wrong(format!("size {size} is published before its tiles"));
                }
                if !self.files.contains_key(&head_path(size)) && size > 0 {
                    self.wrong(format!("size {size} is published before heads/{size}"));
                }
            }
            Some(_) if head.checkpoint.size > newest => self.wrong("a head of the future".into()),
            Some(_) => {}
        }
    }
}

pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    pub(crate) bell: Condvar,
}

/// The store as one sequencer sees it.
pub(crate) struct Seen(pub(crate) Arc<Shared>, pub(crate) usize);

impl Seen {
    // Waits for a turn, and makes a call in it.
    pub(crate) fn call<R>(&self, make: impl FnOnce(&mut World) -> Result<R>) -> Result<R> {
        let mut world = self.0.world.lock().unwrap();
        if world.killed.contains(&self.1) {
            bail!("killed");
        }
        world.waiting.insert(self.1);
        choose(&mut world);
        self.0.bell.notify_all();
        world = self.0.bell.wait_while(world, |world| world.turn != Some(self.1)).unwrap();
        world.waiting.remove(&self.1);
        world.calls += 1;
        let result = make(&mut world);
        world.turn = None;
        result
    }

    pub(crate) fn change(&self, change: Change) -> Result<Swapped> {
        self.call(|world| {
            if !world.faults {
                return Ok(world.apply(change));
            }
            match world.random.below(40) {
                0 => bail!("it failed"),
                1 => {
                    world.apply(change);
                    bail!("it failed after it was done")
                }
                2 => {
                    world.flying.push(change);
                    bail!("it has timed out, and is under way")
                }
                3 => {
                    world.killed.insert(self.1);
                    KILLS.fetch_add(1, Ordering::Relaxed);
                    if world.random.below(2) == 0 {
                        world.apply(change);
                    }
                    bail!("killed")
                }
                _ => Ok(world.apply(change)),
            }
        })
    }
}

// Who is next: decided only when everybody waits, so that a seed decides all.
pub(crate) fn choose(world: &mut World) {
    if world.turn.is_some() || world.waiting.len() + world.ended.len() < world.workers {
        return;
    }
    if !world.flying.is_empty() && world.random.below(8) == 0 {
        let at = world.random.below(world.flying.len() as u64) as usize;
        let change = world.flying.swap_remove(at);
        world.apply(change);
    }
    if world.random.below(24) == 0 {
        let one = world.random.below(world.workers as u64) as usize;
        world.asleep = Some(one).filter(|_| world.random.below(3) > 0);
    }
    let awake: Vec<usize> = world.waiting.iter().copied().collect();
    let others: Vec<usize> = awake.iter().copied().filter(|w| Some(*w) != world.asleep).collect();
    let from = if others.is_empty() { awake } else { others };
    if !from.is_empty() {
        let at = world.random.below(from.len() as u64) as usize;
        world.turn = from.get(at).copied();
    }
}

impl Objects for Seen {
    fn get(&self, key: &str, _: usize) -> Result<Option<(Vec<u8>, Version)>> {
        self.call(|world| {
            if world.faults && world.random.below(200) == 0 {
                bail!("it could not be read");
            }
            let found = world.files.get(key);
            Ok(found.map(|bytes| (bytes.clone(), Version::new(tag(bytes)))))
        })
    }
    fn put(&self, key: &str, bytes: &[u8]) -> Result<()> {
        self.change(Change::Put(key.into(), bytes.into())).map(|_| ())
    }
    fn swap(&self, key: &str, expected: Option<&Version>, bytes: &[u8]) -> Result<Swapped> {
        let expected = expected.and_then(Version::tag).map(String::from);
        self.change(Change::Swap(key.into(), expected, bytes.into()))
    }
    fn delete(&self, key: &str) -> Result<()> {
        self.change(Change::Delete(key.into())).map(|_| ())
    }
    fn list(&self, prefix: &str, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let names: Vec<String> = self.call(|world| {
            if world.faults && world.random.below(100) == 0 {
                bail!("it could not be listed");
            }
            let below = world.files.keys().filter_map(|key| key.strip_prefix(prefix));
            Ok(below.filter_map(|key| key.strip_prefix('/')).map(String::from).collect())
        })?;
        names.iter().try_for_each(|name| each(name))
    }
    fn place(&self) -> String {
        "simulated".into()
    }
}
