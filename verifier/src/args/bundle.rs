//! `verifier bundle`

use coldlog_kit::exit::Outcome;
use coldlog_verifier::bundle::{self, Options};
use coldlog_verifier::openings::OpeningArgs;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct BundleArgs {
    /// The entries, by their indexes.
    #[arg(required = true, value_name = "INDEX")]
    indexes: Vec<u64>,
    /// The published log, or a copy of it: a folder, a URL, or an object store (s3://, gs://, az://).
    #[arg(long)]
    log: PathBuf,
    /// The policy: logs, witnesses, quorum.
    #[arg(long)]
    policy: PathBuf,
    /// The auditor's age identity (mode 0600): discloses the records of these entries, and of no others.
    #[arg(long)]
    identity: Option<PathBuf>,
    #[command(flatten)]
    opening: OpeningArgs,
    /// A document of one of the entries, its proof, or its signature. Repeat for several.
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The verifier's page, verify.html.
    #[arg(long, value_name = "HTML")]
    page: Option<PathBuf>,
    /// The zip file.
    #[arg(short, long)]
    output: PathBuf,
    /// Replace it.
    #[arg(long)]
    force: bool,
}

impl BundleArgs {
    pub(crate) fn run(self) -> Outcome {
        bundle::run(&Options {
            indexes: self.indexes,
            log: self.log,
            policy: self.policy,
            identity: self.identity,
            opening: self.opening,
            files: self.files,
            page: self.page,
            output: self.output,
            force: self.force,
        })
    }
}
