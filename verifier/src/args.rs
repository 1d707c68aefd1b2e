//! The command line of `verifier`.

mod audit;
mod bundle;
mod check;
mod evidence;
mod export;
mod keys;
mod monitor;
mod policy;
mod query;
mod report;

pub(crate) use audit::{AuditArgs, AuditKeyArgs};
pub(crate) use bundle::BundleArgs;
pub(crate) use check::CheckArgs;
pub(crate) use evidence::{EvidenceCommand, HeadsCommand};
pub(crate) use export::PartArgs;
pub(crate) use keys::{ImpactArgs, KeyEventsArgs};
pub(crate) use monitor::MonitorCommand;
pub(crate) use policy::PolicyCommand;
pub(crate) use query::QueryArgs;
pub(crate) use report::ReportArgs;

use clap::{Parser, Subcommand};
use coldlog_verifier::openings::OpeningArgs;
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
    /// Looks at everything in a log, from bytes, and tells all that is wrong.
    ///
    /// Heads, tiles, statements, journals, and with an identity the sealed records: people, approvals, times. Exit 1
    /// where a finding is as severe as --fail-on says.
    #[command(
        after_help = "Examples:\n  verifier audit --log public --policy policy --identity auditor.key --memory heads\n  verifier audit --log public --policy policy --identity auditor.key --documents releases\n  verifier audit --log public --policy policy --since 2026-06.audit --key auditor.audit-key -o 2026-07.audit"
    )]
    Audit(Box<AuditArgs>),
    /// Asks the records: by time, people, documents, keys, words, or in SQL; answers as a table, CSV or Parquet.
    ///
    /// What is opened stays in memory, but for the file that you name; and it is written down who asked and why.
    #[command(
        after_help = "Examples:\n  verifier query --log public --policy policy --identity auditor.key --operator Ada --from 2026-07-01 --why quarter\n  verifier query --log public --policy policy --identity auditor.key --sql 'SELECT operator, count(*) FROM records GROUP BY 1'\n  verifier query --log public --policy policy --identity auditor.key --format parquet -o records.parquet"
    )]
    Query(Box<QueryArgs>),
    /// Writes a report on a period, for management and for counsel: one HTML page and one PDF of the same content.
    #[command(
        after_help = "Example:\n  verifier report --log public --policy policy --identity auditor.key --period 2026-Q3 --organisation 'Example Ltd' --why 'quarterly report' -o report-2026-Q3"
    )]
    Report(Box<ReportArgs>),
    /// Writes entries with all that it takes to verify them into one zip file, for somebody who has nothing of ours.
    #[command(
        after_help = "Example:\n  verifier bundle 42 43 --log public --policy policy --identity auditor.key --why 'case 7' --file app.tar.gz --file app.tar.gz.proof --page verify.html -o case-7.zip"
    )]
    Bundle(Box<BundleArgs>),
    /// Makes the key with which an auditor signs what audits come to; prints its public key.
    #[command(
        after_help = "Example:\n  verifier audit-key --name auditor.example/ada -o auditor.audit-key"
    )]
    AuditKey(AuditKeyArgs),
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
        #[command(flatten)]
        opening: OpeningArgs,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Writes the key events of a log, each with its proof, for `check --key-events`.
    #[command(
        after_help = "Example:\n  verifier key-events --log public --policy policy --signer signer.example/releases -o alice.key-events"
    )]
    KeyEvents(KeyEventsArgs),
    /// Which signatures of a key stay trusted after a revocation, and which do not?
    #[command(
        after_help = "Examples:\n  verifier impact signer.pub --log public --policy policy\n  verifier impact signer.pub --log public --policy policy --since-time 2026-03-01T12:00:00Z --identity auditor.key"
    )]
    Impact(ImpactArgs),
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
        /// The log, or a copy of it: a folder, a URL, or an object store (s3://, gs://, az://).
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
    /// Rules over what a log shows, and alerts.
    #[command(
        after_help = "Examples:\n  verifier monitor rules --default > rules.toml\n  verifier monitor test rules.toml --over public --policy policy --identity auditor.key\n  verifier monitor run https://log.example/releases --rules rules.toml --policy policy --identity auditor.key"
    )]
    Monitor {
        #[command(subcommand)]
        command: MonitorCommand,
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
