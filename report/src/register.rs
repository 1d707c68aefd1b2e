//! The register of findings: a CSV file that goes from report to report. Programs add what they find and
//! keep the rest; people enter state, action, owner and note, with an editor or a spreadsheet. Nothing that
//! a person wrote is lost, and nothing that is not understood is passed over.
//!
//! ```text
//! id,kind,severity,state,action,owner,note,place,expected,found,first_reported,last_seen
//! F-1c29…,expired approval,high,in work,ask for a new one,Ada,,entry 17,…,…,2026-Q2,2026-Q3
//! ```
//!
//! Spreadsheets take a cell that begins with `=`, `+`, `-` or `@` for a formula and run it. Such a cell is
//! written with an apostrophe before it, which is taken off when it is read.

mod csv_file;
mod error;

pub use error::{Fault, RegisterError};

use crate::model::{Finding, Severity};
use crate::text;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

/// The largest register that is read.
pub const MAX_BYTES: usize = 64 << 20;
/// The most findings that a register has.
pub const MAX_FINDINGS: usize = 100_000;

/// The register: findings in the order in which they were entered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Register {
    findings: Vec<Finding>,
}

/// Something that was found in this period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// What kind of finding it is; the same words in every report.
    pub kind: String,
    /// How much it weighs.
    pub severity: Severity,
    /// The signer that it is about; empty where it is about none.
    pub signer: String,
    /// The entry's place in the log, where it is about one.
    pub index: Option<u64>,
    /// The record's number in its journal, where it is about one.
    pub sequence: Option<u64>,
    /// Where it is, in words.
    pub place: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

/// The identifier of a finding, `F-` and 16 hexadecimal digits: the beginning of SHA-256 over its kind,
/// signer, index and sequence number, each with its length or presence before it, so that no two join to
/// the same bytes. A spreadsheet does not take it for a number.
pub fn id(kind: &str, signer: &str, index: Option<u64>, sequence: Option<u64>) -> String {
    let mut digest = Sha256::new();
    for text in [kind, signer] {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    for number in [index, sequence] {
        digest.update([u8::from(number.is_some())]);
        digest.update(number.unwrap_or(0).to_be_bytes());
    }
    let short = digest.finalize();
    "F-".to_owned() + &short[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
}

impl Register {
    /// Reads a register. An empty file is an empty register.
    ///
    /// # Errors
    /// The first thing that is not as it should be, with its line.
    pub fn read(bytes: &[u8]) -> Result<Register, RegisterError> {
        Ok(Register { findings: csv_file::read(bytes)? })
    }

    /// The register as a file.
    pub fn write(&self) -> Vec<u8> {
        csv_file::write(&self.findings)
    }

    /// All findings, for a report.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Takes what was found in a period. What is known keeps all that people entered, and its place in the
    /// file; what is new is added as open; what was not found again stays as it is.
    ///
    /// # Errors
    /// When there would be too many findings; then nothing is taken.
    pub fn take(&mut self, seen: &[Seen], period: &str) -> Result<(), RegisterError> {
        let mut known: HashMap<String, usize> = HashMap::new();
        for (place, finding) in self.findings.iter().enumerate() {
            known.insert(finding.id.clone(), place);
        }
        let mut taken = self.findings.clone();
        let mut met = HashSet::new();
        for one in seen {
            let id = unlike(id(&one.kind, &one.signer, one.index, one.sequence), &mut met);
            let place = *known.entry(id.clone()).or_insert_with(|| {
                let first_reported = text::line(period);
                taken.push(Finding { id, first_reported, ..Finding::default() });
                taken.len() - 1
            });
            if let Some(finding) = taken.get_mut(place) {
                refresh(finding, one, period);
            }
        }
        if taken.len() > MAX_FINDINGS {
            return Err(RegisterError::whole(Fault::TooMany));
        }
        self.findings = taken;
        Ok(())
    }
}

// Two findings of one kind at one place are told apart by their order.
fn unlike(id: String, met: &mut HashSet<String>) -> String {
    let mut one = id.clone();
    let mut count = 2;
    while !met.insert(one.clone()) {
        one = format!("{id}-{count}");
        count += 1;
    }
    one
}

// The program's own columns. They are cut and escaped as reports show them: the file is read in editors
// and at terminals, too.
fn refresh(finding: &mut Finding, seen: &Seen, period: &str) {
    finding.kind = text::line(&seen.kind);
    finding.severity = seen.severity;
    finding.place = text::line(&seen.place);
    finding.expected = text::line(&seen.expected);
    finding.found = text::line(&seen.found);
    finding.last_seen = text::line(period);
}

#[cfg(test)]
mod tests;
