//! What holds of the engine whatever the rules.

use super::*;
use crate::monitor::{Alert, Change};

fn rules(rule: &str) -> Rc<Rules> {
    let text = format!(
        "[[rule]]\nname = \"r\"\nseverity = \"note\"\non = \"record\"\nmessage = \"x\"\n{rule}"
    );
    Rc::new(Rules::parse(&text, Path::new(".")).unwrap_or_else(|why| panic!("{why}")))
}

fn engine(rule: &str) -> Engine {
    Engine::new(rules(rule), State::default())
}

fn stored(changes: Vec<Change>) -> State {
    State::load(
        changes.into_iter().filter_map(|one| Some((one.rule, one.subject, one.cell?, one.used))),
    )
}

#[test]
fn the_same_events_give_the_same_alerts_also_where_the_memory_was_stored_in_between() {
    let rules = || Rc::new(Rules::parse(DEFAULT_RULES, Path::new(".")).unwrap());
    let events: Vec<Event> = (1..400)
        .map(|at| {
            let mut row = row(at, MONDAY + at * 40);
            row.operator = Some(["Ada", "Grace", "Eve"][(at % 3) as usize].into());
            document(&mut row).sha256 = Hash::of(&(at % 90).to_be_bytes());
            document(&mut row).size = if at % 77 == 0 { 1 } else { 5000 + at };
            document(&mut row).version = format!("1.{}", at % 50);
            Event::Row(Box::new(row))
        })
        .collect();
    let mut whole = Engine::new(rules(), State::default());
    let once: Vec<Alert> = events.iter().flat_map(|event| whole.take(event, MONDAY)).collect();
    let mut all = std::collections::BTreeMap::new();
    let mut again = Vec::new();
    for pair in events.chunks(2) {
        let mut engine = Engine::new(rules(), stored(all.values().cloned().collect()));
        again.extend(pair.iter().flat_map(|event| engine.take(event, MONDAY)));
        for change in engine.state().take_changes() {
            all.insert((change.rule.clone(), change.subject.clone()), change);
        }
    }
    assert!(once.len() > 100 && once == again, "{} and {}", once.len(), again.len());
    let ids: std::collections::BTreeSet<&str> =
        once.iter().map(|alert| alert.id.as_str()).collect();
    assert_eq!(ids.len(), once.len());
}

#[test]
fn a_rule_that_cannot_judge_says_so_and_one_that_asks_otherwise_begins_anew() {
    let mut engine = engine("when = \"document.size > 7\"");
    let closed = Event::Row(Box::new(Row { document: None, ..row(1, MONDAY) }));
    let told = engine.take(&closed, MONDAY);
    assert!(
        told[0].text.starts_with("the rule r cannot judge what happened: "),
        "{}",
        told[0].text
    );
    assert!(engine.take(&closed, MONDAY + 60).is_empty());
    assert_eq!(engine.take(&closed, MONDAY + DAY).len(), 1);

    let mut before = self::engine("first_use = [\"operator\"]");
    let event = Event::Row(Box::new(row(1, MONDAY)));
    assert_eq!(before.take(&event, MONDAY).len(), 1);
    let kept = before.state().take_changes();
    for (rule, expected) in
        [("first_use = [\"operator\"]", 0), ("first_use = [\"signer\", \"operator\"]", 1)]
    {
        let rules = rules(rule);
        let mut after = Engine::new(rules, stored(kept.clone()));
        assert_eq!(after.take(&event, MONDAY).len(), expected, "{rule}");
        assert_eq!(after.state().rules().len(), 1);
    }
}

#[test]
fn all_parts_of_a_rule_must_hold_and_each_remembers() {
    let rule = "first_use = [\"operator\"]\nrepeated = [\"document.sha256\"]\nhours = {zone = \"UTC\", days = \"mon-sun\", from = \"12:00\", to = \"13:00\"}";
    let mut engine = engine(rule);
    let mut take = |operator: &str, document: u64, time: u64| {
        let mut row = row(1, time);
        row.operator = Some(operator.into());
        self::document(&mut row).sha256 = Hash::of(&document.to_be_bytes());
        engine.take(&Event::Row(Box::new(row)), time).len()
    };
    assert_eq!(take("Ada", 1, MONDAY), 0);
    assert_eq!(take("Ada", 1, MONDAY), 0);
    assert_eq!(take("Grace", 2, MONDAY), 0);
    assert_eq!(take("Grace", 1, MONDAY), 0);
    assert_eq!(take("Eve", 2, MONDAY), 1);
    assert_eq!(take("Mallory", 2, MONDAY + 2 * HOUR + 60), 0);
}
