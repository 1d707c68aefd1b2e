//! `witness add-log`, `remove-log`, `list` and `heads`: which logs are watched, and how far they are.

use crate::place::{self, Held};
use anyhow::{Context, Result};
use coldlog_kit::exit::{OrNo, Outcome, no, trouble};
use coldlog_kit::files;
use coldlog_kit::report::{self, Report};
use coldlog_kit::terminal::{field, say};
use coldlog_spec::log_list::{self, ListedLog, MAX_LIST};
use coldlog_spec::note::VerifierKey;
use coldlog_spec::policy::{MAX_POLICY, Policy};
use coldlog_spec::rotation::{MAX_ROTATION, Rotation};
use serde_json::json;
use std::path::{Path, PathBuf};

/// What names the logs to watch.
pub struct Add {
    /// A policy file, or a log's own lines.
    pub policy: Option<PathBuf>,
    /// A witness network's list of logs.
    pub list: Option<PathBuf>,
    /// A note by which a log's old key hands over to a new one.
    pub rotation: Option<PathBuf>,
    /// Take other keys for a log that is watched already.
    pub replace: bool,
}

/// `witness add-log`
pub fn add(home: &Path, options: &Add) -> Outcome {
    place::must_be_home(home)?;
    let rotation = match &options.rotation {
        Some(path) => Some(Rotation::decode(&files::read(path, MAX_ROTATION as u64)?)?),
        None => None,
    };
    let logs = match (&options.policy, &options.list, &rotation) {
        (Some(path), None, _) => in_policy(path)?,
        (None, Some(path), None) => log_list::parse(&files::read(path, MAX_LIST as u64)?)?,
        (None, None, Some(rotation)) => return rotate(home, rotation),
        _ => return trouble("name a policy file, or --list, or --rotation"),
    };
    if logs.is_empty() {
        return trouble("the file names no log: it has no `log` line, and no `vkey` in a list");
    }
    // All or none: what is refused of a list of thousands must not be found out by halves.
    let mut new = Vec::new();
    for mut log in logs {
        place::may_watch(home, &log.origin)?;
        let Some(held) = Held::open(home, &log.origin)? else {
            new.push(log);
            continue;
        };
        let before = held.known()?.log;
        let handed_over = rotation.as_ref().is_some_and(|rotation| {
            rotation.origin == log.origin
                && rotation.verify_by(&before.keys).is_ok()
                && log.keys.iter().all(|k| before.keys.contains(k) || rotation.keys.contains(k))
        });
        if before.keys != log.keys && !options.replace && !handed_over {
            return no(format!(
                "{} is watched by other keys: take the note of its change of keys (--rotation), or ask its operator by another channel whether they changed, then say --replace",
                log.origin
            ));
        }
        log.url = log.url.or(before.url);
        log.contact = log.contact.or(before.contact);
        log.per_day = log.per_day.or(before.per_day);
        new.push(log);
    }
    for log in &new {
        place::add(home, log)?;
    }
    match new.as_slice() {
        [log] => say(format!("watching {} by {} keys", log.origin, log.keys.len())),
        logs => say(format!("watching {} logs", logs.len())),
    }
    Ok(())
}

/// The `log` lines of a policy, which may name several logs, each with several keys.
pub fn in_policy(path: &Path) -> Result<Vec<ListedLog>> {
    let text = files::read(path, MAX_POLICY as u64)?;
    if text.starts_with(b"coldlog-") {
        // A trust root or a history holds only with its signatures; a log's own lines are no policy yet.
        Policy::parse(&text).with_context(|| path.display().to_string())?;
    }
    let text = String::from_utf8(text).context("the file is not UTF-8")?;
    let mut logs: Vec<ListedLog> = Vec::new();
    for line in text.lines() {
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        if words.next() != Some("log") {
            continue;
        }
        let key = VerifierKey::decode(words.next().context("a log line has no key")?)?;
        let url = words.next().map(String::from);
        match logs.iter_mut().find(|log| log.origin == key.name) {
            Some(log) => {
                log.url = log.url.take().or(url);
                // In a history a key stands once for each policy that names it.
                if !log.keys.contains(&key) {
                    log.keys.push(key);
                }
            }
            None => {
                let origin = key.name.clone();
                let keys = vec![key];
                logs.push(ListedLog { origin, keys, per_day: None, contact: None, url });
            }
        }
    }
    Ok(logs)
}

// Both keys' heads are taken from now on.
fn rotate(home: &Path, rotation: &Rotation) -> Outcome {
    let Some(held) = Held::open(home, &rotation.origin)? else {
        return no(format!("{} is not watched", rotation.origin));
    };
    let mut log = held.known()?.log;
    rotation.verify_by(&log.keys).or_no()?;
    let new = rotation.keys.iter().filter(|key| !log.keys.contains(key)).cloned();
    let new: Vec<VerifierKey> = new.collect();
    log.keys.extend(new);
    held.describe(&log)?;
    say(format!("watching {} by {} keys", log.origin, log.keys.len()));
    Ok(())
}

/// `witness remove-log`
pub fn remove(home: &Path, origin: &str) -> Outcome {
    place::must_be_home(home)?;
    let Some(held) = Held::open(home, origin)? else {
        return no(format!("{origin} is not watched"));
    };
    held.remove()?;
    say(format!("{origin} is watched no longer; its newest head stays remembered"));
    Ok(())
}

/// `witness list`
pub fn list(home: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        let logs = place::all(home)?;
        let list: Vec<_> = logs
            .iter()
            .map(|known| {
                let log = &known.log;
                json!({
                    "origin": log.origin, "keys": log.keys.iter().map(VerifierKey::encode).collect::<Vec<_>>(),
                    "per_day": log.per_day, "contact": log.contact, "url": log.url,
                    "size": known.last.as_ref().map(|last| last.checkpoint.size),
                })
            })
            .collect();
        let mut text: Vec<String> = logs
            .iter()
            .map(|known| {
                let size = known.last.as_ref().map(|last| last.checkpoint.size);
                let size = size.map_or("not cosigned yet".into(), |size| format!("size {size}"));
                let (origin, keys) = (field(&known.log.origin), known.log.keys.len());
                format!("{origin}, by {keys} keys, {size}")
            })
            .collect();
        if text.is_empty() {
            text.push("no log is watched; add one with `witness add-log`".into());
        }
        Ok(Report { text, fields: json!({"logs": list}) })
    })
}

/// `witness heads`
pub fn heads(home: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        let heads: Vec<_> = place::all(home)?.into_iter().filter_map(|known| known.last).collect();
        let checkpoints = heads.iter().map(|head| &head.checkpoint);
        let list = checkpoints.clone().map(
            |head| json!({"origin": head.origin, "size": head.size, "root": head.root.to_hex()}),
        );
        let fields = json!({"heads": list.collect::<Vec<_>>()});
        let mut text: Vec<String> = checkpoints
            .map(|head| format!("{} {} {}", field(&head.origin), head.size, head.root))
            .collect();
        if text.is_empty() {
            text.push("no head cosigned yet".into());
        }
        Ok(Report { text, fields })
    })
}
