//! The command line of `witness`.

use clap::{Parser, Subcommand};
use coldlog_kit::secret::Source;
use std::path::PathBuf;

/// Cosigns a log's tree head only if it extends the last one that this witness saw.
///
/// Exit codes: 0 cosigned, 1 refused, 2 trouble (usage, unreadable input, I/O).
#[derive(Debug, Parser)]
#[command(name = "witness", version, max_term_width = 100)]
pub(crate) struct Args {
    /// The witness's folder: its key and its memory of heads.
    #[arg(long, global = true, env = "COLDLOG_WITNESS", default_value = "coldlog-witness")]
    pub(crate) home: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes the witness's keys, Ed25519 and ML-DSA-44, and its lines for a policy.
    #[command(after_help = "Example:\n  witness init --name w1.example/witness")]
    Init {
        /// The witness's name: a schema-less URL.
        #[arg(long)]
        name: String,
        /// Do not encrypt the key file: for a machine that runs unattended.
        #[arg(long)]
        unencrypted: bool,
        #[command(flatten)]
        secret: Source,
    },
    /// Watches the log whose `log` lines stand in a policy file.
    #[command(after_help = "Example:\n  witness add-log usb/log.policy")]
    AddLog {
        /// The policy file, or the log's own lines.
        policy: PathBuf,
        /// Take other keys for a log that is watched already.
        #[arg(long)]
        replace: bool,
    },
    /// Answers a log's request: cosignatures, or the protocol's refusal.
    #[command(
        after_help = "Example:\n  witness cosign usb/monday.witness-request.cbor -o usb/w1.witness-response.cbor"
    )]
    Cosign {
        /// The log's request.
        request: PathBuf,
        /// The answer.
        #[arg(short, long)]
        output: PathBuf,
        /// Where evidence goes if the log shows another history.
        #[arg(long, default_value = "log.evidence.cbor")]
        evidence: PathBuf,
        /// Replace the answer if it exists.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        secret: Source,
    },
    /// The newest head of each log that this witness cosigned.
    #[command(after_help = "Example:\n  witness heads --json")]
    Heads {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}
