//! Follows the logs beside the requests: all of them from time to time, and one at once when it has sent a
//! head.

use crate::lock::Mirror;
use anyhow::{Context, Result};
use coldlog_kit::exit::{Failure, Outcome, text_of};
use coldlog_witness::place as memory;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A log that has sent a head is waited for: where its entries are not there yet, they are asked for again
/// after so long.
const SOON: Duration = Duration::from_secs(1);
/// So often.
const TRIES: u32 = 10;

/// The thread that fetches.
pub(crate) struct Follower {
    wake: Mutex<Option<Sender<String>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Work {
    home: PathBuf,
    mirror: Arc<Mirror>,
    every: Option<Duration>,
    failed: Counter,
    entries: Counter,
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
        let work = Work { home: home.into(), mirror, every, failed, entries };
        let (wake, woken) = channel();
        let thread = std::thread::Builder::new().name("follower".into());
        let thread = thread.spawn(move || work.run(&woken)).context("starting to follow")?;
        Ok(Follower { wake: Mutex::new(Some(wake)), thread: Mutex::new(Some(thread)) })
    }

    /// A log has sent a head.
    pub(crate) fn wake(&self, origin: String) {
        let wake = self.wake.lock().unwrap_or_else(PoisonError::into_inner);
        // Where it is gone, `is_alive` says so.
        let _ = wake.as_ref().map(|wake| wake.send(origin));
    }

    pub(crate) fn is_alive(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Ends it, when what it is at is done.
    pub(crate) fn stop(&self) {
        drop(self.wake.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = thread.map(JoinHandle::join);
    }
}

impl Work {
    fn run(&self, woken: &Receiver<String>) {
        let mut again: Vec<(String, u32)> = Vec::new();
        let mut next = Instant::now();
        loop {
            if let Some(every) = self.every
                && Instant::now() >= next
            {
                self.follow_all();
                next = Instant::now() + every;
            }
            let left = next.saturating_duration_since(Instant::now());
            let wait = if self.every.is_some() { left } else { Duration::from_secs(3600) };
            let wait = if again.is_empty() { wait } else { wait.min(SOON) };
            let mut sent = BTreeSet::new();
            match woken.recv_timeout(wait) {
                Ok(origin) => _ = sent.insert(origin),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            sent.extend(woken.try_iter());
            again.retain(|(origin, _)| !sent.contains(origin));
            let tried: Vec<_> = again.drain(..).chain(sent.into_iter().map(|o| (o, 0))).collect();
            for (origin, times) in tried {
                let done = self.mirror.catch_up(&origin, None);
                if !self.tell(&origin, done) && times < TRIES {
                    again.push((origin, times + 1));
                }
            }
        }
    }

    fn follow_all(&self) {
        let logs = match memory::all(&self.home) {
            Ok(logs) => logs,
            Err(why) => {
                tracing::error!(why = %text_of(&why), "the logs are not known");
                return;
            }
        };
        for known in logs.iter().filter(|known| known.log.url.is_some()) {
            self.tell(&known.log.origin, self.mirror.follow(known));
        }
    }

    fn tell(&self, origin: &str, done: Outcome<crate::copy::Copied>) -> bool {
        match done {
            Ok(copied) => {
                let new = copied.size - copied.from;
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
