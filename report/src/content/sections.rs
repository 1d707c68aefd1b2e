//! The sections that are words and plain tables.

use super::{
    Block, Cell, Line, Style, Table, cell, column, findings, first, heading, limits, number,
    numbers, plain, say_left_out,
};
use crate::model::{Command, Report};
use crate::text::{self, line};

/// What the report is about, and how it came out, on one page.
pub(super) fn summary(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(heading(1, "In short"));
    blocks.push(findings::in_short(report));
    let newest = report.heads.iter().max_by_key(|head| head.size);
    let newest = newest.map_or("none".into(), |head| match head.size {
        1 => "1 entry".into(),
        size => format!("{} entries", text::number(size)),
    });
    let facts = [
        ("Organisation", plain(&report.organisation)),
        ("Log", cell(&report.origin, Style::Code)),
        ("Period", plain(&report.period.name)),
        ("From", plain(&text::time(report.period.from))),
        ("Until, not included", plain(&text::time(report.period.until))),
        ("Newest head audited", plain(&newest)),
        ("Policy, SHA-256", cell(&report.policy, Style::Code)),
        ("Auditor", plain(&report.auditor)),
        ("Report made", plain(&text::time(report.made))),
    ];
    blocks.push(Block::Table(Table {
        caption: "What this report is about".into(),
        columns: vec![column("Fact", 3), column("Value", 8)],
        rows: facts.into_iter().map(|(name, value)| vec![plain(name), value]).collect(),
    }));
}

/// Scope, and the heads that were audited.
pub(super) fn heads(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(heading(1, "Scope and heads audited"));
    points(&report.scope, "Nothing was said of the scope.", blocks);
    if report.heads.is_empty() {
        blocks.push(Block::Note(
            "No head was audited: this report proves nothing of the log.".into(),
        ));
        return;
    }
    blocks.push(Block::Paragraph("A head stands for all entries up to its size. Whatever this report says was proven, was proven of the entries under these heads.".into()));
    // Oldest first: the newest are those to be shown.
    let left_out = report.heads.len().saturating_sub(limits::HEADS);
    let rows = report.heads[left_out..].iter().map(|head| {
        let (shown, more) = first(&head.witnesses, limits::WITNESSES);
        let shown = shown.iter().map(|witness| {
            let text = format!("{}, {}", line(&witness.name), text::time(witness.time));
            Line { text, style: Style::Plain }
        });
        let mut witnesses: Cell = shown.collect();
        if more > 0 {
            witnesses.extend(plain(&format!("and {more} more")));
        }
        if witnesses.is_empty() {
            witnesses = cell("none", Style::Strong);
        }
        vec![number(head.size), cell(&head.root, Style::Code), witnesses]
    });
    blocks.push(Block::Table(Table {
        caption: "Heads audited, oldest first".into(),
        columns: vec![numbers("Entries", 2), column("Root hash", 5), column("Cosigned by", 6)],
        rows: rows.collect(),
    }));
    say_left_out(blocks, left_out, "older head");
}

/// What was proven and what was not.
pub(super) fn proven(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(heading(1, "What was proven"));
    points(&report.proven, "Nothing was proven.", blocks);
    blocks.push(heading(1, "What was not proven"));
    let none = "The audit named nothing. This does not mean that everything was proven: what does not stand in the section before was not.";
    points(&report.not_proven, none, blocks);
}

/// Who read sealed records.
pub(super) fn access(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(heading(1, "Access to sealed records"));
    if report.access.is_empty() {
        blocks.push(Block::Paragraph("No access was recorded in the period. Who holds an auditor's key can also open records without leaving a trace.".into()));
        return;
    }
    let mut readers: Vec<_> = report.access.iter().collect();
    readers.sort_by_key(|access| std::cmp::Reverse((access.reads, access.records)));
    let (shown, left_out) = first(&readers, limits::READERS);
    let time = |time: Option<u64>| plain(&time.map(text::time).unwrap_or_default());
    let rows = shown.iter().map(|access| {
        let (reads, records) = (number(access.reads), number(access.records));
        vec![plain(&access.reader), reads, records, time(access.first), time(access.last)]
    });
    blocks.push(Block::Table(Table {
        caption: "Who read sealed records, most reads first".into(),
        columns: vec![
            column("Reader", 5),
            numbers("Reads", 2),
            numbers("Records", 2),
            column("First", 4),
            column("Last", 4),
        ],
        rows: rows.collect(),
    }));
    say_left_out(blocks, left_out, "reader");
}

/// Who can verify the report, and how.
pub(super) fn verify(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(heading(1, "Who can verify this, and how"));
    blocks.push(Block::Paragraph("Nobody needs to trust this report. Anybody who has the policy file can check the heads and the public entries of the log with the commands below, offline, without an account. Who also holds an auditor's key can open the sealed records and check what is said of them.".into()));
    blocks.push(Block::Paragraph("The report comes as an HTML page and as a PDF of the same content. The same data gives the same bytes, so that both can be made again and compared; each can be signed and logged as a document, and then be checked as any other.".into()));
    let (shown, left_out) = first(&report.commands, limits::POINTS);
    for Command { purpose, command } in shown {
        if !purpose.trim().is_empty() {
            blocks.push(Block::Paragraph(line(purpose.trim())));
        }
        let lines: Vec<String> = command.trim_end().lines().map(line).collect();
        let (lines, more) = first(&lines, limits::LINES);
        if !lines.is_empty() {
            blocks.push(Block::Code(lines.to_vec()));
        }
        say_left_out(blocks, more, "line");
    }
    say_left_out(blocks, left_out, "command");
}

/// The terms.
pub(super) fn glossary(report: &Report, blocks: &mut Vec<Block>) {
    if report.glossary.is_empty() {
        return;
    }
    blocks.push(heading(1, "Glossary"));
    let (shown, left_out) = first(&report.glossary, limits::POINTS);
    let rows = shown.iter().map(|term| vec![plain(&term.term), plain(&term.meaning)]);
    blocks.push(Block::Table(Table {
        caption: "Terms".into(),
        columns: vec![column("Term", 3), column("Meaning", 9)],
        rows: rows.collect(),
    }));
    say_left_out(blocks, left_out, "term");
}

fn points(texts: &[String], none: &str, blocks: &mut Vec<Block>) {
    let texts: Vec<&String> = texts.iter().filter(|text| !text.trim().is_empty()).collect();
    if texts.is_empty() {
        blocks.push(Block::Paragraph(none.into()));
        return;
    }
    let (shown, left_out) = first(&texts, limits::POINTS);
    blocks.push(Block::List(shown.iter().map(|text| line(text.trim())).collect()));
    say_left_out(blocks, left_out, "point");
}
