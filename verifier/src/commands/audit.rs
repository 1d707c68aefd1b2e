//! `verifier open` and `verifier completeness`: what an auditor asks of a copy of the log.

use super::approvals::Journals;
use super::claims::{self, Bounds};
use super::heads::HEAD;
use crate::openings::OpeningArgs;
use anyhow::Context;
use coldlog_kit::exit::{OrNo, Outcome, no, trouble};
use coldlog_kit::inputs;
use coldlog_kit::progress::Progress as Bar;
use coldlog_kit::published::{self, Tree};
use coldlog_kit::report::{self, Checks, Report};
use coldlog_kit::seal;
use coldlog_kit::terminal::{field, say};
use coldlog_kit::time;
use coldlog_spec::batch::Tail;
use coldlog_spec::ed25519::Verifiers;
use coldlog_spec::hash::Hash;
use coldlog_spec::key_event::{Event, Recovers, revoked_journal};
use coldlog_spec::merkle::Frontier;
use coldlog_spec::policy::{CosignedCheckpoint, Policy};
use coldlog_spec::record::{Disclosure, Operation};
use coldlog_spec::reseal::Reseal;
use coldlog_spec::statement::{Payload, Statement};
use coldlog_spec::tile::{self, WIDTH, entries_path, sealed_path};
use coldlog_spec::verify::append::{Admission, Progress, follows, verify_genesis, verify_records};
use coldlog_spec::verify::clock::Claim;
use coldlog_spec::verify::own::{self, Own};
use coldlog_spec::verify::revocation;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Visits every entry under the newest cosigned head, and checks that its root is the tree's.
pub(crate) fn each_entry(
    log: &Path,
    policy: &Policy,
    checks: &mut Checks,
    mut visit: impl FnMut(u64, &[u8], &[u8]) -> Outcome,
) -> Outcome<CosignedCheckpoint> {
    let source = super::source(log)?;
    let source = source.as_ref();
    let head = policy.verify_head(&published::head(source)?).or_no()?;
    checks.pass();
    let checkpoint = head.checkpoint();
    let size = checkpoint.size;
    let tree = Tree::new(source, size);
    let mut rebuilt = Frontier::default();
    let bar = Bar::new("reading the log", Some(size));
    for bundle in 0..size.div_ceil(WIDTH) {
        let width = tile::width_at(0, bundle, size);
        let (entries, sealed) =
            (tree.bundle(bundle, entries_path)?, tree.bundle(bundle, sealed_path)?);
        let entries = tile::decode_bundle(&entries, width)?;
        let sealed = tile::decode_bundle(&sealed, width)?;
        for (at, (entry, sealed)) in entries.iter().zip(sealed).enumerate() {
            rebuilt.push(coldlog_spec::merkle::leaf_hash(entry));
            visit(bundle * WIDTH + at as u64, entry, sealed)?;
        }
        bar.add(width);
    }
    checks.pass();
    let root = rebuilt.root();
    if root != checkpoint.root {
        return no(format!(
            "tampering: the entries have the root {root}, the cosigned head says {}",
            checkpoint.root
        ));
    }
    checks.pass();
    Ok(head)
}

/// `verifier identity`
pub fn identity(output: &Path) -> Outcome {
    let recipient = seal::write_identity(output)?;
    say(recipient);
    Ok(())
}

/// Which records are opened.
#[derive(Debug, Default)]
pub struct Which {
    /// Only this entry.
    pub index: Option<u64>,
    /// Only this signer's.
    pub signer: Option<String>,
}

// Visits one entry, which an inclusion proof ties to the cosigned head.
fn one_entry(
    log: &Path,
    policy: &Policy,
    checks: &mut Checks,
    index: u64,
    visit: impl FnOnce(u64, &[u8], &[u8]) -> Outcome,
) -> Outcome {
    let source = super::source(log)?;
    let source = source.as_ref();
    let head = policy.verify_head(&published::head(source)?).or_no()?;
    checks.pass();
    let checkpoint = head.checkpoint();
    if index >= checkpoint.size {
        return no(format!(
            "the cosigned head has {} entries, there is no entry {index}: nothing was checked",
            checkpoint.size
        ));
    }
    let mut tree = Tree::new(source, checkpoint.size);
    let (entry, sealed) = (tree.entry(index, entries_path)?, tree.entry(index, sealed_path)?);
    visit(index, &entry, &sealed)?;
    checks.pass();
    let path = tree.inclusion(index)?;
    let leaf = coldlog_spec::merkle::leaf_hash(&entry);
    coldlog_spec::merkle::verify_inclusion(leaf, index, checkpoint.size, &path, checkpoint.root)
        .with_context(|| format!("tampering: entry {index} is not under the cosigned head"))
        .or_no()?;
    checks.pass();
    Ok(())
}

/// `verifier open`
pub fn open(
    log: &Path,
    policy: &Path,
    identity: &Path,
    which: Which,
    opening: &OpeningArgs,
    as_json: bool,
) -> Outcome {
    const CHECKS: [&str; 5] = [
        HEAD,
        "each record that opens matches its commitment",
        ENTRIES,
        "every record opens",
        "each record has the approvals and factors that its genesis demands",
    ];
    report::run(as_json, &CHECKS, |checks| {
        let policy = super::policy(policy)?;
        let identities = seal::read_identities(identity)?;
        let (mut opened, mut closed, mut said, mut records) = (0u64, 0u64, 0u64, Vec::new());
        let source = super::source(log)?;
        let newest = policy.verify_head(&published::head(source.as_ref())?).or_no()?;
        let (origin, size) = (&newest.checkpoint().origin, newest.checkpoint().size);
        opening.note(origin, "verifier open", which.index.map_or((0, size), |index| (index, 1)))?;
        let mut bounds = Bounds::new(source.as_ref(), &policy, newest.not_after());
        let mut impossible = 0u64;
        let (mut journals, mut findings) = (Journals::default(), 0u64);
        let visit = |place: u64, entry: &[u8], sealed: &[u8]| -> Outcome {
            let statement = Statement::decode(entry)?;
            if which.signer.as_ref().is_some_and(|name| *name != statement.claims().issuer) {
                return Ok(());
            }
            if statement.commitment().is_none() {
                said += 1;
                if !as_json {
                    say(format!("{place:>6}  {}", in_the_clear(&statement)));
                }
                return Ok(());
            }
            let bytes = match seal::open(sealed, &identities) {
                Ok(bytes) => bytes,
                Err(why) => {
                    coldlog_kit::terminal::talk(format!("entry {place} does not open: {why:#}"));
                    closed += 1;
                    return Ok(());
                }
            };
            statement
                .must_commit_to(&bytes)
                .with_context(|| format!("tampering: entry {place}"))
                .or_no()?;
            let disclosure =
                Disclosure::decode(&bytes).with_context(|| format!("entry {place}"))?;
            opened += 1;
            let record = &disclosure.record;
            let claim = bounds.judge(&statement, record)?;
            impossible += u64::from(claim != Claim::Possible);
            let found = journals.judge(place, &statement, record);
            findings += u64::from(!found.good);
            if as_json {
                let mut object = to_json(place, &statement, &disclosure);
                object["clock"] = claims::to_json(claim, record.clock.as_ref());
                object["people"] = found.fields;
                records.push(object)
            } else {
                let behind = found.text.map(|text| format!("; {text}")).unwrap_or_default();
                say(line(place, &disclosure) + &behind);
                let odd = claims::words(claim, record.clock.as_ref());
                odd.into_iter().for_each(|odd| say(format!("        its time: {odd}")));
            }
            Ok(())
        };
        match which.index {
            Some(index) => one_entry(log, &policy, checks, index, visit)?,
            None => {
                each_entry(log, &policy, checks, visit)?;
            }
        }
        if closed > 0 {
            return no(format!("{closed} records did not open with this identity, {opened} did"));
        }
        checks.pass();
        if findings > 0 {
            return no(format!(
                "{findings} records are not as their genesis demands: see the findings; {opened} records were opened"
            ));
        }
        checks.pass();
        if opened == 0 {
            return no("0 records were opened: nothing was checked");
        }
        let mut text =
            vec![format!("{opened} records opened, each is what its statement commits to")];
        if impossible > 0 {
            text.push(format!("{impossible} of them claim a time that cannot be"));
        }
        let fields = json!({
            "opened": opened, "said_by_the_log": said, "impossible_times": impossible,
            "records": records,
        });
        Ok(Report { text, fields })
    })
}

// What a log says of itself; who said it is for `verifier completeness` to check.
fn in_the_clear(statement: &Statement) -> String {
    let log = field(&statement.claims().issuer);
    match &statement.payload {
        Payload::Rules(rules) => {
            format!("{log}: rules, {} signers may write", rules.signers.len())
        }
        Payload::Reseal(Reseal { from, to, by, purpose, recipients }) => format!(
            "{log}: {} sealed the records of entries {from} to {} to {} recipients anew: {}",
            field(by),
            to - 1,
            recipients.len(),
            field(purpose)
        ),
        Payload::Commitment(_) | Payload::KeyEvent(_) => format!("{log}: a record"),
    }
}

fn line(place: u64, disclosure: &Disclosure) -> String {
    let record = &disclosure.record;
    let what = match &record.operation {
        Operation::Genesis { operators, .. } => {
            format!("genesis, operators {}", field(&operators.join(", ")))
        }
        Operation::KeyEvent { event, operators: None, .. } => {
            format!("key event: {event}, {}", field(&record.purpose))
        }
        Operation::KeyEvent { event, operators: Some(operators), .. } => {
            let operators = field(&operators.join(", "));
            format!("key event: {event}, operators {operators}, {}", field(&record.purpose))
        }
        Operation::Sign { document, .. } => {
            format!(
                "signed {} {} (SHA-256 {})",
                field(&document.name),
                field(&document.version),
                document.sha256
            )
        }
    };
    format!("{place:>6}  {}  {}: {what}", time::show(record.time), field(&record.operator))
}

fn to_json(place: u64, statement: &Statement, disclosure: &Disclosure) -> Value {
    let record = &disclosure.record;
    let mut object = json!({
        "index": place, "sequence": statement.position.sequence, "signer": statement.claims().issuer,
        "claimed_time": time::show(record.time), "operator": record.operator,
        "purpose": record.purpose, "device": record.device,
    });
    match &record.operation {
        Operation::Genesis { operators, .. } => object["operators"] = json!(operators),
        Operation::KeyEvent { event, operators, .. } => {
            object["event"] = json!(event);
            object["operators"] = json!(operators);
        }
        Operation::Sign { document, signature } => {
            object["document"] = json!({"name": document.name, "version": document.version,
                "size": document.size, "sha256": document.sha256.to_hex()});
            object["verified_by_signer"] = json!(signature.verified);
        }
    }
    object
}

const ENTRIES: &str = "the entries have the root of the cosigned head";

/// Signers whose keys have tables: 1.2 MiB each.
const TABLES: usize = 64;

struct Journal {
    admission: Admission,
    progress: Progress,
    /// The leaf hash at the count that was asked for.
    at_count: Option<Hash>,
}

fn recovers(admission: &Admission) -> Option<&Recovers> {
    let Payload::KeyEvent(event) = &admission.genesis.payload else { return None };
    match &event.event {
        Event::Genesis { recovers, .. } => recovers.as_ref(),
        _ => None,
    }
}

// A revocation that stands outside its journal must be of one that is there.
fn prepared(
    statement: &Statement,
    sealed: &[u8],
    journals: &mut BTreeMap<(String, String), Journal>,
) -> anyhow::Result<()> {
    let journal = revoked_journal(statement.claims()).context("its journal has no name")?;
    let id = (journal.issuer.clone(), journal.subject.clone());
    let known = journals.get_mut(&id).with_context(|| {
        format!("it revokes a key of {} / {}, which has no genesis before it", id.0, id.1)
    })?;
    let key = revocation::verify_prepared(statement, sealed, &journal, known.admission.keys())?;
    known.admission.take_revocation(&key);
    Ok(())
}

/// `verifier completeness`
pub fn completeness(
    log: &Path,
    policy: &Path,
    issuer: Option<&str>,
    at_least: Option<&str>,
    as_json: bool,
) -> Outcome {
    const CHECKS: [&str; 5] = [
        HEAD,
        "each statement: signature, number, chain, let in by the log's own rules",
        ENTRIES,
        "each known head is of this history",
        "the journal reaches the tail from paper",
    ];
    report::run(as_json, &CHECKS[..4 + usize::from(at_least.is_some())], |checks| {
        let policy = super::policy(policy)?;
        let wanted = inputs::parse_tail(at_least)?;
        let mut journals: BTreeMap<(String, String), Journal> = BTreeMap::new();
        let mut roots: BTreeMap<(u64, Hash), u64> = BTreeMap::new();
        let origin = published::head(super::source(log)?.as_ref())?.checkpoint.origin;
        let mut said = Own::default();
        let mut verifiers = Verifiers::new(TABLES);
        let head = each_entry(log, &policy, checks, |place, entry, sealed| {
            let statement = Statement::decode(entry).with_context(|| format!("entry {place}"))?;
            if own::is_own(&statement, &origin) {
                let statement = own::verify(entry, sealed, &origin, policy.receipt_keys(&origin));
                let taken = statement.and_then(|statement| said.take(&statement));
                return taken.with_context(|| format!("entry {place}, the log's own")).or_no();
            }
            if revocation::is_prepared(&statement) {
                return prepared(&statement, sealed, &mut journals)
                    .with_context(|| format!("entry {place}"))
                    .or_no();
            }
            let id = (statement.claims().issuer.clone(), statement.claims().subject.clone());
            if !journals.contains_key(&id) && matches!(statement.payload, Payload::KeyEvent(_)) {
                let admission =
                    verify_genesis(entry).with_context(|| format!("entry {place}")).or_no()?;
                journals.insert(
                    id.clone(),
                    Journal { admission, progress: Progress::default(), at_count: None },
                );
            }
            let Some(journal) = journals.get_mut(&id) else {
                return no(format!(
                    "entry {place}: the journal {} / {} has no genesis before it",
                    id.0, id.1
                ));
            };
            let named = |why| anyhow::Error::from(why).context(format!("entry {place}"));
            let verifier = verifiers.of(&journal.admission.key, 1);
            let mut judged = verify_records(&[(entry, sealed)], &journal.admission, &[], &verifier);
            let statement = judged.pop().context("a verdict")?.map_err(named).or_no()?;
            journal.progress =
                follows(&statement, &journal.admission, &journal.progress, |known| {
                    // A signer of several logs may name a head of another one: it is no bound here.
                    if known.origin != origin {
                        return true;
                    }
                    roots.entry((known.size, known.root)).or_insert(place);
                    known.size <= place
                })
                .map_err(named)
                .or_no()?;
            said.admitted(&journal.admission, &statement, sealed.len())
                .with_context(|| format!("entry {place}: the log let in what its own rules refuse"))
                .or_no()?;
            journal.admission.take(&statement).map_err(named).or_no()?;
            if wanted.as_ref().is_some_and(|(count, _)| *count == journal.progress.next) {
                journal.at_count = journal.progress.head;
            }
            Ok(())
        })?;
        // Every head that a record names must be one of this very history.
        let source = super::source(log)?;
        let source = source.as_ref();
        for ((size, root), place) in roots {
            let found = Tree::new(source, head.checkpoint().size).root_at(size)?;
            if found != root {
                return no(format!(
                    "entry {place} names a head of size {size} with the root {root}, the log's is {found}"
                ));
            }
        }
        checks.pass();
        journals.retain(|(name, _), _| issuer.is_none_or(|issuer| issuer == name));
        if journals.is_empty() {
            return no("0 journals were checked: the log has no entry of that signer");
        }
        if let Some((count, digits)) = &wanted {
            if journals.len() != 1 {
                return trouble("--at-least is of one journal: name its signer with --signer");
            }
            for ((name, _), journal) in &journals {
                if journal.progress.next < *count {
                    return no(format!(
                        "the journal of {name} reaches {} records in the log, the paper says {count}: {} records were withheld",
                        journal.progress.next,
                        count - journal.progress.next
                    ));
                }
                if !journal.at_count.is_some_and(|hash| hash.to_hex().starts_with(digits)) {
                    return no(format!(
                        "the journal of {name} has another record at the count {count} than the paper says: it was forked"
                    ));
                }
            }
        }
        let size = head.checkpoint().size;
        let list: Vec<Value> = journals.iter().map(|((name, subject), journal)| {
        json!({"signer": name, "journal": subject, "records": journal.progress.next, "tail": short(&journal.progress)})
    }).collect();
        let mut text: Vec<String> = Vec::new();
        for ((name, subject), journal) in &journals {
            text.push(format!(
            "complete: {} / {} (genesis {}): records 0 to {}, no number missing, chain intact, tail {}",
            field(name),
            field(subject),
            journal.admission.genesis.leaf(),
            journal.progress.next.saturating_sub(1),
            short(&journal.progress)
        ));
            if let Some(Recovers { genesis, tail }) = recovers(&journal.admission) {
                text.push(format!(
                    "  it goes on with a lost journal: genesis {genesis}, known up to {}",
                    tail.short()
                ));
            }
        }
        let versions = said.versions();
        text.push(format!(
            "all under the cosigned head of size {size}, all let in by the {versions} versions of the log's rules"
        ));
        let fields = json!({"head_size": size, "rules": versions, "journals": list});
        Ok(Report { text, fields })
    })
}

fn short(progress: &Progress) -> String {
    let head = progress.head.unwrap_or(Hash([0; 32]));
    Tail { count: progress.next, head }.short()
}
