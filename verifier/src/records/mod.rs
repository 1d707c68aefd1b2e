//! The records of a log as rows: what queries, rules and reports look at.

mod row;

pub use row::{Document, Row};

use crate::audit::{Engine, Scope};
use coldlog_kit::exit::{OrNo, Outcome};
use coldlog_kit::published::{self, Source};
use coldlog_kit::seal::Identity;
use coldlog_spec::policy::{CosignedCheckpoint, Policy};
use coldlog_spec::tile::WIDTH;
use coldlog_spec::verify::audit::Finding;
use std::path::Path;

/// Visits the entries of a log from an index on, up to its newest cosigned head, each as a row with what an audit
/// finds of it. What the identities do not open has no record in its row. Returns the head, and what else the audit
/// found: in the files of the tree, and of entries that are no statements.
pub fn each(
    source: &dyn Source,
    policy: &Policy,
    identities: &[Identity],
    from: u64,
    visit: &mut dyn FnMut(Row, &[Finding]) -> anyhow::Result<()>,
) -> Outcome<(CosignedCheckpoint, Vec<Finding>)> {
    let head = policy.verify_head(&published::head(source)?).or_no()?;
    let size = head.checkpoint().size;
    if from >= size {
        return Ok((head, Vec::new()));
    }
    let times = head.not_after().map(|time| (size, time)).into_iter().collect();
    let evidence = Path::new("log.evidence.cbor");
    let scope = Scope { source, policy, identities, head: head.checkpoint(), evidence };
    let mut engine = Engine::new(scope, times);
    engine.bounds_of_all = true;
    // At a border of bundles; entries before are read for the tree only.
    engine.begin_part(1, from)?;
    let mut told = Vec::new();
    let mut observer = |row: &Row, findings: &[Finding]| {
        told.extend(findings.to_vec());
        visit(row.clone(), findings)
    };
    engine.run((from, size), &mut observer, |_, _| Ok(()))?;
    match from / WIDTH {
        0 => engine.finish()?,
        _ => engine.finish_part()?,
    }
    let others = engine.findings.list().filter(|one| !told.contains(one)).cloned().collect();
    Ok((head, others))
}
