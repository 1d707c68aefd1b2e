//! `verifier audit`, from the command line to what is told.

use super::against::{Against, auditors};
use super::beside::{OnPaper, journals_of_reads};
use super::documents::InUse;
use super::engine::{Engine, Observer};
use super::findings::Findings;
use super::heads::{self, AllPublished, Published};
use super::options::Options;
use super::saved::{Auditor, Frame, load, partial, resume};
use super::told::{Done, answer, told};
use anyhow::{Result, bail};
use coldlog_kit::exit::Outcome;
use coldlog_kit::files::{self, Existing};
use coldlog_kit::seal;
use coldlog_kit::terminal::talk;
use coldlog_kit::time;
use coldlog_spec::audit::Audit;
use coldlog_spec::checkpoint::SignedCheckpoint;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// `verifier audit`
pub fn run(options: &Options) -> Outcome {
    answer(options.json, options.fail_on, || {
        let auditor = options.key.as_deref().map(|key| Auditor::load(key, &options.secret));
        audit(options, auditor.transpose()?.as_ref(), None)
    })
}

/// The audit; `observer` is shown each entry.
pub(crate) fn audit(
    options: &Options,
    auditor: Option<&Auditor>,
    observer: Option<&mut Observer>,
) -> Result<Done> {
    let began = time::now();
    let against = Against::read(&options.log, &options.policy)?;
    let identities = match &options.identity {
        Some(path) => seal::read_identities(path)?,
        None => Vec::new(),
    };
    let opened = !identities.is_empty();
    let (head, size) = (&against.head, against.head.checkpoint.size);
    let before = goes_on_with(options, auditor)?;
    if let Some((path, audit)) = &before {
        must_be_of(path, audit, &against, opened)?;
    }
    let older = before.as_ref().map(|(_, audit)| SignedCheckpoint::decode(&audit.scope.head));
    let older = older.transpose()?;
    // A log that is shorter than the last audit saw is looked at from the beginning.
    let before = before.filter(|(_, audit)| audit.scope.to <= size);
    let withdrawn = older.as_ref().is_some_and(|older| older.checkpoint.size > size);
    let ((from, to), level) = match (&before, options.shard) {
        (_, Some(shard)) => shard.of(size),
        (before, None) => ((before.as_ref().map_or(0, |(_, audit)| audit.scope.to), size), 0),
    };
    let part = options.shard.is_some();
    let larger_than = older.as_ref().map_or(0, |head| head.checkpoint.size);
    let (source, policy) = (against.source.as_ref(), &against.policy);
    let wanted = (larger_than, observer.is_some());
    let published = match part {
        true => AllPublished::default(),
        false => AllPublished::read(source, policy, head, wanted)?,
    };
    let scope = against.scope(&identities, &options.evidence);
    let times = published.times.iter().copied().chain(against.times()).collect();
    let mut engine = Engine::new(scope, times);
    if let Some((_, audit)) = before {
        resume(&mut engine, audit)?;
    }
    engine.findings.extend(published.findings);
    if opened && from < to {
        // A part opens the key events before it, too.
        let first = if part { 0 } else { from };
        options.opening.note(&head.checkpoint.origin, "verifier audit", (first, to - first))?;
    }
    if part {
        engine.begin_part(level, from)?;
    }
    let frame = Frame {
        auditor: auditor.map_or("", Auditor::name),
        policy: against.digest,
        head,
        from: if part { from } else { 0 },
        opened,
        began,
        assumed: if part { engine.journals.clear().len() } else { 0 },
    };
    // An audit of less than was seen before is no ground for the next one.
    let saver = auditor.zip(options.output.as_deref()).filter(|_| !withdrawn);
    let mut beside = Beside {
        in_use: options.documents.as_deref().map(InUse::read).transpose()?,
        on_paper: OnPaper::new(options)?,
        observer,
    };
    entries(&mut engine, (from, to), &mut beside, (saver, &frame, options))?;
    let mut now = Findings::default();
    now.extend(against.findings.clone());
    now.extend(beside.on_paper.judge(&engine, from)?);
    now.extend(journals_of_reads(options)?);
    let documents = beside.in_use.as_ref().map(InUse::count);
    if let Some(in_use) = &beside.in_use {
        now.extend(in_use.judge(&engine, &head.checkpoint.origin)?);
    }
    match part {
        true => now.join(engine.apart(Engine::finish_part)?),
        false => {
            let known = (options.memory.as_deref(), older.as_ref());
            conclude(&mut engine, &against, &published.heads, known, &mut now)?;
        }
    }
    let mut done = told(&engine, &against, now, ((from, to), opened, documents));
    done.heads = published.heads;
    // Where heads cannot be listed, the newest is known all the same.
    if done.heads.last().is_none_or(|last| last.size < size) {
        let witnesses = against.cosigned.as_ref().map(|head| head.witnesses().to_vec());
        let (root, witnesses) = (head.checkpoint.root, witnesses.unwrap_or_default());
        done.heads.push(Published { size, root, witnesses });
    }
    Ok(done)
}

// Who looks on while entries are judged.
struct Beside<'a, 'b> {
    in_use: Option<InUse>,
    on_paper: OnPaper,
    observer: Option<&'a mut Observer<'b>>,
}

// The entries, one after the other; what it comes to is kept while it goes, and at the end.
fn entries(
    engine: &mut Engine,
    (from, to): (u64, u64),
    beside: &mut Beside,
    (saver, frame, options): (Option<(&Auditor, &Path)>, &Frame, &Options),
) -> Result<()> {
    let Beside { in_use, on_paper, observer } = beside;
    engine.looked_at = observer.is_some() || in_use.is_some() || on_paper.wanted.is_some();
    let (mut saved, every) = (Instant::now(), Duration::from_secs(options.save_every));
    engine.run(
        (from, to),
        &mut |row, findings| {
            in_use.iter_mut().for_each(|in_use| in_use.see(row, findings));
            on_paper.see(row);
            observer.as_mut().map_or(Ok(()), |observer| observer(row, findings))
        },
        |engine, done| {
            let Some((auditor, output)) = saver else { return Ok(()) };
            if saved.elapsed() >= every && done < to {
                auditor.save(&frame.of(engine, done), &partial(output), Existing::Replace)?;
                saved = Instant::now();
            }
            Ok(())
        },
    )?;
    let Some((auditor, output)) = saver else { return Ok(()) };
    auditor.save(&frame.of(engine, to), output, Existing::from_force(options.force))?;
    let partial = partial(output);
    if files::is_there(&partial)? {
        std::fs::remove_file(&partial)?;
    }
    Ok(())
}

/// After all entries: the tree, and all heads against it.
pub(super) fn conclude(
    engine: &mut Engine,
    against: &Against,
    published: &[Published],
    (memory, older): (Option<&Path>, Option<&SignedCheckpoint>),
    now: &mut Findings,
) -> Result<()> {
    // The tree as it stands today is no finding of the next audit.
    now.join(engine.apart(Engine::finish)?);
    engine.convict()?;
    now.extend(heads::fit(engine, &against.head, published, (memory, older))?);
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
        if options.documents.is_some() {
            talk("documents in use are held against every record: the audit begins anew");
            return Ok(None);
        }
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
