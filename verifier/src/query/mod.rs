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

use crate::audit::{Engine, Shard, against, scope_of};
use crate::openings::OpeningArgs;
use anyhow::{Result, bail};
use coldlog_kit::exit::{Outcome, no};
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
    let against = against(&options.log, &options.policy)?;
    if let Some(finding) = against.findings().first() {
        return no(format!("{}: {}", finding.kind.name(), finding.found));
    }
    let identities = seal::read_identities(&options.identity)?;
    let evidence = PathBuf::from("log.evidence.cbor");
    let scope = scope_of(&against, &identities, &evidence);
    let size = scope.head.size;
    let ((from, to), _) = options.shard.map_or(((0, size), 0), |shard| shard.of(size));
    options.opening.note(&scope.head.origin, "verifier query", (from, to - from))?;
    let mut engine = Engine::new(scope, against.times());
    let part = options.shard.is_some();
    if part {
        engine.begin_part(options.shard.map_or(1, |shard| shard.of(size).1), from)?;
    }
    let mut table = Table::new()?;
    engine.run((from, to), &mut |row, findings| table.add(row, findings), |_, _| Ok(()))?;
    match part {
        true => engine.finish_part()?,
        false => engine.finish()?,
    }
    // What is not under the head is no answer to any question.
    let broken = |one: &&Finding| matches!(one.kind, Kind::RootDiffers | Kind::TileDiffers);
    if let Some(finding) = engine.findings.list().find(broken) {
        return no(format!("tampering: {}; run `verifier audit`", finding.found));
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
        bail_sql()?;
    }
    Ok(options.output.write(&answer)?)
}

fn bail_sql() -> Result<()> {
    bail!("the SQL gives no columns: ask with SELECT; the table is called records")
}
