//! A round: what a log shows becomes events, and what the rules make of them is committed.

mod accesses;
mod journals;
mod replay;

pub use replay::{Replayed, replay};

use super::Severity;
use super::engine::{Alert, Engine};
use super::event::{Event, Finding, Head, Tick, Witness};
use super::rules::Rules;
use super::store::{Batch, Store};
use crate::openings::OpeningArgs;
use crate::records::{self, Row};
use anyhow::{Context, Result, bail};
use coldlog_kit::exit::{Failure, text_of};
use coldlog_kit::published::{self, Source, Tree};
use coldlog_kit::seal::Identity;
use coldlog_kit::time;
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::hash::Hash;
use coldlog_spec::policy::Policy;
use coldlog_spec::verify::audit::Finding as Found;
use journals::Journals;
use std::path::PathBuf;
use std::rc::Rc;

/// Events that are committed at once.
const AT_ONCE: usize = 256;

/// What is followed.
pub struct Followed {
    /// The published log.
    pub source: Box<dyn Source>,
    /// Whom to believe.
    pub policy: Policy,
    /// What opens sealed records.
    pub identities: Vec<Identity>,
    /// Who opens them, and why.
    pub opening: OpeningArgs,
    /// A copy of the log's access journal.
    pub accesses: Option<PathBuf>,
    /// Whether rules also tell of what is in the log already when it is followed first.
    pub history: bool,
}

/// What a round did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// The log's name and size; none where it could not be read.
    pub head: Option<(String, u64)>,
    /// Up to which entry rules have looked.
    pub position: u64,
    /// Entries that were only learnt from.
    pub learnt: u64,
    /// New alerts.
    pub alerts: usize,
    /// Why the log could not be read.
    pub failing: Option<String>,
}

/// A monitor at work.
pub struct Monitor {
    followed: Followed,
    rules: Rc<Rules>,
    store: Store,
    /// None after a round that failed: what it remembers was not committed.
    engine: Option<Engine>,
    journals: Journals,
    /// What waits to be committed, and how many events that is.
    waits: Vec<Alert>,
    events: usize,
}

impl Monitor {
    /// With a database that nobody else follows a log into.
    pub fn new(followed: Followed, rules: Rules, store: Store) -> Monitor {
        let rules = Rc::new(rules);
        let journals = Journals::default();
        Monitor { followed, rules, store, engine: None, journals, waits: Vec::new(), events: 0 }
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Looks once. What was committed stays; an error takes back the rest.
    pub fn round(&mut self) -> Result<Round> {
        let done = self.look();
        if done.is_err() {
            self.engine = None;
            self.waits.clear();
            self.events = 0;
        }
        done
    }

    fn look(&mut self) -> Result<Round> {
        if self.engine.is_none() {
            self.engine = Some(Engine::new(self.rules.clone(), self.store.state()?));
            self.journals = Journals::read(self.store.fact("journals")?.as_deref())?;
        }
        let mut round =
            Round { position: self.store.number("position")?.unwrap_or(0), ..Round::default() };
        let mut facts = Vec::new();
        let now = time::now();
        // A log that cannot be read is something to tell of, and not the end.
        let head = published::head(&*self.followed.source).and_then(|head| {
            self.followed.policy.verify_log(&head).map(|()| head).map_err(Into::into)
        });
        let mut behind = 0;
        let read = match head {
            Ok(head) => self.entries(&head, &mut round, &mut behind)?,
            Err(why) => Err(why),
        };
        let mut tick = Tick { behind, ..Tick::default() };
        tick.behind_for = self.lasts("behind_since", behind > 0, now, &mut facts)?;
        tick.failing_for = self.lasts("failing_since", read.is_err(), now, &mut facts)?;
        if let Err(why) = read {
            tick.failing = Some(text_of(&why));
            round.failing = tick.failing.clone();
        }
        round.alerts += self.read_accesses()?;
        let oldest = self.store.waiting()?.1;
        tick.undelivered_for = oldest.map_or(0, |oldest| now.saturating_sub(oldest));
        self.take(&Event::Tick(tick), false)?;
        round.alerts += self.commit(facts)?;
        Ok(round)
    }

    // For how many seconds something has been so; since when is remembered under a name.
    fn lasts(
        &self,
        name: &'static str,
        is: bool,
        now: u64,
        facts: &mut Vec<(&'static str, String)>,
    ) -> Result<u64> {
        let since = self.store.fact(name)?.filter(|since| !since.is_empty());
        if !is {
            facts.extend(since.map(|_| (name, String::new())));
            return Ok(0);
        }
        let since = since.and_then(|since| since.parse().ok()).unwrap_or(now);
        facts.push((name, since.to_string()));
        Ok(now.saturating_sub(since))
    }

    // The outer error is of this machine, the inner one of the log.
    fn entries(
        &mut self,
        head: &SignedCheckpoint,
        round: &mut Round,
        behind: &mut u64,
    ) -> Result<Result<()>> {
        let now = time::now();
        let checkpoint = &head.checkpoint;
        let origin = self.store.fact("origin")?;
        if let Some(origin) = origin.filter(|origin| *origin != checkpoint.origin) {
            bail!(
                "this folder follows {origin}, and not {}: name another one with --state",
                checkpoint.origin
            );
        }
        round.head = Some((checkpoint.origin.clone(), checkpoint.size));
        let before = self.last_head()?;
        let found = match contradiction(&*self.followed.source, checkpoint, before.as_ref()) {
            Ok(found) => found,
            Err(why) => return Ok(Err(why)),
        };
        let contradicts = found.is_some();
        if let Some(finding) = found {
            self.take(&Event::Finding(finding), false)?;
        }
        let cosigned = self.followed.policy.verify_head(head).ok();
        let mut facts = vec![("origin", checkpoint.origin.clone())];
        if let Some(time) = cosigned.as_ref().and_then(|cosigned| cosigned.not_after()) {
            let newest = self.store.number("witnessed")?.unwrap_or(0).max(time);
            facts.push(("witnessed", newest.to_string()));
        }
        if !contradicts {
            facts.push(("head", format!("{} {}", checkpoint.size, checkpoint.root.to_hex())));
        }
        let first = self.store.fact("learn")?.is_none();
        if first {
            // What is there already when a log is followed first is learnt from, and not told of.
            let learn = if self.followed.history { 0 } else { checkpoint.size };
            facts.push(("learn", learn.to_string()));
        }
        let size_before = before.map_or(checkpoint.size, |(size, _)| size);
        round.alerts += self.commit(facts)?;
        let head_event = Head {
            origin: checkpoint.origin.clone(),
            size: checkpoint.size,
            grown: checkpoint.size.saturating_sub(size_before),
            quorum: cosigned.is_some(),
            witnessed: self.store.number("witnessed")?,
            cosigned: witnesses(&self.followed.policy, head)?,
            expected: expected(&self.followed.policy),
        };
        self.take(&Event::Head(head_event), false)?;
        *behind = checkpoint.size.saturating_sub(round.position);
        if contradicts || cosigned.is_none() {
            return Ok(Ok(()));
        }
        let read = self.rows(round, now)?;
        *behind = checkpoint.size.saturating_sub(round.position);
        Ok(read)
    }

    // The same two errors: what was not committed here must not be passed over.
    fn rows(&mut self, round: &mut Round, now: u64) -> Result<Result<()>> {
        let learn = self.store.number("learn")?.unwrap_or(0);
        let source = std::mem::replace(&mut self.followed.source, Box::new(Nowhere));
        let identities = std::mem::take(&mut self.followed.identities);
        let policy = self.followed.policy.clone();
        let from = round.position;
        self.journals.begin();
        if let (Some((origin, size)), false) = (&round.head, identities.is_empty())
            && from < *size
        {
            self.followed.opening.note(origin, "verifier monitor", (from, size - from))?;
        }
        let mut ours = Ok(());
        let mut visit = |row: Row, findings: &[Found]| -> Result<()> {
            ours = self.row(row, findings, round, learn, now);
            if ours.is_err() { bail!("not committed") } else { Ok(()) }
        };
        let read = records::each(&*source, &policy, &identities, from, &mut visit);
        self.followed.source = source;
        self.followed.identities = identities;
        ours?;
        if let Ok((_, others)) = &read {
            for finding in others {
                self.take(&finding_event(finding), false)?;
            }
        }
        // What was read before the log failed is read.
        round.alerts += self.commit(self.place(round))?;
        Ok(match read {
            Ok(_) => Ok(()),
            Err(Failure::No(why) | Failure::Trouble(why)) => Err(why),
        })
    }

    fn row(
        &mut self,
        row: Row,
        findings: &[Found],
        round: &mut Round,
        learn: u64,
        now: u64,
    ) -> Result<()> {
        let index = row.index;
        let quiet = index < learn;
        let seam = self.journals.take(&row, findings);
        self.take_at(&Event::Row(Box::new(row)), quiet, now)?;
        for finding in findings.iter().chain(&seam) {
            self.take_at(&finding_event(finding), quiet, now)?;
        }
        round.learnt += u64::from(quiet);
        round.position = index + 1;
        if self.events >= AT_ONCE {
            round.alerts += self.commit(self.place(round))?;
        }
        Ok(())
    }

    // How far rules have looked, in the log and in each journal.
    fn place(&self, round: &Round) -> Vec<(&'static str, String)> {
        vec![("position", round.position.to_string()), ("journals", self.journals.text())]
    }

    fn last_head(&self) -> Result<Option<(u64, Hash)>> {
        let Some(text) = self.store.fact("head")? else { return Ok(None) };
        let parsed = text
            .split_once(' ')
            .and_then(|(size, root)| Some((size.parse().ok()?, Hash::from_hex(root)?)));
        Ok(Some(parsed.context("the last head in the database is damaged")?))
    }

    fn take(&mut self, event: &Event, quiet: bool) -> Result<()> {
        self.take_at(event, quiet, time::now())
    }

    fn take_at(&mut self, event: &Event, quiet: bool, now: u64) -> Result<()> {
        let engine = self.engine.as_mut().context("no rules are loaded")?;
        let alerts = engine.take(event, now);
        self.events += 1;
        if !quiet {
            self.waits.extend(alerts);
        }
        Ok(())
    }

    // All that was taken since the last time, and how far that is.
    fn commit(&mut self, facts: Vec<(&'static str, String)>) -> Result<usize> {
        let engine = self.engine.as_mut().context("no rules are loaded")?;
        let changes = engine.state().take_changes();
        let batch = Batch { alerts: std::mem::take(&mut self.waits), changes, facts };
        self.events = 0;
        self.store.commit(&batch, &self.rules, time::now())
    }
}

// What the audit found, for rules.
fn finding_event(found: &Found) -> Event {
    let severity = found.kind.severity();
    let place = crate::audit::place(found);
    let text = match found.expected.as_str() {
        "" => format!("{place}: {}", found.found),
        expected => format!("{place}: expected {expected}, found {}", found.found),
    };
    Event::Finding(Finding { kind: found.kind.name().into(), severity, index: found.index, text })
}

/// In the place of a source that is lent.
struct Nowhere;

impl Source for Nowhere {
    fn get(&self, path: &str, _: usize) -> Result<Option<Vec<u8>>> {
        bail!("{path} cannot be read now")
    }
}

// Whether a head denies what was seen before.
fn contradiction(
    source: &dyn Source,
    head: &Checkpoint,
    before: Option<&(u64, Hash)>,
) -> Result<Option<Finding>> {
    let Some((size, root)) = before else { return Ok(None) };
    let finding =
        |severity, text| Ok(Some(Finding { kind: "history".into(), severity, index: None, text }));
    if head.size < *size {
        let text = format!(
            "the log went back from {size} entries to {}: an old copy, or one that was put back",
            head.size
        );
        return finding(Severity::High, text);
    }
    let mut tree = Tree::new(source, head.size);
    if tree.root()? != head.root {
        let text = format!(
            "the tiles do not give the root of the head of size {}: somebody altered them",
            head.size
        );
        return finding(Severity::Critical, text);
    }
    let now = tree.root_at(*size)?;
    if now != *root {
        let text = format!(
            "two histories: the first {size} entries had the root {root}, now they have {now}; keep both heads, and run `verifier watch`"
        );
        return finding(Severity::Critical, text);
    }
    Ok(None)
}

// The parties that cosigned a head. One with several keys is one.
fn witnesses(policy: &Policy, head: &SignedCheckpoint) -> Result<Vec<Witness>> {
    let mut all: Vec<Witness> = Vec::new();
    for line in policy.witness_times(head)? {
        let party = party(policy, &line.name);
        match all.iter_mut().find(|witness| witness.name == party) {
            Some(witness) => witness.time = witness.time.max(line.time),
            None => all.push(Witness { name: party, time: line.time }),
        }
    }
    Ok(all)
}

fn party(policy: &Policy, name: &str) -> String {
    let found = policy.witnesses.iter().find(|(known, _)| known == name);
    found.map_or(name, |(_, key)| key.name.as_str()).to_owned()
}

fn expected(policy: &Policy) -> Vec<String> {
    let mut all: Vec<String> = policy.witnesses.iter().map(|(_, key)| key.name.clone()).collect();
    all.sort();
    all.dedup();
    all
}
