//! Events in, alerts out. Pure: no clock, no disk.

use super::Severity;
use super::event::Event;
use super::facts::{Facts, On};
use super::parts;
use super::rules::{Rule, Rules};
use super::state::{Cell, State};
use coldlog_spec::hash::Hash;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::rc::Rc;

/// A rule that fired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Made of the rule, the subject and the event's place: the same event gives the same alert again.
    pub id: String,
    /// The rule's name.
    pub rule: String,
    /// How much it matters.
    #[serde(with = "super::severity")]
    pub severity: Severity,
    /// When it happened, in POSIX seconds.
    pub time: u64,
    /// When it was seen.
    pub seen: u64,
    /// Whom it is about, where the rule says so.
    pub subject: String,
    /// In words.
    pub text: String,
    /// The entry, where it is about one.
    pub index: Option<u64>,
    /// What conditions saw, and what was found.
    pub facts: Facts,
    /// Alerts of one group are told together.
    pub group: String,
}

/// Rules, and what they remember.
pub struct Engine {
    rules: Rc<Rules>,
    state: State,
}

impl Engine {
    /// With what was remembered. What rules remembered that are no more, or that ask otherwise now, is forgotten.
    pub fn new(rules: Rc<Rules>, mut state: State) -> Engine {
        let known: Vec<String> = rules.rules.iter().flat_map(Rule::keys).collect();
        for key in state.rules().iter().filter(|key| !known.contains(key)) {
            state.subjects(key).iter().for_each(|subject| state.forget(key, subject));
        }
        Engine { rules, state }
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What is remembered.
    pub fn state(&mut self) -> &mut State {
        &mut self.state
    }

    /// Looks at an event. `now` is when the monitor sees it, in POSIX seconds.
    pub fn take(&mut self, event: &Event, now: u64) -> Vec<Alert> {
        let (on, facts, place) = (event.on(), event.facts(now), event.place());
        let rules = self.rules.clone();
        let mut alerts = Vec::new();
        for rule in &rules.rules {
            if rule.on == on {
                alerts.extend(self.ask(rule, &facts, &place, now));
            }
            if on == On::Tick {
                alerts.extend(self.sweep(rule, &facts, now));
            }
        }
        alerts
    }

    fn ask(&mut self, rule: &Rule, facts: &Facts, place: &str, now: u64) -> Option<Alert> {
        let lasts = matches!(rule.on, On::Head | On::Tick);
        let told = rule.key("told");
        match rule.when.as_ref().map_or(Ok(true), |when| when.holds(facts)) {
            Ok(true) => {}
            Ok(false) => {
                if lasts {
                    // The episode is over: the next one is another.
                    let (subject, _) = parts::subject(&rule.group_by, facts);
                    self.state.forget(&told, &subject);
                }
                return None;
            }
            Err(why) => return self.cannot_judge(rule, facts, place, now, &why),
        }
        if let Some(silent) = &rule.silent {
            silent.hear(&rule.key("silent"), facts, now, &mut self.state);
            return None;
        }
        let mut found = Some(Facts::new());
        for part in &rule.parts {
            // Each remembers the event, whatever the others say.
            let judged = part.judge(&rule.key(part.word()), facts, &mut self.state);
            found = found.zip(judged).map(|(mut all, more)| {
                all.extend(more);
                all
            });
        }
        let found = found?;
        if rule.hours.as_ref().is_some_and(|hours| hours.hold(time(facts))) {
            return None;
        }
        if !lasts {
            return Some(alert(rule, facts, found, place, now));
        }
        let (subject, _) = parts::subject(&rule.group_by, facts);
        if !self.is_due(&told, &subject, rule.again, now) {
            return None;
        }
        Some(alert(rule, facts, found, &format!("{place} {now}"), now))
    }

    // A rule that cannot judge must not be silent.
    fn cannot_judge(
        &mut self,
        rule: &Rule,
        facts: &Facts,
        place: &str,
        now: u64,
        why: &str,
    ) -> Option<Alert> {
        if !self.is_due(&rule.key("told"), why, rule.again, now) {
            return None;
        }
        let found = Facts::from_iter([("error".to_owned(), why.into())]);
        let mut alert = alert(rule, facts, found, &format!("{place} error {now}"), now);
        alert.text =
            format!("the rule {} cannot judge what happened: {why}; mend its condition", rule.name);
        Some(alert)
    }

    fn is_due(&mut self, key: &str, subject: &str, again: u64, now: u64) -> bool {
        let told = match self.state.get(key, subject) {
            Some(Cell::Told { time }) => Some(*time),
            _ => None,
        };
        let due = told.is_none_or(|told| now.saturating_sub(told) >= again);
        if due {
            self.state.put(key, subject, Cell::Told { time: now });
        }
        due
    }

    fn sweep(&mut self, rule: &Rule, facts: &Facts, now: u64) -> Vec<Alert> {
        let Some(silent) = &rule.silent else { return Vec::new() };
        let silent = silent.sweep(&rule.key("silent"), now, rule.again, &mut self.state);
        silent
            .into_iter()
            .map(|found| alert(rule, facts, found, &format!("silent {now}"), now))
            .collect()
    }
}

fn time(facts: &Facts) -> u64 {
    facts.get("time").and_then(Value::as_u64).unwrap_or(0)
}

fn alert(rule: &Rule, facts: &Facts, found: Facts, place: &str, now: u64) -> Alert {
    let subject = found.get("subject").and_then(Value::as_str).unwrap_or_default().to_owned();
    let group = match rule.group_by.as_slice() {
        [] => subject.clone(),
        paths => parts::subject(paths, facts).1,
    };
    let id = json!(["coldlog alert", rule.name, subject, place]).to_string();
    let mut facts = facts.clone();
    facts.insert("found".into(), Value::Object(found));
    Alert {
        id: Hash::of(id.as_bytes()).to_hex()[..32].to_owned(),
        rule: rule.name.clone(),
        severity: rule.severity,
        time: time(&facts),
        seen: now,
        subject,
        text: rule.message.fill(&facts),
        index: facts.get("index").and_then(Value::as_u64),
        group: format!("{}: {group}", rule.name),
        facts,
    }
}
