//! Lists of logs that witnesses watch: the witness network's log list (`logs/v0`), and, in the same
//! format, what a witness keeps of each log.
//!
//! ```text
//! logs/v0
//!
//! vkey example.com/log+aaaaaaaa+AAAA...     of ours: several, where a log has several keys
//! origin example.com/other                  only where it is not the key's name
//! qpd 86400                                 requests a day
//! contact sysadmin (at) example.com
//! url https://log.example.com               of ours: where the log publishes
//! ```

use crate::note::VerifierKey;

/// The largest list.
pub const MAX_LIST: usize = 64 << 20;
const FIRST_LINE: &str = "logs/v0";

/// A log of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedLog {
    /// Its origin line.
    pub origin: String,
    /// Its keys; one at least.
    pub keys: Vec<VerifierKey>,
    /// How many requests it may make a day.
    pub per_day: Option<u64>,
    /// How people reach its operator.
    pub contact: Option<String>,
    /// Where it publishes.
    pub url: Option<String>,
}

/// Why a list cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the log list: {why}")]
pub struct ListError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

/// Reads a list. Each origin may stand in it once.
pub fn parse(bytes: &[u8]) -> Result<Vec<ListedLog>, ListError> {
    let fail = |line: usize, why: String| ListError { line: line + 1, why };
    if bytes.len() > MAX_LIST {
        return Err(fail(0, format!("it has {} bytes, at most {MAX_LIST} are read", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| fail(0, "it is not UTF-8".into()))?;
    let lines = text.lines().enumerate().map(|(number, line)| (number, line.trim_end()));
    let mut lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    match lines.next() {
        Some((_, FIRST_LINE)) => {}
        Some((number, _)) => return Err(fail(number, format!("expected `{FIRST_LINE}` first"))),
        None => return Err(fail(0, format!("expected `{FIRST_LINE}`, found nothing"))),
    }
    let mut logs: Vec<ListedLog> = Vec::new();
    // Whether further keys belong to the log before.
    let mut only_keys = false;
    for (number, line) in lines {
        let (word, value) = line.split_once(' ').unwrap_or((line, ""));
        if value.is_empty() || value.chars().any(char::is_control) {
            return Err(fail(number, "expected a word, a space, and a value".into()));
        }
        if word == "vkey" {
            let key = VerifierKey::decode(value).map_err(|why| fail(number, why.to_string()))?;
            match logs.last_mut().filter(|_| only_keys) {
                Some(log) => log.keys.push(key),
                None => logs.push(ListedLog {
                    origin: key.name.clone(),
                    keys: vec![key],
                    per_day: None,
                    contact: None,
                    url: None,
                }),
            }
            only_keys = true;
            continue;
        }
        only_keys = false;
        let Some(log) = logs.last_mut() else {
            return Err(fail(number, "expected a `vkey` line first".into()));
        };
        let twice = || fail(number, format!("a second `{word}` of one log"));
        match word {
            "origin" => log.origin = value.into(),
            "qpd" => {
                let count = crate::checkpoint::parse_decimal(value);
                let count = count.ok_or_else(|| {
                    fail(number, "qpd is a number of requests a day, for example 86400".into())
                })?;
                if log.per_day.replace(count).is_some() {
                    return Err(twice());
                }
            }
            "contact" if log.contact.replace(value.into()).is_some() => return Err(twice()),
            "url" if log.url.replace(value.into()).is_some() => return Err(twice()),
            "contact" | "url" => {}
            _ => {
                let known = "vkey, origin, qpd, contact or url";
                return Err(fail(number, format!("expected {known}, found another word")));
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = logs.iter().find(|log| !seen.insert(log.origin.as_str())) {
        return Err(fail(0, format!("the log {} stands in it twice", twice.origin)));
    }
    Ok(logs)
}

/// A list's text.
pub fn encode(logs: &[ListedLog]) -> String {
    let mut text = format!("{FIRST_LINE}\n");
    for log in logs {
        text.push('\n');
        for key in &log.keys {
            text.push_str(&format!("vkey {}\n", key.encode()));
        }
        if log.keys.first().is_none_or(|key| key.name != log.origin) {
            text.push_str(&format!("origin {}\n", log.origin));
        }
        if let Some(count) = log.per_day {
            text.push_str(&format!("qpd {count}\n"));
        }
        for (word, value) in [("contact", &log.contact), ("url", &log.url)] {
            if let Some(value) = value {
                text.push_str(&format!("{word} {value}\n"));
            }
        }
    }
    text
}
