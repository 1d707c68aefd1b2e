//! Who took note of which alert. A chain: each names the one before, so that none is taken out or altered later
//! without a trace.

use super::Store;
use anyhow::{Result, bail};
use coldlog_spec::hash::Hash;
use rusqlite::params;
use serde_json::json;

/// That somebody took note of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Counted from 1.
    pub number: u64,
    /// The alert.
    pub alert: String,
    /// POSIX seconds.
    pub time: u64,
    /// Who.
    pub by: String,
    /// What they have to say.
    pub note: String,
    /// The digest of the one before; of the first, that of nothing.
    pub previous: String,
    /// SHA-256 of all that.
    pub digest: String,
}

/// An acknowledgement that does not follow the one before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "acknowledgement {number} does not follow the one before it: some were removed or altered; keep the database, and ask who could write to it"
)]
pub struct Broken {
    /// Counted from 1.
    pub number: u64,
}

impl Acknowledgement {
    fn digest(&self) -> String {
        let Acknowledgement { number, alert, time, by, note, previous, .. } = self;
        let text = json!(["coldlog acknowledgement", number, alert, time, by, note, previous]);
        Hash::of(text.to_string().as_bytes()).to_hex()
    }
}

const COLUMNS: &str = "SELECT number, alert, time, by, note, previous, digest FROM acknowledgement";

fn read(row: &rusqlite::Row) -> rusqlite::Result<Acknowledgement> {
    Ok(Acknowledgement {
        number: row.get(0)?,
        alert: row.get(1)?,
        time: row.get(2)?,
        by: row.get(3)?,
        note: row.get(4)?,
        previous: row.get(5)?,
        digest: row.get(6)?,
    })
}

impl Store {
    /// The alert whose id begins so.
    pub fn find_alert(&self, prefix: &str) -> Result<String> {
        if prefix.len() < 6 || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            bail!(
                "{prefix:?} is no alert: give the beginning of its number, 6 hexadecimal digits at least"
            );
        }
        let mut all =
            self.db.prepare("SELECT id FROM alert WHERE substr(id, 1, ?1) = ?2 LIMIT 2")?;
        let rows = all.query_map(params![prefix.len(), prefix.to_lowercase()], |row| row.get(0))?;
        match rows.collect::<rusqlite::Result<Vec<String>>>()?.as_slice() {
            [one] => Ok(one.clone()),
            [] => bail!("there is no alert {prefix}: see `verifier monitor alerts`"),
            _ => bail!("several alerts begin with {prefix}: give more digits"),
        }
    }

    /// Records that somebody took note of alerts, all of them or none.
    pub fn acknowledge(&mut self, alerts: &[String], by: &str, note: &str, now: u64) -> Result<()> {
        let all = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let sql = format!("{COLUMNS} ORDER BY number DESC LIMIT 1");
        let last = all.prepare(&sql)?.query_map([], read)?.next().transpose()?;
        let mut previous = last.as_ref().map_or_else(String::new, |last| last.digest.clone());
        let first = last.map_or(1, |last| last.number + 1);
        for (number, alert) in (first..).zip(alerts) {
            let (alert, by, note) = (alert.clone(), by.into(), note.into());
            let mut one = Acknowledgement {
                number,
                alert,
                time: now,
                by,
                note,
                previous,
                digest: String::new(),
            };
            one.digest = one.digest();
            all.execute(
                "INSERT INTO acknowledgement VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    one.number,
                    one.alert,
                    one.time,
                    one.by,
                    one.note,
                    one.previous,
                    one.digest
                ],
            )?;
            previous = one.digest;
        }
        Ok(all.commit()?)
    }

    pub(super) fn acknowledgements_of(&self, alert: &str) -> Result<Vec<Acknowledgement>> {
        let mut some = self.db.prepare(&format!("{COLUMNS} WHERE alert = ?1 ORDER BY number"))?;
        let rows = some.query_map([alert], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Follows the whole chain; returns the last digest, to be written down, and how many there are.
    pub fn verify_acknowledgements(&self) -> Result<Result<(u64, String), Broken>> {
        let mut all = self.db.prepare(&format!("{COLUMNS} ORDER BY number"))?;
        let (mut number, mut previous) = (0, String::new());
        for row in all.query_map([], read)? {
            let one = row?;
            number += 1;
            if one.number != number || one.previous != previous || one.digest != one.digest() {
                return Ok(Err(Broken { number }));
            }
            previous = one.digest;
        }
        Ok(Ok((number, previous)))
    }
}
