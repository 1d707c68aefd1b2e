//! Messages that wait to be delivered. Each is kept until a channel took it, however often that takes.

use super::Store;
use crate::monitor::engine::Alert;
use crate::monitor::rules::{Rule, Rules};
use anyhow::{Context, Result};
use coldlog_spec::hash::Hash;
use rusqlite::{OptionalExtension, Transaction, params};

/// The most alerts in a message.
pub const MAX_ALERTS: u64 = 100;
/// The longest time between two attempts, in seconds.
const LONGEST: u64 = 3600;
/// The shortest.
const SHORTEST: u64 = 5;

/// Alerts of one group, for one channel.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its number in the outbox.
    pub number: u64,
    /// The same each time that it is sent: who got it already knows it by that.
    pub id: String,
    /// The channel's name.
    pub channel: String,
    /// What its alerts have in common.
    pub group: String,
    /// When it was made, in POSIX seconds.
    pub made: u64,
    /// The alerts.
    pub alerts: Vec<Alert>,
}

/// Puts a new alert into the messages of its channels.
pub(super) fn enter(
    all: &Transaction,
    number: i64,
    alert: &Alert,
    rules: &Rules,
    now: u64,
) -> Result<()> {
    let rule = rules.rules.iter().find(|rule| rule.name == alert.rule);
    let to = rule.map(|rule| rule.to.as_slice()).unwrap_or_default();
    let hold = rule.map_or(0, |rule: &Rule| rule.hold);
    for channel in &rules.channels {
        let meant = to.is_empty() || to.contains(&channel.name);
        if meant && alert.severity >= channel.at_least {
            let message = message_for(all, &alert.group, &channel.name, hold, now)?;
            all.execute("INSERT INTO part VALUES (?1, ?2)", params![message, number])?;
        }
    }
    Ok(())
}

// One that was never tried takes more. What was tried may have arrived: another must tell of what came since.
fn message_for(all: &Transaction, group: &str, channel: &str, hold: u64, now: u64) -> Result<i64> {
    let open = all
        .query_row(
            "SELECT number FROM message m WHERE grouped = ?1 AND channel = ?2 AND tried = 0 AND done IS NULL
             AND (SELECT count(*) FROM part WHERE message = m.number) < ?3 ORDER BY number DESC LIMIT 1",
            params![group, channel, MAX_ALERTS],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(open) = open {
        return Ok(open);
    }
    let last: Option<u64> = all.query_row(
        "SELECT max(due) FROM message WHERE grouped = ?1 AND channel = ?2 AND tried > 0",
        params![group, channel],
        |row| row.get(0),
    )?;
    let due = last.map_or(now, |last| now.max(last.min(now).saturating_add(hold)));
    all.execute(
        "INSERT INTO message (grouped, channel, made, due, tried) VALUES (?1, ?2, ?3, ?4, 0)",
        params![group, channel, now, due],
    )?;
    Ok(all.last_insert_rowid())
}

impl Store {
    /// The messages that are due, the oldest first.
    pub fn due(&self, now: u64, limit: usize) -> Result<Vec<Message>> {
        let mut all = self.db.prepare(
            "SELECT number, grouped, channel, made FROM message WHERE done IS NULL AND due <= ?1
             ORDER BY due, number LIMIT ?2",
        )?;
        let rows = all.query_map(params![now, limit], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
        let instance = self.fact("instance")?.context("the database has no name")?;
        let mut messages = Vec::new();
        for row in rows {
            let (number, group, channel, made): (u64, String, String, u64) = row?;
            let id = Hash::of(format!("coldlog message {instance} {number}").as_bytes()).to_hex();
            let alerts = self.alerts_of(number)?;
            messages.push(Message {
                number,
                id: id[..32].to_owned(),
                channel,
                group,
                made,
                alerts,
            });
        }
        Ok(messages)
    }

    fn alerts_of(&self, message: u64) -> Result<Vec<Alert>> {
        let mut all = self.db.prepare(
            "SELECT a.alert FROM part p JOIN alert a ON a.number = p.alert WHERE p.message = ?1 ORDER BY a.number",
        )?;
        let rows = all.query_map([message], |row| row.get::<_, String>(0))?;
        rows.map(|row| Ok(serde_json::from_str(&row?)?)).collect()
    }

    /// Writes down that a message is about to be tried: from here on it takes no more alerts. It is due again
    /// later, each time twice as late, should nobody say that it was delivered.
    pub fn try_message(&self, message: u64, now: u64) -> Result<()> {
        let tried: u32 =
            self.db.query_row("SELECT tried FROM message WHERE number = ?1", [message], |row| {
                row.get(0)
            })?;
        let wait = SHORTEST.saturating_mul(1 << tried.min(20)).min(LONGEST);
        self.db.execute(
            "UPDATE message SET tried = tried + 1, due = ?2, error = NULL WHERE number = ?1",
            params![message, now.saturating_add(wait)],
        )?;
        Ok(())
    }

    /// What was being tried when a process died is due at once: nobody refused it. The caller holds the folder.
    pub fn resume(&self, now: u64) -> Result<()> {
        let sql = "UPDATE message SET due = min(due, ?1) WHERE done IS NULL AND tried > 0 AND error IS NULL";
        self.db.execute(sql, [now])?;
        Ok(())
    }

    /// A channel took it.
    pub fn delivered(&self, message: u64, now: u64) -> Result<()> {
        let sql = "UPDATE message SET done = ?2, due = ?2, error = NULL WHERE number = ?1";
        self.db.execute(sql, params![message, now])?;
        Ok(())
    }

    /// A channel did not take it.
    pub fn not_delivered(&self, message: u64, why: &str) -> Result<()> {
        self.db
            .execute("UPDATE message SET error = ?2 WHERE number = ?1", params![message, why])?;
        Ok(())
    }

    /// How many messages wait, since when the oldest that was tried does, and what was said last.
    pub fn waiting(&self) -> Result<(u64, Option<u64>, Option<String>)> {
        let (count, oldest) = self.db.query_row(
            "SELECT count(*), min(CASE WHEN tried > 0 THEN made END) FROM message WHERE done IS NULL",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let sql = "SELECT channel || ': ' || error FROM message WHERE done IS NULL AND error IS NOT NULL ORDER BY number LIMIT 1";
        let error = self.db.query_row(sql, [], |row| row.get(0)).optional()?;
        Ok((count, oldest, error))
    }

    /// When the next message is due.
    pub fn next_due(&self) -> Result<Option<u64>> {
        Ok(self
            .db
            .query_row("SELECT min(due) FROM message WHERE done IS NULL", [], |row| row.get(0))?)
    }
}
