//! Messages out of the outbox, to where people see them.

mod command;
mod lines;
mod mail;
mod webhook;

use super::channel::{Channel, Kind};
use super::engine::Alert;
use super::rules::Rules;
use super::store::{Message, Store};
use anyhow::{Result, bail};
use coldlog_kit::exit::text_of;
use coldlog_kit::terminal::{field, talk};
use coldlog_kit::time;
use serde_json::{Value, json};

/// The most messages that are tried at once; the rest follow.
const AT_ONCE: usize = 100;
/// A channel that failed so often at once is left alone until the next time.
const PATIENCE: u32 = 3;

/// Tries all messages that are due. Returns how many were delivered.
pub fn deliver(store: &Store, rules: &Rules) -> Result<usize> {
    let mut delivered = 0;
    let mut failed: Vec<(String, u32)> = Vec::new();
    for message in store.due(time::now(), AT_ONCE)? {
        let before = failed.iter().position(|(channel, _)| *channel == message.channel);
        if before.is_some_and(|place| failed[place].1 >= PATIENCE) {
            continue;
        }
        store.try_message(message.number, time::now())?;
        match send(&message, rules) {
            Ok(()) => {
                store.delivered(message.number, time::now())?;
                delivered += 1;
            }
            Err(why) => {
                let why = text_of(&why);
                store.not_delivered(message.number, &why)?;
                talk(format!("verifier: a message to {} waits: {why}", message.channel));
                match before {
                    Some(place) => failed[place].1 += 1,
                    None => failed.push((message.channel.clone(), 1)),
                }
            }
        }
    }
    Ok(delivered)
}

fn send(message: &Message, rules: &Rules) -> Result<()> {
    let Some(channel) = rules.channels.iter().find(|channel| channel.name == message.channel)
    else {
        bail!(
            "the rules file has no channel of this name any more: put it back, or send its messages elsewhere"
        );
    };
    match &channel.kind {
        Kind::Stderr => {
            message.alerts.iter().for_each(|alert| talk(line(alert)));
            Ok(())
        }
        Kind::JsonLines(file) => lines::send(file.as_deref(), message, channel),
        Kind::Command(words) => command::send(words, message, channel),
        Kind::Webhook { url, secret_file } => webhook::send(url, secret_file, message, channel),
        Kind::Smtp(smtp) => mail::send(smtp, message),
    }
}

/// An alert in a line.
pub fn line(alert: &Alert) -> String {
    let Alert { id, rule, severity, time, text, .. } = alert;
    let id = id.get(..8).unwrap_or(id);
    format!("{} {id}  {}  {}: {}", severity.name(), time::show(*time), field(rule), field(text))
}

/// An alert for a program; `facts` are what conditions saw.
pub fn to_json(alert: &Alert, facts: bool) -> Value {
    let mut object = json!({
        "version": coldlog_kit::report::VERSION, "id": alert.id, "rule": alert.rule,
        "severity": alert.severity.name(), "time": time::show(alert.time), "seen": time::show(alert.seen),
        "subject": alert.subject, "index": alert.index, "text": alert.text,
    });
    if facts {
        object["facts"] = Value::Object(alert.facts.clone());
    }
    object
}

// A message as one object.
fn body(message: &Message, channel: &Channel) -> Value {
    let alerts: Vec<Value> =
        message.alerts.iter().map(|alert| to_json(alert, channel.facts)).collect();
    json!({
        "type": "coldlog.alerts", "timestamp": time::show(message.made),
        "data": {"message": message.id, "group": message.group, "alerts": alerts},
    })
}
