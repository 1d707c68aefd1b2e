//! The heads of a log: the newest one, those that it publishes, and those that the auditor remembers.

use super::engine::Engine;
use crate::commands::watch::{file_of, folder_of, remembered};
use anyhow::Result;
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::published::{Source, Tree};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::evidence::Evidence;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::policy::{CosignedCheckpoint, Policy, WitnessTime};
use coldlog_spec::tile::{head_path, parse_head_path};
use coldlog_spec::verify::audit::{Finding, Kind};
use coldlog_spec::verify::heads::{extends, judge};
use std::collections::BTreeMap;
use std::path::Path;

/// Writes evidence beside other evidence; returns its digest.
pub(super) fn keep(file: &Path, evidence: &Evidence) -> Result<Hash> {
    let bytes = evidence.encode();
    files::write_evidence(file, &bytes)?;
    Ok(Hash::of(&bytes))
}

/// Judges the newest head. Without a head that its log signed there is nothing to audit against; it is done all
/// the same, for what else may be found.
pub(super) fn newest(
    head: &SignedCheckpoint,
    policy: &Policy,
    findings: &mut Vec<Finding>,
) -> Option<CosignedCheckpoint> {
    if let Err(why) = policy.verify_log(head) {
        findings.push(Finding::new(Kind::HeadSignature, why).in_file("checkpoint"));
        return None;
    }
    match policy.verify_head(head) {
        Ok(cosigned) => Some(cosigned),
        Err(why) => {
            findings.push(Finding::new(Kind::HeadQuorum, why).in_file("checkpoint"));
            None
        }
    }
}

/// A head that the log publishes. There may be millions: its note is read again where it is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) size: u64,
    pub(crate) root: Hash,
    /// Who cosigned it, where that was asked for.
    pub(crate) witnesses: Vec<WitnessTime>,
}

/// The heads that a log publishes.
#[derive(Default)]
pub(super) struct AllPublished {
    /// By size.
    pub(super) heads: Vec<Published>,
    /// Sizes of cosigned ones, with the times by which a quorum had cosigned each.
    pub(super) times: Vec<(u64, u64)>,
    /// What is wrong with their files, their signatures and their times.
    pub(super) findings: Vec<Finding>,
}

impl AllPublished {
    /// Those that are larger than a size, and at most as large as the newest; `with_witnesses` where somebody
    /// wants to tell who cosigned which.
    pub(super) fn read(
        source: &dyn Source,
        policy: &Policy,
        newest: &SignedCheckpoint,
        (larger_than, with_witnesses): (u64, bool),
    ) -> Result<AllPublished> {
        let paths = source.heads()?.unwrap_or_default();
        let mut sizes: Vec<u64> = paths.iter().filter_map(|path| parse_head_path(path)).collect();
        sizes.retain(|size| *size > larger_than && *size <= newest.checkpoint.size);
        sizes.sort_unstable();
        let mut all = AllPublished::default();
        let mut before: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for size in sizes {
            all.one(source, policy, size, (&mut before, with_witnesses))?;
        }
        Ok(all)
    }

    fn one(
        &mut self,
        source: &dyn Source,
        policy: &Policy,
        size: u64,
        (before, with_witnesses): (&mut BTreeMap<String, (u64, u64)>, bool),
    ) -> Result<()> {
        let file = head_path(size);
        let bytes = source.get(&file, MAX_NOTE)?.unwrap_or_default();
        let mut wrong = |kind, why: String| {
            self.findings.push(Finding::new(kind, why).in_file(&file));
        };
        let head = match SignedCheckpoint::decode(&bytes) {
            Ok(head) if head.checkpoint.size == size => head,
            Ok(head) => {
                wrong(Kind::HeadMalformed, format!("a head of size {}", head.checkpoint.size));
                return Ok(());
            }
            Err(why) => {
                wrong(Kind::HeadMalformed, why.to_string());
                return Ok(());
            }
        };
        if let Err(why) = policy.verify_log(&head) {
            wrong(Kind::HeadForged, why.to_string());
            return Ok(());
        }
        let (witnesses, time) = match policy.verify_head(&head) {
            Ok(cosigned) => (cosigned.witnesses().to_vec(), cosigned.not_after()),
            Err(_) => (policy.witness_times(&head).unwrap_or_default(), None),
        };
        for witness in &witnesses {
            let name = &witness.name;
            if let Some((older, time)) = before.get(name).filter(|(_, time)| witness.time < *time) {
                let back = time - witness.time;
                wrong(
                    Kind::HeadTime,
                    format!("{name} cosigned size {size} {back} seconds before size {older}"),
                );
            }
            before.insert(name.clone(), (size, witness.time));
        }
        self.times.extend(time.map(|time| (size, time)));
        let witnesses = if with_witnesses { witnesses } else { Vec::new() };
        self.heads.push(Published { size, root: head.checkpoint.root, witnesses });
        Ok(())
    }
}

/// Holds heads against the tree: those that are published, those that the auditor remembers, and that of the audit
/// before.
pub(super) fn fit(
    engine: &mut Engine,
    newest: &SignedCheckpoint,
    published: &[Published],
    (memory, older): (Option<&Path>, Option<&SignedCheckpoint>),
) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for Published { size, root, .. } in published {
        if engine.root_at(*size, *root)? != *root {
            let file = head_path(*size);
            let bytes = engine.scope.source.get(&file, MAX_NOTE)?.unwrap_or_default();
            findings.push(misfit(engine, newest, &SignedCheckpoint::decode(&bytes)?, &file)?);
        }
    }
    let mut known: Vec<(&str, SignedCheckpoint)> =
        older.cloned().map(|head| ("the audit before", head)).into_iter().collect();
    if let Some(memory) = memory {
        let folder = folder_of(memory, &newest.checkpoint.origin);
        known
            .extend(remembered(&folder, 0)?.into_iter().map(|head| ("the auditor's memory", head)));
    }
    for (file, head) in known {
        let (size, root) = (head.checkpoint.size, head.checkpoint.root);
        if size > newest.checkpoint.size {
            let shown = newest.checkpoint.size;
            let text = format!("a head of size {size}; the log shows {shown}");
            findings.push(Finding::new(Kind::HeadWithdrawn, text).in_file(file));
        } else if engine.root_at(size, root)? != root {
            findings.push(misfit(engine, newest, &head, file)?);
        }
    }
    Ok(findings)
}

// A head that is not of this history; what convicts the log is kept.
fn misfit(
    engine: &Engine,
    newest: &SignedCheckpoint,
    head: &SignedCheckpoint,
    file: &str,
) -> Result<Finding> {
    let mut tree = Tree::new(engine.scope.source, newest.checkpoint.size);
    let path = tree.path_from(&head.checkpoint)?;
    let (first, second) = (head.encode(), newest.encode());
    let split = Evidence::SplitView { first, second, path: path.clone() };
    let convicts = judge(&split, engine.scope.policy).is_ok();
    let evidence = convicts.then(|| keep(engine.scope.evidence, &split)).transpose()?;
    let why = match extends(&head.checkpoint, &newest.checkpoint, &path) {
        Err(why) => why.to_string(),
        Ok(()) => format!("the entries have another root at size {}", head.checkpoint.size),
    };
    let finding = Finding::new(Kind::HeadMisfit, why).in_file(file);
    Ok(Finding { evidence, ..finding })
}

/// Remembers the head that was audited.
pub(super) fn remember(memory: &Path, head: &SignedCheckpoint) -> Result<()> {
    files::create_folder(memory)?;
    let _lock = files::lock(memory)?;
    let folder = folder_of(memory, &head.checkpoint.origin);
    files::create_folder(&folder)?;
    let path = folder.join(file_of(&head.checkpoint));
    match files::is_there(&path)? {
        true => Ok(()),
        false => files::write(&path, &head.encode(), Existing::Replace, Mode::Public),
    }
}
