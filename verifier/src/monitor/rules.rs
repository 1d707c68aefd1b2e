//! The rules file: TOML, conditions in CEL. What is wrong with it is said when it is loaded, with the place.

use super::Severity;
use super::channel::{self, Channel, WrittenChannel};
use super::condition::{Compiler, Condition};
use super::facts::{self, On};
use super::hours::{self, Hours};
use super::parts::{Backwards, Growth, Part, Silent, Unusual, Window};
use super::template::Template;
use anyhow::Context;
use coldlog_kit::files;
use coldlog_spec::hash::Hash;
use serde::Deserialize;
use std::path::Path;
use toml::Spanned;

/// The largest rules file.
const MAX_RULES: u64 = 1 << 20;
/// The most rules in one.
const MAX_COUNT: usize = 500;

/// Why a text is no rules file.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It is not TOML, or has fields that are not known.
    #[error("line {line}: {why}")]
    Toml {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A rule.
    #[error("line {line}, rule {name:?}: {why}")]
    Rule {
        /// Where it begins to be wrong, counted from 1.
        line: usize,
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// A channel.
    #[error("line {line}, channel {name:?}: {why}")]
    Channel {
        /// Counted from 1.
        line: usize,
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
}

/// What a rules file says.
pub struct Rules {
    /// The rules, in its order.
    pub rules: Vec<Rule>,
    /// Where alerts go.
    pub channels: Vec<Channel>,
}

/// One rule.
pub struct Rule {
    /// Its name, which no other rule has.
    pub name: String,
    /// How much it matters.
    pub severity: Severity,
    /// The events that it looks at.
    pub on: On,
    pub(crate) when: Option<Condition>,
    pub(crate) parts: Vec<Part>,
    pub(crate) hours: Option<Hours>,
    pub(crate) silent: Option<Silent>,
    pub(crate) message: Template,
    pub(crate) group_by: Vec<String>,
    /// Something that lasts is told again after so many seconds.
    pub(crate) again: u64,
    /// For so many seconds after a message, alerts of the same group are gathered.
    pub hold: u64,
    /// The channels' names; all where it names none.
    pub to: Vec<String>,
    /// Of the parts that remember: when they ask otherwise, what they remembered is of no use.
    digest: String,
}

impl Rule {
    /// Under which one of its parts remembers.
    pub(crate) fn key(&self, part: &str) -> String {
        format!("{}/{part}/{}", self.name, self.digest)
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        let parts = self.parts.iter().map(Part::word).chain(["silent", "told"]);
        parts.map(|part| self.key(part)).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRules {
    #[serde(default)]
    rule: Vec<Spanned<WrittenRule>>,
    #[serde(default)]
    channel: Vec<Spanned<WrittenChannel>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    name: String,
    #[serde(with = "super::severity")]
    severity: Severity,
    on: On,
    when: Option<Spanned<String>>,
    window: Option<Window>,
    first_use: Option<Vec<String>>,
    repeated: Option<Vec<String>>,
    backwards: Option<Backwards>,
    growth: Option<Growth>,
    unusual: Option<Unusual>,
    silent: Option<Silent>,
    hours: Option<hours::Written>,
    message: String,
    #[serde(default)]
    group_by: Vec<String>,
    #[serde(default = "a_day")]
    again: u64,
    #[serde(default = "five_minutes")]
    hold: u64,
    #[serde(default)]
    to: Vec<String>,
}

fn a_day() -> u64 {
    86_400
}

fn five_minutes() -> u64 {
    300
}

impl Rules {
    /// Reads a rules file; files that it names are beside it.
    pub fn read(path: &Path) -> anyhow::Result<Rules> {
        let named = || path.display().to_string();
        let bytes = files::read(path, MAX_RULES)?;
        let text = String::from_utf8(bytes).with_context(|| format!("{} is no text", named()))?;
        Rules::parse(&text, &files::folder_of(path)).with_context(named)
    }

    /// Reads rules; files that they name are in `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Rules, RulesError> {
        let line_at = |at: usize| text.get(..at).unwrap_or(text).matches('\n').count() + 1;
        let written: WrittenRules = toml::from_str(text).map_err(|error| RulesError::Toml {
            line: error.span().map_or(1, |span| line_at(span.start)),
            why: error.message().lines().collect::<Vec<_>>().join(" "),
        })?;
        let mut channels: Vec<Channel> = Vec::new();
        for written in written.channel {
            let line = line_at(written.span().start);
            let written = written.into_inner();
            let name = written.name.clone();
            let taken = channels.iter().any(|channel| channel.name == name);
            let channel = match taken {
                true => Err("there is another one of this name".into()),
                false => channel::read(written, folder),
            };
            channels.push(channel.map_err(|why| RulesError::Channel { line, name, why })?);
        }
        let compiler = Compiler::new();
        let mut rules: Vec<Rule> = Vec::new();
        for written in written.rule {
            let mut line = line_at(written.span().start);
            let written = written.into_inner();
            let name = written.name.clone();
            let wrong = |line, why| RulesError::Rule { line, name: name.clone(), why };
            if rules.iter().any(|rule| rule.name == name) {
                return Err(wrong(line, "there is another one of this name".into()));
            }
            if rules.len() >= MAX_COUNT {
                return Err(wrong(line, format!("a file has {MAX_COUNT} rules at most")));
            }
            let when = match &written.when {
                Some(source) => {
                    line = line_at(source.span().start);
                    let compiled = compiler.compile(source.get_ref(), written.on);
                    Some(compiled.map_err(|why| wrong(line, format!("when: {why}")))?)
                }
                None => None,
            };
            rules.push(rule(written, when, &channels).map_err(|why| wrong(line, why))?);
        }
        Ok(Rules { rules, channels })
    }
}

fn rule(
    written: WrittenRule,
    when: Option<Condition>,
    channels: &[Channel],
) -> Result<Rule, String> {
    is_name(&written.name)?;
    let on = written.on;
    let parts: Vec<Part> = [
        written.window.map(Part::Window),
        written.first_use.map(Part::FirstUse),
        written.repeated.map(Part::Repeated),
        written.backwards.map(Part::Backwards),
        written.growth.map(Part::Growth),
        written.unusual.map(Part::Unusual),
    ]
    .into_iter()
    .flatten()
    .collect();
    let known = |what: &str, path: &str| match facts::is_known(on, path) {
        true => Ok(()),
        false => Err(format!("{what}: {:?} has no name {path:?}", on.word())),
    };
    for part in &parts {
        part.check().map_err(|why| format!("{}: {why}", part.word()))?;
        part.paths().into_iter().try_for_each(|path| known(part.word(), path))?;
    }
    written.group_by.iter().try_for_each(|path| known("group_by", path))?;
    let hours = written.hours.as_ref().map(Hours::parse).transpose();
    let hours = hours.map_err(|why| format!("hours: {why}"))?;
    if let Some(silent) = &written.silent {
        if !parts.is_empty() || hours.is_some() || !written.group_by.is_empty() {
            return Err("silent: it stands alone, with `when` at most".into());
        }
        if silent.by.is_empty() || silent.seconds == 0 {
            return Err("silent: it names a value in `by`, and more than 0 `seconds`".into());
        }
        silent.by.iter().chain(&silent.expect).try_for_each(|path| known("silent", path))?;
    }
    if when.is_none() && parts.is_empty() && hours.is_none() && written.silent.is_none() {
        return Err("it asks nothing: give it `when`, or one of the parts that remember".into());
    }
    let found: Vec<&str> = parts.iter().flat_map(|part| part.found()).copied().collect();
    let message = match &written.silent {
        // Its alerts are made at the end of a round, of no event of its own.
        Some(_) => Template::parse(&written.message, On::Tick, Silent::FOUND)?,
        None => Template::parse(&written.message, on, &found)?,
    };
    let unknown = written.to.iter().find(|to| !channels.iter().any(|channel| channel.name == **to));
    if let Some(to) = unknown {
        return Err(format!("to: there is no channel {to:?}"));
    }
    let digest = Hash::of(
        format!("{on:?} {parts:?} {:?} {:?}", written.silent, written.group_by).as_bytes(),
    );
    Ok(Rule {
        name: written.name,
        severity: written.severity,
        on,
        when,
        parts,
        hours,
        silent: written.silent,
        message,
        group_by: written.group_by,
        again: written.again.max(1),
        hold: written.hold,
        to: written.to,
        digest: digest.to_hex()[..8].to_owned(),
    })
}

pub(super) fn is_name(name: &str) -> Result<(), String> {
    let sound = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match (1..=64).contains(&name.len()) && name.chars().all(sound) {
        true => Ok(()),
        false => Err("a name has 1 to 64 letters, digits, dots and dashes".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Rules::parse(text, Path::new("."))
            .err()
            .map(|why| why.to_string())
            .unwrap_or_else(|| panic!("{text} was taken"))
    }

    const GOOD: &str = "[[rule]]\nname = \"a\"\nseverity = \"note\"\non = \"record\"\nwhen = \"opened\"\nmessage = \"x\"\n";

    #[test]
    fn what_is_wrong_is_said_with_its_rule_and_its_line() {
        assert!(Rules::parse(GOOD, Path::new(".")).is_ok());
        for (old, new, expected) in [
            ("when", "whenn", "line 5: unknown field `whenn`"),
            ("\"note\"", "\"grave\"", "line 3: unknown variant `grave`"),
            ("\"record\"", "\"recrod\"", "line 4: unknown variant `recrod`"),
            ("\"opened\"", "\"opened &&\"", "line 5, rule \"a\": when: 1:10: "),
            (
                "\"opened\"",
                "\"\"\"\nopened &&\n reader == '' \"\"\"",
                "line 5, rule \"a\": when: 2:2: \"record\" has no name \"reader\"",
            ),
            ("when = \"opened\"", "", "line 1, rule \"a\": it asks nothing"),
            ("\"x\"", "\"{reader}\"", "rule \"a\": the message names {reader}"),
            ("message = \"x\"\n", "", "missing field `message`"),
            ("\"a\"", "\"a b\"", "a name has 1 to 64"),
            ("when", "to = [\"ops\"]\nwhen", "to: there is no channel \"ops\""),
            (
                "when",
                "group_by = [\"reader\"]\nwhen",
                "group_by: \"record\" has no name \"reader\"",
            ),
            (
                "when",
                "hours = {zone = \"X\", days = \"mon\", from = \"07:00\", to = \"08:00\"}\nwhen",
                "hours: \"X\" is no time zone",
            ),
            ("when", "window = {seconds = 0, more_than = 3}\nwhen", "window: a window has"),
            (
                "when",
                "window = {seconds = 9, more_than = 3, every = 1}\nwhen",
                "unknown field `every`",
            ),
            (
                "when",
                "growth = {per = \"day\", over = 9, factor = 1.0}\nwhen",
                "growth: a factor is more than 1",
            ),
            (
                "when",
                "silent = {by = [\"signer\"], seconds = 9}\nfirst_use = [\"signer\"]\nwhen",
                "silent: it stands alone",
            ),
            (
                "when",
                "repeated = [\"document.color\"]\nwhen",
                "repeated: \"record\" has no name \"document.color\"",
            ),
        ] {
            let why = refused(&GOOD.replacen(old, new, 1));
            assert!(why.contains(expected), "{new}: {why}");
        }
        assert!(refused(&format!("{GOOD}{GOOD}")).contains("line 7, rule \"a\": there is another"));
    }
}
