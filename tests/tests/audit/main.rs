//! `verifier audit`: each kind of finding is planted in a good log, and found, and nothing else; parts and
//! interrupted audits come to the same verdict as one run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod forge;
mod papers;
mod planted;
mod queries;
mod runs;

use coldlog_tests::{Ran, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const AUDIT: &str = "verifier audit --log public --policy policy --identity auditor.key";

/// Runs an audit; its findings, as objects.
fn audit(folder: &Path, more: &str) -> (Ran, Vec<Value>) {
    let ran = run(folder, &format!("{AUDIT} --json {more}")).unwrap();
    let report: Value = serde_json::from_str(&ran.out).unwrap_or_default();
    let findings = report["findings"].as_array().cloned().unwrap_or_default();
    (ran, findings)
}

fn kinds(findings: &[Value]) -> BTreeSet<String> {
    findings.iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
}
