//! A journal that came out of a backup: that it did, and what the log gives back of it.

use super::{Journal, insert, put_tail};
use anyhow::{Context, Result};
use coldlog_kit::exit::{Outcome, no};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::ed25519::SecretKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::record::Disclosure;
use coldlog_spec::statement::Statement;
use coldlog_spec::verify::append::{Admission, verify_genesis};
use rusqlite::{Transaction, params};

/// Records that did not come from this signer's own run, but back from the log. Made with the first.
const RECOVERED: &str =
    "CREATE TABLE IF NOT EXISTS recovered (sequence INTEGER PRIMARY KEY) STRICT;";
/// The name of the note that a journal came out of a backup; its value says nothing more.
const RESTORED: &str = "restored";

impl Journal {
    /// Whether this journal came out of a backup and was not brought up to date since. It stands in the
    /// journal itself: a copy of it is restored, too.
    pub fn is_restored(&self) -> Result<bool> {
        let mut query = self.db.prepare_cached("SELECT 1 FROM meta WHERE key = ?1")?;
        Ok(query.exists([RESTORED])?)
    }

    /// Refuses a journal that came out of a backup, and does not know what was signed after it.
    pub fn must_be_up_to_date(&self) -> Outcome {
        if !self.is_restored()? {
            return Ok(());
        }
        no(format!(
            "this journal came out of a backup: what was signed after it is not in it, and its numbers would be used twice. Take what the log has (`{}`) and run `signer recover --statements own.statements.cbor --policy POLICY`",
            self.question_for_log()?
        ))
    }

    /// What a log is asked, from the newest head on that the journal knows.
    pub fn question_for_log(&self) -> Result<String> {
        let claims = self.claims();
        let mut asked = format!("log journal-of {} {}", claims.issuer, claims.subject);
        if let [origin] = self.logs()?.as_slice() {
            let head = self.newest_head_of(origin)?.context("it was just listed")?.0;
            asked.push_str(&format!(" --old {}", head.checkpoint.size));
        }
        Ok(asked + " -o own.statements.cbor")
    }

    /// The genesis and the key events: what says which key is in force, and may be told to everybody.
    pub fn events(&self) -> Result<Vec<Vec<u8>>> {
        let mut query = self
            .db
            .prepare("SELECT statement FROM records WHERE document IS NULL ORDER BY sequence")?;
        Ok(query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// What is in force before a record.
    pub fn admission_at(&self, sequence: u64) -> Result<Admission> {
        let mut admission = verify_genesis(self.admission.genesis.bytes())?;
        for event in self.events()?.iter().skip(1) {
            let event = Statement::decode(event)?;
            if event.position.sequence < sequence {
                admission.take(&event)?;
            }
        }
        Ok(admission)
    }

    /// Notes that this journal came out of a backup.
    pub fn mark_restored(&self) -> Result<()> {
        let note: &[u8] = &[];
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", params![RESTORED, note])?;
        Ok(())
    }

    /// Whether a record came back from the log.
    pub fn is_recovered(&self, sequence: u64) -> Result<bool> {
        let mut known =
            self.db.prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = 'recovered'")?;
        if !known.exists([])? {
            return Ok(false);
        }
        let mut query = self.db.prepare_cached("SELECT 1 FROM recovered WHERE sequence = ?1")?;
        Ok(query.exists([sequence])?)
    }

    /// Takes what `each` brings, and notes that the journal is up to date: all in one transaction, or
    /// nothing when `each` fails.
    pub fn recover<E: From<anyhow::Error>>(
        &self,
        key: &SecretKey,
        each: impl FnOnce(&mut Recovering) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let begin = || -> Result<Transaction> {
            let step = self.db.unchecked_transaction()?;
            step.execute_batch(RECOVERED)?;
            Ok(step)
        };
        let mut recovering = Recovering { step: begin()?, newest: None };
        each(&mut recovering)?;
        let end = || -> Result<()> {
            let Recovering { step, newest } = recovering;
            if let Some(newest) = newest {
                put_tail(&step, key, &newest, self.claims())?;
            }
            step.execute("DELETE FROM meta WHERE key = ?1", [RESTORED])?;
            step.commit().context("making what came back durable")
        };
        end().map_err(E::from)
    }
}

/// Takes what comes back while its transaction is open.
pub struct Recovering<'a> {
    step: Transaction<'a>,
    newest: Option<Statement>,
}

impl Recovering<'_> {
    /// Appends a verified record, which follows the newest one.
    pub fn append(
        &mut self,
        statement: Statement,
        sealed: &[u8],
        disclosure: &Disclosure,
    ) -> Result<()> {
        insert(&self.step, &statement, sealed, disclosure, None)?;
        let sequence = statement.position.sequence;
        // Its signature left the machine that died, as far as anybody knows.
        self.step.execute("UPDATE records SET released = 1 WHERE sequence = ?1", [sequence])?;
        self.step.execute("INSERT INTO recovered VALUES (?1)", [sequence])?;
        self.newest = Some(statement);
        Ok(())
    }

    /// Stores a head: one that is cosigned, or that a verified record names by its digest.
    pub fn put_head(&self, head: &SignedCheckpoint) -> Result<()> {
        let note = head.encode();
        let digest = Hash::of(&note);
        let checkpoint = &head.checkpoint;
        self.step.execute(
            "INSERT OR IGNORE INTO heads VALUES (?1, ?2, ?3, ?4)",
            params![&digest.0[..], checkpoint.origin, checkpoint.size, note],
        )?;
        Ok(())
    }
}
