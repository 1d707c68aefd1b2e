//! The command line of `signer`.

use clap::{Args as ClapArgs, Parser, Subcommand};
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
    #[command(after_help = "Example:\n  signer export -o usb/monday.batch.cbor")]
    Export {
        /// The batch file.
        #[arg(short, long)]
        output: PathBuf,
        /// All records from this number on, with or without receipts: for a log that lost some.
        #[arg(long)]
        from: Option<u64>,
        /// The origin of the log that the batch is for; it must be said once a journal is in two.
        #[arg(long)]
        log: Option<String>,
        /// Instead of a batch, a file for each record that a log's server takes by itself
        /// (SCRAPI, POST /entries); the output is a folder.
        #[arg(long)]
        each: bool,
        /// Replace the file if it exists.
        #[arg(long)]
        force: bool,
    },
    /// Verifies receipts against the policy and the journal, then writes FILE.proof files.
    #[command(after_help = "Example:\n  signer import usb/monday.receipts.cbor --policy policy")]
    Import {
        /// The log's receipts file.
        receipts: PathBuf,
        /// The policy: logs, witnesses, quorum.
        #[arg(long)]
        policy: PathBuf,
        /// Where proofs go; by default beside each signature.
        #[arg(long)]
        output_dir: Option<PathBuf>,
        /// Where evidence goes if the log shows another history.
        #[arg(long, default_value = "log.evidence.cbor")]
        evidence: PathBuf,
        /// Replace proofs that exist.
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
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
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
    /// Make a signer to practise with: its name begins with rehearsal.invalid/, and nothing real takes
    /// what it makes.
    #[arg(long, conflicts_with = "import_ssh_key")]
    rehearsal: bool,
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
    /// Ask nothing but the passphrase.
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    secret: Source,
}

impl From<InitArgs> for init::Options {
    fn from(args: InitArgs) -> init::Options {
        init::Options {
            name: args.name,
            rehearsal: args.rehearsal,
            journal: args.journal,
            operators: args.operator,
            auditors: args.auditor,
            device: args.device,
            import_ssh_key: args.import_ssh_key,
            scrypt_log_n: args.scrypt_log_n,
            yes: args.yes,
            secret: args.secret,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SignArgs {
    /// Files, folders with --recursive, or - for stdin.
    files: Vec<PathBuf>,
    /// Who signs; one of the genesis's operators. On a terminal it is asked for where it is missing, as
    /// are version and purpose.
    #[arg(long)]
    operator: Option<String>,
    /// The document's name in the record; by default the file's name. For one file only.
    #[arg(long)]
    name: Option<String>,
    /// The documents' version.
    #[arg(long)]
    version: Option<String>,
    /// Why.
    #[arg(long)]
    purpose: Option<String>,
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
    /// Sign without asking. Where stdin or stderr is no terminal, nothing is asked anyway.
    #[arg(short, long)]
    yes: bool,
    /// On a terminal, show each document before the question, where many would be summed up.
    #[arg(long)]
    show_all: bool,
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
            yes: args.yes,
            show_all: args.show_all,
            self_check: sign::self_check,
            secret: args.secret,
        }
    }
}
