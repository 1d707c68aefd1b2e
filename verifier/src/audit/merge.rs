//! `verifier audit merge`: parts of an audit, made anywhere, joined to the verdict that one run would have given.

use super::against::{Against, auditors};
use super::engine::Engine;
use super::findings::Findings;
use super::heads::AllPublished;
use super::run::conclude;
use super::saved::{Auditor, Frame, load, resume};
use super::told::{Done, answer, told};
use anyhow::{Context, Result, bail};
use coldlog_kit::exit::Outcome;
use coldlog_kit::files::Existing;
use coldlog_kit::secret::Source as Secret;
use coldlog_spec::audit::{Audit, digest};
use coldlog_spec::cose::Claims;
use coldlog_spec::verify::audit::{Finding, Kind, Place, REUSED, Severity, must_follow};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What `verifier audit merge` is asked.
pub struct Merge {
    /// The parts.
    pub parts: Vec<PathBuf>,
    /// The published log.
    pub log: PathBuf,
    /// The policy.
    pub policy: PathBuf,
    /// The auditor's memory of heads.
    pub memory: Option<PathBuf>,
    /// Where evidence goes.
    pub evidence: PathBuf,
    /// Where the whole is written down.
    pub output: Option<PathBuf>,
    /// The auditor's key.
    pub key: Option<PathBuf>,
    /// What opens the key.
    pub secret: Secret,
    /// The auditors of the parts.
    pub trust: Vec<String>,
    /// The least severity that makes the answer no.
    pub fail_on: Severity,
    /// Replace the output.
    pub force: bool,
    /// One JSON object.
    pub json: bool,
}

/// `verifier audit merge`
pub fn merge(options: &Merge) -> Outcome {
    answer(options.json, options.fail_on, || join(options))
}

fn join(options: &Merge) -> Result<Done> {
    let own = options.key.as_deref().map(|key| Auditor::load(key, &options.secret)).transpose()?;
    let trusted = auditors(own.as_ref(), &options.trust)?;
    let mut parts = Vec::new();
    for path in &options.parts {
        parts.push((path.clone(), load(path, &trusted)?));
    }
    // A small log has parts without an entry: they begin where the next one does.
    parts.sort_by_key(|(_, part)| (part.scope.from, part.scope.to));
    let against = Against::read(&options.log, &options.policy)?;
    must_be_whole(&parts, &against)?;
    let (policy, source) = (&against.policy, against.source.as_ref());
    let published = AllPublished::read(source, policy, &against.head, (0, false))?;
    let times = published.times.iter().copied().chain(against.times()).collect();
    let mut engine = Engine::new(against.scope(&[], &options.evidence), times);
    let (mut opened, mut began) = (true, u64::MAX);
    for (path, part) in parts {
        opened &= part.scope.opened;
        began = began.min(part.scope.time.0);
        take(&mut engine, part).with_context(|| path.display().to_string())?;
    }
    engine.findings.extend(published.findings);
    engine.read_tail()?;
    let size = against.head.checkpoint.size;
    if let (Some(auditor), Some(output)) = (&own, &options.output) {
        let (policy, head, name) = (against.digest, &against.head, auditor.name());
        let frame = Frame { auditor: name, policy, head, from: 0, opened, began, assumed: 0 };
        auditor.save(&frame.of(&engine, size), output, Existing::from_force(options.force))?;
    }
    let mut now = Findings::default();
    now.extend(against.findings.clone());
    let known = (options.memory.as_deref(), None);
    conclude(&mut engine, &against, &published.heads, known, &mut now)?;
    Ok(told(&engine, &against, now, ((0, size), opened, None)))
}

fn must_be_whole(parts: &[(PathBuf, Audit)], against: &Against) -> Result<()> {
    let (mut reached, size) = (0, against.head.checkpoint.size);
    let mut known = Vec::new();
    for (path, part) in parts {
        let path = path.display();
        if part.scope.head != against.head.encode() {
            bail!(
                "{path} is against another head than the log shows now: keep a copy of the log while its parts are audited"
            );
        }
        if part.scope.policy != against.digest {
            bail!("{path} was made under another policy");
        }
        if part.scope.opened != parts.first().is_some_and(|(_, first)| first.scope.opened) {
            bail!("{path} and the first part differ in that one opened the records");
        }
        if part.scope.from != reached {
            bail!(
                "the part before ends at entry {reached}, {path} begins at {}: a part is missing, or there twice",
                part.scope.from
            );
        }
        if part.assumed != digest(&known) {
            bail!(
                "{path} took other key events as given than the parts before it found: it read another log, or was cheated; audit that part anew"
            );
        }
        known.extend(part.clear.iter().filter(|one| one.index >= part.scope.from).cloned());
        reached = part.scope.to;
    }
    if reached != size {
        bail!("the parts end at entry {reached}, the head has {size}: a part is missing");
    }
    Ok(())
}

fn take(engine: &mut Engine, mut part: Audit) -> Result<()> {
    if part.scope.from == 0 {
        return resume(engine, part);
    }
    let before: BTreeMap<Claims, Place> =
        engine.journals.places().map(|(claims, place)| (claims.clone(), place.clone())).collect();
    let mut places = Vec::new();
    for (claims, place) in part.places {
        let earlier = before.get(&claims).cloned().unwrap_or_default();
        if place.seen == 0 {
            places.push((claims, earlier));
            continue;
        }
        if let (Some(seam), Some(progress)) = (place.seam, &earlier.progress)
            && let Some(finding) = must_follow(progress, seam.sequence, seam.previous)
        {
            // What is wrong where two parts meet is told as one run tells it.
            engine.findings.add(finding.at(seam.index).of(&claims, seam.sequence));
        }
        let seen = earlier.seen + place.seen;
        places.push((claims, Place { seam: None, progress: place.progress, seen }));
    }
    part.clear.retain(|one| one.index >= part.scope.from);
    engine.journals.resume(part.clear, places)?;
    for (key, index) in part.used.0 {
        let used = &mut engine.journals.people_mut().used.0;
        match used.contains_key(&key) {
            false => drop(used.insert(key, index)),
            true => {
                let statement = engine.statement(index)?;
                let (claims, sequence) = (statement.claims(), statement.position.sequence);
                let finding = Finding::new(Kind::ApprovalReused, REUSED).at(index);
                engine.findings.add(finding.of(claims, sequence));
            }
        }
    }
    engine.join_rows(&part.rows)?;
    engine.findings.join(Findings::from_parts(part.findings, part.more));
    engine.counts.entries += part.counts.entries;
    engine.counts.opened += part.counts.opened;
    engine.counts.documents += part.counts.documents;
    Ok(())
}
