//! Follows the logs beside the requests: all of them from time to time, and one at once when it has sent a
//! head. Several at a time: a log that is slow, or large, keeps no other waiting.

use crate::copy::Copied;
use crate::lock::Mirror;
use anyhow::{Context, Result};
use coldlog_kit::exit::{Failure, Outcome, text_of};
use coldlog_witness::place as memory;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Logs that are followed at the same time.
const WORKERS: usize = 8;
/// A log that has sent a head is waited for: where its entries are not there yet, they are asked for again
/// after so long.
const SOON: Duration = Duration::from_secs(1);
/// So often.
const TRIES: u32 = 10;
/// How long what is under way has when the server ends; the next run goes on from there.
const GRACE: Duration = Duration::from_secs(5);

/// The threads that fetch.
pub(crate) struct Follower(Arc<Shared>);

struct Shared {
    home: PathBuf,
    mirror: Arc<Mirror>,
    every: Option<Duration>,
    failed: Counter,
    entries: Counter,
    queue: Mutex<Queue>,
    changed: Condvar,
}

/// What is to be done about a log, each log once: whoever sends heads again and again fills nothing.
struct Queue {
    due: BTreeMap<String, Due>,
    busy: BTreeSet<String>,
    /// When all logs are due.
    all: Option<Instant>,
    workers: usize,
}

#[derive(Clone, Copy)]
struct Due {
    when: Instant,
    /// Whether the source's head is asked for, too.
    follow: bool,
    tries: u32,
}

impl Follower {
    pub(crate) fn start(
        home: &Path,
        mirror: Arc<Mirror>,
        every: Option<u64>,
        registry: &mut Registry,
    ) -> Result<Follower> {
        let (failed, entries) = (Counter::default(), Counter::default());
        registry.register("follow_failures", "Times that a log was not followed", failed.clone());
        registry.register("entries_mirrored", "Entries that came in", entries.clone());
        let every = every.map(|seconds| Duration::from_secs(seconds.max(1)));
        let all = every.map(|_| Instant::now());
        let queue = Queue { due: BTreeMap::new(), busy: BTreeSet::new(), all, workers: WORKERS };
        let (queue, changed) = (Mutex::new(queue), Condvar::new());
        let shared = Shared { home: home.into(), mirror, every, failed, entries, queue, changed };
        let shared = Arc::new(shared);
        for _ in 0..WORKERS {
            let (thread, shared) = (std::thread::Builder::new(), shared.clone());
            let work = move || {
                let _gone = Gone(&shared);
                shared.work();
            };
            thread.name("follower".into()).spawn(work).context("starting to follow")?;
        }
        Ok(Follower(shared))
    }

    /// A log has sent a head.
    pub(crate) fn wake(&self, origin: String) {
        let now = Due { when: Instant::now(), follow: false, tries: 0 };
        self.0.queue().due.entry(origin).and_modify(|due| due.when = now.when).or_insert(now);
        self.0.changed.notify_one();
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.0.queue().workers == WORKERS
    }

    /// Ends it. What is under way is given a little time, and is found again by the next run.
    pub(crate) fn stop(&self) {
        self.0.mirror.stopping.store(true, Ordering::Relaxed);
        self.0.changed.notify_all();
        let queue = self.0.queue();
        let idle = |queue: &mut Queue| !queue.busy.is_empty();
        drop(self.0.changed.wait_timeout_while(queue, GRACE, idle));
    }
}

// A worker that ends is missed.
struct Gone<'a>(&'a Shared);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.queue().workers -= 1;
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some((origin, due)) = self.next() {
            let done = self.one(&origin, due.follow);
            let succeeded = self.tell(&origin, done);
            let mut queue = self.queue();
            queue.busy.remove(&origin);
            if !succeeded && !due.follow && due.tries < TRIES {
                let again = Due { when: Instant::now() + SOON, tries: due.tries + 1, ..due };
                queue.due.entry(origin).or_insert(again);
            }
            self.changed.notify_all();
        }
    }

    // Waits for what is due next; `None` at the end.
    fn next(&self) -> Option<(String, Due)> {
        let mut queue = self.queue();
        loop {
            if self.mirror.stopping.load(Ordering::Relaxed) {
                return None;
            }
            let now = Instant::now();
            if queue.all.is_some_and(|all| all <= now) {
                queue.all = self.every.map(|every| now + every);
                for origin in self.logs() {
                    let due = Due { when: now, follow: true, tries: 0 };
                    queue.due.entry(origin).or_insert(due).follow = true;
                }
            }
            let busy = &queue.busy;
            let mut free = queue.due.iter().filter(|(origin, _)| !busy.contains(*origin));
            if let Some((origin, due)) = free.find(|(_, due)| due.when <= now) {
                let (origin, due) = (origin.clone(), *due);
                queue.due.remove(&origin);
                queue.busy.insert(origin.clone());
                return Some((origin, due));
            }
            let next = queue.due.values().map(|due| due.when).chain(queue.all).min();
            let wait = next.map_or(SOON, |next| next.saturating_duration_since(now).min(SOON));
            let wait = wait.max(Duration::from_millis(10));
            queue = match self.changed.wait_timeout(queue, wait) {
                Ok((queue, _)) => queue,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    fn logs(&self) -> Vec<String> {
        match memory::all(&self.home) {
            Ok(logs) => {
                let with_source = logs.into_iter().filter(|known| known.log.url.is_some());
                with_source.map(|known| known.log.origin).collect()
            }
            Err(why) => {
                tracing::error!(why = %text_of(&why), "the logs are not known");
                Vec::new()
            }
        }
    }

    fn one(&self, origin: &str, follow: bool) -> Outcome<Copied> {
        if !follow {
            return self.mirror.catch_up(origin, None);
        }
        let held = memory::Held::open(&self.home, origin)?;
        let known = held.context("the log is mirrored no longer")?.known()?;
        self.mirror.follow(&known)
    }

    fn tell(&self, origin: &str, done: Outcome<Copied>) -> bool {
        match done {
            Ok(copied) => {
                let new = copied.size.saturating_sub(copied.from);
                self.entries.inc_by(new);
                if new > 0 {
                    tracing::info!(%origin, size = copied.size, new, "all of it is here");
                }
                true
            }
            Err(Failure::No(why)) => {
                self.failed.inc();
                tracing::error!(%origin, why = %text_of(&why), "not followed");
                false
            }
            Err(Failure::Trouble(why)) => {
                self.failed.inc();
                tracing::warn!(%origin, why = %text_of(&why), "not followed");
                false
            }
        }
    }
}
