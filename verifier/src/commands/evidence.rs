//! `verifier evidence check` and `make`, and `verifier promises`: what convicts whom.

use super::heads::read_head;
use anyhow::{Context, Result};
use coldlog_kit::exit::{OrNo, Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::published::{self, Tree};
use coldlog_kit::report::{self, Report};
use coldlog_kit::terminal::{field, say};
use coldlog_spec::checkpoint::{Checkpoint, SignedCheckpoint};
use coldlog_spec::evidence::{Evidence, MAX_EVIDENCE};
use coldlog_spec::policy::Policy;
use coldlog_spec::proof::{MAX_PROOF, Proof};
use coldlog_spec::receipt::Receipt;
use coldlog_spec::verify::heads::{Conviction, NotConvicted, cosigned_both, judge};
use coldlog_spec::verify::receipts::verify_receipt;
use serde_json::json;
use std::path::{Path, PathBuf};

// Which witnesses cosigned both heads of a split view: they are convicted as well.
fn and_witnesses(evidence: &Evidence, policy: &Policy) -> Result<Vec<String>> {
    let Evidence::SplitView { first, second, .. } = evidence else { return Ok(Vec::new()) };
    let heads = (SignedCheckpoint::decode(first)?, SignedCheckpoint::decode(second)?);
    Ok(cosigned_both(&heads.0, &heads.1, policy))
}

/// `verifier evidence check`
pub fn check(file: &Path, policy: &Path, as_json: bool) -> Outcome {
    report::run(as_json, &["evidence convicts"], |_| {
        let policy = super::policy(policy)?;
        let evidence = Evidence::decode(&files::read(file, MAX_EVIDENCE as u64)?)?;
        let conviction = judge(&evidence, &policy).or_no()?;
        let mut witnesses = and_witnesses(&evidence, &policy)?;
        let (kind, who, what) = match conviction {
            Conviction::SplitView { origin, misfit } => ("split-view", origin, misfit.to_string()),
            Conviction::CosignedTwice { origin, witnesses: guilty, misfit } => {
                witnesses = guilty;
                ("cosigned-twice", witnesses.join(", "), format!("of {origin}, {misfit}"))
            }
            Conviction::BrokenPromise { origin, index, misfit } => (
                "broken-promise",
                origin,
                format!("it gave a receipt for this entry as its entry {index}, and {misfit}"),
            ),
            // A key is convicted, not a name: anybody can make a key and write a name beside it.
            Conviction::Fork { issuer, subject, sequence, key } => (
                "fork",
                format!("the key {key}, under the name {issuer}"),
                format!(
                    "it signed two records with the sequence number {sequence} of {subject}; hold the key against the one that you know (fingerprint of its genesis, signer.pub)"
                ),
            ),
        };
        let mut text = vec![format!("convicted: {who}: {what}")];
        if kind == "split-view" && !witnesses.is_empty() {
            let names = witnesses.join(", ");
            text.push(format!(
                "convicted as well, for both heads carry their cosignatures: {names}"
            ));
        }
        let fields = json!({"kind": kind, "who": who, "what": what, "witnesses": witnesses});
        Ok(Report { text, fields })
    })
}

/// What `verifier evidence make` is asked.
pub struct Make {
    /// A head, or a proof that has one.
    pub first: PathBuf,
    /// Another one.
    pub second: PathBuf,
    /// The policy.
    pub policy: PathBuf,
    /// The log that the newer head is of, for heads of two sizes.
    pub log: Option<PathBuf>,
    /// The evidence.
    pub output: PathBuf,
    /// Replace it.
    pub force: bool,
}

/// `verifier evidence make`: from two heads that somebody has at hand.
pub fn make(options: &Make) -> Outcome {
    let policy = super::policy(&options.policy)?;
    let (mut older, mut newer) = (read_head(&options.first)?, read_head(&options.second)?);
    if older.checkpoint.size > newer.checkpoint.size {
        std::mem::swap(&mut older, &mut newer);
    }
    let path = match &options.log {
        _ if older.checkpoint.size == newer.checkpoint.size => Vec::new(),
        None => {
            return trouble(format!(
                "the heads have the sizes {} and {}: name the log, or the copy, that has the tiles of the larger (--log)",
                older.checkpoint.size, newer.checkpoint.size
            ));
        }
        Some(log) => {
            let source = super::source(log)?;
            let mut tree = Tree::new(source.as_ref(), newer.checkpoint.size);
            must_be_of(&mut tree, &newer.checkpoint, log)?;
            tree.path_from(&older.checkpoint)?
        }
    };
    let (first, second) = (older.encode(), newer.encode());
    let all = [
        Evidence::SplitView { first: first.clone(), second: second.clone(), path: path.clone() },
        Evidence::CosignedTwice { first, second, path },
    ];
    let mut why = None;
    for evidence in all {
        match judge(&evidence, &policy) {
            Ok(_) => {
                let existing = Existing::from_force(options.force);
                files::write(&options.output, &evidence.encode(), existing, Mode::Public)?;
                say(format!("the evidence is in {}", options.output.display()));
                return Ok(());
            }
            Err(refused) => why = why.or(Some(refused)),
        }
    }
    no(why.unwrap_or(NotConvicted::Fits))
}

fn must_be_of(tree: &mut Tree, head: &Checkpoint, log: &Path) -> Result<()> {
    let root = tree.root()?;
    anyhow::ensure!(
        root == head.root,
        "the tiles in {} give the root {root} for size {}, the head says {}: they are of another tree",
        log.display(),
        head.size,
        head.root
    );
    Ok(())
}

/// `verifier promises`: does the log still hold what its receipts say?
pub fn promises(
    proofs: &[PathBuf],
    log: &Path,
    policy: &Path,
    evidence: &Path,
    as_json: bool,
) -> Outcome {
    const CHECKS: [&str; 2] = ["each receipt is the log's", "the log's tree holds each"];
    report::run(as_json, &CHECKS, |checks| {
        let policy = super::policy(policy)?;
        let source = super::source(log)?;
        let head = published::head(source.as_ref())?;
        policy.verify_log(&head).or_no()?;
        let mut promised = Vec::new();
        for path in proofs {
            let proof = Proof::decode(&files::read(path, MAX_PROOF as u64)?);
            let proof = proof.with_context(|| path.display().to_string())?;
            let found = promise(&proof, &head.checkpoint.origin, &policy);
            promised.push((path, found.with_context(|| path.display().to_string()).or_no()?));
        }
        checks.pass();
        for (path, (statement, receipt, older)) in &promised {
            let newest = &head.checkpoint;
            let size = older.size.max(newest.size);
            let mut tree = Tree::new(source.as_ref(), newest.size);
            must_be_of(&mut tree, newest, log)?;
            if older.size > newest.size {
                return trouble(format!(
                    "{} is under a head of size {size}, the log shows only {}: fetch a newer copy, or ask why it went back",
                    path.display(),
                    newest.size
                ));
            }
            if tree.root_at(older.size)? == older.root {
                continue;
            }
            let shown = Evidence::BrokenPromise {
                statement: statement.clone(),
                receipt: receipt.clone(),
                head: head.encode(),
                path: tree.path_from(older)?,
            };
            judge(&shown, &policy).or_no()?;
            let place = files::write_evidence(evidence, &shown.encode())?;
            return no(format!(
                "{}: {} no longer holds what it gave a receipt for; the evidence is in {}",
                path.display(),
                field(&newest.origin),
                place.display()
            ));
        }
        let (count, size) = (promised.len(), head.checkpoint.size);
        let origin = &head.checkpoint.origin;
        let text = format!("{count} promises are kept by {}, size {size}", field(origin));
        Ok(Report {
            text: vec![text],
            fields: json!({"promises": count, "origin": origin, "size": size}),
        })
    })
}

type Promise = (Vec<u8>, Vec<u8>, Checkpoint);

// The entry, the receipt, and the tree that the receipt is of.
fn promise(proof: &Proof, origin: &str, policy: &Policy) -> Result<Promise> {
    for receipt in &proof.receipts {
        let note = receipt.checkpoint.as_deref().context("the receipt has no checkpoint")?;
        let head = SignedCheckpoint::decode(note)?;
        if head.checkpoint.origin != origin {
            continue;
        }
        policy.verify_log(&head)?;
        verify_receipt(receipt, &proof.statement, &head.checkpoint, policy)?;
        let receipt: &Receipt = receipt;
        return Ok((proof.statement.bytes().to_vec(), receipt.encode(), head.checkpoint));
    }
    anyhow::bail!("the proof has no receipt of {}", field(origin))
}
