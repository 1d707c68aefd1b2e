//! The machine's clock, held against what the journal knows of the time.

use crate::journal::Journal;
use anyhow::{Context, Result};
use coldlog_kit::terminal::talk;
use coldlog_kit::time;
use coldlog_spec::record;
use coldlog_spec::verify::clock::{Impossible, Known, judge};

/// A clock that is judged each time it is read.
pub struct Clock {
    known: Known,
    said_wrong: bool,
    told: bool,
}

impl Clock {
    /// Of a signer with this journal. `said_wrong`: the operator says that the clock is wrong.
    pub fn of(journal: &Journal, said_wrong: bool) -> Result<Clock> {
        let at = |sequence: u64| -> Result<u64> {
            let row = journal.row(sequence)?.context("the journal has this number")?;
            Ok(row.disclosure.record.time)
        };
        let newest = journal.tail()?.tail.count.saturating_sub(1);
        let (genesis, last) = (at(0)?, Some(at(newest)?));
        Ok(Clock {
            known: Known { witnessed: journal.witnessed()?, genesis, last },
            said_wrong,
            told: false,
        })
    }

    /// Whether the time can be what it says.
    pub fn check(&self) -> Result<(), Impossible> {
        judge(time::now(), &self.known, self.said_wrong).map(|_| ())
    }

    /// The time for a record, and what is odd about it, which is told once.
    pub fn read(&mut self) -> Result<(u64, Option<record::Clock>), Impossible> {
        let now = time::now();
        let odd = judge(now, &self.known, self.said_wrong)?;
        if let (Some(odd), false) = (&odd, self.told) {
            talk(format!(
                "signer: the clock says {}: {}; it is recorded",
                time::show(now),
                words(odd)
            ));
            self.told = true;
        }
        self.known.last = Some(now);
        Ok((now, odd))
    }
}

/// What is odd about a clock, in words.
pub fn words(odd: &record::Clock) -> String {
    let record::Clock { behind_last, impossible, ahead } = odd;
    let all = [
        (impossible, "seconds behind a time that has passed for certain"),
        (behind_last, "seconds behind the record before"),
        (ahead, "seconds ahead of all that is known"),
    ];
    let all = all.iter().filter(|(seconds, _)| **seconds > 0);
    all.map(|(seconds, what)| format!("{seconds} {what}")).collect::<Vec<_>>().join(", ")
}
