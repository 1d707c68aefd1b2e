//! `verifier report`

use coldlog_kit::exit::Outcome;
use coldlog_verifier::openings::OpeningArgs;
use coldlog_verifier::reporting::{self, Options};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// The published log, or a copy of it: a folder, a URL, or an object store (s3://, gs://, az://).
    #[arg(long)]
    log: PathBuf,
    /// The policy: logs, witnesses, quorum.
    #[arg(long)]
    policy: PathBuf,
    /// The auditor's age identity (mode 0600).
    #[arg(long)]
    identity: PathBuf,
    #[command(flatten)]
    opening: OpeningArgs,
    /// The time that is reported: a year (2026), a quarter (2026-Q3) or a month (2026-07).
    #[arg(long)]
    period: String,
    /// Whose log it is.
    #[arg(long, default_value = "")]
    organisation: String,
    /// The register of findings: people write into it what is done about them, and the next report carries it over.
    #[arg(long, default_value = "findings.csv", value_name = "CSV")]
    register: PathBuf,
    /// The folder that remembers heads, as `verifier watch` does.
    #[arg(long)]
    memory: Option<PathBuf>,
    /// The documents or releases that are really in use: a folder, or a list as sha256sum writes it.
    #[arg(long)]
    documents: Option<PathBuf>,
    /// A journal of reads: of a log's server (`accesses`), or of another auditor. Repeat for several.
    #[arg(long, value_name = "JOURNAL")]
    accesses: Vec<PathBuf>,
    /// The files, without their endings: OUTPUT.html and OUTPUT.pdf (mode 0600).
    #[arg(short, long)]
    output: PathBuf,
    /// Replace them.
    #[arg(long)]
    force: bool,
}

impl ReportArgs {
    pub(crate) fn run(self) -> Outcome {
        reporting::run(&Options {
            log: self.log,
            policy: self.policy,
            identity: self.identity,
            opening: self.opening,
            period: self.period,
            organisation: self.organisation,
            register: self.register,
            memory: self.memory,
            documents: self.documents,
            accesses: self.accesses,
            output: self.output,
            force: self.force,
        })
    }
}
