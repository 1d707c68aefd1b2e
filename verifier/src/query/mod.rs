//! `verifier query`: the records of a log as a table, in memory only, for questions.
//!
//! The table is SQLite's: it is in this program already, asks nothing of the machine, has full text search, and its
//! SQL is the one that most people know. What is larger than memory, or wants an engine of its own, goes out as
//! Parquet.

mod output;
mod parquet;
mod table;

pub use output::{Format, Output};
pub use table::{Filter, Table};

use crate::audit::{Against, Engine, Shard};
use crate::openings::OpeningArgs;
use coldlog_kit::exit::{Outcome, no, trouble};
use coldlog_kit::seal;
use coldlog_kit::terminal::talk;
use coldlog_spec::verify::audit::{Finding, Kind, Severity};
use std::path::PathBuf;

/// What `verifier query` is asked.
pub struct Options {
    /// The published log.
    pub log: PathBuf,
    /// The policy.
    pub policy: PathBuf,
    /// The auditor's age identity.
    pub identity: PathBuf,
    /// Who opens the records, and why.
    pub opening: OpeningArgs,
    /// Which records.
    pub filter: Filter,
    /// A question in SQL instead.
    pub sql: Option<String>,
    /// Only a part of the log.
    pub shard: Option<Shard>,
    /// How the answer goes out.
    pub output: Output,
}

/// `verifier query`
pub fn run(options: &Options) -> Outcome {
    options.output.must_be_possible()?;
    let against = Against::read(&options.log, &options.policy)?;
    if let Some(finding) = against.findings().first() {
        return no(format!("{}: {}", finding.kind.name(), finding.found));
    }
    let identities = seal::read_identities(&options.identity)?;
    let evidence = PathBuf::from("log.evidence.cbor");
    let scope = against.scope(&identities, &evidence);
    let size = scope.head.size;
    let part = options.shard.map(|shard| shard.of(size));
    let ((from, to), level) = part.unwrap_or(((0, size), 0));
    // A part opens the key events before it, too.
    options.opening.note(&scope.head.origin, "verifier query", (0, to))?;
    let mut engine = Engine::new(scope, against.times());
    if part.is_some() {
        engine.begin_part(level, from)?;
    }
    let mut table = Table::new()?;
    engine.run((from, to), &mut |row, findings| table.add(row, findings), |_, _| Ok(()))?;
    match part {
        Some(_) => engine.finish_part()?,
        None => engine.finish()?,
    }
    // What is not under the head is no answer to any question, and a part of the answer is none either.
    let broken = |one: &&Finding| match one.kind {
        Kind::RootDiffers | Kind::TileDiffers => true,
        kind => matches!(kind, Kind::BundleMissing | Kind::BundleMalformed),
    };
    if let Some(one) = engine.findings.list().find(broken) {
        let (kind, file) = (one.kind.name(), one.file.as_deref().unwrap_or("the tree"));
        return no(format!(
            "tampering, or a torn copy: {kind}, {file}: {}; run `verifier audit`",
            one.found
        ));
    }
    table.revoke(engine.journals.revoked(), &scope.head.origin)?;
    let odd = engine.findings.by_severity();
    let odd: u64 = odd.iter().filter(|(one, _)| *one >= Severity::Warning).map(|(_, n)| n).sum();
    if odd > 0 {
        talk(format!(
            "{odd} findings: see the columns state and findings, and run `verifier audit`"
        ));
    }
    let answer = match &options.sql {
        Some(sql) => table.ask(sql)?,
        None => table.filter(&options.filter)?,
    };
    if answer.columns.is_empty() {
        return trouble("the SQL gives no columns: ask with SELECT; the table is called records");
    }
    Ok(options.output.write(&answer)?)
}
