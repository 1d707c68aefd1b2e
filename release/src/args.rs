//! The command line of `release-files`.

use clap::{Args as ClapArgs, Parser, Subcommand};
use coldlog_release::make;
use std::path::PathBuf;

/// Makes a release of Coldlog in a folder, and closes it when it is signed.
///
/// Exit codes: 0 done, 1 refused, 2 trouble (usage, unreadable input, I/O).
#[derive(Debug, Parser)]
#[command(name = "release-files", max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compiles the programs; makes packages, an archive, lists of contents, and SHA256SUMS.
    #[command(after_help = "Example:\n  cargo release-files make coldlog-0.1.0 --check")]
    Make(MakeArgs),
    /// Holds a release that was signed against its sums, proof and policy; adds what strangers need.
    #[command(
        after_help = "Example:\n  cargo release-files close coldlog-0.1.0 --policy policy --signer signer.pub"
    )]
    Close {
        /// The release, with SHA256SUMS.sig and SHA256SUMS.proof in it.
        folder: PathBuf,
        /// The policy under which the proof must hold.
        #[arg(long)]
        policy: PathBuf,
        /// The public key that must have signed: `signer.pub`.
        #[arg(long)]
        signer: PathBuf,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct MakeArgs {
    /// The release; the folder must not exist.
    folder: PathBuf,
    /// Do it a second time, from a copy of the source in another folder, and compare all bytes.
    #[arg(long)]
    check: bool,
    /// Only these programs; repeat for several. For tests.
    #[arg(long, value_name = "PROGRAM")]
    only: Vec<String>,
    /// Take programs that are built already, and compress quickly. For tests: says so in BUILDINFO.
    #[arg(long, value_name = "FOLDER", conflicts_with = "check")]
    programs: Option<PathBuf>,
    /// Go on although files differ from the last commit: says so in BUILDINFO.
    #[arg(long)]
    allow_dirty: bool,
}

impl From<MakeArgs> for make::Options {
    fn from(args: MakeArgs) -> make::Options {
        make::Options {
            folder: args.folder,
            check: args.check,
            only: args.only,
            programs: args.programs,
            allow_dirty: args.allow_dirty,
        }
    }
}
