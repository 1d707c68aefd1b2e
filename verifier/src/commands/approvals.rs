//! What an auditor asks of people: did those do it who may, as their journal demands?

use coldlog_kit::terminal::field;
use coldlog_spec::record::{Operation, Record};
use coldlog_spec::statement::Statement;
use coldlog_spec::verify::audit::{Judged, People};
use serde_json::{Value, json};

/// The journals whose genesis was read, and what was used in them.
#[derive(Default)]
pub(crate) struct Journals(People);

/// What is found of one record.
pub(crate) struct Found {
    /// What is said behind the record, if anything.
    pub(crate) text: Option<String>,
    /// The same, for `--json`.
    pub(crate) fields: Value,
    /// Whether the record is as its genesis demands.
    pub(crate) good: bool,
}

impl Journals {
    /// Judges a record that was opened, of the entry `index`; records of a journal come in their order.
    pub(crate) fn judge(&mut self, index: u64, statement: &Statement, record: &Record) -> Found {
        let Judged { mut said, findings } = self.0.judge(index, statement, record);
        let findings: Vec<String> = findings.into_iter().map(|(_, text)| text).collect();
        let fields = match &record.operation {
            Operation::Genesis { .. } if findings.is_empty() => json!({"demands": said.first()}),
            _ => json!({"said": said, "findings": findings}),
        };
        let good = findings.is_empty();
        said.extend(findings.into_iter().map(|finding| format!("FINDING: {finding}")));
        let text = (!said.is_empty()).then(|| field(&said.join("; ")));
        Found { text, fields, good }
    }
}
