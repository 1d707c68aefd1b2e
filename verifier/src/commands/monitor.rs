//! `verifier monitor`: rules over what a log shows, and alerts. What they mean is in [`crate::monitor`].

use crate::monitor::deliver::{deliver, line, to_json};
use crate::monitor::follow::{Followed, Monitor, Round, replay};
use crate::monitor::store::{Acknowledgement, Store};
use crate::monitor::{Alert, DEFAULT_RULES, Kind, Rules};
use crate::openings::OpeningArgs;
use anyhow::{Context, Result, bail};
use coldlog_client::Published;
use coldlog_kit::exit::{OrNo, Outcome, trouble};
use coldlog_kit::files;
use coldlog_kit::published::Source;
use coldlog_kit::report::{self, Report};
use coldlog_kit::seal;
use coldlog_kit::terminal::{field, say, talk};
use coldlog_kit::time;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The monitor's folder, where none is named.
pub const STATE: &str = "coldlog-monitor";

/// The longest note, in bytes.
const MAX_NOTE: usize = 2000;

/// How a log is read.
pub struct Reading {
    /// Where it is: a folder or a URL.
    pub place: PathBuf,
    /// The policy.
    pub policy: PathBuf,
    /// What opens sealed records.
    pub identity: Option<PathBuf>,
    /// Who opens them, and why.
    pub opening: OpeningArgs,
    /// What a reader proves itself by.
    pub token_file: Option<PathBuf>,
    /// A copy of the access journal.
    pub accesses: Option<PathBuf>,
}

impl Reading {
    fn open(&self, history: bool) -> Result<Followed> {
        let identities = self.identity.as_deref().map(seal::read_identities).transpose()?;
        if identities.is_none() {
            talk("verifier: without --identity rules see only what is public: not who signed what");
        }
        let url = self.place.to_str().filter(|text| coldlog_client::is_url(text));
        let source: Box<dyn Source> = match (&self.token_file, url) {
            (None, _) => super::source(&self.place)?,
            (Some(token), Some(url)) => Box::new(Published::new(url)?.with_token(token)?),
            (Some(_), None) => {
                bail!("--token-file is for a log at a URL; {} is a folder", self.place.display())
            }
        };
        Ok(Followed {
            source,
            policy: super::policy(&self.policy)?,
            identities: identities.unwrap_or_default(),
            opening: self.opening.clone(),
            accesses: self.accesses.clone(),
            history,
        })
    }
}

/// `verifier monitor run`, as the command line says it.
pub struct Run {
    /// The log.
    pub reading: Reading,
    /// The rules.
    pub rules: PathBuf,
    /// The folder.
    pub state: PathBuf,
    /// Seconds between two rounds.
    pub every: u64,
    /// End after so many.
    pub rounds: Option<u64>,
    /// Tell also of what was there before.
    pub history: bool,
}

/// `verifier monitor run`
pub fn run(options: &Run) -> Outcome {
    let rules = Rules::read(&options.rules)?;
    if rules.channels.is_empty() {
        talk("verifier: the rules file names no [[channel]]: alerts are kept, and sent nowhere");
    }
    let followed = options.reading.open(options.history)?;
    files::create_private_folder(&options.state)?;
    let _lock = files::lock(&options.state)?;
    let store = Store::open(&options.state)?;
    store.resume(time::now())?;
    let mut monitor = Monitor::new(followed, rules, store);
    let mut rounds = 0;
    loop {
        let round = monitor.round()?;
        tell(&round);
        deliver(monitor.store(), monitor.rules())?;
        rounds += 1;
        if options.rounds.is_some_and(|last| rounds >= last) {
            return ended(&monitor, &round);
        }
        wait(&monitor, time::now().saturating_add(options.every.max(1)))?;
    }
}

fn tell(round: &Round) {
    match (&round.failing, &round.head) {
        (Some(why), _) => talk(format!("verifier: the log cannot be read: {why}")),
        (None, Some((origin, size))) => {
            let learnt = match round.learnt {
                0 => String::new(),
                learnt => format!(", learnt from {learnt} that were there before"),
            };
            let waits = match size.saturating_sub(round.position) {
                0 => String::new(),
                waits => format!(", {waits} wait for a quorum of witnesses"),
            };
            let alerts = round.alerts;
            say(format!("{}: {size} entries{waits}{learnt}; {alerts} new alerts", field(origin)));
        }
        (None, None) => {}
    }
}

fn ended(monitor: &Monitor, round: &Round) -> Outcome {
    if let (waiting @ 1.., _, why) = monitor.store().waiting()? {
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        talk(format!("verifier: {waiting} messages wait to be delivered by the next run{why}"));
    }
    match &round.failing {
        None => Ok(()),
        Some(_) => trouble("the log could not be read in the last round"),
    }
}

// Until the next round; messages that are due before it go out.
fn wait(monitor: &Monitor, until: u64) -> Result<()> {
    loop {
        let now = time::now();
        if now >= until {
            return Ok(());
        }
        let due = monitor.store().next_due()?.unwrap_or(until).clamp(now + 1, until);
        std::thread::sleep(Duration::from_secs(due - now));
        deliver(monitor.store(), monitor.rules())?;
    }
}

/// `verifier monitor test`
pub fn test(rules: &Path, reading: &Reading, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        let rules = Rules::read(rules)?;
        let followed = reading.open(true)?;
        let mut counts: BTreeMap<String, u64> =
            rules.rules.iter().map(|rule| (rule.name.clone(), 0)).collect();
        let mut alerts: Vec<Value> = Vec::new();
        let replayed = replay(&followed, rules, &mut |alert: Alert| {
            *counts.entry(alert.rule.clone()).or_default() += 1;
            match as_json {
                true => alerts.push(to_json(&alert, true)),
                false => say(line(&alert)),
            }
        })?;
        let fired: u64 = counts.values().sum();
        let mut text = vec![format!(
            "{} entries and {} reads: {fired} alerts would have been sent",
            replayed.entries, replayed.reads
        )];
        if replayed.closed > 0 {
            text.push(format!(
                "{} records did not open: rules saw only what is public of them",
                replayed.closed
            ));
        }
        let quiet: Vec<&str> = counts
            .iter()
            .filter(|(_, count)| **count == 0)
            .map(|(name, _)| name.as_str())
            .collect();
        if !quiet.is_empty() {
            text.push(format!("these rules were silent: {}", quiet.join(", ")));
        }
        let fields = json!({
            "entries": replayed.entries, "closed": replayed.closed, "reads": replayed.reads,
            "fired": fired, "by_rule": counts, "alerts": alerts,
        });
        Ok(Report { text, fields })
    })
}

/// `verifier monitor alerts`
pub fn alerts(state: &Path, only_open: bool, as_json: bool) -> Outcome {
    const CHECKS: [&str; 1] = ["no acknowledgement was altered or taken out"];
    report::run_judged(as_json, &CHECKS, |checks| {
        let store = Store::open_existing(state)?;
        let chain = store.verify_acknowledgements()?.or_no();
        let found = store.alerts(only_open)?;
        let (mut text, mut list) = (Vec::new(), Vec::new());
        for (alert, acknowledged) in &found {
            text.push(line(alert));
            text.extend(acknowledged.iter().map(acknowledgement));
            let mut object = to_json(alert, true);
            object["acknowledged"] = acknowledged.iter().map(acknowledgement_json).collect();
            list.push(object);
        }
        let open = found.iter().filter(|(_, acknowledged)| acknowledged.is_empty()).count();
        let (waiting, _, error) = store.waiting()?;
        text.push(format!("{} alerts, {open} of them open", found.len()));
        if waiting > 0 {
            let error = error.as_ref().map(|why| format!(": {}", field(why))).unwrap_or_default();
            text.push(format!("{waiting} messages wait to be delivered{error}"));
        }
        let mut fields = json!({
            "alerts": list, "open": open, "messages_waiting": waiting, "error": error,
        });
        let verdict = chain.map(|(count, digest)| {
            checks.pass();
            if count > 0 {
                text.push(format!("{count} acknowledgements, none altered; the last is {digest}"));
            }
            fields["acknowledgements"] = json!({"count": count, "last": digest});
        });
        Ok((Report { text, fields }, verdict))
    })
}

fn acknowledgement(one: &Acknowledgement) -> String {
    format!(
        "    taken note of {} by {}: {}",
        time::show(one.time),
        field(&one.by),
        field(&one.note)
    )
}

fn acknowledgement_json(one: &Acknowledgement) -> Value {
    json!({
        "number": one.number, "time": time::show(one.time), "by": one.by, "note": one.note,
        "previous": one.previous, "digest": one.digest,
    })
}

/// `verifier monitor ack`
pub fn ack(state: &Path, alerts: &[String], by: &str, note: &str, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        for (what, text) in [("--by", by), ("--note", note)] {
            if text.trim().is_empty() || text.len() > MAX_NOTE {
                return trouble(format!(
                    "{what} has 1 to {MAX_NOTE} bytes: say who, and what they found"
                ));
            }
        }
        let mut store = Store::open_existing(state)?;
        store.verify_acknowledgements()?.or_no()?;
        let mut found = alerts
            .iter()
            .map(|prefix| store.find_alert(prefix))
            .collect::<Result<Vec<_>>>()
            .or_no()?;
        found.sort();
        found.dedup();
        store.acknowledge(&found, by, note, time::now())?;
        let (count, digest) = store.verify_acknowledgements()?.or_no()?;
        let text = vec![format!(
            "{} alerts taken note of by {}; acknowledgement {count} is {digest}",
            found.len(),
            field(by)
        )];
        Ok(Report { text, fields: json!({"alerts": found, "count": count, "last": digest}) })
    })
}

/// `verifier monitor rules --default`
pub fn default_rules() -> Outcome {
    say(DEFAULT_RULES.trim_end());
    Ok(())
}

/// `verifier monitor check`
pub fn check(path: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &[], |_| {
        let rules = Rules::read(path)?;
        for channel in &rules.channels {
            readable(&channel.kind).with_context(|| format!("channel {:?}", channel.name))?;
        }
        let names: Vec<&str> = rules.rules.iter().map(|rule| rule.name.as_str()).collect();
        let channels: Vec<&str> =
            rules.channels.iter().map(|channel| channel.name.as_str()).collect();
        let text = vec![format!(
            "{}: {} rules, channels {}",
            path.display(),
            names.len(),
            if channels.is_empty() { "none".into() } else { channels.join(", ") }
        )];
        Ok(Report { text, fields: json!({"rules": names, "channels": channels}) })
    })
}

// The secrets that a channel needs are there, and closed to others.
fn readable(kind: &Kind) -> Result<()> {
    let secret = match kind {
        Kind::Webhook { secret_file, .. } => Some(secret_file),
        Kind::Smtp(smtp) => smtp.login.as_ref().map(|(_, file)| file),
        _ => None,
    };
    secret.map_or(Ok(()), |file| files::read_private(file, 4096).map(|_| ()))
}
