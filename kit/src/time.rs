//! The machine's clock, and how times are shown.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// POSIX seconds; 0 when the clock stands before 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Reads a time as RFC 3339 in UTC, or as POSIX seconds.
pub fn parse(text: &str) -> anyhow::Result<u64> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let time = humantime::parse_rfc3339_weak(text).ok();
    let seconds = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let seconds = seconds.map(|time| time.as_secs());
    anyhow::Context::with_context(seconds, || {
        format!("expected a time like 2026-03-01T12:00:00Z, or seconds since 1970, found {text:?}")
    })
}

/// A length of time such as `24h` or `3days`, in seconds.
pub fn parse_duration(text: &str) -> anyhow::Result<u64> {
    Ok(humantime::parse_duration(text)?.as_secs())
}

/// A time as RFC 3339 in UTC.
pub fn show(seconds: u64) -> String {
    // Beyond the year 9999 there is no RFC 3339.
    let seconds = seconds.min(253_402_300_799);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}
