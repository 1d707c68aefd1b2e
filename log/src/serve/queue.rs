//! The one thread that appends: it takes all that waits, puts it under one head, and answers when that
//! is durable.

use super::answer::Denied;
use super::metrics::Metrics;
use super::receipts::Receipts;
use crate::admit::Judge;
use crate::commands::{append, manage, receipts};
use crate::keys::LogKeys;
use crate::memory;
use crate::place::Place;
use anyhow::{Context, Result};
use coldlog_kit::exit::{Failure, OrNo, Outcome, text_of};
use coldlog_kit::files::{self, Existing};
use coldlog_kit::published::Tree;
use coldlog_spec::cose::Claims;
use coldlog_spec::hash::Hash;
use coldlog_spec::statement::Statement;
use coldlog_spec::verify::append::{Admission, Refusal};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempPath;
use tokio::sync::oneshot;

/// What may wait; what comes then is told to come again.
const WAITING: usize = 4096;
/// Entries under one head.
const TOGETHER: usize = 1024;
/// How long the home is kept when nothing waits, and at most while other commands may want it.
const KEPT: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// A statement that its signer's key has signed.
pub(crate) struct Entry {
    pub(crate) statement: Statement,
    pub(crate) sealed: Vec<u8>,
    pub(crate) admission: Arc<Admission>,
}

/// An entry's index and its receipt.
pub(crate) type Registered = Result<(u64, Option<Vec<u8>>), Denied>;
/// The receipts file of a batch.
pub(crate) type Appended = Result<TempPath, Denied>;

/// The journal's genesis, where it is in the log already.
pub(crate) type Known = Result<Option<Arc<Admission>>, Denied>;

enum Job {
    Entry(Box<Entry>, oneshot::Sender<Registered>),
    Batch(TempPath, oneshot::Sender<Appended>),
    Journal(Claims, oneshot::Sender<Known>),
}

/// Where handlers leave what is to be appended.
pub(crate) struct Queue {
    jobs: SyncSender<Job>,
    metrics: Arc<Metrics>,
    alive: Arc<AtomicBool>,
}

impl Queue {
    /// Whether what is sent will be appended.
    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    fn send<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<T>) -> Job,
    ) -> Result<oneshot::Receiver<T>, Denied> {
        let (answer, answered) = oneshot::channel();
        match self.jobs.try_send(job(answer)) {
            Ok(()) => {
                self.metrics.waiting.inc();
                Ok(answered)
            }
            Err(TrySendError::Full(_)) => Err(Denied::busy()),
            Err(TrySendError::Disconnected(_)) => Err(gone()),
        }
    }

    /// Appends an entry; returns when it is durable, or refused.
    pub(crate) async fn register(&self, entry: Entry) -> Registered {
        let sent = self.send(|answer| Job::Entry(Box::new(entry), answer))?;
        sent.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Appends a batch; returns its receipts when it is durable, or why it is refused.
    pub(crate) async fn append(&self, batch: TempPath) -> Appended {
        let sent = self.send(|answer| Job::Batch(batch, answer))?;
        sent.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Asks what the log knows of a journal that its rules let be written.
    pub(crate) async fn journal(&self, claims: Claims) -> Known {
        let sent = self.send(|answer| Job::Journal(claims, answer))?;
        sent.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn gone() -> Denied {
    Denied::trouble(&anyhow::anyhow!("the sequencer is gone: start the server again"))
}

/// Starts the thread; it ends when every [`Queue`] is gone and nothing waits.
pub(crate) fn start(
    home: &Path,
    keys: Arc<LogKeys>,
    receipts: Arc<Receipts>,
    metrics: Arc<Metrics>,
) -> Result<(Queue, JoinHandle<()>)> {
    let (jobs, waiting) = sync_channel(WAITING);
    let alive = Arc::new(AtomicBool::new(true));
    let queue = Queue { jobs, metrics: metrics.clone(), alive: alive.clone() };
    let (home, place, next) = (home.into(), None, None);
    let mut sequencer = Sequencer { alive, home, keys, receipts, metrics, waiting, place, next };
    let thread = std::thread::Builder::new().name("sequencer".into());
    let thread = thread.spawn(move || sequencer.run()).context("starting the sequencer")?;
    Ok((queue, thread))
}

type Waiting = (Box<Entry>, oneshot::Sender<Registered>);

impl Drop for Sequencer {
    fn drop(&mut self) {
        self.alive.store(false, Ordering::Relaxed);
    }
}

struct Sequencer {
    alive: Arc<AtomicBool>,
    home: PathBuf,
    keys: Arc<LogKeys>,
    receipts: Arc<Receipts>,
    metrics: Arc<Metrics>,
    waiting: Receiver<Job>,
    /// The log, and since when it is held.
    place: Option<(Place, Instant)>,
    /// What was taken from the queue and not yet done.
    next: Option<Job>,
}

impl Sequencer {
    fn run(&mut self) {
        while let Some(job) = self.take() {
            let begun = Instant::now();
            match job {
                Job::Entry(entry, answer) => {
                    let group = self.group((entry, answer));
                    self.entries(group);
                }
                Job::Batch(path, answer) => {
                    self.metrics.waiting.dec();
                    let done = self.batch(&path);
                    if done.as_ref().is_err_and(|denied| denied.status.is_client_error()) {
                        self.metrics.refused.inc();
                    }
                    let _ = answer.send(done);
                }
                Job::Journal(claims, answer) => {
                    self.metrics.waiting.dec();
                    let _ = answer.send(self.journal(&claims));
                    continue;
                }
            }
            if let Some((place, _)) = &self.place {
                self.metrics.head(begun.elapsed(), place.head.checkpoint.size);
            }
        }
    }

    // The next job; while there is none, other commands may have the log.
    fn take(&mut self) -> Option<Job> {
        if let Some(job) = self.next.take() {
            return Some(job);
        }
        if let Some((_, since)) = &self.place {
            if since.elapsed() < KEPT.1
                && let Ok(job) = self.waiting.recv_timeout(KEPT.0)
            {
                return Some(job);
            }
            self.place = None;
            // Whoever waits for the log asks for it every few milliseconds.
            std::thread::sleep(KEPT.0);
        }
        self.waiting.recv().ok()
    }

    // All entries that wait now. Of two statements with one number, the second waits for the next head:
    // it is judged against the first then.
    fn group(&mut self, first: Waiting) -> Vec<Waiting> {
        let name = |entry: &Entry| {
            let claims = entry.statement.claims();
            (claims.issuer.clone(), claims.subject.clone(), entry.statement.position.sequence)
        };
        let mut numbers: HashMap<(String, String, u64), Hash> = HashMap::new();
        numbers.insert(name(&first.0), first.0.statement.leaf());
        let mut group = vec![first];
        while group.len() < TOGETHER {
            match self.waiting.try_recv() {
                Ok(Job::Entry(entry, answer)) => {
                    let leaf = entry.statement.leaf();
                    if *numbers.entry(name(&entry)).or_insert(leaf) != leaf {
                        self.next = Some(Job::Entry(entry, answer));
                        break;
                    }
                    group.push((entry, answer));
                }
                Ok(other) => {
                    self.next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        // Those of one journal in its order, however they came.
        group.sort_by_cached_key(|(entry, _)| name(entry));
        group
    }

    fn entries(&mut self, group: Vec<Waiting>) {
        let (entries, answers): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let registered = self.register(&entries);
        self.metrics.waiting.dec_by(entries.len() as i64);
        let registered = registered.unwrap_or_else(|failure| {
            // It would say in each answer what is one trouble.
            let denied = self.told(&failure);
            entries.iter().map(|_| Err(denied.clone())).collect()
        });
        for (answer, registered) in answers.into_iter().zip(registered) {
            if registered.is_err() {
                self.metrics.refused.inc();
            }
            // Whoever hung up finds the entry when asking again.
            let _ = answer.send(registered);
        }
    }

    fn register(&mut self, entries: &[Box<Entry>]) -> Outcome<Vec<Registered>> {
        let keys = self.keys.clone();
        let (receipts, metrics) = (self.receipts.clone(), self.metrics.clone());
        let place = self.open()?;
        let before = place.head.checkpoint.size;
        let bytes: usize = entries.iter().map(|e| e.sealed.len() + e.statement.bytes().len()).sum();
        place.need_space(2 * bytes as u64 + (1 << 20))?;
        let placed = append::sequenced(place, &keys, |place, edge| {
            let mut placed: Vec<Result<u64, Denied>> = Vec::with_capacity(entries.len());
            let mut journal: Option<(&Claims, Result<Judge, Refusal>)> = None;
            for entry in entries {
                let claims = entry.statement.claims();
                if journal.as_ref().is_none_or(|(held, _)| *held != claims) {
                    // A key event may have come since the entry was looked at.
                    let newest = place.admission(claims)?;
                    let admission = newest.as_ref().unwrap_or(&entry.admission);
                    journal = Some((claims, Judge::new(place, admission, before)?));
                }
                let judge = match journal.as_mut().context("a judge")? {
                    (_, Ok(judge)) => judge,
                    (_, Err(refusal)) => {
                        placed.push(Err(Denied::refused(refusal)));
                        continue;
                    }
                };
                placed.push(match judge.judge(&entry.statement, entry.sealed.len(), edge)? {
                    Ok(Some(there)) => Ok(there),
                    Ok(None) => Ok(judge.push(&entry.statement, &entry.sealed, edge)?),
                    Err(refusal) => {
                        let denied = Denied::refused(&refusal);
                        // A fork leaves its evidence.
                        judge.refused(entry.statement.position.sequence, refusal)?;
                        Err(denied)
                    }
                });
            }
            Ok(placed)
        })?;
        metrics.appended.inc_by(place.head.checkpoint.size.saturating_sub(before));
        let mut tree = Tree::new(place.store.as_ref(), place.head.checkpoint.size);
        let wait = receipts.wait(&place.head);
        let each = placed.into_iter().zip(entries).map(|(placed, entry)| {
            let index = placed?;
            if wait {
                return Ok((index, None));
            }
            let subject = &entry.statement.claims().subject;
            let receipt = receipts.make(&mut tree, &place.head, index, subject);
            receipt.map(|receipt| (index, Some(receipt))).map_err(|why| Denied::trouble(&why))
        });
        Ok(each.collect())
    }

    fn journal(&mut self, claims: &Claims) -> Known {
        let look = |place: &Place| -> Outcome<Option<Admission>> {
            place.rules()?.allowed(claims).map_err(Refusal::from).or_no()?;
            Ok(place.admission(claims)?)
        };
        let known = self.open().and_then(|place| look(place));
        known.map(|known| known.map(Arc::new)).map_err(|failure| self.told(&failure))
    }

    fn batch(&mut self, path: &Path) -> Appended {
        let (keys, metrics, home) = (self.keys.clone(), self.metrics.clone(), self.home.clone());
        let waiting = self.receipts.clone();
        let mut run = || -> Outcome<Option<TempPath>> {
            let place = self.open()?;
            let append::Appended { counts, logged } = append::append(place, path, &keys)?;
            metrics.appended.inc_by(counts.new);
            if waiting.wait(&place.head) {
                return Ok(None);
            }
            let answer = incoming(&home, ".receipts.cbor")?;
            receipts::write(place, &keys, logged, &answer, Existing::Replace)?;
            Ok(Some(answer))
        };
        run().map_err(|failure| self.told(&failure))?.ok_or_else(Denied::waits)
    }

    // What is told to a sender; nothing that names a place of this machine's.
    fn told(&self, failure: &Failure) -> Denied {
        let (Failure::No(why) | Failure::Trouble(why)) = failure;
        let text = text_of(why);
        let mut places = vec![self.home.display().to_string()];
        places.extend(self.place.as_ref().map(|(place, _)| place.store.place()));
        let denied = Denied::failed(failure);
        match denied.names_one_of(&text, &places) {
            true => Denied::trouble(why),
            false => denied,
        }
    }

    // The log, held; it must be one that may sign.
    fn open(&mut self) -> Outcome<&mut Place> {
        match &mut self.place {
            None => {
                self.keys.must_be_current(&self.home)?;
                let place = Place::open(&self.home)?;
                may_sign(&place, &self.keys)?;
                self.place = Some((place, Instant::now()));
            }
            // Another machine may have moved the head: a statement is judged by the newest.
            Some((place, _)) if place.shared => {
                place.follow()?;
                may_sign(place, &self.keys)?;
            }
            Some(_) => {}
        }
        let held = self.place.as_mut().map(|(place, _)| place);
        Ok(held.context("the log was just opened")?)
    }
}

// What keeps a log from signing is nothing that a sender has done.
fn may_sign(place: &Place, keys: &LogKeys) -> Outcome {
    let may = memory::may_sign(place).and_then(|()| manage::must_be_of(place, keys));
    may.map_err(|failure| match failure {
        Failure::No(why) | Failure::Trouble(why) => Failure::Trouble(why),
    })
}

/// Removes what an interrupted server had taken and not answered.
pub(crate) fn clear_incoming(home: &Path) -> Result<()> {
    let folder = home.join("incoming");
    if !files::is_there(&folder)? {
        return Ok(());
    }
    std::fs::remove_dir_all(&folder).with_context(|| format!("clearing {}", folder.display()))
}

/// A new file in the home for what comes or goes; it is removed when it is no longer used.
pub(crate) fn incoming(home: &Path, suffix: &str) -> Result<TempPath> {
    let folder = home.join("incoming");
    files::create_folder(&folder)?;
    let file = tempfile::Builder::new().suffix(suffix).tempfile_in(&folder);
    Ok(file.with_context(|| format!("cannot write to {}", folder.display()))?.into_temp_path())
}
