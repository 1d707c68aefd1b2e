//! `verifier admission`: would the log's own rules let this batch in, or why not? Every refusal can be
//! replayed by whoever has the batch and a copy of the log.

use super::audit::each_entry;
use super::heads::HEAD;
use anyhow::Context;
use coldlog_kit::batches::{self, Batch};
use coldlog_kit::exit::{OrNo, Outcome, no};
use coldlog_kit::published::{self, Bundles, Tree};
use coldlog_kit::report::{self, Report};
use coldlog_spec::cose::Claims;
use coldlog_spec::ed25519::Verifier;
use coldlog_spec::hash::Hash;
use coldlog_spec::policy::Policy;
use coldlog_spec::statement::Statement;
use coldlog_spec::tile::entries_path;
use coldlog_spec::verify::append::{self, Admission, Progress, Refusal, verify_genesis};
use coldlog_spec::verify::own::{self, Own};
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;

/// What the command line says.
pub struct Options<'a> {
    /// The batch.
    pub batch: &'a Path,
    /// A copy of the log, published.
    pub log: &'a Path,
    /// The policy.
    pub policy: &'a Path,
    /// The size of the log at which it is asked.
    pub at: Option<u64>,
    /// One JSON object.
    pub json: bool,
}

/// What a log of some size knows of a journal.
struct Known {
    size: u64,
    own: Own,
    /// The entry that holds the rules.
    rules: Option<u64>,
    admission: Option<Admission>,
    /// Where each of its records is.
    places: Vec<u64>,
    newest: Option<Hash>,
}

/// Runs the command.
pub fn run(options: &Options) -> Outcome {
    const CHECKS: [&str; 4] = [
        HEAD,
        "each of the log's own statements holds",
        "the entries have the root of the cosigned head",
        "the log's rules let every record in, and each follows the one before",
    ];
    report::run(options.json, &CHECKS, |checks| {
        let policy = super::policy(options.policy)?;
        let mut batch = Batch::open(options.batch)?;
        let claims = batch.header.claims.clone();
        let mut known = known(options, &policy, &claims, checks)?;
        let rules = known.own.rules().clone();
        rules.allowed(&claims).or_no()?;
        let mut admission = match known.admission.take() {
            Some(admission) => admission,
            None => batch.genesis()?,
        };
        if batch.header.remembered > known.size {
            return no(format!(
                "the signer remembers a head of size {}, the log has {} entries at this size",
                batch.header.remembered, known.size
            ));
        }
        rules.admit_journal(&admission.genesis).or_no()?;
        let source = super::source(options.log)?;
        let source = source.as_ref();
        let origin = published::head(source)?.checkpoint.origin;
        let mut entries = Bundles::new(source, known.size, entries_path);
        let mut roots: HashMap<u64, Hash> = HashMap::new();
        let logged = known.places.len() as u64;
        let mut progress = Progress { next: logged, head: known.newest };
        let mut end = Progress { next: batch.header.first, head: None };
        let (mut count, mut there) = (0, 0);
        let verifier = Verifier::new(&admission.key, batch.expected);
        while let Some(chunk) = batch.next()? {
            for (statement, sealed) in batches::verify(chunk, &admission, &verifier)? {
                let number = end.next;
                let record = || format!("record {number} of the journal");
                let statement = statement.with_context(record).or_no()?;
                let found = statement.position.sequence;
                if found != number {
                    return Err(Refusal::Gap { expected: number, found })
                        .with_context(record)
                        .or_no();
                }
                if let Some(head) = statement.position.head.as_ref().filter(|h| h.origin == origin)
                    && head.size <= known.size
                    && !roots.contains_key(&head.size)
                {
                    let root = Tree::new(source, known.size).root_at(head.size)?;
                    roots.insert(head.size, root);
                }
                let at = known.places.get(number as usize);
                let before = at.map(|at| entries.get(*at)).transpose()?;
                there += u64::from(before.is_some());
                let own_history = |head: &coldlog_spec::statement::KnownHead| {
                    head.origin != origin || roots.get(&head.size) == Some(&head.root)
                };
                let next = append::judge(
                    (&statement, sealed.len()),
                    (&admission, &rules),
                    &progress,
                    before,
                    own_history,
                );
                if let Some(next) = next.with_context(record).or_no()? {
                    progress = next;
                    admission.take(&statement).with_context(record).or_no()?;
                }
                end = Progress { next: number + 1, head: Some(statement.leaf()) };
                count += 1;
            }
        }
        let _ = batch.finish(count, &admission, &end)?;
        checks.pass();
        let rules = known.rules.map_or("no entry".into(), |at| format!("entry {at}"));
        let text = format!(
            "the log's rules of {rules} let the batch in at size {}: {count} records, {there} were there already",
            known.size
        );
        let fields = json!({
            "size": known.size, "rules": known.rules, "records": count, "already_logged": there,
        });
        Ok(Report { text: vec![text], fields })
    })
}

// Replays the log up to the size that is asked; the rest is read as well, for the root to be checked.
fn known(
    options: &Options,
    policy: &Policy,
    claims: &Claims,
    checks: &mut report::Checks,
) -> Outcome<Known> {
    let source = super::source(options.log)?;
    let source = source.as_ref();
    let origin = published::head(source)?.checkpoint.origin;
    let size = options.at.unwrap_or(u64::MAX);
    let mut known = Known {
        size,
        own: Own::default(),
        rules: None,
        admission: None,
        places: Vec::new(),
        newest: None,
    };
    let head = each_entry(options.log, policy, checks, |place, entry, sealed| {
        if place >= size {
            return Ok(());
        }
        let statement = Statement::decode(entry).with_context(|| format!("entry {place}"))?;
        if own::is_own(&statement, &origin) {
            let statement = own::verify(entry, sealed, &origin, policy.receipt_keys(&origin));
            let versions = known.own.versions();
            let taken = statement.and_then(|statement| known.own.take(&statement));
            taken.with_context(|| format!("entry {place}, the log's own")).or_no()?;
            if known.own.versions() > versions {
                known.rules = Some(place);
            }
        } else if statement.claims() == claims {
            if statement.position.sequence == 0 {
                let admission = verify_genesis(entry).with_context(|| format!("entry {place}"));
                known.admission = Some(admission.or_no()?);
            } else if let Some(admission) = &mut known.admission {
                let named = || format!("entry {place}");
                admission.take(&statement).with_context(named).or_no()?;
            }
            known.places.push(place);
            known.newest = Some(statement.leaf());
        }
        Ok(())
    })?;
    let newest = head.checkpoint().size;
    if options.at.is_some_and(|at| at > newest) {
        return no(format!("the cosigned head has {newest} entries, {size} were asked for"));
    }
    known.size = size.min(newest);
    Ok(known)
}
