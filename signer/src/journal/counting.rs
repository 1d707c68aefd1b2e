//! The number of records, kept by the token that has the key: an older state of the journal shows.

use super::Journal;
use anyhow::Result;
use coldlog_kit::custody::Place;
use coldlog_kit::exit::{OrNo, Outcome};
use coldlog_kit::terminal::talk;
use coldlog_spec::verify::counter::{Counted, NotCounted, is_all, judge};
use rusqlite::{OptionalExtension, params};
use std::sync::Arc;

/// The note that the token counts; its value says whether it is believed.
const COUNTER: &str = "counter";
const KEPT: &[u8] = b"kept";
/// The paper has said how far the journal reaches: the token begins anew from there.
const ANEW: &[u8] = b"anew";

impl Journal {
    /// The journal's key is open: from now on what holds it counts, if it can. Refuses a journal that is not
    /// the one that it has counted.
    pub(crate) fn counted_by(&mut self, place: Option<Arc<dyn Place>>) -> Outcome {
        let Some(place) = place else { return Ok(()) };
        let (note, count) = (self.note()?, self.tail()?.tail.count);
        let counted = place.counted()?;
        match (judge(counted, note.is_some(), count), note.as_deref()) {
            // The paper stands against a token that forgot; against one that has seen more, nothing does.
            (Err(NotCounted::Newer { .. } | NotCounted::Lost), Some(ANEW))
            | (Ok(()), Some(ANEW)) => {
                place.count(Counted::exactly(count))?;
                self.set_note(KEPT)?;
            }
            (judged, _) => judged.or_no()?,
        }
        if note.is_some() || counted.is_some() {
            self.counter = Some(place);
        }
        Ok(())
    }

    /// Lets a new key's place begin to count. One that cannot is told of, and not needed.
    pub(crate) fn begin_counting(&mut self, place: Option<Arc<dyn Place>>) -> Result<()> {
        self.counter = None;
        let Some(place) = place else {
            // The key before was in a token: its counter is given up with it.
            self.db.execute("DELETE FROM meta WHERE key = ?1", [COUNTER])?;
            return Ok(());
        };
        match place.count(Counted::exactly(self.tail()?.tail.count)) {
            Ok(()) => {
                self.set_note(KEPT)?;
                self.counter = Some(place);
            }
            Err(why) => {
                self.db.execute("DELETE FROM meta WHERE key = ?1", [COUNTER])?;
                talk(format!("nothing beside the journal counts its records: {why:#}"));
            }
        }
        Ok(())
    }

    /// What came back from the log must be all that the token has counted.
    pub(crate) fn must_be_all(place: Option<&Arc<dyn Place>>, count: u64) -> Outcome {
        match place {
            Some(place) => is_all(place.counted()?, count).or_no(),
            None => Ok(()),
        }
    }

    /// The paper's word for how far the journal reaches is taken: the next run counts from there.
    pub(crate) fn count_anew(&self) -> Result<()> {
        match self.note()? {
            Some(_) => self.set_note(ANEW),
            None => Ok(()),
        }
    }

    // Before anything is signed.
    pub(super) fn will_count(&self, high: u64) -> Result<()> {
        match &self.counter {
            Some(place) => place.count(Counted { low: self.tail()?.tail.count, high }),
            None => Ok(()),
        }
    }

    // The records are durable. Where the token went just now, it is as if the run had been cut here: the
    // next one finds the journal between its two numbers.
    pub(super) fn has_counted(&self, count: u64) {
        if let Some(place) = &self.counter
            && let Err(why) = place.count(Counted::exactly(count))
        {
            talk(format!(
                "the records are there, and the token did not count them to the end: {why:#}"
            ));
        }
    }

    fn note(&self) -> Result<Option<Vec<u8>>> {
        let mut query = self.db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        Ok(query.query_row([COUNTER], |row| row.get(0)).optional()?)
    }

    fn set_note(&self, value: &[u8]) -> Result<()> {
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", params![COUNTER, value])?;
        Ok(())
    }
}
