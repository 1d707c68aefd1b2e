//! The records of a log as rows: what queries, rules and reports look at.

mod row;

pub use row::{Document, Row};

use crate::commands::claims::Bounds;
use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome};
use coldlog_kit::published::{self, Source};
use coldlog_kit::seal::{self, Identity};
use coldlog_spec::policy::{CosignedCheckpoint, Policy};
use coldlog_spec::record::Disclosure;
use coldlog_spec::statement::Statement;
use coldlog_spec::tile::{self, WIDTH, entries_path, sealed_path};

/// Visits the entries of a log from an index on, up to its newest cosigned head, each as a row. What the
/// identities do not open has no record in its row. Returns the head.
pub fn each(
    source: &dyn Source,
    policy: &Policy,
    identities: &[Identity],
    from: u64,
    visit: &mut dyn FnMut(Row) -> anyhow::Result<()>,
) -> Outcome<CosignedCheckpoint> {
    let head = policy.verify_head(&published::head(source)?).or_no()?;
    let size = head.checkpoint().size;
    let tree = published::Tree::new(source, size);
    let mut bounds = Bounds::new(source, policy, head.not_after());
    for bundle in from / WIDTH..size.div_ceil(WIDTH) {
        let width = tile::width_at(0, bundle, size);
        let entries = tree.bundle(bundle, entries_path)?;
        let sealed = tree.bundle(bundle, sealed_path)?;
        let entries = tile::decode_bundle(&entries, width)?;
        let sealed = tile::decode_bundle(&sealed, width)?;
        for (at, (entry, sealed)) in entries.iter().zip(sealed).enumerate() {
            let index = bundle * WIDTH + at as u64;
            if index < from {
                continue;
            }
            let statement = Statement::decode(entry).with_context(|| format!("entry {index}"))?;
            let opened = seal::open(sealed, identities).ok();
            let opened = opened.filter(|bytes| statement.must_commit_to(bytes).is_ok());
            let disclosure = opened.and_then(|bytes| Disclosure::decode(&bytes).ok());
            let times = (bounds.not_before(&statement)?, head.not_after());
            visit(Row::new(index, &statement, disclosure.map(|one| one.record), times))?;
        }
    }
    Ok(head)
}
