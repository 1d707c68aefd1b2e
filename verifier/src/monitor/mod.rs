//! `verifier monitor`: rules over what a log shows, and alerts.
//!
//! ```text
//! log, access journal -> Event -> Engine (rules, memory) -> Alert -> outbox -> channels
//! ```
//!
//! The engine is pure. What it remembers, how far the log was read, the alerts and the messages that tell of
//! them are committed in one transaction ([`store`]); only then are messages delivered, and each is marked as done
//! after it was. So an alert is told once or, where a machine died in between, twice, but never not at all.

mod channel;
mod condition;
pub mod deliver;
mod engine;
mod event;
mod facts;
pub mod follow;
mod hours;
mod parts;
mod rules;
mod state;
pub mod store;
mod template;
mod version;

#[cfg(test)]
mod tests;

pub use channel::{Channel, Kind, Smtp, Tls};
pub use engine::{Alert, Engine};
pub use event::{Event, Finding, Head, Read, Tick, Witness};
pub use facts::{Facts, NAMES, Name, On};
pub use rules::{Rule, Rules, RulesError};
pub use state::{Cell, Change, State};

use serde::{Deserialize, Serialize};

/// The rules that are right for a small company, to begin with.
pub const DEFAULT_RULES: &str = include_str!("default-rules.toml");

/// How much something matters. The words are the audit's, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Somebody should look at it this week.
    Warning,
    /// Today.
    High,
    /// Now.
    Critical,
}

impl Severity {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}
