//! Answers: as a table for people, JSON lines, CSV, or Parquet.

use super::parquet;
use super::table::Answer;
use anyhow::{Context, Result, bail};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::terminal::{field, say};
use rusqlite::types::Value;
use serde_json::Map;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// How an answer goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One JSON object a line.
    Jsonl,
    /// RFC 4180, with a header.
    Csv,
    /// Apache Parquet, for DuckDB and its like.
    Parquet,
}

/// Where an answer goes.
#[derive(Debug, Clone)]
pub struct Output {
    /// How.
    pub format: Format,
    /// The file, or with partitions the folder; stdout where there is none.
    pub file: Option<PathBuf>,
    /// Write a folder `COLUMN=VALUE` for each month or value of this column.
    pub partition_by: Option<String>,
    /// Which part of the log it is: names the files of a folder.
    pub part: u64,
    /// Replace files.
    pub force: bool,
}

impl Output {
    /// Refuses what cannot be, before anything is opened.
    pub fn must_be_possible(&self) -> Result<()> {
        if self.format == Format::Parquet && self.file.is_none() {
            bail!("Parquet is no text: name a file with --output");
        }
        if self.partition_by.is_some() && (self.format != Format::Parquet || self.file.is_none()) {
            bail!("--partition-by is for --format parquet, with --output FOLDER");
        }
        Ok(())
    }

    /// Writes an answer. Files are readable by their owner only: what was sealed is open in them.
    pub fn write(&self, answer: &Answer) -> Result<()> {
        let Some(file) = &self.file else {
            return print(answer, self.format);
        };
        let existing = Existing::from_force(self.force);
        let Some(column) = &self.partition_by else {
            return files::write(file, &self.bytes(answer)?, existing, Mode::Private);
        };
        let at = answer.columns.iter().position(|name| name == column);
        let at = at.with_context(|| format!("the answer has no column {column}"))?;
        let mut parts: BTreeMap<String, Answer> = BTreeMap::new();
        for row in &answer.rows {
            let part = parts.entry(partition(row.get(at))).or_default();
            part.columns.clone_from(&answer.columns);
            part.rows.push(row.clone());
        }
        for (value, part) in parts {
            let folder = file.join(format!("{column}={value}"));
            files::create_folder(&folder)?;
            let path = folder.join(format!("part-{}.parquet", self.part));
            files::write(&path, &self.bytes(&part)?, existing, Mode::Private)?;
        }
        Ok(())
    }

    fn bytes(&self, answer: &Answer) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.format {
            Format::Parquet => bytes = parquet::encode(answer)?,
            Format::Csv => csv(answer, &mut bytes)?,
            Format::Jsonl => {
                for line in jsonl(answer) {
                    writeln!(bytes, "{line}")?;
                }
            }
            Format::Table => {
                for line in table(answer) {
                    writeln!(bytes, "{line}")?;
                }
            }
        }
        Ok(bytes)
    }
}

// A folder's name: the month of a time, or the value itself where it is plain.
fn partition(value: Option<&Value>) -> String {
    let text = match value {
        Some(Value::Text(text)) => text.as_str(),
        Some(Value::Integer(number)) => return number.to_string(),
        _ => return "__HIVE_DEFAULT_PARTITION__".into(),
    };
    let month = text.get(..7).filter(|_| coldlog_kit::time::parse(text).is_ok());
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = month.unwrap_or(text).chars().take(100).map(plain).collect();
    match Path::new(&name).file_name().is_some() {
        true => name,
        false => "_".into(),
    }
}

fn print(answer: &Answer, format: Format) -> Result<()> {
    match format {
        Format::Jsonl => jsonl(answer).for_each(say),
        Format::Csv => {
            let mut bytes = Vec::new();
            csv(answer, &mut bytes)?;
            let text = String::from_utf8(bytes)?;
            say(text.trim_end_matches('\n'));
        }
        Format::Table | Format::Parquet => table(answer).for_each(say),
    }
    Ok(())
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => coldlog_spec::hash::to_hex(bytes),
    }
}

fn jsonl(answer: &Answer) -> impl Iterator<Item = String> {
    answer.rows.iter().map(|row| {
        let fields = answer.columns.iter().zip(row).map(|(name, value)| {
            let value = match value {
                Value::Null => serde_json::Value::Null,
                Value::Integer(number) => (*number).into(),
                Value::Real(number) => (*number).into(),
                other => text(other).into(),
            };
            (name.clone(), value)
        });
        serde_json::Value::Object(fields.collect::<Map<_, _>>()).to_string()
    })
}

fn csv(answer: &Answer, out: &mut Vec<u8>) -> Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(&answer.columns)?;
    for row in &answer.rows {
        // A spreadsheet takes what begins like this for a formula: it gets a quote in front.
        let cells = row.iter().map(|value| match (value, text(value)) {
            (Value::Text(_), text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
                format!("'{text}")
            }
            (_, text) => text,
        });
        writer.write_record(cells)?;
    }
    writer.flush()?;
    Ok(())
}

/// Columns that a person looks at; the others are for programs.
const LONG: [&str; 6] = ["leaf", "key", "sha256", "signature", "known_head", "media_type"];

fn table(answer: &Answer) -> impl Iterator<Item = String> {
    let shown: Vec<usize> = answer
        .columns
        .iter()
        .enumerate()
        .filter(|(_, name)| answer.columns.len() < 12 || !LONG.contains(&name.as_str()))
        .map(|(at, _)| at)
        .collect();
    let cells = |row: &[String]| -> Vec<String> {
        shown.iter().map(|at| field(row.get(*at).map_or("", String::as_str)).to_string()).collect()
    };
    let mut lines = vec![cells(&answer.columns)];
    lines.extend(answer.rows.iter().map(|row| cells(&row.iter().map(text).collect::<Vec<_>>())));
    let widths: Vec<usize> = (0..shown.len())
        .map(|at| {
            lines
                .iter()
                .filter_map(|line| line.get(at))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let empty =
        |at: usize| lines.iter().skip(1).all(|line| line.get(at).is_none_or(String::is_empty));
    let kept: Vec<usize> = (0..shown.len()).filter(|at| lines.len() == 1 || !empty(*at)).collect();
    lines
        .into_iter()
        .map(move |line| {
            let padded = kept.iter().filter_map(|at| {
                Some(format!("{:width$}", line.get(*at)?, width = widths.get(*at)?))
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect::<Vec<_>>()
        .into_iter()
}
