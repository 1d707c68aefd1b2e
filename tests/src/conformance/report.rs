//! What came of each case, for people and for programs.

use serde_json::json;

/// What was expected, and what came instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the standard demands.
    pub expected: String,
    /// What the witness did.
    pub got: String,
}

impl Failure {
    /// From any two texts.
    pub fn new(expected: impl Into<String>, got: impl Into<String>) -> Failure {
        Failure { expected: expected.into(), got: got.into() }
    }
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As the standard says.
    Pass,
    /// Otherwise.
    Fail(Failure),
    /// Not asked, for this reason.
    Skip(String),
}

/// A case that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its name, unique within a report.
    pub name: String,
    /// The sentence of the standard that it tests.
    pub sentence: &'static str,
    /// How it ended.
    pub outcome: Outcome,
}

impl Case {
    /// The lines that a person reads.
    pub fn text(&self) -> String {
        let Case { name, sentence, outcome } = self;
        match outcome {
            Outcome::Pass => format!("pass {name}"),
            Outcome::Skip(why) => format!("skip {name}: {why}"),
            Outcome::Fail(Failure { expected, got }) => {
                format!("FAIL {name}: expected {expected}, got {got}\n     {sentence}")
            }
        }
    }
}

/// All cases in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The cases.
    pub cases: Vec<Case>,
}

impl Report {
    /// How many passed, failed and were skipped.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |is: fn(&Outcome) -> bool| self.cases.iter().filter(|c| is(&c.outcome)).count();
        (
            count(|outcome| matches!(outcome, Outcome::Pass)),
            count(|outcome| matches!(outcome, Outcome::Fail(_))),
            count(|outcome| matches!(outcome, Outcome::Skip(_))),
        )
    }

    /// The names of the cases that failed.
    pub fn failed(&self) -> Vec<&str> {
        let failed = self.cases.iter().filter(|case| matches!(case.outcome, Outcome::Fail(_)));
        failed.map(|case| case.name.as_str()).collect()
    }

    /// The last line that a person reads.
    pub fn summary(&self) -> String {
        let (passed, failed, skipped) = self.counts();
        format!("{passed} passed, {failed} failed, {skipped} skipped")
    }

    /// One JSON object.
    pub fn json(&self) -> String {
        let (passed, failed, skipped) = self.counts();
        let cases = self.cases.iter().map(|case| {
            let mut value = json!({ "name": case.name, "sentence": case.sentence });
            match &case.outcome {
                Outcome::Pass => value["result"] = json!("pass"),
                Outcome::Fail(Failure { expected, got }) => {
                    value["result"] = json!("fail");
                    value["expected"] = json!(expected);
                    value["got"] = json!(got);
                }
                Outcome::Skip(why) => {
                    value["result"] = json!("skip");
                    value["reason"] = json!(why);
                }
            }
            value
        });
        let cases: Vec<_> = cases.collect();
        json!({ "passed": passed, "failed": failed, "skipped": skipped, "cases": cases })
            .to_string()
    }
}
