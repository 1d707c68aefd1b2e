//! The register's CSV (RFC 4180), strictly read.

use super::error::{Fault, RegisterError};
use super::{MAX_BYTES, MAX_FINDINGS};
use crate::model::{Finding, Severity, State};
use csv::{ErrorKind, ReaderBuilder, StringRecord, Terminator, WriterBuilder};
use std::collections::HashMap;

// What people write stands where they see it.
const COLUMNS: [&str; 12] = [
    "id",
    "kind",
    "severity",
    "state",
    "action",
    "owner",
    "note",
    "place",
    "expected",
    "found",
    "first_reported",
    "last_seen",
];

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Finding>, RegisterError> {
    if bytes.len() > MAX_BYTES {
        return Err(RegisterError::whole(Fault::TooLarge));
    }
    // Spreadsheets begin UTF-8 with a byte order mark.
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        RegisterError::at(line, Fault::NoText)
    })?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    if let Some(line) = stray_quote(text) {
        return Err(RegisterError::at(line, Fault::Quotes));
    }
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let mut rows = reader.records();
    check_columns(rows.next())?;
    let mut findings = Vec::new();
    let mut lines: HashMap<String, u64> = HashMap::new();
    for row in rows {
        let row = row.map_err(|error| malformed(&error))?;
        let line = row.position().map_or(0, csv::Position::line);
        let finding = finding(&row).map_err(|fault| RegisterError::at(line, fault))?;
        if let Some(line_before) = lines.insert(finding.id.clone(), line) {
            let fault = Fault::Twice { id: finding.id, line: line_before };
            return Err(RegisterError::at(line, fault));
        }
        findings.push(finding);
        if findings.len() > MAX_FINDINGS {
            return Err(RegisterError::whole(Fault::TooMany));
        }
    }
    Ok(findings)
}

fn check_columns(row: Option<csv::Result<StringRecord>>) -> Result<(), RegisterError> {
    let found = row.and_then(Result::ok).unwrap_or_default();
    if found.iter().eq(COLUMNS) {
        return Ok(());
    }
    let first = found.get(0).unwrap_or_default();
    let fault = if found.len() == 1 && first.contains([';', '\t']) {
        Fault::Separator
    } else {
        let found: Vec<&str> = found.iter().collect();
        let found: String = found.join(",").escape_debug().take(300).collect();
        Fault::Columns { expected: COLUMNS.join(","), found }
    };
    Err(RegisterError::at(1, fault))
}

fn malformed(error: &csv::Error) -> RegisterError {
    let line = error.position().map(csv::Position::line);
    let fault = match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            Fault::Cells { expected: *expected_len, found: *len }
        }
        // The text is UTF-8 and in memory: no other error is left.
        _ => Fault::NoText,
    };
    RegisterError { line, fault }
}

// RFC 4180, section 2: quotation marks stand around a whole cell, and within it in pairs. The csv crate takes
// others for letters, or takes the rows between two of them for one cell. Returns the line of the first.
fn stray_quote(text: &str) -> Option<u64> {
    enum At {
        CellStart,
        Plain,
        Quoted,
        Quote,
    }
    let (mut at, mut line, mut opened) = (At::CellStart, 1, 1);
    for byte in text.bytes() {
        at = match (at, byte) {
            (At::CellStart, b'"') => {
                opened = line;
                At::Quoted
            }
            (At::Quoted, b'"') => At::Quote,
            (At::Quote, b'"') | (At::Quoted, _) => At::Quoted,
            (_, b',' | b'\r' | b'\n') => At::CellStart,
            (At::Plain, b'"') | (At::Quote, _) => return Some(line),
            _ => At::Plain,
        };
        line += u64::from(byte == b'\n');
    }
    matches!(at, At::Quoted).then_some(opened)
}

fn finding(row: &StringRecord) -> Result<Finding, Fault> {
    let text = |place: usize| unguard(row.get(place).unwrap_or_default());
    let said = |place: usize| match text(place) {
        text if text.trim().is_empty() => Err(Fault::Empty(COLUMNS[place])),
        text => Ok(text),
    };
    let id = said(0)?.trim().to_owned();
    if !is_id(&id) {
        return Err(Fault::Id(id.chars().take(100).collect()));
    }
    Ok(Finding {
        id,
        kind: said(1)?,
        severity: named(&said(2)?, &Severity::ALL, Severity::name).map_err(Fault::Severity)?,
        state: named(&said(3)?, &State::ALL, State::name).map_err(Fault::State)?,
        action: text(4),
        owner: text(5),
        note: text(6),
        place: text(7),
        expected: text(8),
        found: text(9),
        first_reported: said(10)?,
        last_seen: said(11)?,
    })
}

// `F-`, 16 hexadecimal digits and, of findings alike, a number.
fn is_id(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("F-") else { return false };
    let (digits, number) = rest.split_once('-').unwrap_or((rest, "2"));
    digits.len() == 16
        && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && number.parse::<u32>().is_ok_and(|number| number >= 2)
}

// People write by hand: capital letters and spaces at the ends do not matter.
fn named<T: Copy>(text: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    let wanted = text.trim().to_lowercase();
    let one = all.iter().find(|one| name(**one) == wanted);
    one.copied().ok_or_else(|| text.chars().take(100).collect())
}

pub(super) fn write(findings: &[Finding]) -> Vec<u8> {
    let mut writer =
        WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(Vec::new());
    // Writing into memory cannot fail, and every row has as many cells.
    let _ = writer.write_record(COLUMNS);
    for one in findings {
        let row = [
            &one.id,
            &one.kind,
            one.severity.name(),
            one.state.name(),
            &one.action,
            &one.owner,
            &one.note,
            &one.place,
            &one.expected,
            &one.found,
            &one.first_reported,
            &one.last_seen,
        ];
        let _ = writer.write_record(row.map(guard));
    }
    writer.into_inner().unwrap_or_default()
}

// What a spreadsheet may take for a formula gets an apostrophe; so does what would lose one of its own.
fn guard(text: &str) -> String {
    if runs(text.trim_start_matches('\'')) { format!("'{text}") } else { text.into() }
}

fn unguard(text: &str) -> String {
    match text.strip_prefix('\'') {
        Some(rest) if runs(rest.trim_start_matches('\'')) => rest.into(),
        _ => text.into(),
    }
}

// By OWASP's list, with the wide forms of East Asian keyboards; spaces before them do not help everywhere.
fn runs(text: &str) -> bool {
    text.starts_with(['\t', '\r', '\n'])
        || text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}
