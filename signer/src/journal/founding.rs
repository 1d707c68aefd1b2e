//! What the journal's genesis says of people, and what the journal remembers of their factors.

use super::Journal;
use anyhow::{Context, Result};
use coldlog_spec::approval::ApprovalPolicy;
use coldlog_spec::factor::SecondFactor;
use coldlog_spec::hash::Hash;
use coldlog_spec::record::Operation;
use rusqlite::{OptionalExtension, params};

/// Who must approve, and what opens the key.
#[derive(Debug, Clone)]
pub struct Founding {
    /// The approvers.
    pub approvals: ApprovalPolicy,
    /// What must be given beside the passphrase.
    pub second_factor: Option<SecondFactor>,
}

impl Journal {
    /// What the genesis says, and the newest change of it.
    pub fn founding(&self) -> Result<Founding> {
        let mut founding = None;
        for sequence in self.event_numbers()? {
            let row = self.row(sequence)?.context("a key event is missing")?;
            match (row.disclosure.record.operation, &mut founding) {
                (Operation::Genesis { approvals, second_factor, .. }, None) => {
                    founding = Some(Founding { approvals, second_factor });
                }
                (Operation::KeyEvent { approvals: Some(approvals), .. }, Some(founding)) => {
                    founding.approvals = approvals;
                }
                _ => {}
            }
        }
        founding.context("the journal does not begin with a genesis")
    }

    // The numbers of the genesis and the key events, in order.
    fn event_numbers(&self) -> Result<Vec<u64>> {
        let mut query = self.db.prepare_cached(
            "SELECT sequence FROM records WHERE document IS NULL ORDER BY sequence",
        )?;
        Ok(query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// The step of the newest one-time code that was taken.
    pub fn last_step(&self) -> Result<Option<u64>> {
        let step =
            self.db.query_row("SELECT value FROM meta WHERE key = 'totp'", [], |row| row.get(0));
        let step: Option<Vec<u8>> = step.optional()?;
        let step = step.map(|bytes| bytes.try_into().map(u64::from_be_bytes));
        step.transpose().map_err(|_| anyhow::anyhow!("the step of the newest code is damaged"))
    }

    /// Remembers, durably, the step of a code that is taken now.
    pub fn take_step(&mut self, step: u64) -> Result<()> {
        let bytes = step.to_be_bytes().to_vec();
        self.db.execute("INSERT OR REPLACE INTO meta VALUES ('totp', ?1)", params![bytes])?;
        Ok(())
    }

    /// The record for which the approval of a document was used, by request and place in it.
    pub fn used_by(&self, document: &Hash, request: &Hash, index: u64) -> Result<Option<u64>> {
        let used = self.of_document(document)?.into_iter().find(|row| {
            let carried = &row.disclosure.record.approved;
            carried.index == index
                && carried.approvals.first().is_some_and(|one| one.terms.id == *request)
        });
        Ok(used.map(|row| row.statement.position.sequence))
    }
}
