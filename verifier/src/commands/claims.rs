//! What records claim of the time, held against the witnesses.

use anyhow::Result;
use coldlog_kit::published::Source;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::policy::Policy;
use coldlog_spec::record::{Clock, Record};
use coldlog_spec::statement::Statement;
use coldlog_spec::tile::head_path;
use coldlog_spec::verify::clock::{Claim, claim};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The bounds of a log's records, as far as its published heads give them.
pub(crate) struct Bounds<'a> {
    source: &'a dyn Source,
    policy: &'a Policy,
    not_after: Option<u64>,
    known: BTreeMap<[u8; 32], Option<u64>>,
}

impl Bounds<'_> {
    /// `not_after`: the time of a head that covers all records that are asked for.
    pub(crate) fn new<'a>(
        source: &'a dyn Source,
        policy: &'a Policy,
        not_after: Option<u64>,
    ) -> Bounds<'a> {
        Bounds { source, policy, not_after, known: BTreeMap::new() }
    }

    /// What a record's time claims.
    pub(crate) fn judge(&mut self, statement: &Statement, record: &Record) -> Result<Claim> {
        Ok(claim(record.time, self.not_before(statement)?, self.not_after))
    }

    // The times of the head that it names; none where the log has it otherwise than the signer knew it.
    pub(crate) fn not_before(&mut self, statement: &Statement) -> Result<Option<u64>> {
        let Some(head) = &statement.position.head else { return Ok(None) };
        if let Some(known) = self.known.get(&head.note.0) {
            return Ok(*known);
        }
        let note = self.source.get(&head_path(head.size), MAX_NOTE)?;
        let note = note.filter(|note| Hash::of(note) == head.note);
        let note = note.and_then(|note| SignedCheckpoint::decode(&note).ok());
        let cosigned = note.and_then(|note| self.policy.verify_head(&note).ok());
        let time = cosigned.and_then(|cosigned| cosigned.not_before());
        self.known.insert(head.note.0, time);
        Ok(time)
    }
}

/// What is wrong with a record's time, in words; `None` where nothing is.
pub(crate) fn words(claim: Claim, odd: Option<&Clock>) -> Option<String> {
    let mut all = Vec::new();
    match claim {
        Claim::Possible => {}
        Claim::BeforeItsHead(seconds) => {
            all.push(format!(
                "impossible: {seconds} seconds before the head that it names was cosigned"
            ));
        }
        Claim::AfterItsLogging(seconds) => {
            all.push(format!(
                "impossible: {seconds} seconds after a head that covers it was cosigned"
            ));
        }
    }
    if let Some(Clock { behind_last, impossible, ahead }) = odd {
        let said = [
            (impossible, "seconds behind a time that had passed"),
            (behind_last, "seconds behind the record before"),
            (ahead, "seconds ahead of all that it knew"),
        ];
        let said = said.iter().filter(|(seconds, _)| **seconds > 0);
        all.extend(said.map(|(seconds, what)| format!("the signer noted: {seconds} {what}")));
    }
    Some(all.join("; ")).filter(|text| !text.is_empty())
}

/// The same for a program.
pub(crate) fn to_json(claim: Claim, odd: Option<&Clock>) -> Value {
    let (verdict, seconds) = match claim {
        Claim::Possible => ("possible", 0),
        Claim::BeforeItsHead(seconds) => ("before its head", seconds),
        Claim::AfterItsLogging(seconds) => ("after its logging", seconds),
    };
    let noted = odd.map(|Clock { behind_last, impossible, ahead }| {
        json!({"behind_last": behind_last, "impossible": impossible, "ahead": ahead})
    });
    json!({"claim": verdict, "seconds": seconds, "noted": noted})
}
