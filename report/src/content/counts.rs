//! The counts: for each measure a plot, and a table of the same numbers.

use super::{
    Block, Cell, Plot, Style, Table, cell, column, first, heading, limits, number, numbers,
};
use crate::fonts;
use crate::model::{Count, Report};
use crate::plot;
use crate::text::{self, line};

/// All measures.
pub(super) fn all(report: &Report, blocks: &mut Vec<Block>) {
    let counts = &report.counts;
    blocks.push(heading(1, "Counts"));
    blocks.push(Block::Paragraph("How many records of the period there are, by several measures. What stands in sealed records, such as operators and documents, could be counted only where an auditor's key opened them.".into()));
    by_month(&counts.months, blocks);
    largest_first("signer", "Signer", Style::Plain, &counts.signers, blocks);
    largest_first("operator", "Operator", Style::Plain, &counts.operators, blocks);
    largest_first("key", "Key (thumbprint)", Style::Code, &counts.keys, blocks);
    largest_first("document", "Document", Style::Plain, &counts.documents, blocks);
}

fn by_month(months: &[Count], blocks: &mut Vec<Block>) {
    blocks.push(heading(2, "By month"));
    if months.is_empty() {
        blocks.push(nothing());
        return;
    }
    let newest = &months[months.len().saturating_sub(limits::MONTHS)..];
    let shown = newest.iter().map(|month| (fonts::safe(&line(&month.name)), month.number));
    let drawing = plot::columns(&shown.collect::<Vec<_>>());
    let total = total(months);
    blocks.push(Block::Plot(Plot {
        title: "Records by month".into(),
        description: format!(
            "Columns: the records of {} months, {total} records in all. The table that follows has the numbers.",
            newest.len()
        ),
        drawing,
    }));
    // The newest are those to be shown, in the order of time.
    let older = months.len().saturating_sub(limits::COUNTS);
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    if older > 0 {
        let name = format!("{} earlier months", text::number(older as u64));
        rows.push(vec![
            cell(&name, Style::Plain),
            cell(&self::total(&months[..older]), Style::Plain),
        ]);
    }
    rows.extend(months[older..].iter().map(|month| row(month, Style::Plain)));
    blocks.push(table(format!("Records by month, {total} in all"), "Month", rows));
}

fn largest_first(
    measure: &str,
    name: &'static str,
    style: Style,
    counts: &[Count],
    blocks: &mut Vec<Block>,
) {
    blocks.push(heading(2, &format!("By {measure}")));
    if counts.is_empty() {
        blocks.push(nothing());
        return;
    }
    let mut counts: Vec<Count> = counts.to_vec();
    counts.sort_by(|a, b| b.number.cmp(&a.number).then_with(|| a.name.cmp(&b.name)));
    let total = total(&counts);
    let many = text::counted(counts.len() as u64, measure);
    let (shown, more) = first(&counts, limits::BARS);
    let mut bars: Vec<(String, u64)> =
        shown.iter().map(|count| (fonts::safe(&line(&count.name)), count.number)).collect();
    if more > 0 {
        bars.push((format!("{more} others"), sum(&counts[limits::BARS..])));
    }
    blocks.push(Block::Plot(Plot {
        title: format!("Records by {measure}"),
        description: format!(
            "Bars: the records of {many}, {total} records in all, the largest first. The table that follows has the numbers."
        ),
        drawing: plot::bars(&bars),
    }));
    let (shown, more) = first(&counts, limits::COUNTS);
    let mut rows: Vec<Vec<Cell>> = shown.iter().map(|count| row(count, style)).collect();
    if more > 0 {
        let rest = Count {
            name: format!("{} others, not listed one by one", text::number(more as u64)),
            number: sum(&counts[limits::COUNTS..]),
        };
        rows.push(row(&rest, Style::Plain));
    }
    let caption = format!("Records by {measure}: {many}, {total} records in all");
    blocks.push(table(caption, name, rows));
}

fn nothing() -> Block {
    Block::Paragraph("Nothing was counted.".into())
}

fn row(count: &Count, style: Style) -> Vec<Cell> {
    vec![cell(&count.name, style), number(count.number)]
}

fn table(caption: String, name: &'static str, rows: Vec<Vec<Cell>>) -> Block {
    Block::Table(Table { caption, columns: vec![column(name, 8), numbers("Records", 2)], rows })
}

fn sum(counts: &[Count]) -> u64 {
    counts.iter().fold(0, |sum, count| sum.saturating_add(count.number))
}

fn total(counts: &[Count]) -> String {
    text::number(sum(counts))
}
