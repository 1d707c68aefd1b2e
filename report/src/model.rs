//! What a report says: plain data, filled by whoever audited. Texts may come from outside; they are made
//! harmless where they are shown. Times are POSIX seconds.

/// A report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Its title.
    pub title: String,
    /// Whose log was audited.
    pub organisation: String,
    /// The log's origin.
    pub origin: String,
    /// The time that it covers.
    pub period: Period,
    /// When it was made. Both files carry this time and no other.
    pub made: u64,
    /// Who audited.
    pub auditor: String,
    /// SHA-256 of the policy under which it was audited, in hexadecimal.
    pub policy: String,
    /// What was looked at, in plain words.
    pub scope: Vec<String>,
    /// The heads that were audited, oldest first.
    pub heads: Vec<Head>,
    /// What was proven, in plain words.
    pub proven: Vec<String>,
    /// What was not proven, or cannot be, in plain words.
    pub not_proven: Vec<String>,
    /// How many records there are, by several measures.
    pub counts: Counts,
    /// Findings of this report and of those before; see [`crate::register`].
    pub findings: Vec<Finding>,
    /// Who read which records.
    pub access: Vec<Access>,
    /// How a reader verifies this.
    pub commands: Vec<Command>,
    /// The terms; see [`crate::glossary::default`].
    pub glossary: Vec<Term>,
}

/// The time that a report covers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Period {
    /// Its name, such as `2026-Q3`.
    pub name: String,
    /// Its beginning.
    pub from: u64,
    /// Its end: the first second that is not in it.
    pub until: u64,
}

/// A head of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// How many entries it covers.
    pub size: u64,
    /// The root hash, in hexadecimal.
    pub root: String,
    /// Who cosigned it.
    pub witnesses: Vec<Witness>,
}

/// A cosignature on a head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Witness {
    /// The witness's name.
    pub name: String,
    /// When it cosigned.
    pub time: u64,
}

/// How many records there are, each list by another measure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// By signer.
    pub signers: Vec<Count>,
    /// By operator.
    pub operators: Vec<Count>,
    /// By key, named by its thumbprint.
    pub keys: Vec<Count>,
    /// By document.
    pub documents: Vec<Count>,
    /// By month, in the order of time, such as `2026-07`.
    pub months: Vec<Count>,
}

/// A number with its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Count {
    /// What was counted.
    pub name: String,
    /// How many.
    pub number: u64,
}

pub use coldlog_spec::verify::audit::Severity;

/// What became of a finding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nobody has taken it up.
    #[default]
    Open,
    /// Somebody works on it.
    InWork,
    /// It was dealt with.
    Closed,
}

impl State {
    /// All, in the order of a finding's life.
    pub const ALL: [State; 3] = [State::Open, State::InWork, State::Closed];

    /// Its name in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::InWork => "in work",
            State::Closed => "closed",
        }
    }
}

/// Something that is not as it should be. State, action, owner and note are written by people; the rest
/// is the program's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finding {
    /// The same in every report; see [`crate::register::id`].
    pub id: String,
    /// What kind of finding it is.
    pub kind: String,
    /// How much it weighs.
    pub severity: Severity,
    /// Where it is.
    pub place: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// The period in which it was first reported.
    pub first_reported: String,
    /// The last period in which it was found.
    pub last_seen: String,
    /// What became of it.
    pub state: State,
    /// The corrective action.
    pub action: String,
    /// Who does it.
    pub owner: String,
    /// What else people wrote.
    pub note: String,
}

/// What a reader of sealed records read in the period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Who read.
    pub reader: String,
    /// How often.
    pub reads: u64,
    /// How many records.
    pub records: u64,
    /// The first time, where there is one.
    pub first: Option<u64>,
    /// The last time, where there is one.
    pub last: Option<u64>,
}

/// A command by which a reader verifies something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// What it shows, and who can run it.
    pub purpose: String,
    /// One line or more, as they are typed.
    pub command: String,
}

/// A term and what it means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Term {
    /// The term.
    pub term: String,
    /// What it means.
    pub meaning: String,
}
