//! The machine's clock, and how times are shown.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// POSIX seconds; 0 when the clock stands before 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// A length of time such as `24h` or `3days`, in seconds.
pub fn parse_duration(text: &str) -> anyhow::Result<u64> {
    Ok(humantime::parse_duration(text)?.as_secs())
}

/// A time that a person wrote: a date (its beginning in UTC), RFC 3339 in UTC, or POSIX seconds.
pub fn parse(text: &str) -> Result<u64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.into() };
    let time = humantime::parse_rfc3339(&whole).ok();
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map(|since| since.as_secs()).ok_or_else(|| {
        format!("{text:?} is no time: write 2027-12-31, 2027-12-31T12:00:00Z or POSIX seconds")
    })
}

/// A time as RFC 3339 in UTC.
pub fn show(seconds: u64) -> String {
    // Beyond the year 9999 there is no RFC 3339.
    let seconds = seconds.min(253_402_300_799);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}
