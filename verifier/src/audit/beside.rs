//! What an audit is told beside the log: the tail on paper, and journals of reads.

use super::engine::Engine;
use super::options::Options;
use crate::openings::Journal;
use crate::records::Row;
use anyhow::{Result, bail};
use coldlog_kit::files;
use coldlog_kit::inputs;
use coldlog_spec::hash::Hash;
use coldlog_spec::verify::audit::{Finding, Kind};

/// The tail that somebody wrote down.
pub(super) struct OnPaper {
    pub(super) wanted: Option<(u64, String)>,
    signer: Option<String>,
    found: Option<Hash>,
}

impl OnPaper {
    pub(super) fn new(options: &Options) -> Result<OnPaper> {
        let wanted = inputs::parse_tail(options.at_least.as_deref())?;
        Ok(OnPaper { wanted, signer: options.signer.clone(), found: None })
    }

    pub(super) fn see(&mut self, row: &Row) {
        let of_it = self.signer.as_ref().is_none_or(|signer| *signer == row.signer);
        let last = self.wanted.as_ref().and_then(|(count, _)| count.checked_sub(1));
        if of_it && last == Some(row.sequence) {
            self.found = Some(row.leaf);
        }
    }

    pub(super) fn judge(&self, engine: &Engine, from: u64) -> Result<Option<Finding>> {
        let Some((count, digits)) = &self.wanted else { return Ok(None) };
        let of_it = |signer: &str| self.signer.as_ref().is_none_or(|name| name == signer);
        let places: Vec<_> =
            engine.journals.places().filter(|(claims, _)| of_it(&claims.issuer)).collect();
        let [(claims, place)] = places.as_slice() else {
            bail!(
                "--at-least is of one journal, {} are in the log: name its signer with --signer",
                places.len()
            );
        };
        let next = place.progress.as_ref().map_or(0, |progress| progress.next);
        let placed = |finding: Finding| Some(finding.of(claims, count.saturating_sub(1)));
        if next < *count {
            let text = format!("{next} records, {count} are on paper");
            return Ok(placed(Finding::new(Kind::TailWithheld, text)));
        }
        match self.found {
            Some(hash) if hash.to_hex().starts_with(digits) => Ok(None),
            Some(hash) => {
                Ok(placed(Finding::new(Kind::TailForked, hash).expected(format!("{digits}..."))))
            }
            None if from > 0 => bail!(
                "the tail of {count} records lies before the part of the log that was looked at: look at the whole log (without --since and --resume), or give a newer tail"
            ),
            None => Ok(placed(Finding::new(Kind::TailForked, "no such record"))),
        }
    }
}

/// Who read what: the journals must be whole, and the readers known.
pub(super) fn journals_of_reads(options: &Options) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let own = &options.opening.openings;
    let own = files::is_there(own)?.then_some(own);
    for path in options.accesses.iter().chain(own) {
        let journal = Journal::read(path)?;
        let file = path.display().to_string();
        if let Err(why) = journal.whole() {
            findings.push(Finding::new(Kind::AccessBroken, why).in_file(&file));
        }
        let strangers = journal
            .reads
            .iter()
            .filter(|read| !options.readers.is_empty() && !options.readers.contains(&read.who));
        let mut told: Vec<&str> = strangers.map(|read| read.who.as_str()).collect();
        told.sort_unstable();
        told.dedup();
        findings.extend(told.into_iter().map(|who| {
            let file = format!("{file}: {who}");
            Finding::new(Kind::AccessUnknown, format!("reads by {who:?}")).in_file(file)
        }));
    }
    Ok(findings)
}
