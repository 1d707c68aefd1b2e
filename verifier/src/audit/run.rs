//! `verifier audit`, from the command line to the report.

use super::documents::InUse;
use super::engine::{Engine, Observer, Scope};
use super::findings::Findings;
use super::heads::{self, Published};
use super::saved::{Auditor, Frame, load, partial, resume};
use super::show::{lines, summary};
use crate::openings::{Journal, OpeningArgs};
use anyhow::{Context, Result, bail};
use coldlog_kit::exit::{Outcome, no};
use coldlog_kit::files::{self, Existing};
use coldlog_kit::inputs;
use coldlog_kit::published::{self, Source};
use coldlog_kit::report::{self, Report};
use coldlog_kit::seal::{self, Identity};
use coldlog_kit::secret::Source as Secret;
use coldlog_kit::terminal::{field, talk};
use coldlog_kit::time;
use coldlog_spec::audit::Audit;
use coldlog_spec::batch::Tail;
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::document::parse_public_key;
use coldlog_spec::ed25519::PublicKey;
use coldlog_spec::hash::Hash;
use coldlog_spec::policy::{CosignedCheckpoint, MAX_POLICY, Policy, WitnessTime};
use coldlog_spec::tile::WIDTH;
use coldlog_spec::verify::audit::{Finding, Kind, Severity, unit};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// One of several parts of an audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    pub number: u64,
    /// Of how many.
    pub of: u64,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let wrong = || format!("expected I/N, such as 3/16, found {text:?}");
        let (number, of) = text.split_once('/').ok_or_else(wrong)?;
        let (number, of) = (number.parse().ok(), of.parse().ok());
        let shard = number.zip(of).map(|(number, of)| Shard { number, of });
        shard.filter(|shard| (1..=shard.of).contains(&shard.number)).ok_or_else(wrong)
    }
}

impl Shard {
    /// Its entries, and the level of tiles at whose borders parts begin.
    pub(crate) fn of(self, size: u64) -> ((u64, u64), u8) {
        // The highest level that still gives each part a unit.
        let mut level = 1;
        while size / (unit(level + 1) * WIDTH) >= self.of {
            level += 1;
        }
        let entries = unit(level) * WIDTH;
        let units = size / entries;
        let at = |number: u64| match number == self.of {
            true => size,
            false => units * number / self.of * entries,
        };
        ((at(self.number - 1), at(self.number)), level)
    }
}

/// What `verifier audit` is asked.
pub struct Options {
    /// The published log.
    pub log: PathBuf,
    /// The policy.
    pub policy: PathBuf,
    /// The auditor's age identity.
    pub identity: Option<PathBuf>,
    /// Who opens records, and why.
    pub opening: OpeningArgs,
    /// The auditor's memory of heads.
    pub memory: Option<PathBuf>,
    /// Where evidence goes.
    pub evidence: PathBuf,
    /// The last audit.
    pub since: Option<PathBuf>,
    /// Where this one is written down.
    pub output: Option<PathBuf>,
    /// The auditor's key.
    pub key: Option<PathBuf>,
    /// What opens the key.
    pub secret: Secret,
    /// Other auditors whose audits are gone on with: keys, or files of keys.
    pub trust: Vec<String>,
    /// Go on with an audit that was interrupted.
    pub resume: bool,
    /// Audit a part only.
    pub shard: Option<Shard>,
    /// Documents in use.
    pub documents: Option<PathBuf>,
    /// Journals of reads.
    pub accesses: Vec<PathBuf>,
    /// Who may read; empty: anybody.
    pub readers: Vec<String>,
    /// The tail that was written down.
    pub at_least: Option<String>,
    /// The signer of that tail.
    pub signer: Option<String>,
    /// The least severity that makes the answer no.
    pub fail_on: Severity,
    /// Seconds between two times that the state is kept.
    pub save_every: u64,
    /// Replace the output.
    pub force: bool,
    /// One JSON object.
    pub json: bool,
}

/// What an audit is against: the same for a part and for the whole.
pub struct Against {
    pub(super) policy: Policy,
    pub(super) digest: Hash,
    pub(super) source: Box<dyn Source>,
    pub(super) head: SignedCheckpoint,
    pub(super) cosigned: Option<CosignedCheckpoint>,
    pub(super) findings: Vec<Finding>,
}

impl Against {
    pub(super) fn read(log: &Path, policy: &Path) -> Result<Against> {
        let digest = Hash::of(&files::read(policy, MAX_POLICY as u64)?);
        let (policy, source) = (crate::commands::policy(policy)?, crate::commands::source(log)?);
        let head = published::head(source.as_ref())?;
        let mut findings = Vec::new();
        let cosigned = heads::newest(&head, &policy, &mut findings);
        Ok(Against { policy, digest, source, head, cosigned, findings })
    }
}

impl Against {
    /// What is wrong with the newest head.
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The time of the newest head.
    pub(crate) fn times(&self) -> Vec<(u64, u64)> {
        times(&[], self)
    }
}

/// The auditors whose audits are believed: the one at hand, and those that are named.
pub(super) fn auditors(own: Option<&Auditor>, trust: &[String]) -> Result<Vec<PublicKey>> {
    let mut keys: Vec<PublicKey> = own.map(Auditor::public).into_iter().collect();
    for text in trust {
        let key = match parse_public_key(text) {
            Some(key) => Some(key),
            None => {
                let bytes = files::read(Path::new(text), 1 << 16)?;
                std::str::from_utf8(&bytes).ok().and_then(parse_public_key)
            }
        };
        keys.push(key.with_context(|| {
            format!("{text} is neither an Ed25519 public key nor a file with one")
        })?);
    }
    Ok(keys)
}

/// `verifier audit`
pub fn run(options: &Options) -> Outcome {
    const CHECKS: [&str; 1] = ["no finding is as severe as --fail-on says"];
    report::run_judged(options.json, &CHECKS, |checks| {
        let auditor = options.key.as_deref().map(|key| Auditor::load(key, &options.secret));
        let auditor = auditor.transpose()?;
        let done = audit(options, auditor.as_ref(), None)?;
        if !options.json {
            lines(&done.findings).iter().for_each(coldlog_kit::terminal::say);
        }
        let verdict = verdict(&done.findings, options.fail_on);
        if verdict.is_ok() {
            checks.pass();
        }
        Ok((done.report(), verdict))
    })
}

/// Whether the answer is yes.
pub(super) fn verdict(findings: &Findings, fail_on: Severity) -> Outcome {
    match findings.worst() {
        Some(worst) if worst >= fail_on => no(format!(
            "findings: {}; see above, and docs/audit.md for what each kind asks for",
            summary(findings)
        )),
        _ => Ok(()),
    }
}

/// What an audit came to.
pub(crate) struct Done {
    pub(crate) findings: Findings,
    pub(crate) text: Vec<String>,
    pub(crate) fields: Value,
    /// The heads that the log publishes, and the newest: what they say, and who cosigned them.
    pub(crate) heads: Vec<(Checkpoint, Vec<WitnessTime>)>,
}

impl Done {
    pub(super) fn report(&self) -> Report {
        Report { text: self.text.clone(), fields: self.fields.clone() }
    }
}

/// The audit; `observer` is shown each entry.
pub(crate) fn audit(
    options: &Options,
    auditor: Option<&Auditor>,
    mut observer: Option<&mut Observer>,
) -> Result<Done> {
    let began = time::now();
    let against = Against::read(&options.log, &options.policy)?;
    let identities = match &options.identity {
        Some(path) => seal::read_identities(path)?,
        None => Vec::new(),
    };
    let size = against.head.checkpoint.size;
    let before = goes_on_with(options, auditor)?;
    let ((from, to), level) = match (&before, options.shard) {
        (_, Some(shard)) => shard.of(size),
        (Some((_, audit)), None) => ((audit.scope.to, size), 0),
        (None, None) => ((0, size), 0),
    };
    let mut now = Findings::default();
    now.extend(against.findings.clone());
    let mut older = None;
    if let Some((path, audit)) = &before {
        must_be_of(path, audit, &against, !identities.is_empty())?;
        older = Some(SignedCheckpoint::decode(&audit.scope.head)?);
    }
    let (policy, source) = (&against.policy, against.source.as_ref());
    let mut files_wrong = Vec::new();
    let larger_than = older.as_ref().map_or(0, |head| head.checkpoint.size);
    let published = match options.shard {
        Some(_) => Vec::new(),
        None => heads::published(source, policy, &against.head, larger_than, &mut files_wrong)?,
    };
    let scope = scope(&against, &identities, &options.evidence);
    let mut engine = Engine::new(scope, times(&published, &against));
    if let Some((_, audit)) = before {
        resume(&mut engine, audit)?;
    }
    engine.findings.extend(files_wrong);
    if !identities.is_empty() && from < to {
        let origin = &against.head.checkpoint.origin;
        options.opening.note(origin, "verifier audit", (from, to - from))?;
    }
    if options.shard.is_some() {
        engine.begin_part(level, from)?;
    }
    let frame = Frame {
        auditor: auditor.map_or("", Auditor::name),
        policy: against.digest,
        head: &against.head,
        from: if options.shard.is_some() { from } else { 0 },
        opened: !identities.is_empty(),
        began,
        assumed: if options.shard.is_some() { engine.journals.clear().len() } else { 0 },
    };
    let mut in_use = options.documents.as_deref().map(InUse::read).transpose()?;
    let mut on_paper = OnPaper::new(options)?;
    if from > to {
        bail!(
            "the audit before went to entry {from}, the log has {to} now: it went back, or this is another copy; compare heads with `verifier cross-check`"
        );
    }
    engine.looked_at = observer.is_some() || in_use.is_some() || on_paper.wanted.is_some();
    let mut saved = Instant::now();
    let every = Duration::from_secs(options.save_every);
    engine.run(
        (from, to),
        &mut |row, findings| {
            in_use.iter_mut().for_each(|in_use| in_use.see(row));
            on_paper.see(row);
            observer.as_mut().map_or(Ok(()), |observer| observer(row, findings))
        },
        |engine, done| {
            let (Some(auditor), Some(output)) = (auditor, &options.output) else { return Ok(()) };
            if saved.elapsed() >= every && done < to {
                auditor.save(&frame.of(engine, done), &partial(output), Existing::Replace)?;
                saved = Instant::now();
            }
            Ok(())
        },
    )?;
    if let (Some(auditor), Some(output)) = (auditor, &options.output) {
        let audit = frame.of(&engine, to);
        auditor.save(&audit, output, Existing::from_force(options.force))?;
        let partial = partial(output);
        if files::is_there(&partial)? {
            std::fs::remove_file(&partial)?;
        }
    }
    now.extend(on_paper.judge(&engine, options)?);
    now.extend(journals_of_reads(options)?);
    if let Some(in_use) = &in_use {
        now.extend(in_use.judge(&engine, &against.head.checkpoint.origin)?);
    }
    let documents = in_use.as_ref().map(InUse::count);
    let heads = heads::witnessed(&published, &against.head, policy);
    let memory = options.memory.as_deref();
    match options.shard {
        Some(_) => {
            let kept = std::mem::take(&mut engine.findings);
            engine.finish_part()?;
            now.join(std::mem::replace(&mut engine.findings, kept));
        }
        None => conclude(
            &mut engine,
            &against,
            (published, older, memory),
            &options.evidence,
            &mut now,
        )?,
    }
    let done = told(&engine, &against, now, ((from, to), !identities.is_empty(), documents));
    Ok(Done { heads, ..done })
}

pub(super) fn scope<'a>(
    against: &'a Against,
    identities: &'a [Identity],
    evidence: &'a Path,
) -> Scope<'a> {
    let (source, policy) = (against.source.as_ref(), &against.policy);
    Scope { source, policy, identities, head: &against.head.checkpoint, evidence }
}

pub(super) fn times(published: &[Published], against: &Against) -> Vec<(u64, u64)> {
    let newest = against.cosigned.as_ref();
    let newest = newest.and_then(|head| Some((head.checkpoint().size, head.not_after()?)));
    heads::times(published, &against.policy).into_iter().chain(newest).collect()
}

/// After all entries: the tree, and all heads against it.
pub(super) fn conclude(
    engine: &mut Engine,
    against: &Against,
    (published, older, memory): (Vec<Published>, Option<SignedCheckpoint>, Option<&Path>),
    evidence: &Path,
    now: &mut Findings,
) -> Result<()> {
    let kept = std::mem::take(&mut engine.findings);
    engine.finish()?;
    now.join(std::mem::replace(&mut engine.findings, kept));
    let (source, policy) = (against.source.as_ref(), &against.policy);
    engine.convict()?;
    let heads = heads::fit(engine, source, policy, &against.head, (published, memory), evidence)?;
    now.extend(heads);
    if let Some(older) = older {
        let root = engine.root_at(older.checkpoint.size, older.checkpoint.root)?;
        if root != older.checkpoint.root {
            let text =
                format!("the tree of size {} has the root {root} now", older.checkpoint.size);
            now.add(Finding::new(Kind::HeadMisfit, text).in_file("the audit before"));
        }
    }
    // What does not fit is remembered by `verifier watch`, whose memory it is.
    if let Some(memory) = memory
        && against.cosigned.is_some()
    {
        heads::remember(memory, &against.head)?;
    }
    Ok(())
}

// The audit that this one goes on with: an interrupted one, or the last.
fn goes_on_with(options: &Options, auditor: Option<&Auditor>) -> Result<Option<(PathBuf, Audit)>> {
    let trusted = auditors(auditor, &options.trust)?;
    let interrupted = options.output.as_deref().map(partial);
    if let Some(path) = interrupted.filter(|_| options.resume)
        && files::is_there(&path)?
    {
        let audit = load(&path, &trusted)?;
        talk(format!("going on with {} behind entry {}", path.display(), audit.scope.to));
        return Ok(Some((path, audit)));
    }
    let Some(path) = &options.since else { return Ok(None) };
    Ok(Some((path.clone(), load(path, &trusted)?)))
}

fn must_be_of(path: &Path, audit: &Audit, against: &Against, opens: bool) -> Result<()> {
    let (found, expected) = (&audit.claims.subject, &against.head.checkpoint.origin);
    if found != expected {
        bail!("{} is an audit of {found}, the log is {expected}", path.display());
    }
    if audit.scope.from != 0 {
        bail!(
            "{} is a part of an audit, from entry {} on: join the parts with `verifier audit merge` first",
            path.display(),
            audit.scope.from
        );
    }
    if audit.scope.opened != opens {
        let (had, has) = match opens {
            true => ("opened no records", "with --identity"),
            false => ("opened the records", "without --identity"),
        };
        bail!(
            "{} {had}, this one runs {has}: what one knows of people the other does not; start the audit anew",
            path.display()
        );
    }
    if audit.scope.policy != against.digest {
        talk(format!("the policy is another one than that of {}", path.display()));
    }
    Ok(())
}

/// The tail that somebody wrote down.
struct OnPaper {
    wanted: Option<(u64, String)>,
    signer: Option<String>,
    found: Option<Hash>,
}

impl OnPaper {
    fn new(options: &Options) -> Result<OnPaper> {
        let wanted = inputs::parse_tail(options.at_least.as_deref())?;
        Ok(OnPaper { wanted, signer: options.signer.clone(), found: None })
    }

    fn see(&mut self, row: &crate::records::Row) {
        let of_it = self.signer.as_ref().is_none_or(|signer| *signer == row.signer);
        let last = self.wanted.as_ref().and_then(|(count, _)| count.checked_sub(1));
        if of_it && last == Some(row.sequence) {
            self.found = Some(row.leaf);
        }
    }

    fn judge(&self, engine: &Engine, options: &Options) -> Result<Option<Finding>> {
        let Some((count, digits)) = &self.wanted else { return Ok(None) };
        let of_it = |signer: &str| self.signer.as_ref().is_none_or(|name| name == signer);
        let places: Vec<_> =
            engine.journals.places().filter(|(claims, _)| of_it(&claims.issuer)).collect();
        let [(claims, place)] = places.as_slice() else {
            bail!(
                "--at-least is of one journal, {} are in the log: name its signer with --signer",
                places.len()
            );
        };
        let next = place.progress.as_ref().map_or(0, |progress| progress.next);
        let placed = |finding: Finding| Some(finding.of(claims, count.saturating_sub(1)));
        if next < *count {
            let text = format!("{next} records, {count} are on paper");
            return Ok(placed(Finding::new(Kind::TailWithheld, text)));
        }
        match self.found {
            Some(hash) if hash.to_hex().starts_with(digits) => Ok(None),
            Some(hash) => {
                Ok(placed(Finding::new(Kind::TailForked, hash).expected(format!("{digits}..."))))
            }
            None if options.since.is_some() => bail!(
                "the tail of {count} records lies before the part of the log that was looked at: leave out --since, or give a newer tail"
            ),
            None => Ok(placed(Finding::new(Kind::TailForked, "no such record"))),
        }
    }
}

// Who read what: the journals must be whole, and the readers known.
fn journals_of_reads(options: &Options) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let own = &options.opening.openings;
    let own = files::is_there(own)?.then_some(own);
    for path in options.accesses.iter().chain(own) {
        let journal = Journal::read(path)?;
        let file = path.display().to_string();
        if let Err(why) = journal.whole() {
            findings.push(Finding::new(Kind::AccessBroken, why).in_file(&file));
        }
        let strangers = journal
            .reads
            .iter()
            .filter(|read| !options.readers.is_empty() && !options.readers.contains(&read.who));
        let mut told: Vec<&str> = strangers.map(|read| read.who.as_str()).collect();
        told.sort_unstable();
        told.dedup();
        findings.extend(told.into_iter().map(|who| {
            let file = format!("{file}: {who}");
            Finding::new(Kind::AccessUnknown, format!("reads by {who:?}")).in_file(file)
        }));
    }
    Ok(findings)
}

/// The report of an audit, or of a part.
pub(super) fn told(
    engine: &Engine,
    against: &Against,
    mut now: Findings,
    ((from, to), opened, documents): ((u64, u64), bool, Option<usize>),
) -> Done {
    now.join(engine.findings.clone());
    let checkpoint = &against.head.checkpoint;
    let witnesses = against.cosigned.as_ref().map(CosignedCheckpoint::witnesses);
    let witnesses: Vec<String> = witnesses
        .unwrap_or_default()
        .iter()
        .map(|witness| format!("{} at {}", witness.name, time::show(witness.time)))
        .collect();
    let by = match witnesses.is_empty() {
        true => "cosigned by nobody whom the policy demands".into(),
        false => format!("cosigned by {}", witnesses.join(", ")),
    };
    let mut text = vec![
        format!("audited: entries {from} to {to} of {}", field(&checkpoint.origin)),
        format!("head: size {}, root {}, {}", checkpoint.size, checkpoint.root, field(&by)),
    ];
    let mut journals = Vec::new();
    for (claims, place) in engine.journals.places() {
        let progress = place.progress.clone().unwrap_or_default();
        let tail = Tail { count: progress.next, head: progress.head.unwrap_or(Hash([0; 32])) };
        let tail = tail.short();
        let (signer, journal) = (&claims.issuer, &claims.subject);
        text.push(format!("journal: {} / {}, tail {tail}", field(signer), field(journal)));
        journals.push(
            json!({"signer": signer, "journal": journal, "records": progress.next, "tail": tail}),
        );
    }
    let counts = engine.counts;
    text.push(match opened {
        true => {
            format!("records: {} opened, {} of them of documents", counts.opened, counts.documents)
        }
        false => {
            "records: closed (no --identity): operators, approvals and times were not looked at"
                .into()
        }
    });
    if let Some(documents) = documents {
        text.push(format!("documents in use: {documents}"));
    }
    text.push(format!("findings: {}", summary(&now)));
    let list: Vec<Value> = now.list().map(super::to_json).collect();
    let more: Vec<Value> =
        now.more().map(|(kind, count)| json!({"kind": kind.name(), "count": count})).collect();
    let fields = json!({
        "origin": checkpoint.origin, "from": from, "to": to, "head_size": checkpoint.size,
        "root": checkpoint.root.to_hex(), "witnesses": witnesses, "policy": against.digest.to_hex(),
        "rules": engine.journals.rules(), "journals": journals, "records_opened": opened,
        "opened": counts.opened, "documents": counts.documents, "documents_in_use": documents,
        "findings": list, "more": more,
    });
    Done { findings: now, text, fields, heads: Vec::new() }
}
