//! The table of records, in memory.

use crate::records::Row;
use anyhow::{Context, Result};
use coldlog_kit::time;
use coldlog_spec::cose::Claims;
use coldlog_spec::verify::audit::{Finding, Severity};
use coldlog_spec::verify::keys::{Made, Revoked};
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

const SCHEMA: &str = "
PRAGMA temp_store = MEMORY;
CREATE TABLE records (
  entry INTEGER PRIMARY KEY, leaf TEXT, signer TEXT, journal TEXT, sequence INTEGER, operation TEXT, key TEXT,
  known_head INTEGER, not_before TEXT, not_after TEXT, claimed TEXT, opened INTEGER, operator TEXT, purpose TEXT,
  device TEXT, approvals INTEGER, factors TEXT, name TEXT, version TEXT, media_type TEXT, size INTEGER, sha256 TEXT,
  scheme TEXT, signature TEXT, state TEXT, findings TEXT
);
CREATE VIRTUAL TABLE words USING fts5 (
  signer, operator, purpose, device, name, version, media_type, findings, content = 'records', content_rowid = 'entry'
);
";

const INSERT: &str = "INSERT INTO records VALUES
  (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)";

/// Which records are wanted; all that is said must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Columns and what they must be.
    pub equal: Vec<(&'static str, String)>,
    /// Not shown to be older: POSIX seconds.
    pub from: Option<u64>,
    /// Not shown to be younger: POSIX seconds.
    pub until: Option<u64>,
    /// Words anywhere, as FTS5 reads them.
    pub text: Option<String>,
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

/// The table.
pub struct Table(Connection);

impl Table {
    /// Empty.
    pub fn new() -> Result<Table> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(SCHEMA)?;
        connection.execute_batch("BEGIN")?;
        Ok(Table(connection))
    }

    /// One more row, with what was found of it.
    pub fn add(&mut self, row: &Row, findings: &[Finding]) -> Result<()> {
        let odd = findings.iter().filter(|one| one.kind.severity() >= Severity::Warning);
        let state = if odd.count() > 0 { "doubtful" } else { "good" };
        let texts: Vec<String> =
            findings.iter().map(|one| format!("{}: {}", one.kind.name(), one.found)).collect();
        let shown = |time: Option<u64>| time.map(time::show);
        let document = row.document.as_ref();
        let mut insert = self.0.prepare_cached(INSERT)?;
        insert.execute(params![
            row.index,
            row.leaf.to_hex(),
            row.signer,
            row.journal,
            row.sequence,
            row.operation,
            row.key,
            row.known_head,
            shown(row.not_before),
            shown(row.not_after),
            shown(row.claimed),
            row.opened,
            row.operator,
            row.purpose,
            row.device,
            row.approvals,
            row.factors.join(", "),
            document.map(|one| &one.name),
            document.map(|one| &one.version),
            document.map(|one| &one.media_type),
            document.map(|one| one.size),
            document.map(|one| one.sha256.to_hex()),
            document.map(|one| &one.scheme),
            document.map(|one| one.signature.to_hex()),
            state,
            texts.join("; "),
        ])?;
        Ok(())
    }

    /// Marks what revocations touch, and makes the table ready for questions: it is only read from then on.
    pub fn revoke(&mut self, revoked: &[(Claims, Revoked)], origin: &str) -> Result<()> {
        for (claims, revoked) in revoked {
            self.revoke_one(claims, revoked, origin)?;
        }
        self.0.execute_batch(
            "COMMIT; INSERT INTO words (words) VALUES ('rebuild'); PRAGMA query_only = ON;",
        )?;
        Ok(())
    }

    fn revoke_one(&self, claims: &Claims, revoked: &Revoked, origin: &str) -> Result<()> {
        let mut select = self.0.prepare(
            "SELECT entry, sequence, not_after FROM records WHERE signer = ?1 AND journal = ?2 AND key = ?3",
        )?;
        let mut update = self.0.prepare("UPDATE records SET state = 'revoked' WHERE entry = ?1")?;
        let key = revoked.key.thumbprint().to_hex();
        let mut rows = select.query(params![claims.issuer, claims.subject, key])?;
        while let Some(row) = rows.next()? {
            let (entry, sequence): (u64, u64) = (row.get(0)?, row.get(1)?);
            let not_after: Option<String> = row.get(2)?;
            let not_after = not_after.and_then(|text| time::parse(&text).ok());
            let places = [(origin, entry)];
            let made = Made { sequence, places: &places, not_after };
            // The revocation itself is by the key that it takes back.
            if !revoked.spares(made) && entry != revoked.place.1 {
                update.execute([entry])?;
            }
        }
        Ok(())
    }

    /// A question in SQL.
    pub fn ask(&self, sql: &str) -> Result<Answer> {
        self.query(sql, Vec::new())
            .with_context(|| "the SQL; the table is called records, full text is in words")
    }

    /// The records that are wanted.
    pub fn filter(&self, filter: &Filter) -> Result<Answer> {
        let mut sql = String::from("SELECT * FROM records WHERE 1");
        let mut values = Vec::new();
        for (column, value) in &filter.equal {
            sql.push_str(&format!(" AND {column} = ?"));
            values.push(Value::from(value.clone()));
        }
        // What was never bounded by a witness is not shown to be outside.
        for (bound, clause) in [
            (filter.from, " AND (not_after IS NULL OR not_after >= ?)"),
            (filter.until, " AND (not_before IS NULL OR not_before <= ?)"),
        ] {
            if let Some(bound) = bound {
                sql.push_str(clause);
                values.push(Value::from(time::show(bound)));
            }
        }
        if let Some(text) = &filter.text {
            sql.push_str(" AND entry IN (SELECT rowid FROM words WHERE words MATCH ?)");
            values.push(Value::from(text.clone()));
        }
        sql.push_str(" ORDER BY entry");
        self.query(&sql, values)
    }

    fn query(&self, sql: &str, values: Vec<Value>) -> Result<Answer> {
        let mut statement = self.0.prepare(sql)?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let count = columns.len();
        let mut found = statement.query(params_from_iter(values))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push((0..count).map(|at| row.get(at)).collect::<Result<Vec<Value>, _>>()?);
        }
        Ok(Answer { columns, rows })
    }
}
