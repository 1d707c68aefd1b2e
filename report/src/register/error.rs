//! What can be wrong with a register.

use std::fmt;

/// Why a register is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterError {
    /// The line of the file, from 1; none where it is the file as a whole.
    pub line: Option<u64>,
    /// What is wrong there.
    pub fault: Fault,
}

impl RegisterError {
    pub(super) fn at(line: u64, fault: Fault) -> RegisterError {
        RegisterError { line: Some(line), fault }
    }

    pub(super) fn whole(fault: Fault) -> RegisterError {
        RegisterError { line: None, fault }
    }
}

impl std::error::Error for RegisterError {}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "the register of findings, line {line}: {}", self.fault),
            None => write!(f, "the register of findings: {}", self.fault),
        }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// More bytes than are read.
    #[error(
        "expected at most {} MiB, found more: move closed findings to another file",
        super::MAX_BYTES >> 20
    )]
    TooLarge,
    /// More findings than are read.
    #[error(
        "expected at most {} findings, found more: move closed findings to another file",
        super::MAX_FINDINGS
    )]
    TooMany,
    /// The bytes are no text.
    #[error("expected UTF-8, found other bytes: save it as CSV in UTF-8")]
    NoText,
    /// The file has semicolons between its cells.
    #[error(
        "expected commas between the cells, found semicolons or tabs: save it as CSV with commas"
    )]
    Separator,
    /// The first line does not name the columns.
    #[error(
        "expected the columns {expected}, found {found}: put the columns back; what has no column goes into `note`"
    )]
    Columns {
        /// Their names.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A row with another number of cells.
    #[error(
        "expected {expected} cells, found {found}: look for a comma without quotation marks around its cell"
    )]
    Cells {
        /// As many as there are columns.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// A quotation mark is missing or too many.
    #[error(
        "expected quotation marks around whole cells, and doubled within them, found one that is not: close it, double it or remove it"
    )]
    Quotes,
    /// A cell that has to say something says nothing.
    #[error(
        "expected something in the column {0:?}, found nothing: put back what stood there, or remove the row"
    )]
    Empty(&'static str),
    /// The identifier is not one.
    #[error(
        "expected an identifier such as F-0123456789abcdef, found {0:?}: put back what stood there"
    )]
    Id(String),
    /// The identifier is that of a row before.
    #[error("expected each finding once, found {id} also in line {line}: make one row of both")]
    Twice {
        /// The identifier.
        id: String,
        /// The line of the first.
        line: u64,
    },
    /// No such severity.
    #[error("expected a severity of note, warning, high, critical, found {0:?}")]
    Severity(String),
    /// No such state.
    #[error("expected a state of open, in work, closed, found {0:?}")]
    State(String),
}
