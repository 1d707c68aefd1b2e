//! The monitor's folder: one SQLite database, in which what the rules remember, how far the log was read, the
//! alerts, and the outbox of messages change together or not at all.

mod acknowledgement;
mod outbox;

pub use acknowledgement::{Acknowledgement, Broken};
pub use outbox::{MAX_ALERTS, Message};

use super::engine::Alert;
use super::rules::Rules;
use super::state::{Cell, Change, State};
use anyhow::{Context, Result, bail};
use coldlog_kit::files;
use coldlog_kit::secret;
use coldlog_spec::hash;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::path::{Path, PathBuf};
use std::time::Duration;

const VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    -- What rules remember.
    CREATE TABLE cell (rule TEXT NOT NULL, subject TEXT NOT NULL, cell TEXT NOT NULL, used INTEGER NOT NULL,
        PRIMARY KEY (rule, subject)) WITHOUT ROWID;
    CREATE TABLE alert (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, severity TEXT NOT NULL,
        alert TEXT NOT NULL);
    -- The outbox: a message for each channel and group. It takes alerts until it is first tried.
    CREATE TABLE message (number INTEGER PRIMARY KEY, grouped TEXT NOT NULL, channel TEXT NOT NULL,
        made INTEGER NOT NULL, due INTEGER NOT NULL, tried INTEGER NOT NULL, error TEXT, done INTEGER);
    CREATE INDEX message_open ON message (due) WHERE done IS NULL;
    CREATE INDEX message_group ON message (grouped, channel);
    CREATE TABLE part (message INTEGER NOT NULL, alert INTEGER NOT NULL, PRIMARY KEY (message, alert)) WITHOUT ROWID;
    -- Each names the one before by its digest.
    CREATE TABLE acknowledgement (number INTEGER PRIMARY KEY, alert TEXT NOT NULL, time INTEGER NOT NULL,
        by TEXT NOT NULL, note TEXT NOT NULL, previous TEXT NOT NULL, digest TEXT NOT NULL);
    CREATE INDEX acknowledged ON acknowledgement (alert);
";

/// How long another process may keep the database.
const PATIENCE: Duration = Duration::from_secs(10);

/// The database.
pub struct Store {
    db: Connection,
    path: PathBuf,
}

/// What is committed together.
#[derive(Debug, Default)]
pub struct Batch {
    /// Alerts; those that are there already are left out.
    pub alerts: Vec<Alert>,
    /// What rules remember otherwise.
    pub changes: Vec<Change>,
    /// Facts such as how far the log was read.
    pub facts: Vec<(&'static str, String)>,
}

impl Store {
    /// Opens the database in a folder, or makes both.
    pub fn open(folder: &Path) -> Result<Store> {
        files::create_private_folder(folder)?;
        let store = Store::connect(folder)?;
        let version: i64 = store.db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version == 0 {
            store.make().with_context(|| store.path.display().to_string())?;
        }
        store.checked()
    }

    /// Opens a database that is there.
    pub fn open_existing(folder: &Path) -> Result<Store> {
        if !files::is_there(&file(folder))? {
            bail!("{} is no monitor's folder: `verifier monitor run` makes one", folder.display());
        }
        Store::connect(folder)?.checked()
    }

    fn connect(folder: &Path) -> Result<Store> {
        let path = file(folder);
        let db =
            Connection::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        db.busy_timeout(PATIENCE)?;
        db.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;")?;
        Ok(Store { db, path })
    }

    fn checked(self) -> Result<Store> {
        let version: i64 = self.db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version != VERSION {
            bail!(
                "{} has the version {version}, {VERSION} was expected: another program wrote it",
                self.path.display()
            );
        }
        Ok(self)
    }

    fn make(&self) -> Result<()> {
        let instance = hash::to_hex(&secret::random()?);
        let all = self.db.unchecked_transaction()?;
        all.execute_batch(SCHEMA)?;
        all.execute("INSERT INTO fact VALUES ('instance', ?1)", [instance])?;
        all.execute_batch(&format!("PRAGMA user_version = {VERSION}"))?;
        all.commit()?;
        // The database holds what sealed records hold.
        std::fs::set_permissions(&self.path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .with_context(|| format!("closing {} to others", self.path.display()))
    }

    /// What was written under a name.
    pub fn fact(&self, name: &str) -> Result<Option<String>> {
        let found =
            self.db.query_row("SELECT value FROM fact WHERE name = ?1", [name], |row| row.get(0));
        Ok(found.optional()?)
    }

    /// The same, as a number.
    pub fn number(&self, name: &str) -> Result<Option<u64>> {
        let found = self.fact(name)?;
        found
            .map(|text| {
                text.parse()
                    .with_context(|| format!("{}: {name} is no number", self.path.display()))
            })
            .transpose()
    }

    /// What rules remember.
    pub fn state(&self) -> Result<State> {
        let mut all = self.db.prepare("SELECT rule, subject, cell, used FROM cell")?;
        let rows = all.query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get(3)?))
        })?;
        let mut cells: Vec<(String, String, Cell, u64)> = Vec::new();
        for row in rows {
            let (rule, subject, cell, used) = row?;
            let cell = serde_json::from_str(&cell)
                .with_context(|| format!("{}: what {rule} remembers", self.path.display()))?;
            cells.push((rule, subject, cell, used));
        }
        Ok(State::load(cells))
    }

    /// Commits all of a batch, with the messages that tell of its alerts. Returns how many alerts were new.
    pub fn commit(&mut self, batch: &Batch, rules: &Rules, now: u64) -> Result<usize> {
        let all = self.db.transaction()?;
        for (name, value) in &batch.facts {
            all.execute("INSERT OR REPLACE INTO fact VALUES (?1, ?2)", params![name, value])?;
        }
        for change in &batch.changes {
            write_cell(&all, change)?;
        }
        let mut new = 0;
        for alert in &batch.alerts {
            let text = serde_json::to_string(alert)?;
            let sql = "INSERT OR IGNORE INTO alert (id, severity, alert) VALUES (?1, ?2, ?3)";
            if all.execute(sql, params![alert.id, alert.severity.name(), text])? > 0 {
                new += 1;
                outbox::enter(&all, all.last_insert_rowid(), alert, rules, now)?;
            }
        }
        all.commit().with_context(|| format!("writing {}", self.path.display()))?;
        Ok(new)
    }

    /// Alerts, the oldest first, each with its acknowledgements.
    pub fn alerts(&self, only_open: bool) -> Result<Vec<(Alert, Vec<Acknowledgement>)>> {
        let sql = match only_open {
            true => {
                "SELECT alert FROM alert WHERE id NOT IN (SELECT alert FROM acknowledgement) ORDER BY number"
            }
            false => "SELECT alert FROM alert ORDER BY number",
        };
        let mut all = self.db.prepare(sql)?;
        let rows = all.query_map([], |row| row.get::<_, String>(0))?;
        let mut alerts = Vec::new();
        for row in rows {
            let alert: Alert = serde_json::from_str(&row?)
                .with_context(|| format!("{}: an alert", self.path.display()))?;
            let acknowledged = self.acknowledgements_of(&alert.id)?;
            alerts.push((alert, acknowledged));
        }
        Ok(alerts)
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("monitor.db")
}

fn write_cell(all: &Transaction, change: &Change) -> Result<()> {
    let Change { rule, subject, cell, used } = change;
    match cell {
        Some(cell) => all.execute(
            "INSERT OR REPLACE INTO cell VALUES (?1, ?2, ?3, ?4)",
            params![rule, subject, serde_json::to_string(cell)?, used],
        )?,
        None => all
            .execute("DELETE FROM cell WHERE rule = ?1 AND subject = ?2", params![rule, subject])?,
    };
    Ok(())
}
