//! The reads in a copy of a log's access journal.

use super::Monitor;
use crate::monitor::Severity;
use crate::monitor::event::{Event, Finding, Read};
use crate::openings;
use anyhow::Result;
use std::path::Path;

/// What a journal holds, and what is wrong with it.
pub(super) struct Journal {
    /// Each with its digest.
    pub(super) reads: Vec<(Read, String)>,
    pub(super) broken: Option<String>,
}

impl Monitor {
    /// Looks at the reads that are new; one transaction. Returns how many alerts were new.
    pub(super) fn read_accesses(&mut self) -> Result<usize> {
        let Some(path) = self.followed.accesses.clone() else { return Ok(0) };
        let journal = read(&path)?;
        let before = self.store.fact("accesses")?;
        let quiet = before.is_none() && !self.followed.history;
        let (known, digest): (usize, String) =
            match before.as_deref().and_then(|text| text.split_once(' ')) {
                Some((number, digest)) => (number.parse().unwrap_or(0), digest.to_owned()),
                None => (0, String::new()),
            };
        let there = known.checked_sub(1).map(|last| journal.reads.get(last));
        let altered = there.is_some_and(|there| there.is_none_or(|(_, found)| *found != digest));
        let altered = altered.then(|| {
            format!("read {known} of the access journal is not the one that was there before: reads were removed or altered")
        });
        for text in altered.iter().cloned().chain(journal.broken) {
            let kind = "access-journal".into();
            let finding = Finding { kind, severity: Severity::Critical, index: None, text };
            self.take(&Event::Finding(finding), false)?;
        }
        if altered.is_some() {
            return self.commit(Vec::new());
        }
        let mut last = (known, digest);
        for (read, digest) in journal.reads.into_iter().skip(known) {
            self.take(&Event::Access(read), quiet)?;
            last = (last.0 + 1, digest);
        }
        self.commit(vec![("accesses", format!("{} {}", last.0, last.1))])
    }
}

/// Reads a journal up to where it breaks.
pub(super) fn read(path: &Path) -> Result<Journal> {
    let journal = openings::Journal::read(path)?;
    let broken = journal.whole().err();
    let sound = broken.as_ref().map_or(u64::MAX, |broken| broken.number.saturating_sub(1));
    // The first digest is the header's.
    let digests = journal.digests.iter().skip(1);
    let reads = (1..=sound).zip(journal.reads).zip(digests).map(|((number, read), digest)| {
        let openings::Read { time, who: reader, why: address, first, count, .. } = read;
        (Read { number, time, reader, address, first, count }, digest.to_hex())
    });
    Ok(Journal { reads: reads.collect(), broken: broken.map(|broken| broken.to_string()) })
}
