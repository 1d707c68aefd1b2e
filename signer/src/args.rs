//! The command line of `signer`.

use clap::{Args as ClapArgs, Parser, Subcommand};
use coldlog_kit::optical::Show;
use coldlog_kit::secret::Source;
use coldlog_signer::commands::{init, sign};
use std::path::PathBuf;

/// Signs documents on an offline machine and records every signature before it is released.
///
/// Exit codes: 0 done, 1 refused, 2 trouble (usage, unreadable input, I/O).
#[derive(Debug, Parser)]
#[command(name = "signer", version, max_term_width = 100)]
pub(crate) struct Args {
    /// The signer's folder: its key file and its journal.
    #[arg(long, global = true, env = "COLDLOG_SIGNER", default_value = "coldlog-signer")]
    pub(crate) home: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes the signing key, the journal and its genesis.
    #[command(
        after_help = "Example:\n  signer init --name signer.example/release --operator Ada --auditor age1...\n\nThe genesis file is for the log's operator: `log allow`."
    )]
    Init(InitArgs),
    /// Signs files. Every record is durable before its signature is written.
    #[command(
        after_help = "Examples:\n  signer sign app.tar.gz --operator Ada --version 1.2 --purpose release\n  signer sign dist --recursive --operator Ada --version 1.2 --purpose release --output-dir usb\n  signer sign --manifest files.csv --operator Ada --purpose release     (columns: file,name,version,purpose)\n  cat notes | signer sign - --name notes --operator Ada --version 1 --purpose note > notes.sig"
    )]
    Sign(SignArgs),
    /// Writes all records that have no receipt yet to a batch for the log. Repeatable.
    #[command(
        after_help = "Examples:\n  signer export -o usb/monday.batch.cbor\n  signer export --qr terminal\n  signer export --qr monday.gif -o monday.batch.cbor"
    )]
    Export {
        /// The batch file; with --qr it may be left out.
        #[arg(short, long, required_unless_present = "qr")]
        output: Option<PathBuf>,
        /// All records from this number on, with or without receipts: for a log that lost some.
        #[arg(long)]
        from: Option<u64>,
        /// The origin of the log that the batch is for; it must be said once a journal is in two.
        #[arg(long)]
        log: Option<String>,
        /// Instead of a batch, a file for each record that a log's server takes by itself
        /// (SCRAPI, POST /entries); the output is a folder.
        #[arg(long, conflicts_with = "qr")]
        each: bool,
        /// Replace the file, or the QR codes, if they exist.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        show: Show,
    },
    /// Verifies receipts against the policy and the journal, then writes FILE.proof files.
    #[command(
        after_help = "Examples:\n  signer import usb/monday.receipts.cbor --policy policy\n  zbarcam --raw | signer import --qr - --policy policy"
    )]
    Import {
        /// The log's receipts file; with --qr it may be left out, or is written.
        #[arg(required_unless_present = "qr")]
        receipts: Option<PathBuf>,
        /// Put the file together from QR codes first: a folder of PNGs, a GIF, a page, or lines as a scanner
        /// prints them (a file, or - for stdin).
        #[arg(long, value_name = "SOURCE")]
        qr: Option<PathBuf>,
        /// The policy: logs, witnesses, quorum.
        #[arg(long)]
        policy: PathBuf,
        /// Where proofs go; by default beside each signature.
        #[arg(long)]
        output_dir: Option<PathBuf>,
        /// Where evidence goes if the log shows another history.
        #[arg(long, default_value = "log.evidence.cbor")]
        evidence: PathBuf,
        /// Replace proofs (and, with --qr, a receipts file) that exist.
        #[arg(long)]
        force: bool,
    },
    /// Lists the records.
    #[command(after_help = "Example:\n  signer list --json")]
    List {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Shows one record.
    #[command(after_help = "Example:\n  signer show 7")]
    Show {
        /// Its sequence number.
        sequence: u64,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Verifies every statement, the chain, the receipts and the tail of the journal.
    #[command(
        after_help = "Example:\n  signer verify-journal --at-least 42:1a2b-3c4d-5e6f-7081      (from paper)"
    )]
    VerifyJournal {
        /// The tail that was written down: the journal must reach it.
        #[arg(long)]
        at_least: Option<String>,
        /// Check the receipts' and heads' signatures under this policy too.
        #[arg(long)]
        policy: Option<PathBuf>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Lets a restored or moved journal sign again, after the newest tail from paper.
    #[command(after_help = "Example:\n  signer reopen --tail 42:1a2b-3c4d-5e6f-7081")]
    Reopen {
        /// The newest tail that was written down.
        #[arg(long)]
        tail: String,
    },
    /// What waits for a receipt, and since when.
    #[command(after_help = "Example:\n  signer status --json")]
    Status {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Prints the public key for ssh-keygen and minisign.
    #[command(after_help = "Example:\n  signer public-key")]
    PublicKey,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct InitArgs {
    /// The signer's name: a schema-less URL, public.
    #[arg(long)]
    name: String,
    /// The journal's name, public.
    #[arg(long, default_value = "journal")]
    journal: String,
    /// Who may operate this signer; repeat for several. Not public.
    #[arg(long, required = true)]
    operator: Vec<String>,
    /// An auditor's age recipient (age1...); repeat for several.
    #[arg(long, required = true)]
    auditor: Vec<String>,
    /// This machine, as records name it.
    #[arg(long, default_value = "offline machine")]
    device: String,
    /// Bring an unencrypted OpenSSH Ed25519 private key instead of making one.
    #[arg(long)]
    import_ssh_key: Option<PathBuf>,
    /// Cost of opening the key file: scrypt with 2^N.
    #[arg(long, default_value_t = coldlog_kit::keyfile::SCRYPT_LOG_N, value_parser = clap::value_parser!(u8).range(10..=22))]
    scrypt_log_n: u8,
    #[command(flatten)]
    secret: Source,
}

impl From<InitArgs> for init::Options {
    fn from(args: InitArgs) -> init::Options {
        init::Options {
            name: args.name,
            journal: args.journal,
            operators: args.operator,
            auditors: args.auditor,
            device: args.device,
            import_ssh_key: args.import_ssh_key,
            scrypt_log_n: args.scrypt_log_n,
            secret: args.secret,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SignArgs {
    /// Files, folders with --recursive, or - for stdin.
    files: Vec<PathBuf>,
    /// Who signs; one of the genesis's operators.
    #[arg(long)]
    operator: String,
    /// The document's name in the record; by default the file's name. For one file only.
    #[arg(long)]
    name: Option<String>,
    /// The documents' version.
    #[arg(long, default_value = "")]
    version: String,
    /// Why.
    #[arg(long, default_value = "")]
    purpose: String,
    /// The signature's format: sshsig or minisign.
    #[arg(long, default_value = "sshsig")]
    format: String,
    /// Take what is in folders.
    #[arg(long)]
    recursive: bool,
    /// More files, one name a line.
    #[arg(long)]
    files_from: Option<PathBuf>,
    /// A manifest of files: CSV with the columns file, and optionally name, version, purpose; or
    /// CBOR, when its name ends in .cbor.
    #[arg(long)]
    manifest: Option<PathBuf>,
    /// Where signatures go; by default beside each file.
    #[arg(long)]
    output_dir: Option<PathBuf>,
    /// Sign again and replace signatures that exist.
    #[arg(long)]
    force: bool,
    /// Go on after a document that cannot be read or signed; the run then ends with 2.
    #[arg(long)]
    keep_going: bool,
    #[command(flatten)]
    secret: Source,
}

impl From<SignArgs> for sign::Options {
    fn from(args: SignArgs) -> sign::Options {
        sign::Options {
            files: args.files,
            operator: args.operator,
            name: args.name,
            version: args.version,
            purpose: args.purpose,
            format: args.format,
            recursive: args.recursive,
            files_from: args.files_from,
            manifest: args.manifest,
            output_dir: args.output_dir,
            force: args.force,
            keep_going: args.keep_going,
            self_check: sign::self_check,
            secret: args.secret,
        }
    }
}
