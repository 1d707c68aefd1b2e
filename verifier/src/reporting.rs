//! `verifier report`: an audit of the whole log, told for a period, as a page and as a PDF.

use crate::audit::{self, Findings, Options as AuditOptions, Published};
use crate::openings::{Journal, OpeningArgs};
use crate::records::Row;
use anyhow::{Context, Result, bail};
use coldlog_kit::exit::Outcome;
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_kit::time;
use coldlog_report::model::{Access, Command, Count, Counts, Head, Period, Report, Witness};
use coldlog_report::register::{Register, Seen};
use coldlog_report::{glossary, render};
use coldlog_spec::hash::Hash;
use coldlog_spec::policy::WitnessTime;
use coldlog_spec::verify::audit::{Finding, Severity};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The largest register.
const MAX_REGISTER: u64 = 256 << 20;
/// Documents that are counted by name; the rest is one line.
const NAMES: usize = 40;

/// What `verifier report` is asked.
pub struct Options {
    /// The published log.
    pub log: PathBuf,
    /// The policy.
    pub policy: PathBuf,
    /// The auditor's age identity.
    pub identity: PathBuf,
    /// Who opens records, and why.
    pub opening: OpeningArgs,
    /// The time that is reported: `2026-Q3`, `2026-07` or `2026`.
    pub period: String,
    /// Whose log it is.
    pub organisation: String,
    /// The register of findings.
    pub register: PathBuf,
    /// The auditor's memory of heads.
    pub memory: Option<PathBuf>,
    /// Documents in use.
    pub documents: Option<PathBuf>,
    /// Journals of reads.
    pub accesses: Vec<PathBuf>,
    /// The files, without their endings.
    pub output: PathBuf,
    /// Replace them.
    pub force: bool,
}

/// `verifier report`
pub fn run(options: &Options) -> Outcome {
    let period = period(&options.period)?;
    let (page, pdf) =
        (files::with_suffix(&options.output, "html"), files::with_suffix(&options.output, "pdf"));
    let existing = Existing::from_force(options.force);
    for path in [&page, &pdf] {
        if !options.force && files::is_there(path)? {
            return Err(files::taken(path, existing).into());
        }
    }
    let mut register = match files::is_there(&options.register)? {
        true => Register::read(&files::read(&options.register, MAX_REGISTER)?)
            .with_context(|| options.register.display().to_string())?,
        false => Register::default(),
    };
    let mut tally = Tally::default();
    let mut observer = |row: &Row, _: &[Finding]| {
        tally.see(row, &period);
        Ok(())
    };
    let done = audit::audit(&audit_options(options), None, Some(&mut observer))?;
    register.take(&seen(&done.findings), &period.name)?;
    let report = Report {
        title: format!("Offline signatures, {}", period.name),
        organisation: options.organisation.clone(),
        origin: done.fields["origin"].as_str().unwrap_or_default().into(),
        made: time::now(),
        auditor: options.opening.who(),
        policy: done.fields["policy"].as_str().unwrap_or_default().into(),
        scope: done.text.clone(),
        heads: heads(&done.heads, &period),
        proven: proven(&done.findings, &tally),
        not_proven: not_proven(options, &done.findings),
        counts: tally.counts(),
        findings: register.findings().to_vec(),
        access: accesses(options, &period)?,
        commands: commands(options),
        glossary: glossary::default(),
        period,
    };
    let rendered = render(&report)?;
    // The register first: what it forgot, no later report could tell.
    files::write(&options.register, &register.write(), Existing::Replace, Mode::Private)?;
    files::write(&page, rendered.html.as_bytes(), existing, Mode::Private)?;
    files::write(&pdf, &rendered.pdf, existing, Mode::Private)?;
    for (path, bytes) in [(&page, rendered.html.as_bytes()), (&pdf, &rendered.pdf[..])] {
        say(format!("{}, SHA-256 {}", path.display(), Hash::of(bytes)));
    }
    let open = register.findings().iter().filter(|one| one.state.name() != "closed").count();
    say(format!(
        "{open} findings are not closed; what is done about them goes into {}",
        options.register.display()
    ));
    Ok(())
}

fn audit_options(options: &Options) -> AuditOptions {
    AuditOptions {
        log: options.log.clone(),
        policy: options.policy.clone(),
        identity: Some(options.identity.clone()),
        opening: options.opening.clone(),
        memory: options.memory.clone(),
        evidence: PathBuf::from("log.evidence.cbor"),
        since: None,
        output: None,
        key: None,
        secret: Source::default(),
        trust: Vec::new(),
        resume: false,
        shard: None,
        documents: options.documents.clone(),
        accesses: options.accesses.clone(),
        readers: Vec::new(),
        at_least: None,
        signer: None,
        fail_on: Severity::Note,
        save_every: u64::MAX,
        force: false,
        json: false,
    }
}

/// A year, a quarter or a month.
fn period(text: &str) -> Result<Period> {
    let wrong = || format!("expected a period such as 2026, 2026-Q3 or 2026-07, found {text:?}");
    let (year, rest) = match text.split_once('-') {
        Some((year, rest)) => (year, Some(rest)),
        None => (text, None),
    };
    let year: u64 =
        year.parse().ok().filter(|year| (1970..=9998).contains(year)).with_context(wrong)?;
    let number = |text: &str, most: u64| -> Option<u64> {
        text.parse().ok().filter(|number| (1..=most).contains(number))
    };
    let (first, months) = match rest {
        None => (1, 12),
        Some(rest) => match rest.strip_prefix('Q') {
            Some(quarter) => (number(quarter, 4).with_context(wrong)? * 3 - 2, 3),
            None => (number(rest, 12).with_context(wrong)?, 1),
        },
    };
    let begin = |year: u64, month: u64| {
        let (year, month) = (year + (month - 1) / 12, (month - 1) % 12 + 1);
        time::parse(&format!("{year:04}-{month:02}-01"))
    };
    let (from, until) = (begin(year, first), begin(year, first + months));
    let (Ok(from), Ok(until)) = (from, until) else { bail!(wrong()) };
    Ok(Period { name: text.into(), from, until })
}

fn within(time: u64, period: &Period) -> bool {
    (period.from..period.until).contains(&time)
}

/// What is counted.
#[derive(Default)]
struct Tally {
    signers: BTreeMap<String, u64>,
    operators: BTreeMap<String, u64>,
    keys: BTreeMap<String, u64>,
    documents: BTreeMap<String, u64>,
    months: BTreeMap<String, u64>,
    records: u64,
}

impl Tally {
    // A record is of the time that its signer claims, which the audit holds against the witnesses.
    fn see(&mut self, row: &Row, period: &Period) {
        let Some(claimed) = row.claimed.filter(|time| within(*time, period)) else { return };
        self.records += 1;
        let mut count = |map: fn(&mut Tally) -> &mut BTreeMap<String, u64>, name: &str| {
            *map(self).entry(name.into()).or_default() += 1;
        };
        count(|tally| &mut tally.signers, &row.signer);
        count(|tally| &mut tally.keys, &row.key);
        count(|tally| &mut tally.months, time::show(claimed).get(..7).unwrap_or_default());
        if let Some(operator) = &row.operator {
            count(|tally| &mut tally.operators, operator);
        }
        if let Some(document) = &row.document {
            count(|tally| &mut tally.documents, &document.name);
        }
    }

    fn counts(&self) -> Counts {
        let list = |map: &BTreeMap<String, u64>| -> Vec<Count> {
            let each = map.iter().map(|(name, number)| (name.clone(), *number));
            each.map(|(name, number)| Count { name, number }).collect()
        };
        let mut documents = list(&self.documents);
        documents.sort_by_key(|one| std::cmp::Reverse(one.number));
        let rest: u64 = documents.iter().skip(NAMES).map(|one| one.number).sum();
        let more = documents.len().saturating_sub(NAMES);
        documents.truncate(NAMES);
        if more > 0 {
            documents.push(Count { name: format!("{more} other documents"), number: rest });
        }
        let (signers, operators) = (list(&self.signers), list(&self.operators));
        Counts { signers, operators, keys: list(&self.keys), documents, months: list(&self.months) }
    }
}

fn seen(findings: &Findings) -> Vec<Seen> {
    let one = |finding: &Finding| Seen {
        kind: finding.kind.name().into(),
        severity: finding.kind.severity(),
        signer: audit::about(finding),
        index: finding.index,
        sequence: finding.sequence,
        place: audit::place(finding),
        expected: finding.expected.clone(),
        found: finding.found.clone(),
    };
    findings.list().map(one).collect()
}

// Those of the period, and the newest, against which everything was held.
fn heads(all: &[Published], period: &Period) -> Vec<Head> {
    let newest = all.len().saturating_sub(1);
    let wanted = all.iter().enumerate().filter(|(at, head)| {
        *at == newest || head.witnesses.iter().any(|one| within(one.time, period))
    });
    let witness = |one: &WitnessTime| Witness { name: one.name.clone(), time: one.time };
    wanted
        .map(|(_, head)| Head {
            size: head.size,
            root: head.root.to_hex(),
            witnesses: head.witnesses.iter().map(witness).collect(),
        })
        .collect()
}

fn proven(findings: &Findings, tally: &Tally) -> Vec<String> {
    let mut text = vec![format!(
        "{} records are of this period, by the time that the signers claim; each was opened, and is the one that was logged, unless a finding says otherwise.",
        tally.records
    )];
    let critical = findings.list().filter(|one| one.kind.severity() == Severity::Critical).count();
    text.push(match critical {
        0 => "Every entry of the log from its beginning was read and verified: no record is missing between two others, none was altered, every signature is by the key that was in force, and the whole is what the witnesses cosigned.".into(),
        count => format!("{count} findings are critical: what they are about is not proven, and may have been forged, altered or hidden. The rest of the log was read and verified entry by entry."),
    });
    text
}

fn not_proven(options: &Options, findings: &Findings) -> Vec<String> {
    let mut text = vec![
        "That the key signed nothing that was never logged: whoever holds a copy of the key can sign elsewhere. Who demands a proof of logging does not take such a signature.".to_owned(),
        "That the newest signatures, made after the last batch left the signer, are in the log: the tail that the operator wrote down says how many there must be.".to_owned(),
        "That a signer's clock was right: its time is a claim. The witnesses' times on the heads before and after it are the bounds.".to_owned(),
        "What a document says, or that it should have been signed.".to_owned(),
    ];
    if options.documents.is_none() {
        text.push("That the documents in use are those that were signed: no documents in use were given to this audit (--documents).".into());
    }
    if options.memory.is_none() {
        text.push("That this log shows the same history as at earlier audits: no memory of heads was given to this audit (--memory); the witnesses cosign only what extends what they saw.".into());
    }
    let closed = findings.list().filter(|one| one.kind.name() == "record-closed").count();
    if closed > 0 {
        text.push(format!("What {closed} records say: they are not sealed to this auditor."));
    }
    text
}

fn accesses(options: &Options, period: &Period) -> Result<Vec<Access>> {
    let mut readers: BTreeMap<String, Access> = BTreeMap::new();
    let own = &options.opening.openings;
    let own = files::is_there(own)?.then_some(own);
    for path in options.accesses.iter().chain(own) {
        for read in Journal::read(path)?.reads.iter().filter(|read| within(read.time, period)) {
            let access = readers
                .entry(read.who.clone())
                .or_insert_with(|| Access { reader: read.who.clone(), ..Access::default() });
            access.reads += 1;
            access.records += read.count;
            access.first = access.first.or(Some(read.time)).min(Some(read.time));
            access.last = access.last.max(Some(read.time));
        }
    }
    Ok(readers.into_values().collect())
}

fn commands(options: &Options) -> Vec<Command> {
    let (log, policy) = (shown(&options.log), shown(&options.policy));
    let command = |purpose: &str, command: String| Command { purpose: purpose.into(), command };
    vec![
        command(
            "Anybody with a copy of the log and the policy: that nothing is missing from it, and nothing was altered.",
            format!("verifier audit --log {log} --policy {policy}"),
        ),
        command(
            "An auditor, to whom the records are sealed: all that this report counts.",
            format!(
                "verifier audit --log {log} --policy {policy} --identity auditor.key\nverifier query --log {log} --policy {policy} --identity auditor.key --from {} --until {}",
                time::show(period_of(options).0),
                time::show(period_of(options).1)
            ),
        ),
        command(
            "Whoever holds a document and its proof, with no network and no account.",
            format!("verifier check FILE --policy {policy}"),
        ),
        command(
            "The signer: sign this report, so that the log says when it was made.",
            format!(
                "signer sign {}.pdf --operator NAME --version {1} --purpose 'report {1}'",
                shown(&options.output),
                options.period
            ),
        ),
    ]
}

fn period_of(options: &Options) -> (u64, u64) {
    period(&options.period).map_or((0, 0), |period| (period.from, period.until))
}

fn shown(path: &Path) -> String {
    path.file_name().map_or("log".into(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_year_a_quarter_or_a_month() {
        let days = |text: &str| {
            let period = period(text).unwrap();
            (time::show(period.from), (period.until - period.from) / 86_400)
        };
        assert_eq!(days("2026"), ("2026-01-01T00:00:00Z".into(), 365));
        assert_eq!(days("2026-Q4"), ("2026-10-01T00:00:00Z".into(), 92));
        assert_eq!(days("2026-12"), ("2026-12-01T00:00:00Z".into(), 31));
        assert_eq!(days("2024-02"), ("2024-02-01T00:00:00Z".into(), 29));
        for wrong in ["", "Q3", "2026-Q5", "2026-13", "2026-0", "26-1", "2026-07-01", "x"] {
            assert!(period(wrong).is_err(), "{wrong}");
        }
    }
}
