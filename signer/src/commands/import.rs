//! `signer import`: receipts verified against the policy and the journal, then proofs.

use crate::journal::{Journal, Row};
use anyhow::{Context, Result};
use coldlog_kit::exit::{Failure, OrNo, Outcome, no};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::inputs::with_suffix;
use coldlog_kit::sequence::Reader;
use coldlog_kit::terminal::say;
use coldlog_spec::checkpoint::SignedCheckpoint;
use coldlog_spec::hash::Hash;
use coldlog_spec::policy::{MAX_POLICY, Policy};
use coldlog_spec::proof::{MAX_PROOF, Proof};
use coldlog_spec::receipt::Receipt;
use coldlog_spec::receipts::{Header, Item, MAX_ITEM};
use coldlog_spec::verify::receipts::{Refusal, verify_head, verify_receipt};
use std::path::{Path, PathBuf};

/// What the command line says.
pub struct Options {
    /// The receipts file.
    pub receipts: PathBuf,
    /// The policy.
    pub policy: PathBuf,
    /// Where proofs go.
    pub output_dir: Option<PathBuf>,
    /// Where evidence goes.
    pub evidence: PathBuf,
    /// Replace proofs.
    pub force: bool,
}

/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let policy = Policy::parse(&files::read(&options.policy, MAX_POLICY as u64)?)?;
    let _lock = files::lock(home)?;
    let mut journal = Journal::open(home)?;
    let mut reader = Reader::open(&options.receipts, "coldlog-receipts", MAX_ITEM)?;
    let header = reader.next()?.context("the receipts file is empty")?;
    let header = Header::decode(&header)?;
    if header.claims != *journal.claims() {
        let (found, expected) = (&header.claims, journal.claims());
        return no(format!(
            "the receipts are for {} / {}, this journal is {} / {}",
            found.issuer, found.subject, expected.issuer, expected.subject
        ));
    }
    let memory = journal.newest_head()?.map(|(head, _)| head);
    let cosigned = match verify_head(&header, &policy, memory.as_ref()) {
        Ok(cosigned) => cosigned,
        Err(Refusal::History { misfit, evidence: Some(evidence) }) => {
            let place = files::write_evidence(&options.evidence, &evidence.encode())?;
            return no(format!("{misfit}; the evidence is in {}", place.display()));
        }
        Err(other) => return Err(Failure::No(other.into())),
    };
    let head = SignedCheckpoint::decode(&header.checkpoint)?;

    // All is verified before the first receipt is stored; the transaction keeps it whole.
    let mut verified = Vec::new();
    let mut ended = false;
    while let Some(item) = reader.next()? {
        if ended {
            return no("items follow the trailer of the receipts file");
        }
        match Item::decode(&item)? {
            Item::Receipt(sequence, receipt) => {
                let row = journal.row(sequence)?;
                let Some(row) = row else {
                    return no(format!(
                        "a receipt is for record {sequence}, which this journal does not have: was it restored from an older copy? Keep both, and bring the newest"
                    ));
                };
                if verified.last().is_some_and(|(last, _)| *last >= sequence) {
                    return no(format!(
                        "the receipt of record {sequence} is out of order; the log wrote a bad file"
                    ));
                }
                verify_receipt(&receipt, &row.statement, cosigned.checkpoint(), &policy)
                    .with_context(|| format!("the receipt of record {sequence}"))
                    .or_no()?;
                verified.push((sequence, receipt.bare().encode()));
            }
            Item::Trailer { count, digest } => {
                ended = true;
                if count != verified.len() as u64 || digest != reader.digest_before() {
                    return no(format!(
                        "the trailer counts {count} receipts, the file holds {} or was altered; copy it again",
                        verified.len()
                    ));
                }
            }
        }
    }
    if !ended {
        return no("the receipts file has no trailer: it was cut short, copy it again");
    }
    if verified.is_empty() {
        return no("the receipts file holds 0 receipts: nothing was checked");
    }
    let sequences: Vec<u64> = verified.iter().map(|(sequence, _)| *sequence).collect();
    journal.store_receipts(&head, verified.into_iter().map(Ok))?;
    let mut proofs = 0;
    for sequence in sequences {
        let row = journal.row(sequence)?.context("the record was just read")?;
        let Some(target) = &row.output else { continue };
        let target = match &options.output_dir {
            Some(folder) => {
                let name = target.file_name().context("the signature has no name")?;
                files::create_folder(folder)?;
                folder.join(name)
            }
            None => target.clone(),
        };
        let path = with_suffix(&target.with_extension(""), "proof");
        let proof = proof(&journal, &row, &policy)?.encode();
        write_proof(&path, sequence, &proof, options.force)?;
        proofs += 1;
    }
    let checkpoint = cosigned.checkpoint();
    let vouch: Vec<&str> = cosigned.witnesses().iter().map(|w| w.name.as_str()).collect();
    say(format!(
        "{proofs} proofs under the head of {} with {} entries, cosigned by {}",
        checkpoint.origin,
        checkpoint.size,
        if vouch.is_empty() { "nobody (the policy demands none)".into() } else { vouch.join(", ") }
    ));
    Ok(())
}

// One document may have several records: the first takes `FILE.proof`, another, while that stands,
// `FILE.<sequence>.proof`. A proof is never replaced by another record's.
fn write_proof(path: &Path, sequence: u64, proof: &[u8], force: bool) -> Result<()> {
    let of = |path: &Path| {
        let there = files::read(path, MAX_PROOF as u64).ok()?;
        Some((Proof::decode(&there).ok()?.statement.position.sequence, there))
    };
    let own = path.with_extension(format!("{sequence}.proof"));
    let path = match of(path) {
        Some((other, _)) if other != sequence => own.as_path(),
        _ => path,
    };
    match of(path) {
        Some((_, there)) if there == proof => Ok(()),
        // The same record under another head: both prove it, and the newer one is asked for.
        Some((same, _)) if same == sequence && force => {
            files::write(path, proof, Existing::Replace, Mode::Public)
        }
        Some((same, _)) if same == sequence => Ok(()),
        _ => files::write(path, proof, Existing::from_force(force), Mode::Public),
    }
}

fn proof(journal: &Journal, row: &Row, policy: &Policy) -> Result<Proof> {
    let (receipt, head) = row.receipt.as_ref().context("the record has no receipt")?;
    let receipt = Receipt::decode(receipt)?.with_checkpoint(&journal.head_note(head)?);
    let named: Option<Hash> = row.statement.position.head.as_ref().map(|head| head.note);
    Ok(Proof {
        statement: row.statement.clone(),
        receipts: vec![receipt],
        disclosure: row.disclosure.encode(),
        policy: policy.digest,
        earlier_head: named.map(|digest| journal.head_note(&digest)).transpose()?,
    })
}
