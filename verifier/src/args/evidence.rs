//! `verifier evidence ...` and `verifier heads ...`

use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Does it convict? Exit 0 when it does.
    #[command(after_help = "Example:\n  verifier evidence check log.evidence.cbor --policy policy")]
    Check {
        /// The evidence file.
        file: PathBuf,
        /// The policy, which names the logs' keys.
        #[arg(long)]
        policy: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Makes evidence of two heads that do not fit: against their log, and where it did not sign both,
    /// against the witnesses that cosigned both.
    #[command(
        after_help = "Example:\n  verifier evidence make usb/checkpoint app.txt.proof --policy policy --log public -o log.evidence.cbor"
    )]
    Make {
        /// A head, or a proof that holds one.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
        /// The policy, which names the keys.
        #[arg(long)]
        policy: PathBuf,
        /// For heads of two sizes: the log, or a copy, that has the tiles of the larger one.
        #[arg(long)]
        log: Option<PathBuf>,
        /// The evidence.
        #[arg(short, long)]
        output: PathBuf,
        /// Replace it if it exists.
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum HeadsCommand {
    /// Writes all that is remembered into a file.
    #[command(after_help = "Example:\n  verifier heads export -o usb/mine.heads.cbor")]
    Export {
        /// The folder that remembers every head.
        #[arg(long, default_value = "coldlog-heads")]
        memory: PathBuf,
        /// The file.
        #[arg(short, long)]
        output: PathBuf,
        /// Replace it.
        #[arg(long)]
        force: bool,
    },
    /// Holds what others saw against what was seen here, and remembers it.
    #[command(
        after_help = "Example:\n  verifier heads import usb/theirs.heads.cbor --log public --policy policy"
    )]
    Import {
        /// The other auditor's file.
        file: PathBuf,
        /// The folder that remembers every head.
        #[arg(long, default_value = "coldlog-heads")]
        memory: PathBuf,
        /// The policy.
        #[arg(long)]
        policy: PathBuf,
        /// Copies of the logs, folders or URLs, to compare heads of different sizes.
        #[arg(long = "log")]
        logs: Vec<String>,
        /// Where evidence goes.
        #[arg(long, default_value = "log.evidence.cbor")]
        evidence: PathBuf,
    },
}
