//! "Is this the journal that this token counts?" — asked by a signer whose key is in a token that keeps a
//! number for it, before it signs.

/// What a token has counted of a journal. Before records are signed, `low` is how many there are and `high`
/// how many there will be; when they are durable, both are the new number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The journal has at least so many records.
    pub low: u64,
    /// And at most so many.
    pub high: u64,
}

/// Why a journal is not the one that the token counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCounted {
    /// An older state of the journal, or a copy of one.
    #[error(
        "the token has counted {low} records, the journal has {found}: it is an older state of it, and its numbers would be used twice; bring back the newest one, or restore this one and run `signer recover`"
    )]
    Older {
        /// By the token.
        low: u64,
        /// In the journal.
        found: u64,
    },
    /// The token was set back, or is another one.
    #[error(
        "the token has counted {high} records, the journal has {found}: the token was set back, or signs for another copy; see who had it, and compare the tail with the paper: `signer reopen --tail TAIL` counts anew"
    )]
    Newer {
        /// By the token.
        high: u64,
        /// In the journal.
        found: u64,
    },
    /// What came back is not all.
    #[error(
        "the token has counted {low} records, what came back makes {found}: records are missing; find the batch that was exported last, and name it with --batch"
    )]
    NotAll {
        /// By the token.
        low: u64,
        /// With what came back.
        found: u64,
    },
    /// It kept one, and has none.
    #[error(
        "the token has lost the counter that it kept for this journal: see who had it, and compare the tail with the paper: `signer reopen --tail TAIL` counts anew"
    )]
    Lost,
}

impl Counted {
    /// So many, and no run under way.
    pub fn exactly(count: u64) -> Counted {
        Counted { low: count, high: count }
    }

    /// 16 bytes: both numbers, big-endian.
    pub fn encode(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.low.to_be_bytes());
        bytes[8..].copy_from_slice(&self.high.to_be_bytes());
        bytes
    }

    /// Reads 16 bytes, the first number not above the second.
    pub fn decode(bytes: &[u8]) -> Option<Counted> {
        let (low, high) = bytes.split_first_chunk::<8>()?;
        let high: [u8; 8] = high.try_into().ok()?;
        let counted = Counted { low: u64::from_be_bytes(*low), high: u64::from_be_bytes(high) };
        (counted.low <= counted.high).then_some(counted)
    }
}

/// Holds a journal of `found` records against what the token counted; `kept` says whether the journal knows
/// of a counter.
pub fn judge(counted: Option<Counted>, kept: bool, found: u64) -> Result<(), NotCounted> {
    match counted {
        None if kept => Err(NotCounted::Lost),
        None => Ok(()),
        Some(Counted { low, .. }) if found < low => Err(NotCounted::Older { low, found }),
        Some(Counted { high, .. }) if found > high => Err(NotCounted::Newer { high, found }),
        Some(_) => Ok(()),
    }
}

/// Holds what a restored journal has by now, `found` records, against what the token counted.
pub fn is_all(counted: Option<Counted>, found: u64) -> Result<(), NotCounted> {
    match counted {
        Some(Counted { low, .. }) if found < low => Err(NotCounted::NotAll { low, found }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_the_one_that_was_counted_or_one_whose_last_run_was_cut() {
        let case = |low, high, found| judge(Some(Counted { low, high }), true, found);
        assert_eq!(case(7, 7, 7), Ok(()));
        assert_eq!(case(7, 7, 6), Err(NotCounted::Older { low: 7, found: 6 }));
        assert_eq!(case(7, 7, 8), Err(NotCounted::Newer { high: 7, found: 8 }));
        // A run of three that ended before, or after, its records were durable.
        assert_eq!((case(7, 10, 7), case(7, 10, 10)), (Ok(()), Ok(())));
        assert_eq!(case(7, 10, 6), Err(NotCounted::Older { low: 7, found: 6 }));
        assert_eq!(judge(None, true, 7), Err(NotCounted::Lost));
        assert_eq!(judge(None, false, 7), Ok(()));
        assert_eq!(is_all(Some(Counted { low: 7, high: 9 }), 7), Ok(()));
        let missing = Err(NotCounted::NotAll { low: 7, found: 6 });
        assert_eq!(is_all(Some(Counted { low: 7, high: 9 }), 6), missing);
    }

    #[test]
    fn its_bytes_have_one_form() {
        let counted = Counted { low: 1, high: 0x0203 };
        let bytes = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 3];
        assert_eq!((counted.encode(), Counted::decode(&bytes)), (bytes, Some(counted)));
        assert_eq!(Counted::decode(&bytes[..15]), None);
        assert_eq!(Counted::decode(&[bytes, bytes].concat()), None);
        assert_eq!(Counted::decode(&Counted { low: 2, high: 1 }.encode()), None);
    }
}
