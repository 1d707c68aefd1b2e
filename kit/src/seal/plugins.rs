//! age plugins (C2SP age-plugin): `age-plugin-NAME` on the PATH wraps or opens a file key for keys that
//! live in hardware, and may ask a person for a PIN or a touch while it does.

use super::{Identity, Recipient};
use crate::terminal::{escape, talk};
use age::secrecy::SecretString;
use anyhow::{Result, anyhow};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};

/// How plugins talk with a person: on the terminal, and not at all without one.
#[derive(Clone)]
pub(super) struct Person;

impl age::Callbacks for Person {
    fn display_message(&self, message: &str) {
        talk(message);
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let no = no.map(|no| format!(", anything else: {no}")).unwrap_or_default();
        let answer = ask(&format!("{message} [y: {yes}{no}] "))?;
        Some(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        ask(&format!("{description}: ")).map(|answer| answer.trim().to_owned())
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        rpassword::prompt_password(escape(&format!("{description}: "))).ok().map(SecretString::from)
    }
}

fn ask(question: &str) -> Option<String> {
    let mut terminal = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
    terminal.write_all(escape(question).as_bytes()).ok()?;
    let mut answer = String::new();
    BufReader::new(terminal).read_line(&mut answer).ok()?;
    Some(answer)
}

/// The plugins of some recipients, each with all of its own.
pub(super) fn of_recipients(recipients: &[Recipient]) -> Result<Vec<Box<dyn age::Recipient>>> {
    let ours: Vec<age::plugin::Recipient> = recipients
        .iter()
        .filter_map(|recipient| match recipient {
            Recipient::Plugin(recipient) => Some(recipient.clone()),
            Recipient::X25519(_) => None,
        })
        .collect();
    let names: BTreeSet<&str> = ours.iter().map(age::plugin::Recipient::plugin).collect();
    let mut plugins: Vec<Box<dyn age::Recipient>> = Vec::new();
    for name in names {
        let plugin = age::plugin::RecipientPluginV1::new(name, &ours, &[], Person);
        plugins.push(Box::new(plugin.map_err(|_| missing(name))?));
    }
    Ok(plugins)
}

/// The plugins of some identities.
pub(super) fn of_identities(identities: &[Identity]) -> Result<Vec<Box<dyn age::Identity>>> {
    let ours: Vec<age::plugin::Identity> = identities
        .iter()
        .filter_map(|identity| match identity {
            Identity::Plugin(identity) => Some(identity.clone()),
            Identity::X25519(_) => None,
        })
        .collect();
    let names: BTreeSet<&str> = ours.iter().map(age::plugin::Identity::plugin).collect();
    let mut plugins: Vec<Box<dyn age::Identity>> = Vec::new();
    for name in names {
        let plugin = age::plugin::IdentityPluginV1::new(name, &ours, Person);
        plugins.push(Box::new(plugin.map_err(|_| missing(name))?));
    }
    Ok(plugins)
}

fn missing(name: &str) -> anyhow::Error {
    anyhow!(
        "a key is for the age plugin {name}, and there is no age-plugin-{name} on the PATH: install it on this machine"
    )
}
