//! Where alerts go: a `[[channel]]` of a rules file.

use super::Severity;
use super::rules::is_name;
use serde::Deserialize;
use std::path::{Path, PathBuf};

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
pub(super) struct WrittenChannel {
    pub(super) name: String,
    kind: String,
    #[serde(default, deserialize_with = "super::severity::optional")]
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

/// A channel; files that it names are in `folder`.
pub(super) fn read(written: WrittenChannel, folder: &Path) -> Result<Channel, String> {
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
    use crate::monitor::rules::Rules;

    fn refused(text: &str) -> String {
        let read = Rules::parse(text, Path::new("."));
        read.err().map(|why| why.to_string()).unwrap_or_else(|| panic!("{text} was taken"))
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
