//! The rules file: TOML, conditions in CEL. What is wrong with it is said when it is loaded, with the place.

use super::Severity;
use super::condition::{Compiler, Condition};
use super::facts::{self, On};
use super::hours::{self, Hours};
use super::parts::{Backwards, Growth, Part, Silent, Unusual, Window};
use super::template::Template;
use anyhow::Context;
use coldlog_kit::files;
use coldlog_spec::hash::Hash;
use serde::Deserialize;
use std::path::{Path, PathBuf};
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

/// Where alerts go.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// Alerts that matter less are not sent here.
    pub at_least: Severity,
    /// Whether what conditions saw is sent along; it may hold what sealed records hold.
    pub facts: bool,
    /// How it is reached.
    pub kind: Kind,
}

/// How a channel is reached.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A line for each alert on stderr.
    Stderr,
    /// A JSON object a line, appended to a file, or on stdout.
    JsonLines(Option<PathBuf>),
    /// A program that reads the message from stdin.
    Command(Vec<String>),
    /// Standard Webhooks.
    Webhook {
        /// Where.
        url: String,
        /// The file with the secret, mode 0600.
        secret_file: PathBuf,
    },
    /// E-mail.
    Smtp(Smtp),
}

/// A mail server, and what is sent to it.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// Its name.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is secured.
    pub tls: Tls,
    /// From whom.
    pub from: String,
    /// To whom.
    pub mail_to: Vec<String>,
    /// As whom, and the file with the password, mode 0600.
    pub login: Option<(String, PathBuf)>,
}

/// How a connection to a mail server is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// From the first byte (port 465).
    Implicit,
    /// By STARTTLS, without which nothing is sent (port 587).
    Starttls,
    /// Not at all: to this machine itself only.
    None,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenChannel {
    name: String,
    kind: String,
    at_least: Option<Severity>,
    facts: Option<bool>,
    file: Option<PathBuf>,
    command: Option<Vec<String>>,
    url: Option<String>,
    secret_file: Option<PathBuf>,
    server: Option<String>,
    port: Option<u16>,
    tls: Option<Tls>,
    from: Option<String>,
    mail_to: Option<Vec<String>>,
    user: Option<String>,
    password_file: Option<PathBuf>,
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
                false => channel(written, folder),
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

fn is_name(name: &str) -> Result<(), String> {
    let sound = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match (1..=64).contains(&name.len()) && name.chars().all(sound) {
        true => Ok(()),
        false => Err("a name has 1 to 64 letters, digits, dots and dashes".into()),
    }
}

fn channel(written: WrittenChannel, folder: &Path) -> Result<Channel, String> {
    is_name(&written.name)?;
    let WrittenChannel { name, kind, at_least, facts, .. } = &written;
    let beside = |file: &Option<PathBuf>| file.as_ref().map(|file| folder.join(file));
    let missing = |field: &str| format!("a channel of kind {kind:?} needs `{field}`");
    // What another kind takes is a mistake, too.
    let fields: &[&str] = match kind.as_str() {
        "stderr" => &[],
        "json-lines" => &["file"],
        "command" => &["command"],
        "webhook" => &["url", "secret_file"],
        "smtp" => &["server", "port", "tls", "from", "mail_to", "user", "password_file"],
        _ => {
            return Err(format!(
                "there is no kind {kind:?}: it is stderr, json-lines, command, webhook or smtp"
            ));
        }
    };
    let given = [
        ("file", written.file.is_some()),
        ("command", written.command.is_some()),
        ("url", written.url.is_some()),
        ("secret_file", written.secret_file.is_some()),
        ("server", written.server.is_some()),
        ("port", written.port.is_some()),
        ("tls", written.tls.is_some()),
        ("from", written.from.is_some()),
        ("mail_to", written.mail_to.is_some()),
        ("user", written.user.is_some()),
        ("password_file", written.password_file.is_some()),
    ];
    if let Some((field, _)) = given.iter().find(|(name, is)| *is && !fields.contains(name)) {
        return Err(format!("a channel of kind {kind:?} takes no `{field}`"));
    }
    let kind = match kind.as_str() {
        "json-lines" => Kind::JsonLines(beside(&written.file)),
        "command" => {
            let command = written.command.clone().ok_or_else(|| missing("command"))?;
            if command.is_empty() {
                return Err("`command` names no program".into());
            }
            Kind::Command(command)
        }
        "webhook" => {
            let url = written.url.clone().ok_or_else(|| missing("url"))?;
            if !coldlog_client::is_url(&url) {
                return Err(format!("{url:?} is no URL: it begins with https:// or http://"));
            }
            let secret_file = beside(&written.secret_file).ok_or_else(|| missing("secret_file"))?;
            Kind::Webhook { url, secret_file }
        }
        "smtp" => Kind::Smtp(smtp(&written, folder)?),
        _ => Kind::Stderr,
    };
    Ok(Channel {
        name: name.clone(),
        at_least: at_least.unwrap_or(Severity::Note),
        facts: facts.unwrap_or(false),
        kind,
    })
}

fn smtp(written: &WrittenChannel, folder: &Path) -> Result<Smtp, String> {
    let missing = |field: &str| format!("a channel of kind \"smtp\" needs `{field}`");
    let server = written.server.clone().ok_or_else(|| missing("server"))?;
    let from = written.from.clone().ok_or_else(|| missing("from"))?;
    let mail_to = written.mail_to.clone().filter(|to| !to.is_empty());
    let mail_to = mail_to.ok_or_else(|| missing("mail_to"))?;
    for address in mail_to.iter().chain([&from]) {
        address
            .parse::<lettre::message::Mailbox>()
            .map_err(|why| format!("{address:?} is no address: {why}"))?;
    }
    let tls = written.tls.unwrap_or(Tls::Starttls);
    let here = ["localhost", "127.0.0.1", "::1"].contains(&server.as_str());
    if tls == Tls::None && !here {
        return Err("tls = \"none\" is for a mail server on this machine only".into());
    }
    let port = written.port.unwrap_or(match tls {
        Tls::Implicit => 465,
        Tls::Starttls => 587,
        Tls::None => 25,
    });
    let login = match (&written.user, &written.password_file) {
        (Some(user), Some(file)) => Some((user.clone(), folder.join(file))),
        (None, None) => None,
        _ => return Err("`user` and `password_file` go together".into()),
    };
    Ok(Smtp { server, port, tls, from, mail_to, login })
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

    #[test]
    fn a_channel_takes_what_its_kind_needs_and_nothing_else() {
        let smtp = "kind = \"smtp\"\nserver = \"mail.example\"\nfrom = \"a@b.example\"\nmail_to = [\"c@d.example\"]";
        for (fields, expected) in [
            ("kind = \"pigeon\"", "there is no kind \"pigeon\""),
            ("kind = \"stderr\"\nurl = \"https://x\"", "takes no `url`"),
            ("kind = \"command\"", "needs `command`"),
            ("kind = \"command\"\ncommand = []", "names no program"),
            ("kind = \"webhook\"\nurl = \"https://x\"", "needs `secret_file`"),
            ("kind = \"webhook\"\nurl = \"x\"\nsecret_file = \"s\"", "is no URL"),
            (&smtp.replace("a@b", "a b"), "is no address"),
            (&format!("{smtp}\ntls = \"none\""), "on this machine only"),
            (&format!("{smtp}\nuser = \"a\""), "go together"),
        ] {
            let why = refused(&format!("[[channel]]\nname = \"c\"\n{fields}"));
            assert!(
                why.starts_with("line 1, channel \"c\": ") && why.contains(expected),
                "{fields}: {why}"
            );
        }
        let text = format!("[[channel]]\nname = \"c\"\n{smtp}\n");
        assert!(matches!(
            &Rules::parse(&text, Path::new(".")).unwrap().channels[0].kind,
            Kind::Smtp(Smtp { port: 587, .. })
        ));
        assert!(refused(&format!("{text}{text}")).contains("another one of this name"));
    }
}
