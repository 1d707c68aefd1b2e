//! The parts of a rule that remember: each is a question about an event and about what was seen before it.

use super::facts::{self, Facts};
use super::state::{Cell, State};
use super::version;
use coldlog_spec::hash::Hash;
use serde::Deserialize;
use serde_json::{Value, json};
use std::cmp::Ordering;

/// The longest subject that is kept as it is; a longer one is kept as its digest.
const MAX_SUBJECT: usize = 300;

/// More than so much in so many seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    #[serde(default)]
    pub(crate) by: Vec<String>,
    pub(crate) seconds: u64,
    pub(crate) more_than: u64,
    pub(crate) sum: Option<String>,
}

/// A value below the highest one so far.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backwards {
    pub(crate) value: String,
    #[serde(default)]
    pub(crate) by: Vec<String>,
}

/// Many more in a period than in the periods before.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Growth {
    pub(crate) per: Period,
    pub(crate) over: u64,
    pub(crate) factor: f64,
    #[serde(default = "ten")]
    pub(crate) at_least: u64,
    #[serde(default)]
    pub(crate) by: Vec<String>,
}

fn ten() -> u64 {
    10
}

/// A period of [`Growth`], in UTC.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Period {
    Hour,
    Day,
    Week,
}

impl Period {
    fn seconds(self) -> u64 {
        match self {
            Period::Hour => 3600,
            Period::Day => 86_400,
            Period::Week => 604_800,
        }
    }
}

/// A number far from what it mostly is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unusual {
    pub(crate) value: String,
    pub(crate) factor: f64,
    #[serde(default = "twenty")]
    pub(crate) after: u64,
    #[serde(default)]
    pub(crate) by: Vec<String>,
}

fn twenty() -> u64 {
    20
}

/// Nothing was heard of a subject for so long.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Silent {
    pub(crate) by: Vec<String>,
    pub(crate) seconds: u64,
    pub(crate) expect: Option<String>,
}

/// The parts of a rule that are asked about its own events.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Window(Window),
    FirstUse(Vec<String>),
    Repeated(Vec<String>),
    Backwards(Backwards),
    Growth(Growth),
    Unusual(Unusual),
}

impl Part {
    /// Its name in a rules file.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Part::Window(_) => "window",
            Part::FirstUse(_) => "first_use",
            Part::Repeated(_) => "repeated",
            Part::Backwards(_) => "backwards",
            Part::Growth(_) => "growth",
            Part::Unusual(_) => "unusual",
        }
    }

    /// What a message may say of it, as `{found.NAME}`.
    pub(crate) fn found(&self) -> &'static [&'static str] {
        match self {
            Part::Window(_) => &["subject", "count"],
            Part::FirstUse(_) => &["subject"],
            Part::Repeated(_) => &["subject", "earlier"],
            Part::Backwards(_) => &["subject", "before"],
            Part::Growth(_) => &["subject", "count", "usual"],
            Part::Unusual(_) => &["subject", "value", "usual"],
        }
    }

    /// The paths that it looks at.
    pub(crate) fn paths(&self) -> Vec<&String> {
        match self {
            Part::Window(window) => window.by.iter().chain(&window.sum).collect(),
            Part::FirstUse(paths) | Part::Repeated(paths) => paths.iter().collect(),
            Part::Backwards(part) => part.by.iter().chain([&part.value]).collect(),
            Part::Growth(part) => part.by.iter().collect(),
            Part::Unusual(part) => part.by.iter().chain([&part.value]).collect(),
        }
    }

    /// Numbers that make no sense.
    pub(crate) fn check(&self) -> Result<(), String> {
        let large = |factor: f64| factor.is_finite() && factor > 1.0;
        match self {
            Part::Window(Window { seconds, .. }) if *seconds == 0 || *seconds > 366 * 86_400 => {
                Err("a window has 1 to 31622400 seconds".into())
            }
            Part::FirstUse(paths) | Part::Repeated(paths) if paths.is_empty() => {
                Err("it names no value".into())
            }
            Part::Growth(Growth { over, .. }) if !(1..=400).contains(over) => {
                Err("growth looks over 1 to 400 periods".into())
            }
            Part::Growth(Growth { factor, .. }) | Part::Unusual(Unusual { factor, .. })
                if !large(*factor) =>
            {
                Err("a factor is more than 1".into())
            }
            Part::Unusual(Unusual { after, .. }) if *after < 2 => {
                Err("`after` is 2 at least".into())
            }
            _ => Ok(()),
        }
    }

    /// Remembers an event, and says what was found where it is one to tell of.
    pub(crate) fn judge(&self, key: &str, facts: &Facts, state: &mut State) -> Option<Facts> {
        match self {
            Part::Window(window) => window.judge(key, facts, state),
            Part::FirstUse(paths) => {
                let (subject, shown) = whole_subject(paths, facts)?;
                let known = state.get(key, &subject).is_some();
                // Seen again, it is remembered for longer.
                state.put(key, &subject, Cell::Seen { index: index(facts) });
                (!known).then(|| found(json!({"subject": shown})))
            }
            Part::Repeated(paths) => {
                let (subject, shown) = whole_subject(paths, facts)?;
                let Some(Cell::Seen { index: earlier }) = state.get(key, &subject).cloned() else {
                    state.put(key, &subject, Cell::Seen { index: index(facts) });
                    return None;
                };
                state.put(key, &subject, Cell::Seen { index: earlier });
                Some(found(json!({"subject": shown, "earlier": earlier})))
            }
            Part::Backwards(part) => part.judge(key, facts, state),
            Part::Growth(part) => part.judge(key, facts, state),
            Part::Unusual(part) => part.judge(key, facts, state),
        }
    }
}

fn found(value: Value) -> Facts {
    match value {
        Value::Object(facts) => facts,
        _ => Facts::new(),
    }
}

fn index(facts: &Facts) -> Option<u64> {
    facts.get("index").and_then(Value::as_u64)
}

fn time(facts: &Facts) -> u64 {
    facts.get("time").and_then(Value::as_u64).unwrap_or(0)
}

/// The values that an event is remembered by, as a key and for people.
pub(crate) fn subject(paths: &[String], facts: &Facts) -> (String, String) {
    let values: Vec<&Value> = paths.iter().map(|path| facts::at(facts, path)).collect();
    named(&values)
}

fn named(values: &[&Value]) -> (String, String) {
    let shown = values.iter().map(|value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "nothing".into(),
        other => other.to_string(),
    });
    let shown = shown.collect::<Vec<String>>().join(", ");
    let key = json!(values).to_string();
    let key = if key.len() > MAX_SUBJECT { Hash::of(key.as_bytes()).to_hex() } else { key };
    (key, shown)
}

// The same, where no value is missing: a record that was not opened is nobody's first.
fn whole_subject(paths: &[String], facts: &Facts) -> Option<(String, String)> {
    let whole = paths.iter().all(|path| !facts::at(facts, path).is_null());
    whole.then(|| subject(paths, facts))
}

impl Window {
    /// Time is counted in slices of a 256th of the window, so that what is remembered has a bound.
    fn judge(&self, key: &str, facts: &Facts, state: &mut State) -> Option<Facts> {
        let (subject, shown) = subject(&self.by, facts);
        let slice = (self.seconds / 256).max(1);
        let (mut slices, mut over) = match state.get(key, &subject) {
            Some(Cell::Window { slices, over }) => (slices.clone(), *over),
            _ => (Vec::new(), false),
        };
        let amount = match &self.sum {
            Some(path) => facts::at(facts, path).as_u64().unwrap_or(0),
            None => 1,
        };
        let now = time(facts);
        add(&mut slices, now / slice, amount);
        let newest = slices.last().map_or(0, |(at, _)| *at);
        let first = |time: u64| time.saturating_sub(self.seconds - 1) / slice;
        let kept = first(newest.saturating_mul(slice));
        slices.retain(|(at, _)| *at >= kept);
        let counted = slices.iter().filter(|(at, _)| (first(now)..=now / slice).contains(at));
        let count = counted.fold(0u64, |sum, (_, amount)| sum.saturating_add(*amount));
        let tell = count > self.more_than && !over;
        // Once it is told, it is told again after it was less: not for each event more.
        over = if now / slice == newest { count > self.more_than } else { over || tell };
        state.put(key, &subject, Cell::Window { slices, over });
        tell.then(|| found(json!({"subject": shown, "count": count})))
    }
}

// Adds an amount to a slice, in order.
fn add(slices: &mut Vec<(u64, u64)>, at: u64, amount: u64) {
    match slices.binary_search_by_key(&at, |(at, _)| *at) {
        Ok(place) => slices[place].1 = slices[place].1.saturating_add(amount),
        Err(place) => slices.insert(place, (at, amount)),
    }
}

impl Backwards {
    fn judge(&self, key: &str, facts: &Facts, state: &mut State) -> Option<Facts> {
        let value = facts::at(facts, &self.value);
        if value.is_null() || value.as_str() == Some("") {
            return None;
        }
        let (subject, shown) = subject(&self.by, facts);
        let highest = match state.get(key, &subject) {
            Some(Cell::Highest { value }) => Some(value.clone()),
            _ => None,
        };
        match highest {
            Some(before) if version::compare(value, &before) == Ordering::Less => {
                state.put(key, &subject, Cell::Highest { value: before.clone() });
                Some(found(json!({"subject": shown, "before": before})))
            }
            _ => {
                state.put(key, &subject, Cell::Highest { value: value.clone() });
                None
            }
        }
    }
}

impl Growth {
    fn judge(&self, key: &str, facts: &Facts, state: &mut State) -> Option<Facts> {
        let (subject, shown) = subject(&self.by, facts);
        let period = time(facts) / self.per.seconds();
        let (mut first, mut counts, mut told) = match state.get(key, &subject) {
            Some(Cell::Periods { first, counts, told }) => (*first, counts.clone(), *told),
            _ => (period, Vec::new(), None),
        };
        first = first.min(period);
        add(&mut counts, period, 1);
        let newest = counts.last().map_or(0, |(at, _)| *at);
        counts.retain(|(at, _)| *at + self.over >= newest);
        let sum_of = |from: u64, to: u64| -> u64 {
            counts.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, count)| count).sum()
        };
        let count = sum_of(period, period.saturating_add(1));
        // The periods that went by, empty ones as well; half of what is asked for is enough to begin with.
        let learnt = self.over.min(period - first);
        let usual = sum_of(period.saturating_sub(learnt), period) as f64 / learnt.max(1) as f64;
        let tell = learnt >= self.over.div_ceil(2)
            && count >= self.at_least
            && count as f64 > self.factor * usual
            && told != Some(period);
        if tell {
            told = Some(period);
        }
        state.put(key, &subject, Cell::Periods { first, counts, told });
        let usual = (usual * 10.0).round() / 10.0;
        tell.then(|| found(json!({"subject": shown, "count": count, "usual": usual})))
    }
}

impl Unusual {
    fn judge(&self, key: &str, facts: &Facts, state: &mut State) -> Option<Facts> {
        let value = facts::at(facts, &self.value).as_u64()?;
        let (subject, shown) = subject(&self.by, facts);
        let (mut count, mut mean, mut squares) = match state.get(key, &subject) {
            Some(Cell::Sizes { count, mean, squares }) => (*count, *mean, *squares),
            _ => (0, 0.0, 0.0),
        };
        let size = (value as f64).ln_1p();
        let deviation = (squares / (count.max(2) - 1) as f64).sqrt();
        let tell =
            count >= self.after && (size - mean).abs() > (3.0 * deviation).max(self.factor.ln());
        let usual = mean.exp_m1().round();
        count += 1;
        let distance = size - mean;
        mean += distance / count as f64;
        squares += distance * (size - mean);
        state.put(key, &subject, Cell::Sizes { count, mean, squares });
        tell.then(|| found(json!({"subject": shown, "value": value, "usual": usual as u64})))
    }
}

impl Silent {
    /// What a message may say of it.
    pub(crate) const FOUND: &'static [&'static str] = &["subject", "since"];

    /// Hears of the subjects of an event. A value that is a list names several.
    pub(crate) fn hear(&self, key: &str, facts: &Facts, now: u64, state: &mut State) {
        let heard = self.subjects(facts);
        for subject in &heard {
            state.put(key, subject, Cell::Heard { time: now, told: None });
        }
        let Some(path) = &self.expect else { return };
        let expected = list(facts::at(facts, path));
        let expected: Vec<String> = expected.into_iter().map(|value| named(&[value]).0).collect();
        for subject in &expected {
            if state.get(key, subject).is_none() {
                state.put(key, subject, Cell::Heard { time: now, told: None });
            }
        }
        let known = state.subjects(key);
        let gone = known.iter().filter(|known| !expected.contains(known) && !heard.contains(known));
        gone.for_each(|subject| state.forget(key, subject));
    }

    fn subjects(&self, facts: &Facts) -> Vec<String> {
        match self.by.as_slice() {
            [path] => {
                let values = list(facts::at(facts, path)).into_iter();
                values.filter(|value| !value.is_null()).map(|value| named(&[value]).0).collect()
            }
            paths => whole_subject(paths, facts).into_iter().map(|(subject, _)| subject).collect(),
        }
    }

    /// Who was not heard of for too long, and was not told of within `again` seconds.
    pub(crate) fn sweep(&self, key: &str, now: u64, again: u64, state: &mut State) -> Vec<Facts> {
        let mut all = Vec::new();
        for subject in state.subjects(key) {
            let Some(Cell::Heard { time, told }) = state.get(key, &subject).cloned() else {
                continue;
            };
            let silent = now.saturating_sub(time) >= self.seconds;
            if silent && told.is_none_or(|told| now.saturating_sub(told) >= again) {
                state.put(key, &subject, Cell::Heard { time, told: Some(now) });
                all.push(found(json!({"subject": unnamed(&subject), "since": time})));
            }
        }
        all
    }
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

// A subject's key for people.
fn unnamed(key: &str) -> String {
    match serde_json::from_str::<Vec<Value>>(key) {
        Ok(values) => named(&values.iter().collect::<Vec<_>>()).1,
        Err(_) => key.into(),
    }
}
