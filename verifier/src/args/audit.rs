//! `verifier audit` and `verifier audit-key`

use clap::Subcommand;
use coldlog_kit::custody::NewKey;
use coldlog_kit::exit::Outcome;
use coldlog_kit::secret::Source;
use coldlog_spec::verify::audit::Severity;
use coldlog_verifier::audit::{self, Merge, Options, Shard};
use coldlog_verifier::openings::OpeningArgs;
use std::path::PathBuf;

fn severity(text: &str) -> Result<Severity, String> {
    let names = Severity::ALL.map(Severity::name).join(", ");
    Severity::from_name(text).ok_or_else(|| format!("expected one of {names}"))
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Joins the parts of an audit (`--shard`) to the verdict that one run would have given.
    #[command(
        after_help = "Example:\n  verifier audit merge part-1.audit part-2.audit --log public --policy policy --key auditor.audit-key -o 2026-07.audit"
    )]
    Merge(Box<MergeArgs>),
    /// Shows what an audit came to; verifies nothing.
    #[command(after_help = "Example:\n  verifier audit show 2026-07.audit")]
    Show {
        /// The file.
        file: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: Option<AuditCommand>,
    #[command(flatten)]
    whole: WholeArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct WholeArgs {
    /// The published log, or a copy of it: a folder, a URL, or an object store (s3://, gs://, az://).
    #[arg(long, required = true)]
    log: Option<PathBuf>,
    /// The policy: logs, witnesses, quorum.
    #[arg(long, required = true)]
    policy: Option<PathBuf>,
    /// The auditor's age identity (mode 0600): opens the records, and judges people, approvals and times.
    #[arg(long)]
    identity: Option<PathBuf>,
    #[command(flatten)]
    opening: OpeningArgs,
    /// The folder that remembers heads, as `verifier watch` does.
    #[arg(long)]
    memory: Option<PathBuf>,
    /// Where evidence goes.
    #[arg(long, default_value = "log.evidence.cbor")]
    evidence: PathBuf,
    /// Go on where this audit ended.
    #[arg(long, value_name = "AUDIT")]
    since: Option<PathBuf>,
    /// Write down what the audit came to, signed, for the next one to go on from.
    #[arg(short, long, requires = "key")]
    output: Option<PathBuf>,
    /// The auditor's key (`verifier audit-key`).
    #[arg(long)]
    key: Option<PathBuf>,
    #[command(flatten)]
    secret: Source,
    /// Another auditor whose audits are believed: a public key, or its file.
    #[arg(long, value_name = "KEY")]
    trust: Vec<String>,
    /// Go on with an audit that was interrupted, if one was.
    #[arg(long, requires = "output")]
    resume: bool,
    /// Audit a part only, such as 3/16, on as many machines as you like; see `verifier audit merge`.
    #[arg(long, value_name = "I/N", requires = "output", conflicts_with_all = ["since", "resume", "documents", "at_least"])]
    shard: Option<Shard>,
    /// The documents or releases that are really in use, with the signatures beside them: a folder, or a list as
    /// sha256sum writes it.
    #[arg(long, requires = "identity", conflicts_with = "since")]
    documents: Option<PathBuf>,
    /// A journal of reads that must be whole: of a log's server (`accesses`), or of another auditor. Repeat for
    /// several.
    #[arg(long, value_name = "JOURNAL")]
    accesses: Vec<PathBuf>,
    /// Who may read records; anybody else in a journal of reads is a finding. Repeat for several.
    #[arg(long = "reader", value_name = "NAME")]
    readers: Vec<String>,
    /// The tail that the operator wrote down: the log must reach it.
    #[arg(long)]
    at_least: Option<String>,
    /// The signer of that tail.
    #[arg(long, requires = "at_least")]
    signer: Option<String>,
    /// The least severity that makes the answer no: note, warning, high or critical.
    #[arg(long, default_value = "warning", value_parser = severity)]
    fail_on: Severity,
    /// Seconds between two times that the audit is kept, to go on with after a crash.
    #[arg(long, default_value_t = 30, hide = true)]
    save_every: u64,
    /// Replace the output.
    #[arg(long)]
    force: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MergeArgs {
    /// The parts.
    #[arg(required = true)]
    parts: Vec<PathBuf>,
    /// The published log, or a copy of it: a folder, a URL, or an object store (s3://, gs://, az://).
    #[arg(long)]
    log: PathBuf,
    /// The policy: logs, witnesses, quorum.
    #[arg(long)]
    policy: PathBuf,
    /// The folder that remembers heads, as `verifier watch` does.
    #[arg(long)]
    memory: Option<PathBuf>,
    /// Where evidence goes.
    #[arg(long, default_value = "log.evidence.cbor")]
    evidence: PathBuf,
    /// Write down what the audit came to, signed, for the next one to go on from.
    #[arg(short, long, requires = "key")]
    output: Option<PathBuf>,
    /// The auditor's key (`verifier audit-key`).
    #[arg(long)]
    key: Option<PathBuf>,
    #[command(flatten)]
    secret: Source,
    /// An auditor of the parts: a public key, or its file. Repeat for several.
    #[arg(long, value_name = "KEY")]
    trust: Vec<String>,
    /// The least severity that makes the answer no: note, warning, high or critical.
    #[arg(long, default_value = "warning", value_parser = severity)]
    fail_on: Severity,
    /// Replace the output.
    #[arg(long)]
    force: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AuditKeyArgs {
    /// The auditor's name: a schema-less URL.
    #[arg(long)]
    name: String,
    /// The key file.
    #[arg(short, long)]
    output: PathBuf,
    /// Do not encrypt the key file: for a machine that runs unattended.
    #[arg(long)]
    unencrypted: bool,
    #[command(flatten)]
    place: NewKey,
    #[command(flatten)]
    secret: Source,
}

impl AuditKeyArgs {
    pub(crate) fn run(self) -> Outcome {
        let AuditKeyArgs { name, output, unencrypted, place, secret } = self;
        audit::make_key(&name, &output, &place, unencrypted, &secret)
    }
}

impl AuditArgs {
    pub(crate) fn run(self) -> Outcome {
        match self.command {
            Some(AuditCommand::Merge(args)) => audit::merge(&(*args).into()),
            Some(AuditCommand::Show { file, json }) => audit::show(&file, json),
            None => audit::run(&self.whole.into()),
        }
    }
}

impl From<WholeArgs> for Options {
    fn from(args: WholeArgs) -> Options {
        Options {
            // Both are required where no subcommand is named.
            log: args.log.unwrap_or_default(),
            policy: args.policy.unwrap_or_default(),
            identity: args.identity,
            opening: args.opening,
            memory: args.memory,
            evidence: args.evidence,
            since: args.since,
            output: args.output,
            key: args.key,
            secret: args.secret,
            trust: args.trust,
            resume: args.resume,
            shard: args.shard,
            documents: args.documents,
            accesses: args.accesses,
            readers: args.readers,
            at_least: args.at_least,
            signer: args.signer,
            fail_on: args.fail_on,
            save_every: args.save_every,
            force: args.force,
            json: args.json,
        }
    }
}

impl From<MergeArgs> for Merge {
    fn from(args: MergeArgs) -> Merge {
        Merge {
            parts: args.parts,
            log: args.log,
            policy: args.policy,
            memory: args.memory,
            evidence: args.evidence,
            output: args.output,
            key: args.key,
            secret: args.secret,
            trust: args.trust,
            fail_on: args.fail_on,
            force: args.force,
            json: args.json,
        }
    }
}
