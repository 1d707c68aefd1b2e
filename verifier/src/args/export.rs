//! `verifier export`

use coldlog_verifier::commands::export::Part;

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct PartArgs {
    /// C2SP tlog-proof.
    #[arg(long)]
    tlog_proof: bool,
    /// The bare receipt (RFC 9942).
    #[arg(long)]
    receipt: bool,
    /// The signed statement (RFC 9943).
    #[arg(long)]
    statement: bool,
    /// The document's signature file.
    #[arg(long)]
    signature: bool,
    /// The cosigned checkpoint.
    #[arg(long)]
    checkpoint: bool,
}

impl PartArgs {
    pub(crate) fn chosen(&self) -> Part {
        match self {
            PartArgs { tlog_proof: true, .. } => Part::TlogProof,
            PartArgs { receipt: true, .. } => Part::Receipt,
            PartArgs { statement: true, .. } => Part::Statement,
            PartArgs { signature: true, .. } => Part::Signature,
            PartArgs { .. } => Part::Checkpoint,
        }
    }
}
