//! What a journal knows of logs: their heads, and the receipts of its records.

use super::{Journal, Logged};
use anyhow::{Context, Result};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::hash::Hash;
use rusqlite::{Connection, OptionalExtension, params};

/// Receipts of further logs: a record's first receipt, and its newer ones by the same log, are with the
/// record. Made with the first receipt of a second log.
const FURTHER: &str = "
    CREATE TABLE IF NOT EXISTS further (sequence INTEGER, origin TEXT, receipt BLOB NOT NULL,
        head BLOB NOT NULL, PRIMARY KEY (sequence, origin)) STRICT, WITHOUT ROWID;";

/// The name of the newest witnessed time.
const WITNESSED: &str = "witnessed";

/// The log of the receipt that is with a record.
const FIRST_LOG: &str = "(SELECT origin FROM heads WHERE note_digest = records.head)";

impl Journal {
    /// The first record without a receipt of any log, and how many there are.
    pub fn waiting(&self) -> Result<Option<(u64, u64)>> {
        self.first_and_count(
            "SELECT min(sequence), count(*) FROM records WHERE receipt IS NULL",
            [],
        )
    }

    /// The first record without a receipt of a log, and how many there are.
    pub fn waiting_for(&self, origin: &str) -> Result<Option<(u64, u64)>> {
        let elsewhere = match self.has_further()? {
            true => {
                "AND NOT EXISTS (SELECT 1 FROM further WHERE further.sequence = records.sequence AND further.origin = ?1)"
            }
            false => "",
        };
        let query = format!(
            "SELECT min(sequence), count(*) FROM records WHERE (receipt IS NULL OR {FIRST_LOG} <> ?1) {elsewhere}"
        );
        self.first_and_count(&query, [origin])
    }

    fn first_and_count(
        &self,
        query: &str,
        values: impl rusqlite::Params,
    ) -> Result<Option<(u64, u64)>> {
        let found = self.db.query_row(query, values, |row| {
            Ok((row.get::<_, Option<u64>>(0)?, row.get::<_, u64>(1)?))
        })?;
        Ok(found.0.map(|first| (first, found.1)))
    }

    /// The logs whose heads this journal remembers.
    pub fn logs(&self) -> Result<Vec<String>> {
        let mut query = self.db.prepare("SELECT DISTINCT origin FROM heads ORDER BY origin")?;
        let found = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(found)
    }

    pub(super) fn head_origin(&self, digest: &Hash) -> Result<String> {
        let mut query =
            self.db.prepare_cached("SELECT origin FROM heads WHERE note_digest = ?1")?;
        query
            .query_row([&digest.0[..]], |row| row.get(0))
            .with_context(|| format!("the journal has no head with the digest {digest}"))
    }

    fn has_further(&self) -> Result<bool> {
        let mut query =
            self.db.prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = 'further'")?;
        Ok(query.exists([])?)
    }

    pub(super) fn further(&self, sequence: u64) -> Result<Vec<Logged>> {
        if !self.has_further()? {
            return Ok(Vec::new());
        }
        let mut query = self
            .db
            .prepare_cached("SELECT origin, receipt, head FROM further WHERE sequence = ?1")?;
        let rows = query.query_map([sequence], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?))
        })?;
        rows.map(|row| {
            let (origin, receipt, head) = row?;
            let head = Hash::from_slice(&head)
                .with_context(|| format!("record {sequence} of the journal is damaged"))?;
            Ok(Logged { origin, receipt, head })
        })
        .collect()
    }

    /// The head that this journal learned last, of whichever log, with the digest of its note.
    pub fn newest_head(&self) -> Result<Option<(SignedCheckpoint, Hash)>> {
        self.head_by("SELECT note FROM heads ORDER BY rowid DESC LIMIT 1", [])
    }

    /// The newest head of a log that this journal remembers.
    pub fn newest_head_of(&self, origin: &str) -> Result<Option<(SignedCheckpoint, Hash)>> {
        self.head_by(
            "SELECT note FROM heads WHERE origin = ?1 ORDER BY size DESC, rowid DESC LIMIT 1",
            [origin],
        )
    }

    fn head_by(
        &self,
        query: &str,
        values: impl rusqlite::Params,
    ) -> Result<Option<(SignedCheckpoint, Hash)>> {
        let note: Option<Vec<u8>> =
            self.db.query_row(query, values, |row| row.get(0)).optional()?;
        note.map(|note| Ok((SignedCheckpoint::decode(&note)?, Hash::of(&note)))).transpose()
    }

    /// The newest time that a quorum of witnesses vouched for, on a head that was imported.
    pub fn witnessed(&self) -> Result<Option<u64>> {
        let mut query = self.db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        let value: Option<Vec<u8>> = query.query_row([WITNESSED], |row| row.get(0)).optional()?;
        let time = value.map(|value| value.try_into().map(u64::from_be_bytes));
        time.transpose()
            .map_err(|_| anyhow::anyhow!("the journal's newest witnessed time is damaged"))
    }

    /// Remembers such a time, in the transaction that is open, if one is.
    pub fn note_witnessed(&self, time: u64) -> Result<()> {
        let time = time.max(self.witnessed()?.unwrap_or(0)).to_be_bytes();
        self.db.execute(
            "INSERT OR REPLACE INTO meta VALUES (?1, ?2)",
            params![WITNESSED, &time[..]],
        )?;
        Ok(())
    }

    /// A head's note by its digest.
    pub fn head_note(&self, digest: &Hash) -> Result<Vec<u8>> {
        let mut query = self.db.prepare_cached("SELECT note FROM heads WHERE note_digest = ?1")?;
        query
            .query_row([&digest.0[..]], |row| row.get(0))
            .with_context(|| format!("the journal has no head with the digest {digest}"))
    }

    /// Stores a verified head and, through `each`, the receipts under it: all in one transaction, or
    /// nothing when `each` fails. Memory does not grow with their number.
    pub fn store_receipts<E: From<anyhow::Error>>(
        &self,
        head: &SignedCheckpoint,
        each: impl FnOnce(&ReceiptStore) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let note = head.encode();
        let digest = Hash::of(&note);
        let begin = || -> Result<rusqlite::Transaction> {
            let step = self.db.unchecked_transaction()?;
            step.execute(
                "INSERT OR IGNORE INTO heads VALUES (?1, ?2, ?3, ?4)",
                params![&digest.0[..], head.checkpoint.origin, head.checkpoint.size, note],
            )?;
            Ok(step)
        };
        let step = begin()?;
        each(&ReceiptStore { db: &step, head: digest, origin: &head.checkpoint.origin })?;
        step.commit().context("making the receipts durable").map_err(E::from)
    }
}

/// Takes the receipts of one head while its transaction is open.
pub struct ReceiptStore<'a> {
    db: &'a Connection,
    head: Hash,
    origin: &'a str,
}

impl ReceiptStore<'_> {
    /// Stores the bare receipt of a record.
    pub fn put(&self, sequence: u64, receipt: &[u8]) -> Result<()> {
        // With the record where it is the first, or of the same log; otherwise beside it.
        let mut update = self.db.prepare_cached(&format!(
            "UPDATE records SET receipt = ?2, head = ?3
             WHERE sequence = ?1 AND (receipt IS NULL OR {FIRST_LOG} = ?4)"
        ))?;
        if update.execute(params![sequence, receipt, &self.head.0[..], self.origin])? == 0 {
            self.db.execute_batch(FURTHER)?;
            let mut insert =
                self.db.prepare_cached("INSERT OR REPLACE INTO further VALUES (?1, ?2, ?3, ?4)")?;
            insert.execute(params![sequence, self.origin, receipt, &self.head.0[..]])?;
        }
        Ok(())
    }
}
