//! What a command reports: a text for people, or with `--json` one versioned object that lists each
//! check with its result. A "no" and trouble are reported, too.

use crate::exit::{Failure, Outcome};
use crate::terminal::{say, say_json};
use serde_json::{Map, Value, json};

/// The version of every object that `--json` prints.
pub const VERSION: u64 = 1;

/// The checks of a command, in order; the first that did not pass is the one that failed.
pub struct Checks {
    names: Vec<&'static str>,
    passed: usize,
}

impl Checks {
    /// None has passed yet.
    pub fn new(names: &[&'static str]) -> Checks {
        Checks { names: names.to_vec(), passed: 0 }
    }

    /// The next check passed.
    pub fn pass(&mut self) {
        self.passed += 1;
    }

    /// `[{"check": .., "result": "yes" | "no" | "trouble" | "not reached"}]`
    pub fn to_json(&self, failure: Option<&Failure>) -> Value {
        let result = |place: usize| match failure {
            None => "yes",
            Some(_) if place < self.passed => "yes",
            Some(Failure::No(_)) if place == self.passed => "no",
            Some(Failure::Trouble(_)) if place == self.passed => "trouble",
            Some(_) => "not reached",
        };
        let each = self.names.iter().enumerate();
        each.map(|(place, name)| json!({"check": name, "result": result(place)})).collect()
    }
}

/// What is reported when all went well.
pub struct Report {
    /// The lines for people.
    pub text: Vec<String>,
    /// The fields of the object.
    pub fields: Value,
}

/// Runs a command's work and prints its report.
pub fn run(
    as_json: bool,
    names: &[&'static str],
    work: impl FnOnce(&mut Checks) -> Outcome<Report>,
) -> Outcome {
    run_judged(as_json, names, |checks| Ok((work(checks)?, Ok(()))))
}

/// The same for work whose report is worth printing whatever the answer is: it comes with a verdict.
pub fn run_judged(
    as_json: bool,
    names: &[&'static str],
    work: impl FnOnce(&mut Checks) -> Outcome<(Report, Outcome)>,
) -> Outcome {
    let mut checks = Checks::new(names);
    let (report, outcome) = match work(&mut checks) {
        Ok((report, verdict)) => (Some(report), verdict),
        Err(failure) => (None, Err(failure)),
    };
    if !as_json {
        report.iter().flat_map(|report| &report.text).for_each(say);
        return outcome;
    }
    let mut object = Map::new();
    object.insert("version".into(), VERSION.into());
    match &outcome {
        Ok(_) => object.insert("result".into(), "yes".into()),
        Err(failure) => {
            let (result, why) = match failure {
                Failure::No(why) => ("no", why),
                Failure::Trouble(why) => ("trouble", why),
            };
            object.insert("result".into(), result.into());
            object.insert("reason".into(), crate::exit::text_of(why).into())
        }
    };
    if !checks.names.is_empty() {
        object.insert("checks".into(), checks.to_json(outcome.as_ref().err()));
    }
    if let Some(Report { fields: Value::Object(fields), .. }) = report {
        object.extend(fields);
    }
    say_json(&Value::Object(object));
    outcome
}
