//! The time for which a policy is meant. The clock is the caller's.
//!
//! It limits what is cosigned from now on, never what was: what a quorum cosigned within the window stays
//! proven under the policy, however long ago that was.

/// How long before its end a policy's owner is warned, in seconds: 90 days.
pub const WARNED_BEFORE: u64 = 90 * 24 * 3600;

/// A validity window, in POSIX seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first second of it.
    pub not_before: u64,
    /// The first second after it.
    pub expires: u64,
}

/// Where a clock stands to a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Before it.
    NotYet,
    /// Within it, and its end is far.
    InForce,
    /// Within it, and less than [`WARNED_BEFORE`] from its end; so many seconds.
    ExpiresIn(u64),
    /// After it.
    Expired,
}

/// Where a head stands to the window of the policy by which it was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// The policy has no window.
    Unlimited,
    /// A quorum had cosigned it within the window.
    Within(Window),
    /// A quorum had cosigned it at this time already, before the window.
    Early(Window, u64),
    /// No quorum had cosigned it before this time, after the window.
    Late(Window, u64),
    /// Nobody says when: the policy demands no witness.
    NotDated(Window),
}

impl Window {
    /// Where a clock stands.
    pub fn at(self, now: u64) -> Standing {
        match self.expires.checked_sub(now) {
            None | Some(0) => Standing::Expired,
            Some(_) if now < self.not_before => Standing::NotYet,
            Some(left) if left < WARNED_BEFORE => Standing::ExpiresIn(left),
            Some(_) => Standing::InForce,
        }
    }

    /// Where a head stands, of which a quorum had cosigned at this time.
    pub fn of(self, cosigned: Option<u64>) -> Validity {
        match cosigned {
            None => Validity::NotDated(self),
            Some(time) if time < self.not_before => Validity::Early(self, time),
            Some(time) if time >= self.expires => Validity::Late(self, time),
            Some(_) => Validity::Within(self),
        }
    }
}

impl Validity {
    /// Whether nothing speaks against it: the policy has no window, or the head is within it.
    pub fn is_given(self) -> bool {
        matches!(self, Validity::Unlimited | Validity::Within(_))
    }

    /// The window, where the policy has one.
    pub fn window(self) -> Option<Window> {
        match self {
            Validity::Unlimited => None,
            Validity::Within(window)
            | Validity::Early(window, _)
            | Validity::Late(window, _)
            | Validity::NotDated(window) => Some(window),
        }
    }
}

/// A head that is not within a window, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutsideWindow(pub Validity);

impl std::fmt::Display for OutsideWindow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Validity::Unlimited | Validity::Within(_) => f.write_str("it is within"),
            Validity::Early(window, time) => write!(
                f,
                "a quorum had cosigned at {} already, the policy is for {} and later",
                Utc(time),
                Utc(window.not_before)
            ),
            Validity::Late(window, time) => write!(
                f,
                "no quorum had cosigned before {}, the policy expired at {}",
                Utc(time),
                Utc(window.expires)
            ),
            Validity::NotDated(_) => {
                f.write_str("its policy demands no witness, so nobody says when")
            }
        }
    }
}

/// POSIX seconds, shown as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utc(pub u64);

impl std::fmt::Display for Utc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Beyond the year 9999 there is no RFC 3339.
        let seconds = self.0.min(253_402_300_799);
        // Days are counted from 0000-03-01: a leap day is then a year's last one (400 years are 146,097 days).
        let days = seconds / 86_400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * march + 2) / 5 + 1;
        let (month, later) = if march < 10 { (march + 3, 0) } else { (march - 9, 1) };
        let year = year + 400 * era + later;
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}
