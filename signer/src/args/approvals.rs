//! `signer request` and `signer approve`

use clap::Args as ClapArgs;
use coldlog_kit::secret::Source;
use coldlog_signer::commands::{approve, request, sign};
use coldlog_signer::factors::SecondSource;
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
pub(crate) struct RequestArgs {
    /// Files, or folders with --recursive.
    files: Vec<PathBuf>,
    /// Who will sign; one of the genesis's operators.
    #[arg(long)]
    operator: String,
    /// The documents' version.
    #[arg(long, default_value = "")]
    version: String,
    /// Why.
    #[arg(long, default_value = "")]
    purpose: String,
    /// Take what is in folders.
    #[arg(long)]
    recursive: bool,
    /// More files, one name a line.
    #[arg(long)]
    files_from: Option<PathBuf>,
    /// A manifest of files, as for `sign`.
    #[arg(long)]
    manifest: Option<PathBuf>,
    /// How long approvals hold, by the signer's clock: 24h, 3days; at most 90 days.
    #[arg(long, default_value = "24h")]
    expires: String,
    /// The request.
    #[arg(short, long)]
    output: PathBuf,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
}

impl From<RequestArgs> for request::Options {
    fn from(args: RequestArgs) -> request::Options {
        let sign = sign::Options {
            files: args.files,
            operator: Some(args.operator),
            name: None,
            version: Some(args.version),
            purpose: Some(args.purpose),
            format: "sshsig".into(),
            recursive: args.recursive,
            files_from: args.files_from,
            manifest: args.manifest,
            output_dir: None,
            force: false,
            keep_going: false,
            clock_wrong: false,
            yes: true,
            show_all: false,
            self_check: sign::self_check,
            approvals: Vec::new(),
            secret: Source::default(),
            second: SecondSource::default(),
        };
        request::Options { sign, expires: args.expires, output: args.output, force: args.force }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ApproveArgs {
    /// The request.
    request: PathBuf,
    /// The documents, as far as they are at hand.
    files: Vec<PathBuf>,
    /// A folder where documents are.
    #[arg(long)]
    documents: Option<PathBuf>,
    /// The approver's key file.
    #[arg(long)]
    key: PathBuf,
    /// The approval.
    #[arg(short, long)]
    output: PathBuf,
    /// Approve also documents that are not at hand, by their digests only; the approval says so.
    #[arg(long)]
    unseen: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    secret: Source,
}

impl From<ApproveArgs> for approve::Options {
    fn from(args: ApproveArgs) -> approve::Options {
        approve::Options {
            request: args.request,
            files: args.files,
            documents: args.documents,
            key: args.key,
            output: args.output,
            unseen: args.unseen,
            yes: args.yes,
            force: args.force,
            secret: args.secret,
        }
    }
}
