//! `verifier policy ...`

use clap::Subcommand;
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
