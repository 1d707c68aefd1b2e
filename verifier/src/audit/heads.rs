//! The heads of a log: the newest one, those that it publishes, and those that the auditor remembers.

use super::engine::Engine;
use crate::commands::watch::{file_of, folder_of, remembered};
use anyhow::Result;
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::published::{Source, Tree};
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::evidence::Evidence;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::policy::{CosignedCheckpoint, Policy, WitnessTime};
use coldlog_spec::tile::parse_head_path;
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

/// A head that the log publishes.
pub(super) struct Published {
    file: String,
    head: SignedCheckpoint,
}

/// Reads the heads that a log publishes, larger than a size and at most as large as the newest; tells what is wrong
/// with their files, their signatures and their times.
pub(super) fn published(
    source: &dyn Source,
    policy: &Policy,
    newest: &SignedCheckpoint,
    larger_than: u64,
    findings: &mut Vec<Finding>,
) -> Result<Vec<Published>> {
    let mut sizes: Vec<(u64, String)> = source
        .heads()?
        .unwrap_or_default()
        .into_iter()
        .filter_map(|file| Some((parse_head_path(&file)?, file)))
        .filter(|(size, _)| (larger_than + 1..=newest.checkpoint.size).contains(size))
        .collect();
    sizes.sort_unstable();
    let mut all = Vec::new();
    let mut seen: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (size, file) in sizes {
        let bytes = source.get(&file, MAX_NOTE)?.unwrap_or_default();
        let mut wrong = |kind, why: String| {
            findings.push(Finding::new(kind, why).in_file(&file));
        };
        let head = match SignedCheckpoint::decode(&bytes) {
            Ok(head) if head.checkpoint.size == size => head,
            Ok(head) => {
                wrong(Kind::HeadMalformed, format!("a head of size {}", head.checkpoint.size));
                continue;
            }
            Err(why) => {
                wrong(Kind::HeadMalformed, why.to_string());
                continue;
            }
        };
        if let Err(why) = policy.verify_log(&head) {
            wrong(Kind::HeadForged, why.to_string());
            continue;
        }
        for witness in policy.witness_times(&head).unwrap_or_default() {
            let before = seen.get(&witness.name).copied();
            if let Some((older, time)) = before.filter(|(_, time)| witness.time < *time) {
                let back = time - witness.time;
                let name = &witness.name;
                wrong(
                    Kind::HeadTime,
                    format!("{name} cosigned size {size} {back} seconds before size {older}"),
                );
            }
            seen.insert(witness.name, (size, witness.time));
        }
        all.push(Published { file, head });
    }
    Ok(all)
}

/// What the published heads and the newest say, and who cosigned them; each size once.
pub(super) fn witnessed(
    published: &[Published],
    newest: &SignedCheckpoint,
    policy: &Policy,
) -> Vec<(Checkpoint, Vec<WitnessTime>)> {
    let heads = published
        .iter()
        .map(|one| &one.head)
        .filter(|head| head.checkpoint.size < newest.checkpoint.size);
    let told = |head: &SignedCheckpoint| {
        (head.checkpoint.clone(), policy.witness_times(head).unwrap_or_default())
    };
    heads.chain([newest]).map(told).collect()
}

/// Sizes of cosigned heads, with the times by which a quorum had cosigned each.
pub(super) fn times(published: &[Published], policy: &Policy) -> Vec<(u64, u64)> {
    let cosigned = published.iter().filter_map(|one| policy.verify_head(&one.head).ok());
    cosigned.filter_map(|head| Some((head.checkpoint().size, head.not_after()?))).collect()
}

/// Holds heads against the tree: those that are published, and those that the auditor remembers.
pub(super) fn fit(
    engine: &mut Engine,
    source: &dyn Source,
    policy: &Policy,
    newest: &SignedCheckpoint,
    (published, memory): (Vec<Published>, Option<&Path>),
    evidence: &Path,
) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let origin = &newest.checkpoint.origin;
    let mut heads: Vec<(String, SignedCheckpoint)> =
        published.into_iter().map(|one| (one.file, one.head)).collect();
    if let Some(memory) = memory {
        let known = remembered(&folder_of(memory, origin), 0)?;
        heads.extend(known.into_iter().map(|head| ("the auditor's memory".to_owned(), head)));
    }
    for (file, head) in heads {
        let size = head.checkpoint.size;
        let mut wrong = |kind, why: String, evidence| {
            let mut finding = Finding::new(kind, why).in_file(&file);
            finding.evidence = evidence;
            findings.push(finding);
        };
        if size > newest.checkpoint.size {
            let shown = newest.checkpoint.size;
            wrong(
                Kind::HeadWithdrawn,
                format!("a head of size {size}; the log shows {shown}"),
                None,
            );
            continue;
        }
        let root = engine.root_at(size, head.checkpoint.root)?;
        if root != head.checkpoint.root {
            let path = Tree::new(source, newest.checkpoint.size).path_from(&head.checkpoint)?;
            let (first, second) = (head.encode(), newest.encode());
            let split = Evidence::SplitView { first, second, path: path.clone() };
            let convicts = judge(&split, policy).is_ok();
            let kept = convicts.then(|| keep(evidence, &split)).transpose()?;
            let why = extends(&head.checkpoint, &newest.checkpoint, &path).err();
            let why = why.map_or(format!("the tree of that size has the root {root}"), |why| {
                why.to_string()
            });
            wrong(Kind::HeadMisfit, why, kept);
        }
    }
    Ok(findings)
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
