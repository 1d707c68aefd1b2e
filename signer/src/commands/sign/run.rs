//! The run over all documents: records first, group by group, and only then the signatures.

use super::Options;
use super::approvals::{Approvals, What};
use super::records::{earlier, hash, requested, sign_one, signature_bytes, verified};
use super::tasks::Task;
use crate::clock::Clock;
use crate::journal::{Draft, Journal, Row};
use anyhow::{Context, Result};
use coldlog_kit::exit::{Failure, Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::secret;
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::factor::Factor;
use coldlog_spec::record::{Operation, Record, Scheme};
use coldlog_spec::verify::approvals::NotApproved;
use std::io::Write;
use std::path::Path;

pub(super) struct Run<'a> {
    pub(super) journal: Journal,
    pub(super) key: SecretKey,
    pub(super) device: String,
    pub(super) clock: Clock,
    pub(super) operator: String,
    pub(super) scheme: Scheme,
    pub(super) options: &'a Options,
    pub(super) approvals: Approvals,
    pub(super) factors: Vec<Factor>,
    pub(super) signed: u64,
    pub(super) again: u64,
    pub(super) unsigned: u64,
}

// What will be released once its record is durable.
struct Release<'a> {
    // `None` for the record that is made now.
    sequence: Option<u64>,
    task: &'a Task,
    bytes: Vec<u8>,
}

enum Prepared {
    Draft(Box<Record>),
    // Recorded earlier; the signature is still to be released, or not.
    Earlier(Box<Row>),
}

impl Run<'_> {
    // Records of a group become durable by one commit, and only then their signatures leave.
    pub(super) fn group(&mut self, tasks: &[Task]) -> Outcome {
        let mut drafts = Vec::new();
        let mut releases: Vec<Release> = Vec::new();
        for task in tasks {
            match self.prepare(task) {
                Ok(Prepared::Draft(record)) => {
                    let Operation::Sign { signature, .. } = &record.operation else { continue };
                    let bytes = signature.bytes.clone();
                    releases.push(Release { sequence: None, task, bytes });
                    let output = task.output.clone();
                    drafts.push(Draft { record: *record, salt: secret::random()?, output });
                }
                Ok(Prepared::Earlier(row)) => {
                    self.again += 1;
                    if !row.released {
                        let sequence = Some(row.statement.position.sequence);
                        releases.push(Release { sequence, task, bytes: signature_bytes(&row) });
                    }
                }
                Err(why) if self.options.keep_going => {
                    self.unsigned += 1;
                    coldlog_kit::terminal::talk(format!("signer: {}: {why:#}", task.name));
                }
                Err(why) => return Err(refused(why)),
            }
        }
        let statements = self.journal.append(&self.key, drafts)?;
        self.signed += statements.len() as u64;
        // From here on the records are on the disk: the signatures may leave.
        let mut new = statements.iter().map(|statement| statement.position.sequence);
        let mut ready = Vec::with_capacity(releases.len());
        let mut failed = 0;
        for release in releases {
            let Some(sequence) = release.sequence.or_else(|| new.next()) else { continue };
            let row = self.journal.row(sequence)?.context("the record was just written")?;
            match verified(&row) {
                true => ready.push((sequence, release)),
                false => failed += 1,
            }
        }
        release(ready.iter().map(|(_, release)| release), self.options.force)?;
        let released: Vec<u64> = ready.iter().map(|(sequence, _)| *sequence).collect();
        self.journal.mark_released(&released)?;
        if failed > 0 {
            return no(format!(
                "{failed} signatures did not verify after signing: recorded, not released; do not use this machine"
            ));
        }
        Ok(())
    }

    fn prepare(&mut self, task: &Task) -> Result<Prepared> {
        let digest = hash(task, self.scheme)?;
        if let Some(row) =
            earlier(&self.journal, task, &digest, (&self.operator, self.options.force))?
        {
            return Ok(Prepared::Earlier(Box::new(row)));
        }
        task.refuse_existing(self.options.force)?;
        let (time, clock) = self.clock.read()?;
        let document = requested(task, &digest);
        let (operator, purpose) = (self.operator.as_str(), task.purpose.as_str());
        let what = What { document: &document, operator, purpose, time };
        let approved = self.approvals.carry(&self.journal, &what)?;
        let check = self.options.self_check;
        let signed = sign_one(&self.key, task, &digest, check, operator, time)?;
        let (device, factors) = (self.device.clone(), self.factors.clone());
        let record = Record { device, clock, approved, factors, ..signed };
        Ok(Prepared::Draft(Box::new(record)))
    }
}

/// A document that is not approved is a "no"; all else is trouble.
pub(super) fn refused(why: anyhow::Error) -> Failure {
    match why.is::<NotApproved>() {
        true => Failure::No(why),
        false => Failure::Trouble(why),
    }
}

fn release<'a>(releases: impl Iterator<Item = &'a Release<'a>>, replace: bool) -> Result<()> {
    let mut files: Vec<(&Path, &[u8])> = Vec::new();
    for release in releases {
        match &release.task.output {
            Some(path) => {
                files::create_folder(&files::folder_of(path))?;
                files.push((path, &release.bytes));
            }
            None => {
                let mut stdout = std::io::stdout().lock();
                let written = stdout.write_all(&release.bytes).and_then(|()| stdout.flush());
                written.context("writing to stdout")?;
            }
        }
    }
    files::write_all(&files, Existing::from_force(replace), Mode::Public)
}
