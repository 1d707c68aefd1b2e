//! Rules over events that are made here.

mod default_rules;
mod engine;

use super::event::{Event, Head, Tick, Witness};
use super::{DEFAULT_RULES, Engine, Rules, State};
use crate::records::{Document, Row};
use coldlog_spec::hash::Hash;
use std::path::Path;
use std::rc::Rc;

/// A Monday, 2027-01-11, 10:00 UTC.
const MONDAY: u64 = 1_799_661_600;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// The default rules, of which one is looked at.
struct Bench {
    engine: Engine,
    rule: &'static str,
    next: u64,
}

fn bench(rule: &'static str) -> Bench {
    let rules = Rules::parse(DEFAULT_RULES, Path::new(".")).unwrap_or_else(|why| panic!("{why}"));
    assert!(rules.rules.iter().any(|one| one.name == rule), "{rule} is no default rule");
    Bench { engine: Engine::new(Rc::new(rules), State::default()), rule, next: 1 }
}

impl Bench {
    /// The texts of the alerts of this rule.
    fn take(&mut self, event: &Event, now: u64) -> Vec<String> {
        let alerts = self.engine.take(event, now).into_iter();
        let ours = alerts.filter(|alert| alert.rule == self.rule);
        ours.map(|alert| {
            assert!(!alert.text.contains("cannot judge"), "{}", alert.text);
            alert.text
        })
        .collect()
    }

    /// Of a record that is altered; how many alerts.
    fn record(&mut self, time: u64, alter: impl FnOnce(&mut Row)) -> usize {
        let mut row = row(self.next, time);
        self.next += 1;
        alter(&mut row);
        self.take(&Event::Row(Box::new(row)), time + 60).len()
    }

    fn tick(&mut self, now: u64, tick: Tick) -> usize {
        self.take(&Event::Tick(tick), now).len()
    }

    fn head(&mut self, now: u64, head: Head) -> usize {
        self.take(&Event::Head(head), now).len()
    }
}

fn row(index: u64, time: u64) -> Row {
    Row {
        index,
        leaf: Hash::of(&index.to_be_bytes()),
        signer: "signer.example/releases".into(),
        journal: "journal".into(),
        sequence: index,
        previous: None,
        operation: "sign".into(),
        key: "aa".into(),
        known_head: Some(index),
        not_before: Some(time - HOUR),
        not_after: Some(time + 60),
        opened: true,
        claimed: Some(time),
        clock: None,
        operator: Some("Ada".into()),
        purpose: Some("release".into()),
        device: Some("offline-1".into()),
        approvals: 0,
        factors: Vec::new(),
        document: Some(Document {
            name: format!("app-{index}.tar.gz"),
            version: "1.0".into(),
            media_type: "application/gzip".into(),
            size: 4000 + index % 100,
            sha256: Hash::of(format!("document {index}").as_bytes()),
            scheme: "sshsig".into(),
            signature: Hash([9; 32]),
        }),
    }
}

fn document(row: &mut Row) -> &mut Document {
    row.document.as_mut().unwrap()
}

fn head(names: &[&str]) -> Head {
    let all = ["w1", "w2", "w3"];
    let cosigned = names.iter().map(|name| Witness { name: (*name).into(), time: MONDAY });
    Head {
        origin: "log.example".into(),
        size: 7,
        quorum: names.len() >= 2,
        witnessed: Some(MONDAY),
        cosigned: cosigned.collect(),
        expected: all.iter().map(|name| (*name).into()).collect(),
        ..Head::default()
    }
}
