//! How far each journal was when the last round ended. The audit of a round checks what follows within it; what
//! comes first of a journal in a round must follow the last of the rounds before.

use crate::records::Row;
use anyhow::{Context, Result};
use coldlog_spec::cose::Claims;
use coldlog_spec::hash::Hash;
use coldlog_spec::verify::append::Progress;
use coldlog_spec::verify::audit::{Finding, Kind, must_follow};
use std::collections::{BTreeMap, BTreeSet};

/// The journals that were seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Journals {
    at: BTreeMap<Claims, Progress>,
    /// Those of which this round has seen something.
    seen: BTreeSet<Claims>,
}

impl Journals {
    /// As [`Journals::text`] wrote them down; none where nothing was written yet.
    pub(super) fn read(text: Option<&str>) -> Result<Journals> {
        let line = |line: &str| {
            let mut words = line.split(' ');
            let next = words.next()?.parse().ok()?;
            let head = Some(Hash::from_hex(words.next()?)?);
            let (issuer, subject) = (words.next()?.into(), words.next()?.into());
            Some((Claims { issuer, subject }, Progress { next, head }))
        };
        let read: Option<_> = text.unwrap_or_default().lines().map(line).collect();
        let at = read.context("the places of journals in the database are damaged")?;
        Ok(Journals { at, seen: BTreeSet::new() })
    }

    /// A line for each: next number, newest statement, issuer, subject. Names have no spaces.
    pub(super) fn text(&self) -> String {
        let lines = self.at.iter().filter_map(|(claims, progress)| {
            let Claims { issuer, subject } = claims;
            Some(format!("{} {} {issuer} {subject}\n", progress.next, progress.head?))
        });
        lines.collect()
    }

    /// A round begins.
    pub(super) fn begin(&mut self) {
        self.seen.clear();
    }

    /// Takes the next entry, with what the audit found of it. Returns what is wrong where it follows another round.
    pub(super) fn take(&mut self, row: &Row, findings: &[Finding]) -> Option<Finding> {
        // What a log says of itself is replayed whole, and a revocation outside of its journal follows nothing.
        let apart = match row.operation.as_str() {
            "rules" | "reseal" => true,
            "revocation" => row.sequence == 0,
            _ => false,
        };
        let of_nobody = [Kind::StatementSignature, Kind::StatementKey, Kind::NoGenesis];
        if apart || findings.iter().any(|one| of_nobody.contains(&one.kind)) {
            return None;
        }
        let claims = Claims { issuer: row.signer.clone(), subject: row.journal.clone() };
        let after = Progress { next: row.sequence.saturating_add(1), head: Some(row.leaf) };
        let before = self.at.insert(claims.clone(), after);
        let is_first = self.seen.insert(claims.clone());
        let wrong = before.filter(|_| is_first).and_then(|before| {
            // Where the round knew of it all, it has told already.
            must_follow(&before, row.sequence, row.previous)
                .filter(|one| !findings.iter().any(|told| told.kind == one.kind))
        });
        wrong.map(|one| one.at(row.index).of(&claims, row.sequence))
    }
}
