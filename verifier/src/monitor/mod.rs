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

/// The rules that are right for a small company, to begin with.
pub const DEFAULT_RULES: &str = include_str!("default-rules.toml");

pub use coldlog_spec::verify::audit::Severity;

/// How much something matters, by its word, in rules and in the database.
pub(crate) mod severity {
    use super::Severity;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    static WORDS: std::sync::LazyLock<[&str; 4]> =
        std::sync::LazyLock::new(|| Severity::ALL.map(Severity::name));

    pub(crate) fn serialize<S: Serializer>(one: &Severity, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(one.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Severity, D::Error> {
        let word = String::deserialize(from)?;
        Severity::from_name(&word).ok_or_else(|| D::Error::unknown_variant(&word, &*WORDS))
    }

    pub(crate) fn optional<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Severity>, D::Error> {
        deserialize(from).map(Some)
    }
}
