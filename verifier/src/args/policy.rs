//! `verifier policy ...`

use clap::Subcommand;
use coldlog_kit::exit::Outcome;
use coldlog_kit::secret::Source;
use coldlog_verifier::commands::policy;
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Says in words whom a policy believes, who could fork or stall it, and what is wrong with it.
    ///
    /// Exit 0 when it is sound, 1 when it has a problem, 2 when it is no policy.
    #[command(after_help = "Example:\n  verifier policy check policy")]
    Check {
        /// The policy.
        file: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Writes a policy from the lines of `log init` and `witness init`, or from their verifier keys.
    #[command(
        after_help = "Example:\n  verifier policy init --log log.policy --witness w1.policy w2.policy w3.policy --quorum 2 -o policy"
    )]
    Init(InitArgs),
    /// Writes a history: a new policy, and the old one for older heads, so that their proofs go on to hold.
    #[command(
        after_help = "Example:\n  verifier policy extend policy new-policy --last usb/checkpoint -o policies"
    )]
    Extend {
        /// The policy that was in force until now, or a history.
        old: PathBuf,
        /// The policy that is in force from now on.
        new: PathBuf,
        /// The last head that the old policy is for, of each log.
        #[arg(long, required = true, num_args = 1..)]
        last: Vec<PathBuf>,
        /// The history; it is given wherever a policy is.
        #[arg(short, long)]
        output: PathBuf,
        /// Replace it if it exists.
        #[arg(long)]
        force: bool,
    },
    /// Says in words what another policy changes, and what that means for whom is believed.
    #[command(after_help = "Example:\n  verifier policy diff policy usb/renewal")]
    Diff {
        /// The policy in force.
        old: PathBuf,
        /// The other one; a draft will do.
        new: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Makes a policy key: its holder signs renewals of the policy. Prints what others need of it.
    #[command(after_help = "Example:\n  verifier policy key --name ada.example/policy -o ada.key")]
    Key(KeyArgs),
    /// Drafts a trust root: the policy that comes next, who may renew it, and the time for which it is meant.
    #[command(
        after_help = "Examples:\n  verifier policy renew policy --key ada.pub grace.pub linus.pub --threshold 2 --expires 2028-12-31 -o draft\n  verifier policy renew policy --to new-policy --expires 2030-12-31 -o draft"
    )]
    Renew(RenewArgs),
    /// Shows what a draft changes, and signs it with a policy key.
    #[command(
        after_help = "Example:\n  verifier policy sign usb/draft --key ada.key --policy policy -o usb/draft.ada"
    )]
    Sign(SignArgs),
    /// Puts the signatures on several copies of a trust root into one file.
    #[command(
        after_help = "Example:\n  verifier policy join draft.ada draft.grace --policy policy -o renewal"
    )]
    Join {
        /// The copies.
        #[arg(required = true)]
        copies: Vec<PathBuf>,
        /// The policy in force.
        #[arg(long)]
        policy: PathBuf,
        /// The signed trust root.
        #[arg(short, long)]
        output: PathBuf,
        /// Replace it if it exists.
        #[arg(long)]
        force: bool,
    },
    /// Verifies a renewal, shows what it changes, asks once, and puts it in the place of the policy in force,
    /// which goes on to count for older heads.
    #[command(
        after_help = "Example:\n  verifier policy adopt usb/renewal --policy policy --last usb/checkpoint"
    )]
    Adopt(AdoptArgs),
}

impl PolicyCommand {
    /// Runs it.
    pub(crate) fn run(self) -> Outcome {
        match self {
            PolicyCommand::Check { file, json } => policy::check(&file, json),
            PolicyCommand::Init(options) => policy::init(&options.into()),
            PolicyCommand::Extend { old, new, last, output, force } => {
                policy::extend(&policy::Extend { old, new, last, output, force })
            }
            PolicyCommand::Diff { old, new, json } => policy::diff(&old, &new, json),
            PolicyCommand::Key(options) => policy::key(&options.into()),
            PolicyCommand::Renew(options) => policy::renew(&options.into()),
            PolicyCommand::Sign(options) => policy::sign(&options.into()),
            PolicyCommand::Join { copies, policy: rules, output, force } => {
                policy::join(&copies, &rules, &output, force)
            }
            PolicyCommand::Adopt(options) => policy::adopt(&options.into()),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    /// The holder's name: a schema-less URL.
    #[arg(long)]
    name: String,
    /// The key file; beside it goes FILE.pub.
    #[arg(short, long)]
    output: PathBuf,
    /// Do not encrypt the key file.
    #[arg(long)]
    unencrypted: bool,
    /// Cost of opening the key file: scrypt with 2^N.
    #[arg(long, default_value_t = coldlog_kit::keyfile::SCRYPT_LOG_N, value_parser = clap::value_parser!(u8).range(10..=22))]
    scrypt_log_n: u8,
    #[command(flatten)]
    secret: Source,
}

impl From<KeyArgs> for policy::NewKey {
    fn from(args: KeyArgs) -> policy::NewKey {
        policy::NewKey {
            name: args.name,
            output: args.output,
            unencrypted: args.unencrypted,
            scrypt_log_n: args.scrypt_log_n,
            secret: args.secret,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct RenewArgs {
    /// The policy in force.
    old: PathBuf,
    /// The lines of the policy that is to be in force; by default they stay.
    #[arg(long)]
    to: Option<PathBuf>,
    /// Policy keys that may renew it: verifier keys, or files with one; by default they stay.
    #[arg(long = "key", num_args = 1.., value_name = "KEY|FILE")]
    keys: Vec<OsString>,
    /// How many of them it takes; by default as many as now, at first more than half.
    #[arg(long)]
    threshold: Option<usize>,
    /// The beginning of the time for which it is meant (2026-12-31, RFC 3339 or POSIX seconds); by default now.
    #[arg(long, value_parser = coldlog_kit::time::parse)]
    not_before: Option<u64>,
    /// The end of that time.
    #[arg(long, value_parser = coldlog_kit::time::parse)]
    expires: u64,
    /// The draft.
    #[arg(short, long)]
    output: PathBuf,
    /// Replace it if it exists.
    #[arg(long)]
    force: bool,
}

impl From<RenewArgs> for policy::Renew {
    fn from(args: RenewArgs) -> policy::Renew {
        policy::Renew {
            old: args.old,
            to: args.to,
            keys: args.keys,
            threshold: args.threshold,
            not_before: args.not_before,
            expires: args.expires,
            output: args.output,
            force: args.force,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct SignArgs {
    /// The draft, or what others have signed of it.
    draft: PathBuf,
    /// The key file.
    #[arg(long)]
    key: PathBuf,
    /// The policy in force.
    #[arg(long)]
    policy: PathBuf,
    /// The signed trust root.
    #[arg(short, long)]
    output: PathBuf,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Replace it if it exists.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    secret: Source,
}

impl From<SignArgs> for policy::Sign {
    fn from(args: SignArgs) -> policy::Sign {
        policy::Sign {
            draft: args.draft,
            key: args.key,
            policy: args.policy,
            output: args.output,
            yes: args.yes,
            force: args.force,
            secret: args.secret,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct AdoptArgs {
    /// The signed trust root.
    renewal: PathBuf,
    /// The policy in force, which is replaced.
    #[arg(long)]
    policy: PathBuf,
    /// The last head that the old policy is for, of each log: a checkpoint, or a proof with one.
    #[arg(long, required = true, num_args = 1..)]
    last: Vec<PathBuf>,
    /// The digest of the first trust root, from those who hold the policy keys: until it is taken, nothing else
    /// says who may renew the policy.
    #[arg(long)]
    fingerprint: Option<String>,
    /// Leave the policy as it is, and write here.
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Replace what --output names, if it exists.
    #[arg(long)]
    force: bool,
}

impl From<AdoptArgs> for policy::Adopt {
    fn from(args: AdoptArgs) -> policy::Adopt {
        policy::Adopt {
            renewal: args.renewal,
            policy: args.policy,
            last: args.last,
            fingerprint: args.fingerprint,
            output: args.output,
            yes: args.yes,
            force: args.force,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct InitArgs {
    /// Logs: the file log.policy of each, or verifier keys.
    #[arg(long = "log", required = true, num_args = 1.., value_name = "KEY|FILE")]
    logs: Vec<OsString>,
    /// Witnesses: the file witness.policy of each, or verifier keys, NAME@KEY to name one otherwise.
    #[arg(long = "witness", required = true, num_args = 1.., value_name = "KEY|FILE")]
    witnesses: Vec<OsString>,
    /// How many witnesses must cosign: a number, all or any; by default more than half.
    #[arg(long)]
    quorum: Option<String>,
    /// The policy.
    #[arg(short, long)]
    output: PathBuf,
    /// Replace the policy if it exists.
    #[arg(long)]
    force: bool,
}

impl From<InitArgs> for policy::Init {
    fn from(args: InitArgs) -> policy::Init {
        policy::Init {
            logs: args.logs,
            witnesses: args.witnesses,
            quorum: args.quorum,
            output: args.output,
            force: args.force,
        }
    }
}
