//! `verifier key-events` and `verifier impact`

use coldlog_verifier::commands::keys;
use coldlog_verifier::openings::OpeningArgs;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct KeyEventsArgs {
    /// The published log, or a copy of it: a folder, a URL, or an object store (s3://, gs://, az://).
    #[arg(long)]
    pub(crate) log: PathBuf,
    /// The policy: logs, witnesses, quorum.
    #[arg(long)]
    pub(crate) policy: PathBuf,
    /// Only this signer's.
    #[arg(long)]
    pub(crate) signer: Option<String>,
    /// The file for `verifier check --key-events`.
    #[arg(short, long)]
    pub(crate) output: PathBuf,
    /// Replace it.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ImpactArgs {
    /// The key: 64 hex digits, an OpenSSH public key, or its file.
    key: String,
    /// The published log, or a copy of it: a folder, a URL, or an object store (s3://, gs://, az://).
    #[arg(long)]
    log: PathBuf,
    /// The policy: logs, witnesses, quorum.
    #[arg(long)]
    policy: PathBuf,
    /// As if the key were revoked from this record on; without a bound, by the revocations in the log.
    #[arg(long)]
    since_record: Option<u64>,
    /// As if revoked for all that no witness saw by this time (2026-03-01T12:00:00Z).
    #[arg(long)]
    since_time: Option<String>,
    /// As if revoked for all that is not in the tree of this head (a checkpoint file).
    #[arg(long)]
    since_head: Option<PathBuf>,
    /// The auditor's age identity: names the documents.
    #[arg(long)]
    identity: Option<PathBuf>,
    #[command(flatten)]
    opening: OpeningArgs,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

impl From<ImpactArgs> for keys::Impact {
    fn from(args: ImpactArgs) -> keys::Impact {
        keys::Impact {
            key: args.key,
            log: args.log,
            policy: args.policy,
            since_record: args.since_record,
            since_time: args.since_time,
            since_head: args.since_head,
            identity: args.identity,
            opening: args.opening,
            json: args.json,
        }
    }
}
