//! The tree of blocks between the model and the files. Both renderers walk it and nothing else, so that
//! both say the same. All texts in it are harmless and bounded: [`crate::text`] has been over them.

mod counts;
mod findings;
mod sections;

use crate::fonts;
use crate::model::Report;
use crate::plot::Drawing;
use crate::text::{self, line};

/// Everything that a report shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// The title; never empty.
    pub title: String,
    /// A few words below it.
    pub subtitle: String,
    /// What stands small on every page.
    pub running: String,
    /// Who made it, for the files' metadata.
    pub author: String,
    /// When it was made, in POSIX seconds.
    pub made: u64,
    /// The rest.
    pub blocks: Vec<Block>,
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A heading.
    Heading {
        /// 1 for a section, 2 below it.
        level: u8,
        /// What it says.
        text: String,
    },
    /// A paragraph.
    Paragraph(String),
    /// A paragraph that must not be overlooked.
    Note(String),
    /// A list of points.
    List(Vec<String>),
    /// A table.
    Table(Table),
    /// A plot; the table that follows has the same numbers.
    Plot(Plot),
    /// What is typed at a terminal, line by line.
    Code(Vec<String>),
}

/// A table: the first cell of each row names the row.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What it shows.
    pub caption: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows: as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its heading.
    pub name: &'static str,
    /// Its share of the width.
    pub share: u8,
    /// Whether it has numbers, which stand to the right.
    pub numbers: bool,
}

/// A cell of a table: its lines.
pub type Cell = Vec<Line>;

/// A line of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it says.
    pub text: String,
    /// How it looks.
    pub style: Style,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As text.
    Plain,
    /// As what matters.
    Strong,
    /// As hashes and names of things do.
    Code,
}

impl Style {
    /// Its name in both files.
    pub fn name(self) -> &'static str {
        match self {
            Style::Plain => "plain",
            Style::Strong => "strong",
            Style::Code => "code",
        }
    }
}

/// A plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// The same in a sentence, for those who do not see it.
    pub description: String,
    /// What is drawn.
    pub drawing: Drawing,
}

/// How much of each part is shown. What is over a limit is said, where it is cut.
pub mod limits {
    /// Findings with all that is known of them; the rest are counted.
    pub const FINDINGS: usize = 1_000;
    /// Rows of each table of counts; the rest are summed up.
    pub const COUNTS: usize = 100;
    /// Bars of a plot; the rest are one bar.
    pub const BARS: usize = 15;
    /// Months of a plot; those before are in the table.
    pub const MONTHS: usize = 36;
    /// Heads: the newest.
    pub const HEADS: usize = 200;
    /// Witnesses of a head.
    pub const WITNESSES: usize = 50;
    /// Readers: those with the most reads.
    pub const READERS: usize = 500;
    /// Statements of each list, commands, terms.
    pub const POINTS: usize = 500;
    /// Lines of one command, or of what a person wrote on a finding.
    pub const LINES: usize = 100;
}

/// The blocks of a report.
pub fn of(report: &Report) -> Content {
    let title = match report.title.trim() {
        "" => "Audit report".to_owned(),
        title => line(title),
    };
    let (organisation, period) = (line(&report.organisation), line(&report.period.name));
    let mut blocks = Vec::new();
    sections::summary(report, &mut blocks);
    sections::heads(report, &mut blocks);
    sections::proven(report, &mut blocks);
    counts::all(report, &mut blocks);
    findings::all(report, &mut blocks);
    sections::access(report, &mut blocks);
    sections::verify(report, &mut blocks);
    sections::glossary(report, &mut blocks);
    number_sections(&mut blocks);
    let mut content = Content {
        subtitle: joined(&[&organisation, &period], " · "),
        running: joined(&[&title, &period, &line(&report.origin)], " · "),
        author: line(&report.auditor),
        made: report.made,
        title,
        blocks,
    };
    say_what_fonts_lack(&mut content);
    content
}

// Counsel cites sections by their numbers.
fn number_sections(blocks: &mut [Block]) {
    let mut section = 0;
    for block in blocks {
        if let Block::Heading { level: 1, text } = block {
            section += 1;
            *text = format!("{section}. {text}");
        }
    }
}

// The PDF carries its own fonts, and they do not have all the world's letters.
fn say_what_fonts_lack(content: &mut Content) {
    let mut lacking = !fonts::shows(&content.title) || !fonts::shows(&content.subtitle);
    each_text(&content.blocks, &mut |text| lacking |= !fonts::shows(text));
    if lacking {
        let note = "Some names have letters that the fonts of the PDF lack. The PDF shows them by their code points, such as \\u{4e2d}; the HTML page shows the letters themselves.";
        content.blocks.insert(0, Block::Note(note.into()));
    }
}

/// Visits every text of the blocks in the order of reading.
pub fn each_text(blocks: &[Block], visit: &mut dyn FnMut(&str)) {
    for block in blocks {
        match block {
            Block::Heading { text, .. } | Block::Paragraph(text) | Block::Note(text) => visit(text),
            Block::List(texts) | Block::Code(texts) => texts.iter().for_each(|text| visit(text)),
            Block::Table(table) => {
                visit(&table.caption);
                table.columns.iter().for_each(|column| visit(column.name));
                table.rows.iter().flatten().flatten().for_each(|line| visit(&line.text));
            }
            Block::Plot(plot) => {
                visit(&plot.title);
                for shape in &plot.drawing.shapes {
                    if let crate::plot::Shape::Text { text, .. } = shape {
                        visit(text);
                    }
                }
            }
        }
    }
}

fn heading(level: u8, text: &str) -> Block {
    Block::Heading { level, text: text.into() }
}

fn column(name: &'static str, share: u8) -> Column {
    Column { name, share, numbers: false }
}

fn numbers(name: &'static str, share: u8) -> Column {
    Column { name, share, numbers: true }
}

// A cell of one line; what is not there is shown to be so.
fn cell(text: &str, style: Style) -> Cell {
    match text.trim() {
        "" => vec![Line { text: "–".into(), style: Style::Plain }],
        text => vec![Line { text: line(text), style }],
    }
}

fn plain(text: &str) -> Cell {
    cell(text, Style::Plain)
}

fn number(number: u64) -> Cell {
    plain(&text::number(number))
}

// The first so many, and how many are left out.
fn first<T>(all: &[T], limit: usize) -> (&[T], usize) {
    let shown = &all[..all.len().min(limit)];
    (shown, all.len() - shown.len())
}

// Says what is left out, if anything is.
fn say_left_out(blocks: &mut Vec<Block>, left_out: usize, what: &str) {
    if left_out > 0 {
        let count = text::counted(left_out as u64, what);
        blocks.push(Block::Note(format!("Not shown here: {count}.")));
    }
}

fn joined(parts: &[&str], by: &str) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join(by)
}
