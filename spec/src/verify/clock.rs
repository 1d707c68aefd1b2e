//! "Can this be the time?" — asked by the signer of its own clock before it signs, and by the auditor of what
//! a record claims. A clock is a claim; the witnesses' times on heads are what it is held against.

use crate::record::Clock;

/// How far two honest clocks may be apart, in seconds.
pub const TOLERANCE: u64 = 300;
/// The first second of 2026: this program is not older. A clock without a battery starts before it.
pub const EARLIEST: u64 = 1_767_225_600;
/// A clock that runs so far ahead of all that is known is told of: 400 days, in seconds.
pub const FAR: u64 = 400 * 86_400;

/// What a signer knows of the time, besides its clock. POSIX seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// What a quorum of witnesses vouched for, on the newest head: it was not before.
    pub witnessed: Option<u64>,
    /// The genesis's time.
    pub genesis: u64,
    /// The newest record's time; none before the genesis.
    pub last: Option<u64>,
}

/// A time that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// Before the head that the signer has.
    #[error(
        "this machine's clock is {behind} seconds behind the witnesses' time on the newest head that it has: set the clock; or, where that cannot be, say --clock-wrong, and it is recorded"
    )]
    BeforeHead {
        /// Seconds.
        behind: u64,
    },
    /// Before the journal was.
    #[error(
        "this machine's clock is {behind} seconds behind the journal's genesis: set the clock; or, where that cannot be, say --clock-wrong, and it is recorded"
    )]
    BeforeGenesis {
        /// Seconds.
        behind: u64,
    },
    /// Before this program was.
    #[error(
        "this machine's clock is {behind} seconds before this program was written (a dead battery?): set the clock; or, where that cannot be, say --clock-wrong, and it is recorded"
    )]
    BeforeProgram {
        /// Seconds.
        behind: u64,
    },
}

impl Impossible {
    fn behind(&self) -> u64 {
        match self {
            Impossible::BeforeHead { behind }
            | Impossible::BeforeGenesis { behind }
            | Impossible::BeforeProgram { behind } => *behind,
        }
    }
}

/// Judges a signer's clock. What is odd is recorded; what is impossible is refused, unless the operator says
/// that the clock is wrong.
pub fn judge(now: u64, known: &Known, said_wrong: bool) -> Result<Option<Clock>, Impossible> {
    let impossible = impossible(now, known);
    if let (Some(impossible), false) = (&impossible, said_wrong) {
        return Err(impossible.clone());
    }
    // Where no time was ever recorded or witnessed, nothing says that this one is far ahead.
    let ahead = known.last.max(known.witnessed).map(|newest| now.saturating_sub(newest));
    let clock = Clock {
        behind_last: known.last.map_or(0, |last| last.saturating_sub(now)),
        impossible: impossible.map_or(0, |why| why.behind()),
        ahead: ahead.filter(|ahead| *ahead > FAR).unwrap_or(0),
    };
    Ok(Some(clock).filter(|clock| *clock != Clock::default()))
}

fn impossible(now: u64, known: &Known) -> Option<Impossible> {
    let behind = |time: u64| Some(time.saturating_sub(now)).filter(|behind| *behind > TOLERANCE);
    if let Some(behind) = known.witnessed.and_then(behind) {
        return Some(Impossible::BeforeHead { behind });
    }
    if let Some(behind) = behind(EARLIEST) {
        return Some(Impossible::BeforeProgram { behind });
    }
    behind(known.genesis).map(|behind| Impossible::BeforeGenesis { behind })
}

/// What a record's time claims against what the witnesses prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nothing contradicts it.
    Possible,
    /// The head that the record itself names is so many seconds younger.
    BeforeItsHead(u64),
    /// A head that has the record is so many seconds older.
    AfterItsLogging(u64),
}

/// Holds a claimed time against the bounds: `not_before` of the head that the record names, `not_after` of
/// one that covers it.
pub fn claim(time: u64, not_before: Option<u64>, not_after: Option<u64>) -> Claim {
    let beyond = |seconds: u64| Some(seconds).filter(|seconds| *seconds > TOLERANCE);
    let before = not_before.and_then(|bound| beyond(bound.saturating_sub(time)));
    let after = not_after.and_then(|bound| beyond(time.saturating_sub(bound)));
    match (before, after) {
        (Some(seconds), _) => Claim::BeforeItsHead(seconds),
        (None, Some(seconds)) => Claim::AfterItsLogging(seconds),
        (None, None) => Claim::Possible,
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, EARLIEST, FAR, Impossible, Known, TOLERANCE, claim, judge};
    use crate::record::Clock;

    const NOW: u64 = EARLIEST + 1_000_000;

    fn known(witnessed: Option<u64>, last: u64) -> Known {
        Known { witnessed, genesis: EARLIEST + 10, last: Some(last) }
    }

    #[test]
    fn where_no_time_is_known_a_late_one_is_not_ahead() {
        let first = Known { witnessed: None, genesis: EARLIEST, last: None };
        assert_eq!(judge(EARLIEST + 10 * FAR, &first, true), Ok(None));
        let later = Known { last: Some(EARLIEST), ..first };
        assert!(judge(EARLIEST + 10 * FAR, &later, true).unwrap().is_some());
    }

    #[test]
    fn a_clock_that_goes_on_is_not_mentioned() {
        assert_eq!(judge(NOW, &known(Some(NOW - 1), NOW - 1), false), Ok(None));
        assert_eq!(judge(NOW, &known(None, NOW), false), Ok(None));
        // Two honest clocks may differ a little.
        assert_eq!(judge(NOW, &known(Some(NOW + TOLERANCE), NOW), false), Ok(None));
    }

    #[test]
    fn a_clock_that_went_back_is_recorded_and_one_behind_a_head_is_refused() {
        let back = Clock { behind_last: 3600, ..Clock::default() };
        assert_eq!(judge(NOW, &known(None, NOW + 3600), false), Ok(Some(back)));
        let behind = TOLERANCE + 1;
        let known = known(Some(NOW + behind), NOW);
        assert_eq!(judge(NOW, &known, false), Err(Impossible::BeforeHead { behind }));
        let said = Clock { impossible: behind, ..Clock::default() };
        assert_eq!(judge(NOW, &known, true), Ok(Some(said)));
    }

    #[test]
    fn a_dead_battery_and_a_time_before_the_genesis_are_impossible() {
        let dead = judge(0, &known(None, EARLIEST), false);
        assert_eq!(dead, Err(Impossible::BeforeProgram { behind: EARLIEST }));
        let known = Known { witnessed: None, genesis: NOW + 1000, last: Some(NOW) };
        assert_eq!(judge(NOW, &known, false), Err(Impossible::BeforeGenesis { behind: 1000 }));
    }

    #[test]
    fn a_wrong_year_is_recorded() {
        let ahead = Clock { ahead: FAR + 1, ..Clock::default() };
        assert_eq!(judge(NOW + FAR + 1, &known(None, NOW), false), Ok(Some(ahead)));
        assert_eq!(judge(NOW + FAR, &known(None, NOW), false), Ok(None));
    }

    #[test]
    fn what_a_record_claims_is_held_against_its_heads() {
        assert_eq!(claim(NOW, Some(NOW - 5), Some(NOW + 5)), Claim::Possible);
        assert_eq!(claim(NOW, None, None), Claim::Possible);
        assert_eq!(claim(NOW, Some(NOW + 301), Some(NOW + 400)), Claim::BeforeItsHead(301));
        assert_eq!(claim(NOW, Some(NOW - 5), Some(NOW - 301)), Claim::AfterItsLogging(301));
    }
}
