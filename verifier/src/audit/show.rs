//! Findings for people and for programs.

use super::findings::Findings;
use coldlog_kit::terminal::field;
use coldlog_report::register;
use coldlog_spec::verify::audit::Finding;
use serde_json::{Value, json};

/// Where a finding is: `entry 17, signer.example / journal, record 12`
pub(crate) fn place(finding: &Finding) -> String {
    let mut place = Vec::new();
    place.extend(finding.index.map(|index| format!("entry {index}")));
    place.extend(finding.journal.as_ref().map(|(signer, journal)| format!("{signer} / {journal}")));
    place.extend(finding.sequence.map(|sequence| format!("record {sequence}")));
    place.extend(finding.file.clone());
    place.join(", ")
}

/// Whom a finding is about, as the register of findings has it: two journals of a signer, and files, are told apart.
pub(crate) fn about(finding: &Finding) -> String {
    match (&finding.journal, &finding.file) {
        (Some((signer, journal)), _) => format!("{signer} / {journal}"),
        (None, file) => file.clone().unwrap_or_default(),
    }
}

/// The name under which a register of findings has it, from one report to the next.
pub(crate) fn register_id(finding: &Finding) -> String {
    register::id(finding.kind.name(), &about(finding), finding.index, finding.sequence)
}

/// One finding in a line: `critical  number-missing  entry 17, signer.example / journal, record 12: expected ..., found
/// ...`
pub(super) fn line(finding: &Finding) -> String {
    let place = field(&place(finding));
    let expected = match finding.expected.as_str() {
        "" => String::new(),
        expected => format!("expected {}, found ", field(expected)),
    };
    let (severity, kind) = (finding.kind.severity().name(), finding.kind.name());
    let evidence = match finding.evidence {
        Some(hash) => format!("; evidence: the file with SHA-256 {hash}"),
        None => String::new(),
    };
    format!("{severity:<8}  {kind}  {place}: {expected}{}{evidence}", field(&finding.found))
}

/// One finding as an object.
pub(crate) fn to_json(finding: &Finding) -> Value {
    let (signer, journal) = match &finding.journal {
        Some((signer, journal)) => (Some(signer), Some(journal)),
        None => (None, None),
    };
    json!({
        "id": register_id(finding), "kind": finding.kind.name(), "severity": finding.kind.severity().name(),
        "index": finding.index, "signer": signer, "journal": journal, "sequence": finding.sequence,
        "file": finding.file, "expected": finding.expected, "found": finding.found,
        "evidence": finding.evidence.map(|hash| hash.to_hex()),
    })
}

/// All findings, the worst first, and what is to be said of those that are counted only.
pub(super) fn lines(findings: &Findings) -> Vec<String> {
    let mut list: Vec<&Finding> = findings.list().collect();
    list.sort_by_key(|finding| std::cmp::Reverse(finding.kind.severity()));
    let mut lines: Vec<String> = list.into_iter().map(line).collect();
    let more = findings.more();
    lines.extend(more.map(|(kind, count)| format!("and {count} more of the kind {}", kind.name())));
    lines
}

/// `2 critical, 1 note`, or `none`.
pub(super) fn summary(findings: &Findings) -> String {
    let counts = findings.by_severity();
    let words: Vec<String> =
        counts.iter().map(|(severity, count)| format!("{count} {}", severity.name())).collect();
    match words.is_empty() {
        true => "none".into(),
        false => words.join(", "),
    }
}
