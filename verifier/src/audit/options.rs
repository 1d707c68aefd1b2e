//! What `verifier audit` is asked.

use crate::openings::OpeningArgs;
use coldlog_kit::secret::Source as Secret;
use coldlog_spec::tile::WIDTH;
use coldlog_spec::verify::audit::{Severity, unit};
use std::path::PathBuf;

/// Parts of an audit at most.
const MOST: u64 = 1 << 16;
/// Levels of tiles at whose borders parts may begin.
const LEVELS: u8 = 6;

/// One of several parts of an audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    pub number: u64,
    /// Of how many.
    pub of: u64,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let wrong = || format!("expected I/N, such as 3/16, found {text:?}");
        let (number, of) = text.split_once('/').ok_or_else(wrong)?;
        let (number, of) = (number.parse().ok(), of.parse().ok());
        let shard = number.zip(of).map(|(number, of)| Shard { number, of });
        let fits = |shard: &Shard| shard.of <= MOST && (1..=shard.of).contains(&shard.number);
        shard.filter(fits).ok_or_else(wrong)
    }
}

impl Shard {
    /// Its entries, and the level of tiles at whose borders parts begin.
    pub(crate) fn of(self, size: u64) -> ((u64, u64), u8) {
        // The highest level that still gives each part a unit.
        let entries = |level: u8| unit(level).saturating_mul(WIDTH);
        let level = (1..=LEVELS).rev().find(|level| size / entries(*level) >= self.of);
        let level = level.unwrap_or(1);
        let (entries, of) = (entries(level), u128::from(self.of));
        let units = u128::from(size / entries);
        // No more than all units, so it fits again.
        let before = |number: u64| (units * u128::from(number) / of) as u64 * entries;
        let at = |number: u64| if number == self.of { size } else { before(number) };
        ((at(self.number - 1), at(self.number)), level)
    }
}

/// What `verifier audit` is asked.
pub struct Options {
    /// The published log.
    pub log: PathBuf,
    /// The policy.
    pub policy: PathBuf,
    /// The auditor's age identity.
    pub identity: Option<PathBuf>,
    /// Who opens records, and why.
    pub opening: OpeningArgs,
    /// The auditor's memory of heads.
    pub memory: Option<PathBuf>,
    /// Where evidence goes.
    pub evidence: PathBuf,
    /// The last audit.
    pub since: Option<PathBuf>,
    /// Where this one is written down.
    pub output: Option<PathBuf>,
    /// The auditor's key.
    pub key: Option<PathBuf>,
    /// What opens the key.
    pub secret: Secret,
    /// Other auditors whose audits are gone on with: keys, or files of keys.
    pub trust: Vec<String>,
    /// Go on with an audit that was interrupted.
    pub resume: bool,
    /// Audit a part only.
    pub shard: Option<Shard>,
    /// Documents in use.
    pub documents: Option<PathBuf>,
    /// Journals of reads.
    pub accesses: Vec<PathBuf>,
    /// Who may read; empty: anybody.
    pub readers: Vec<String>,
    /// The tail that was written down.
    pub at_least: Option<String>,
    /// The signer of that tail.
    pub signer: Option<String>,
    /// The least severity that makes the answer no.
    pub fail_on: Severity,
    /// Seconds between two times that the state is kept.
    pub save_every: u64,
    /// Replace the output.
    pub force: bool,
    /// One JSON object.
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_all_of_a_log_and_begin_at_borders_of_tiles() {
        let sizes = [0, 1, 255, 256, 1000, 70_000, 1 << 24, (1 << 24) + 77, u64::MAX];
        for size in sizes {
            for of in [1, 2, 3, 7, 100, MOST] {
                let mut reached = 0;
                for number in (1..=of).filter(|number| of < 1000 || *number < 3 || *number + 3 > of)
                {
                    let ((from, to), level) = Shard { number, of }.of(size);
                    assert!(from <= to && to <= size, "{size} {number}/{of}");
                    assert!(from.is_multiple_of(WIDTH * unit(level)), "{size} {number}/{of}");
                    assert!(of >= 1000 || from == reached, "{size} {number}/{of}");
                    reached = to;
                }
                assert_eq!(reached, size, "{size} {of}");
            }
        }
        assert_eq!("3/16".parse(), Ok(Shard { number: 3, of: 16 }));
        for wrong in ["", "3", "0/2", "3/2", "1/0", "1/65537", "a/b", "1/2/3"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
