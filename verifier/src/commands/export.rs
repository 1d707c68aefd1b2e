//! `verifier export`: the parts of a proof, for other tools.

use anyhow::Context;
use coldlog_kit::exit::{Outcome, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::terminal::say;
use coldlog_spec::proof::{MAX_PROOF, Proof};
use coldlog_spec::record::{Disclosure, Operation};
use coldlog_spec::tlog_proof;
use std::path::Path;

/// Which part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// C2SP tlog-proof.
    TlogProof,
    /// The bare receipt.
    Receipt,
    /// The signed statement.
    Statement,
    /// The document's signature.
    Signature,
    /// The receipt's cosigned checkpoint.
    Checkpoint,
}

/// Runs the command. Nothing is verified: `verifier check` does that.
pub fn run(proof: &Path, part: Part, output: &Path, force: bool) -> Outcome {
    let proof = Proof::decode(&files::read(proof, MAX_PROOF as u64)?)?;
    let receipt = proof.receipts.first().context("the proof has no receipt")?;
    let checkpoint = || receipt.checkpoint.clone().context("the receipt carries no checkpoint");
    let bytes = match part {
        Part::Statement => proof.statement.bytes().to_vec(),
        Part::Receipt => receipt.clone().bare().encode(),
        Part::Checkpoint => checkpoint()?,
        Part::TlogProof => {
            let inclusion = receipt.inclusion()?;
            tlog_proof::encode(inclusion.index, &inclusion.path, &checkpoint()?)
        }
        Part::Signature => match Disclosure::decode(&proof.disclosure)?.record.operation {
            Operation::Sign { signature, .. } => signature.bytes,
            Operation::Genesis { .. } | Operation::KeyEvent { .. } => {
                return trouble("the proof is of a genesis, which has no signature file");
            }
        },
    };
    files::write(output, &bytes, Existing::from_force(force), Mode::Public)?;
    say(format!("{} bytes in {}; not verified by this command", bytes.len(), output.display()));
    Ok(())
}
