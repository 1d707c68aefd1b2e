//! The command line of `verifier`.

use clap::{Parser, Subcommand};
use coldlog_verifier::commands::check;
use coldlog_verifier::commands::export::Part;
use coldlog_verifier::commands::policy;
use std::ffi::OsString;
use std::path::PathBuf;

/// Checks documents, proofs, heads and whole journals, offline; trusts nothing but the policy.
///
/// Exit codes: 0 yes, 1 no (the check failed), 2 trouble (usage, malformed input, I/O).
#[derive(Debug, Parser)]
#[command(name = "verifier", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Is this document's signature logged? Who signed, where, between which times?
    #[command(
        after_help = "Examples:\n  verifier check app.tar.gz --policy policy\n  verifier check app.tar.gz --proof app.proof --signature app.tar.gz.sig --signer signer.pub --policy policy\n  verifier check dist --recursive --policy policy --keep-going\n  verifier check SHA256SUMS --checksums --policy policy"
    )]
    Check(CheckArgs),
    /// Makes an auditor's age identity, as age-keygen does; prints its recipient.
    #[command(after_help = "Example:\n  verifier identity -o auditor.key")]
    Identity {
        /// The identity file.
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Names and shows any of Coldlog's files; verifies nothing.
    #[command(after_help = "Example:\n  verifier inspect app.tar.gz.proof")]
    Inspect {
        /// The file.
        file: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Proves that a statement is in the log, from a receipt.
    #[command(
        after_help = "Example:\n  verifier inclusion app.statement --receipt app.receipt --policy policy"
    )]
    Inclusion {
        /// The signed statement.
        statement: PathBuf,
        /// A receipt with its checkpoint.
        #[arg(long)]
        receipt: PathBuf,
        /// The policy.
        #[arg(long)]
        policy: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Proves that a newer head extends an older one, from a consistency receipt.
    #[command(
        after_help = "Example:\n  verifier consistency monday.checkpoint tuesday.checkpoint --receipt growth.receipt.cbor --policy policy"
    )]
    Consistency {
        /// The older checkpoint.
        older: PathBuf,
        /// The newer checkpoint.
        newer: PathBuf,
        /// The receipt of `log prove --consistency`.
        #[arg(long)]
        receipt: PathBuf,
        /// The policy.
        #[arg(long)]
        policy: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Writes a policy with a log's new keys, to which its old key hands over (`log rotate-key`).
    #[command(
        after_help = "Example:\n  verifier adopt-key usb/rotation --policy policy -o new-policy"
    )]
    AdoptKey {
        /// The log's note.
        rotation: PathBuf,
        /// The policy, which names the old key.
        #[arg(long)]
        policy: PathBuf,
        /// The new policy.
        #[arg(short, long)]
        output: PathBuf,
        /// Leave the old key's lines out: for a witness, when the change is complete.
        #[arg(long)]
        without_old: bool,
        /// Replace the new policy if it exists.
        #[arg(long)]
        force: bool,
    },
    /// Is this head the last of a log that was frozen?
    #[command(
        after_help = "Example:\n  verifier end log/public/heads/end log/public/heads/301 --policy policy"
    )]
    End {
        /// The end marker, `heads/end`.
        marker: PathBuf,
        /// The last head, `heads/SIZE`.
        head: PathBuf,
        /// The policy.
        #[arg(long)]
        policy: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Does a log succeed one that was frozen?
    #[command(
        after_help = "Example:\n  verifier succession --log new/public --end old/public/heads/end --last old/public/heads/301 --policy policy"
    )]
    Succession {
        /// A copy of the successor, published.
        #[arg(long)]
        log: PathBuf,
        /// The predecessor's end marker, `heads/end`.
        #[arg(long)]
        end: PathBuf,
        /// The predecessor's last head, `heads/SIZE`.
        #[arg(long)]
        last: PathBuf,
        /// The policy, which names both logs.
        #[arg(long)]
        policy: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Do heads from several places fit? Otherwise writes an evidence file.
    #[command(
        after_help = "Example:\n  verifier cross-check w1/checkpoint w2/checkpoint app.proof --log log/public --policy policy"
    )]
    CrossCheck {
        /// Checkpoints, or proofs that carry one.
        heads: Vec<PathBuf>,
        /// The policy.
        #[arg(long)]
        policy: PathBuf,
        /// A copy of the published log, to compare heads of different sizes.
        #[arg(long)]
        log: Option<PathBuf>,
        /// Where evidence goes.
        #[arg(long, default_value = "log.evidence.cbor")]
        evidence: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Follows logs, mirrors and witnesses, remembers every head, and holds each against all others.
    #[command(
        after_help = "Examples:\n  verifier watch https://log.example/releases https://w1.example/SHA256/checkpoint --policy policy\n  verifier watch usb/public usb/other/checkpoint --policy policy --rounds 1"
    )]
    Watch {
        /// Published logs and mirrors (folders or URLs), and single heads: files and URLs that end in
        /// `checkpoint`.
        places: Vec<String>,
        /// The policy.
        #[arg(long)]
        policy: PathBuf,
        /// The folder that remembers every head.
        #[arg(long, default_value = "coldlog-heads")]
        memory: PathBuf,
        /// Seconds between two rounds.
        #[arg(long, default_value_t = 60)]
        every: u64,
        /// End after so many rounds.
        #[arg(long)]
        rounds: Option<u64>,
        /// Where evidence goes.
        #[arg(long, default_value = "log.evidence.cbor")]
        evidence: PathBuf,
        /// A program that is run with the evidence file, when there is one.
        #[arg(long)]
        on_evidence: Option<PathBuf>,
    },
    /// Swaps remembered heads with other auditors, in a file.
    Heads {
        #[command(subcommand)]
        command: HeadsCommand,
    },
    /// Opens sealed records with an age identity; each must match its commitment.
    #[command(
        after_help = "Example:\n  verifier open --log log/public --identity auditor.key --policy policy"
    )]
    Open {
        /// A copy of the published log.
        #[arg(long)]
        log: PathBuf,
        /// The policy.
        #[arg(long)]
        policy: PathBuf,
        /// The auditor's age identity file (mode 0600).
        #[arg(long)]
        identity: PathBuf,
        /// Only this entry, by its inclusion proof.
        #[arg(long)]
        index: Option<u64>,
        /// Only the records of this signer.
        #[arg(long)]
        signer: Option<String>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Would a log's own rules let this batch in, or why not? Replays what the log itself was asked.
    #[command(
        after_help = "Example:\n  verifier admission monday.batch.cbor --log public --policy policy --at 301"
    )]
    Admission {
        /// The batch.
        batch: PathBuf,
        /// A copy of the log, published.
        #[arg(long)]
        log: PathBuf,
        /// The policy.
        #[arg(long)]
        policy: PathBuf,
        /// Ask the log as it was at this size; by default the newest.
        #[arg(long)]
        at: Option<u64>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Is any record missing? Numbers without gap, chain intact, up to the newest cosigned head.
    #[command(
        after_help = "Example:\n  verifier completeness --log log/public --policy policy --at-least 42:1a2b-3c4d-5e6f-7081"
    )]
    Completeness {
        /// A copy of the published log.
        #[arg(long)]
        log: PathBuf,
        /// The policy.
        #[arg(long)]
        policy: PathBuf,
        /// Only this signer.
        #[arg(long)]
        signer: Option<String>,
        /// The tail that the operator wrote down: the log must reach it.
        #[arg(long)]
        at_least: Option<String>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Takes a part out of a proof, for other tools.
    #[command(after_help = "Example:\n  verifier export app.proof --tlog-proof -o app.tlog-proof")]
    Export {
        /// The proof.
        proof: PathBuf,
        #[command(flatten)]
        part: PartArgs,
        /// The file.
        #[arg(short, long)]
        output: PathBuf,
        /// Replace the file if it exists.
        #[arg(long)]
        force: bool,
    },
    /// Does the log still hold what its receipts promised? If not, writes what convicts it.
    #[command(
        after_help = "Example:\n  verifier promises app.txt.proof --log https://log.example/releases --policy policy"
    )]
    Promises {
        /// Proofs.
        #[arg(required = true)]
        proofs: Vec<PathBuf>,
        /// The log, or a copy of it: a folder or a URL.
        #[arg(long)]
        log: PathBuf,
        /// The policy.
        #[arg(long)]
        policy: PathBuf,
        /// Where evidence goes.
        #[arg(long, default_value = "log.evidence.cbor")]
        evidence: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Evidence of misbehaviour.
    Evidence {
        #[command(subcommand)]
        command: EvidenceCommand,
    },
    /// What a policy amounts to, and how one is made.
    #[command(
        after_help = "Examples:\n  verifier policy check policy\n  verifier policy init --log log.policy --witness w1.policy w2.policy w3.policy -o policy"
    )]
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
}

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

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct PartArgs {
    /// C2SP tlog-proof.
    #[arg(long)]
    tlog_proof: bool,
    /// The bare receipt (RFC 9942).
    #[arg(long)]
    receipt: bool,
    /// The signed statement (RFC 9943).
    #[arg(long)]
    statement: bool,
    /// The document's signature file.
    #[arg(long)]
    signature: bool,
    /// The cosigned checkpoint.
    #[arg(long)]
    checkpoint: bool,
}

impl PartArgs {
    pub(crate) fn chosen(&self) -> Part {
        match self {
            PartArgs { tlog_proof: true, .. } => Part::TlogProof,
            PartArgs { receipt: true, .. } => Part::Receipt,
            PartArgs { statement: true, .. } => Part::Statement,
            PartArgs { signature: true, .. } => Part::Signature,
            PartArgs { .. } => Part::Checkpoint,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Documents, or folders with --recursive; each one's proof is beside it as FILE.proof.
    files: Vec<PathBuf>,
    /// The proof, if it is elsewhere.
    #[arg(long)]
    proof: Option<PathBuf>,
    /// The policy: logs, witnesses, quorum.
    #[arg(long)]
    policy: PathBuf,
    /// How many logs of the policy must have the signature.
    #[arg(long, default_value_t = 1)]
    require_logs: usize,
    /// Check this signature file too (SSHSIG or minisign).
    #[arg(long)]
    signature: Option<PathBuf>,
    /// The key that must have signed: 64 hex digits, an OpenSSH public key, or its file.
    #[arg(long)]
    signer: Option<String>,
    /// Take what is in folders. A signature beside its document, in the recorded format, is checked with
    /// it; what is neither a document nor beside one is refused.
    #[arg(long)]
    recursive: bool,
    /// More documents, one name a line.
    #[arg(long)]
    files_from: Option<PathBuf>,
    /// The document is a list of sha256sum: check the files that it names as well.
    #[arg(long)]
    checksums: bool,
    /// Go on after a document that is not proven.
    #[arg(long)]
    keep_going: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

impl From<CheckArgs> for check::Options {
    fn from(args: CheckArgs) -> check::Options {
        check::Options {
            files: args.files,
            proof: args.proof,
            policy: args.policy,
            require_logs: args.require_logs,
            signature: args.signature,
            signer: args.signer,
            recursive: args.recursive,
            files_from: args.files_from,
            checksums: args.checksums,
            keep_going: args.keep_going,
            json: args.json,
        }
    }
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
