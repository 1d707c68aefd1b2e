//! The reads in a copy of a log's access journal.

use super::Monitor;
use crate::monitor::Severity;
use crate::monitor::event::{Event, Finding, Read};
use anyhow::{Context, Result};
use coldlog_kit::sequence::{CutShort, Reader};
use coldlog_spec::access::{Access, MAX_ITEM, decode_header, follows};
use coldlog_spec::hash::Hash;
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
    let mut reader = Reader::open(path, "coldlog-access", MAX_ITEM)?.without_digest();
    let header = reader.next()?.with_context(|| format!("{} is empty", path.display()))?;
    decode_header(&header)?;
    let mut journal = Journal { reads: Vec::new(), broken: None };
    let (mut previous, mut number) = (Hash::of(&header), 0);
    loop {
        let item = match reader.next() {
            Ok(Some(item)) => item,
            Ok(None) => return Ok(journal),
            // A server writes it now: it is whole the next time.
            Err(why) if why.is::<CutShort>() => return Ok(journal),
            Err(why) => return Err(why),
        };
        number += 1;
        let access = Access::decode(&item)
            .with_context(|| format!("read {number} in {}", path.display()))?;
        match follows(&access, number, previous) {
            Ok(next) => previous = next,
            Err(broken) => {
                journal.broken = Some(broken.to_string());
                return Ok(journal);
            }
        }
        let Access { time, reader, address, first, count, .. } = access;
        let read = Read { number, time, reader, address, first, count };
        journal.reads.push((read, previous.to_hex()));
    }
}
