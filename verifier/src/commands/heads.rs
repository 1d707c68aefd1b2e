//! `verifier inclusion`, `consistency`, `cross-check` and `evidence check`.

use anyhow::{Context, Result};
use coldlog_kit::exit::{Failure, OrNo, Outcome, no};
use coldlog_kit::files;
use coldlog_kit::published::Tree;
use coldlog_kit::report::{self, Report};
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::evidence::Evidence;
use coldlog_spec::hash::Hash;
use coldlog_spec::note::MAX_NOTE;
use coldlog_spec::policy::Policy;
use coldlog_spec::proof::{MAX_PROOF, Proof};
use coldlog_spec::receipt::{MAX_RECEIPT, Proofs, Receipt};
use coldlog_spec::statement::Statement;
use coldlog_spec::verify::heads::{Misfit, extends, judge};
use coldlog_spec::verify::receipts::verify_receipt;
use serde_json::json;
use std::path::{Path, PathBuf};

pub(super) const HEAD: &str = "head signed by the log and cosigned by the quorum";

/// `verifier inclusion`: a statement and a receipt with its checkpoint.
pub fn inclusion(statement: &Path, receipt: &Path, policy: &Path, as_json: bool) -> Outcome {
    const CHECKS: [&str; 2] = [HEAD, "receipt proves inclusion in the head"];
    report::run(as_json, &CHECKS, |checks| {
        let policy = super::policy(policy)?;
        let statement = Statement::decode(&files::read(statement, 1 << 16)?)?;
        let receipt = Receipt::decode(&files::read(receipt, MAX_RECEIPT as u64)?)?;
        let note = receipt.checkpoint.as_ref().context(
        "the receipt carries no checkpoint; export it from a proof, or make it with `log prove`",
    )?;
        let head = policy.verify_head(&SignedCheckpoint::decode(note)?).or_no()?;
        checks.pass();
        let index = verify_receipt(&receipt, &statement, head.checkpoint(), &policy).or_no()?;
        let checkpoint = head.checkpoint();
        let text = format!(
            "proven: entry {index} of {}, in the head of size {}",
            checkpoint.origin, checkpoint.size
        );
        Ok(Report {
            text: vec![text],
            fields: json!({"origin": checkpoint.origin, "index": index, "size": checkpoint.size}),
        })
    })
}

/// `verifier consistency`: two heads and a receipt that joins them.
pub fn consistency(
    older: &Path,
    newer: &Path,
    receipt: &Path,
    policy: &Path,
    as_json: bool,
) -> Outcome {
    const CHECKS: [&str; 4] = [
        "older head signed by the log",
        HEAD,
        "receipt signed by the log",
        "consistency proof joins the heads",
    ];
    report::run(as_json, &CHECKS, |checks| {
        let policy = super::policy(policy)?;
        let (older, newer) = (read_head(older)?, read_head(newer)?);
        policy.verify_log(&older).or_no()?;
        checks.pass();
        policy.verify_head(&newer).or_no()?;
        checks.pass();
        let receipt = Receipt::decode(&files::read(receipt, MAX_RECEIPT as u64)?)?;
        let origin = &newer.checkpoint.origin;
        let key = policy
            .receipt_key(origin, &receipt)
            .context("the policy has no Ed25519 key of this log")?;
        let Proofs::Consistency(proofs) = &receipt.proofs else {
            return no("the receipt holds an inclusion proof, expected consistency");
        };
        receipt.verify_consistency(key, older.checkpoint.root, newer.checkpoint.root).or_no()?;
        checks.pass();
        for proof in proofs {
            if (proof.old, proof.new) != (older.checkpoint.size, newer.checkpoint.size) {
                return no(format!(
                    "the receipt joins sizes {} and {}, not these heads",
                    proof.old, proof.new
                ));
            }
            extends(&older.checkpoint, &newer.checkpoint, &proof.path).or_no()?;
        }
        let (old, new) = (older.checkpoint.size, newer.checkpoint.size);
        let text =
            format!("proven: {origin} grew from {old} to {new} entries without rewriting any");
        Ok(Report { text: vec![text], fields: json!({"origin": origin, "old": old, "new": new}) })
    })
}

// A checkpoint, or the checkpoint of a proof's receipt.
pub(super) fn read_head(path: &Path) -> Result<SignedCheckpoint> {
    let bytes = files::read(path, (MAX_PROOF.max(MAX_NOTE)) as u64)?;
    if let Ok(head) = SignedCheckpoint::decode(&bytes) {
        return Ok(head);
    }
    if let Ok(proof) = Proof::decode(&bytes)
        && let Some(note) = proof.receipts.first().and_then(|receipt| receipt.checkpoint.clone())
    {
        return Ok(SignedCheckpoint::decode(&note)?);
    }
    SignedCheckpoint::decode(&bytes)
        .with_context(|| format!("{} is neither a checkpoint nor a proof", path.display()))
}

/// `verifier cross-check`: do heads from several places fit?
pub fn cross_check(
    heads: &[PathBuf],
    policy: &Path,
    log: Option<&Path>,
    evidence: &Path,
    as_json: bool,
) -> Outcome {
    const CHECKS: [&str; 2] = ["each head signed by its log", "heads fit: one history"];
    report::run(as_json, &CHECKS, |checks| {
        let policy = super::policy(policy)?;
        let mut read = Vec::new();
        for path in heads {
            let head = read_head(path)?;
            policy.verify_log(&head).with_context(|| path.display().to_string()).or_no()?;
            read.push((path, head));
        }
        checks.pass();
        if read.len() < 2 && log.is_none() {
            return coldlog_kit::exit::trouble(
                "one head fits itself: give two or more, or --log with a copy of the log",
            );
        }
        read.sort_by_key(|(_, head)| head.checkpoint.size);
        let source = log.map(super::source).transpose()?;
        let source = source.as_deref();
        let mut compared = 0;
        if let Some(source) = source {
            // A copy of the log settles every size: each head must be one of its roots.
            let published = coldlog_kit::published::head(source)?;
            policy.verify_log(&published).or_no()?;
            let size = published.checkpoint.size;
            for (path, head) in &read {
                if head.checkpoint.size > size {
                    return coldlog_kit::exit::trouble(format!(
                        "{} has size {}, the copy of the log only {size}: fetch a newer copy",
                        path.display(),
                        head.checkpoint.size
                    ));
                }
                let mut tree = Tree::new(source, size);
                let proof = tree.path_from(&head.checkpoint)?;
                fit(head, &published, &proof, &policy, evidence).map_err(|e| name(e, path))?;
                compared += 1;
            }
        }
        for pair in read.windows(2) {
            let [(_, older), (path, newer)] = pair else { continue };
            if older.checkpoint.size == newer.checkpoint.size {
                fit(older, newer, &[], &policy, evidence).map_err(|e| name(e, path))?;
                compared += 1;
            } else if source.is_none() {
                return coldlog_kit::exit::trouble(format!(
                    "the heads have the sizes {} and {}: give --log with a copy of the log, to prove that one extends the other",
                    older.checkpoint.size, newer.checkpoint.size
                ));
            }
        }
        if compared == 0 {
            return no("0 heads were compared: the copy of the log is older than all of them");
        }
        let text = format!("{} heads fit: one history", read.len());
        Ok(Report { text: vec![text], fields: json!({"heads": read.len()}) })
    })
}

fn name(failure: Failure, path: &Path) -> Failure {
    match failure {
        Failure::No(error) => Failure::No(error.context(path.display().to_string())),
        Failure::Trouble(error) => Failure::Trouble(error.context(path.display().to_string())),
    }
}

/// Refuses two heads that do not fit, and keeps what convicts.
pub(super) fn fit(
    older: &SignedCheckpoint,
    newer: &SignedCheckpoint,
    path: &[Hash],
    policy: &Policy,
    evidence_file: &Path,
) -> Outcome {
    let Err(misfit) = extends(&older.checkpoint, &newer.checkpoint, path) else { return Ok(()) };
    let evidence =
        Evidence::SplitView { first: older.encode(), second: newer.encode(), path: path.to_vec() };
    if judge(&evidence, policy).is_ok() {
        let place = files::write_evidence(evidence_file, &evidence.encode())?;
        return Err(Failure::No(Convicted { misfit, place }.into()));
    }
    no(misfit)
}

/// Two heads convict their log.
#[derive(Debug)]
pub(super) struct Convicted {
    misfit: Misfit,
    /// The evidence file.
    pub(super) place: PathBuf,
}

impl std::fmt::Display for Convicted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; the evidence is in {}", self.misfit, self.place.display())
    }
}

impl std::error::Error for Convicted {}
