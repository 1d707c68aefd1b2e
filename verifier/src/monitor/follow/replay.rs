//! What would have fired: the rules over a log's whole history, with nothing remembered and nothing sent.

use super::{Followed, accesses, expected, finding_event, witnesses};
use crate::monitor::engine::{Alert, Engine};
use crate::monitor::event::{Event, Head, Tick};
use crate::monitor::rules::Rules;
use crate::monitor::state::State;
use crate::records;
use coldlog_kit::exit::Outcome;
use coldlog_kit::published;
use coldlog_kit::time;
use std::collections::BTreeMap;
use std::rc::Rc;

const DAY: u64 = 86_400;
/// The longest pause that is gone through day by day.
const MAX_DAYS: u64 = 400;

/// What was looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Entries.
    pub entries: u64,
    /// Of them, with a record that no identity opened.
    pub closed: u64,
    /// Reads of sealed records.
    pub reads: u64,
}

/// Replays a log; `tell` gets each alert.
pub fn replay(followed: &Followed, rules: Rules, tell: &mut dyn FnMut(Alert)) -> Outcome<Replayed> {
    let (source, policy) = (&*followed.source, &followed.policy);
    // The heads that later records name tell when earlier ones had been logged.
    let mut logged: BTreeMap<u64, u64> = BTreeMap::new();
    records::each(source, policy, &[], 0, &mut |row, _| {
        if let Some((size, time)) = row.known_head.zip(row.not_before) {
            let known = logged.entry(size).or_insert(time);
            *known = (*known).min(time);
        }
        Ok(())
    })?;
    let mut engine = Engine::new(Rc::new(rules), State::default());
    let mut replayed = Replayed::default();
    let mut clock = 0;
    if !followed.identities.is_empty() {
        let head = published::head(source)?.checkpoint;
        followed.opening.note(&head.origin, "verifier monitor test", (0, head.size))?;
    }
    let visited = records::each(source, policy, &followed.identities, 0, &mut |mut row, found| {
        let by_heads = logged.range(row.index + 1..).next().map(|(_, time)| *time);
        row.not_after = by_heads.or(row.not_after);
        replayed.entries += 1;
        // What a log says of itself has no sealed record.
        let own = ["rules", "reseal"].contains(&row.operation.as_str());
        replayed.closed += u64::from(!row.opened && !own);
        let now = row.not_after.unwrap_or_else(time::now).max(clock);
        clock = days(&mut engine, clock, now, tell);
        engine.take(&Event::Row(Box::new(row)), now).into_iter().for_each(&mut *tell);
        for finding in found {
            engine.take(&finding_event(finding), now).into_iter().for_each(&mut *tell);
        }
        Ok(())
    })?;
    let (cosigned, others) = visited;
    for finding in &others {
        engine.take(&finding_event(finding), clock).into_iter().for_each(&mut *tell);
    }
    if let Some(path) = &followed.accesses {
        for (read, _) in accesses::read(path)?.reads {
            replayed.reads += 1;
            let now = read.time;
            engine.take(&Event::Access(read), now).into_iter().for_each(&mut *tell);
        }
    }
    let head = published::head(source)?;
    let now = time::now();
    days(&mut engine, clock, now, tell);
    let head = Head {
        origin: head.checkpoint.origin.clone(),
        size: head.checkpoint.size,
        grown: 0,
        quorum: true,
        witnessed: cosigned.not_after(),
        cosigned: witnesses(policy, &head)?,
        expected: expected(policy),
    };
    for event in [Event::Head(head), Event::Tick(Tick::default())] {
        engine.take(&event, now).into_iter().for_each(&mut *tell);
    }
    Ok(replayed)
}

// The end of each day between two times, for what was silent then.
fn days(engine: &mut Engine, from: u64, to: u64, tell: &mut dyn FnMut(Alert)) -> u64 {
    if from > 0 {
        let count = (to.saturating_sub(from) / DAY).min(MAX_DAYS);
        for day in 1..=count {
            let now = from + day * DAY;
            engine.take(&Event::Tick(Tick::default()), now).into_iter().for_each(&mut *tell);
        }
    }
    to
}
