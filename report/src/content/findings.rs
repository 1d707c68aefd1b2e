//! Findings: how many, and each with its state and what is done about it.

use super::{
    Block, Cell, Line, Style, Table, cell, column, first, heading, limits, number, numbers, plain,
};
use crate::model::{Finding, Report, Severity, State};
use crate::text::{self, line};
use std::cmp::Reverse;

/// How the report came out, in a sentence.
pub(super) fn in_short(report: &Report) -> Block {
    let unsettled = report.findings.iter().filter(|finding| finding.state != State::Closed);
    let mut by_severity = [0; Severity::ALL.len()];
    unsettled.for_each(|finding| by_severity[finding.severity as usize] += 1);
    let count: u64 = by_severity.iter().sum();
    if count == 0 {
        let text = match report.findings.len() {
            0 => "There are no findings.".into(),
            closed => {
                format!("No finding is open: {} closed.", text::counted(closed as u64, "finding"))
            }
        };
        return Block::Paragraph(text);
    }
    let mut parts = Vec::new();
    for severity in Severity::ALL.into_iter().rev() {
        let number = by_severity[severity as usize];
        if number > 0 {
            parts.push(format!("{} {}", text::number(number), severity.name()));
        }
    }
    let parts = parts.join(", ");
    let what = text::counted(count, "finding");
    let text = format!("{what} not closed: {parts}. See the section on findings.");
    let grave = by_severity[Severity::High as usize] + by_severity[Severity::Critical as usize];
    if grave > 0 { Block::Note(text) } else { Block::Paragraph(text) }
}

/// The section.
pub(super) fn all(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(heading(1, "Findings and corrective actions"));
    if report.findings.is_empty() {
        blocks.push(Block::Paragraph("There are none, neither new nor carried over.".into()));
        return;
    }
    blocks.push(Block::Paragraph("Findings are carried over from report to report under the same identifier. State, action and owner are what people entered in the register of findings.".into()));
    blocks.push(Block::Table(by_state(&report.findings)));
    let mut sorted: Vec<&Finding> = report.findings.iter().collect();
    sorted.sort_by_key(|finding| (finding.state, Reverse(finding.severity), &finding.id));
    let (shown, left_out) = first(&sorted, limits::FINDINGS);
    if left_out > 0 {
        blocks.push(Block::Note(format!(
            "{} are not listed here, only counted above: the list shows the first {}, open ones before closed ones and grave ones before light ones. The register of findings has all {}.",
            text::counted(left_out as u64, "finding"),
            text::number(shown.len() as u64),
            text::number(sorted.len() as u64)
        )));
    }
    blocks.push(Block::Table(Table {
        caption: "Findings: open before closed, grave before light".into(),
        columns: vec![
            column("Finding", 9),
            column("Where, expected, found", 14),
            column("State", 7),
            column("Action, owner, note", 11),
        ],
        rows: shown.iter().map(|finding| row(finding, &report.period.name)).collect(),
    }));
}

fn by_state(findings: &[Finding]) -> Table {
    let count = |severity: Severity, state: State| {
        let matching = |one: &&Finding| one.severity == severity && one.state == state;
        findings.iter().filter(matching).count() as u64
    };
    let rows = Severity::ALL.into_iter().rev().map(|severity| {
        let mut row = vec![plain(severity.name())];
        row.extend(State::ALL.map(|state| number(count(severity, state))));
        row.push(number(State::ALL.into_iter().map(|state| count(severity, state)).sum()));
        row
    });
    Table {
        caption: "Findings by severity and state".into(),
        columns: vec![
            column("Severity", 4),
            numbers("Open", 2),
            numbers("In work", 2),
            numbers("Closed", 2),
            numbers("All", 2),
        ],
        rows: rows.collect(),
    }
}

fn row(finding: &Finding, period: &str) -> Vec<Cell> {
    let mut name = cell(&finding.kind, Style::Strong);
    name.extend(plain(finding.severity.name()));
    name.extend(cell(&finding.id, Style::Code));

    let mut place = cell(&finding.place, Style::Plain);
    named("Expected", &finding.expected, &mut place);
    named("Found", &finding.found, &mut place);

    let mut state = cell(finding.state.name(), Style::Strong);
    named("First reported", &finding.first_reported, &mut state);
    if !finding.last_seen.is_empty() && finding.last_seen != period {
        named("Not found any more; last seen", &finding.last_seen, &mut state);
    }

    let mut action = Vec::new();
    named("Action", &finding.action, &mut action);
    named("Owner", &finding.owner, &mut action);
    named("Note", &finding.note, &mut action);
    if action.is_empty() {
        action = plain("");
    }
    vec![name, place, state, action]
}

// What a person wrote may have lines; each stands by itself, the first behind the name.
fn named(name: &str, text: &str, cell: &mut Cell) {
    let lines = text::lines(text);
    let (shown, left_out) = first(&lines, limits::LINES);
    for (place, text) in shown.iter().enumerate() {
        let text = if place == 0 { format!("{name}: {text}") } else { text.clone() };
        cell.push(Line { text, style: Style::Plain });
    }
    if left_out > 0 {
        let text = line(&format!("[and {}]", text::counted(left_out as u64, "more line")));
        cell.push(Line { text, style: Style::Plain });
    }
}
