//! The command line of `signer`.

mod approvals;
mod life;
mod shares;

pub(crate) use approvals::{ApproveArgs, RequestArgs};
pub(crate) use life::{ByArgs, ChangeArgs, RecoverArgs};
pub(crate) use shares::Shares;

use clap::{Args as ClapArgs, Parser, Subcommand};
use coldlog_kit::custody::NewKey;
use coldlog_kit::optical::Show;
use coldlog_kit::secret::Source;
use coldlog_signer::commands::{init, sign};
use coldlog_signer::factors::SecondSource;
use coldlog_spec::factor::SecondFactor;
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
    /// Asks the approvers whom the genesis names: writes what they are to approve.
    #[command(
        after_help = "Example:\n  signer request app.tar.gz --operator Ada --version 1.2 --purpose release --expires 24h -o app.request.cbor"
    )]
    Request(RequestArgs),
    /// Approves a request, on an approver's own machine: shows it, reads the documents, asks, signs.
    #[command(
        after_help = "Examples:\n  signer approve app.request.cbor app.tar.gz --key ben.key -o ben.approval.cbor\n  signer approve app.request.cbor --documents dist --key ben.key -o ben.approval.cbor"
    )]
    Approve(ApproveArgs),
    /// Makes an approver's key, on the approver's own machine.
    #[command(
        after_help = "Example:\n  signer approver-key --name Ben -o ben.key      (and ben.key.pub)"
    )]
    ApproverKey {
        /// The approver's name.
        #[arg(long)]
        name: String,
        /// The key file.
        #[arg(short, long)]
        output: PathBuf,
        /// Cost of opening the key file: scrypt with 2^N.
        #[arg(long, default_value_t = coldlog_kit::keyfile::SCRYPT_LOG_N, value_parser = clap::value_parser!(u8).range(10..=22))]
        scrypt_log_n: u8,
        #[command(flatten)]
        place: NewKey,
        #[command(flatten)]
        secret: Source,
    },
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
    /// Copies journal and key file to a removable medium, beside the older copies, and reads all back. The
    /// journal is sealed to the auditors and the signer; a key file that is not encrypted is refused.
    #[command(
        after_help = "Examples:\n  signer backup /media/vault/signer\n  signer backup /media/vault/signer --verify"
    )]
    Backup {
        /// The folder on the medium.
        folder: PathBuf,
        /// Read every generation there, hold it against its manifest, and write nothing.
        #[arg(long)]
        verify: bool,
        /// Generations that stay; older ones go when the new one is verified.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..))]
        keep: u16,
        /// One JSON object, with --verify.
        #[arg(long, requires = "verify")]
        json: bool,
    },
    /// Makes a signer's folder out of a backup. It does not sign before `signer recover`.
    #[command(after_help = "Example:\n  signer restore /media/vault/signer --home new")]
    Restore {
        /// The folder on the medium.
        folder: PathBuf,
        /// Which generation, if not the newest.
        #[arg(long)]
        generation: Option<u64>,
        /// A second person's passphrase opens the key file too.
        #[arg(long)]
        second_passphrase: bool,
        /// The key is in a token, and this is the module that speaks to it.
        #[arg(long, value_name = "MODULE")]
        pkcs11: Option<PathBuf>,
        #[command(flatten)]
        secret: Source,
        #[command(flatten)]
        second: SecondSource,
    },
    /// Shares of a recovery key, k of n: for the day when nobody has the passphrase.
    #[command(subcommand)]
    Shares(Shares),
    /// Brings a restored journal up to date with what the log has of it, and lets it sign again.
    #[command(
        after_help = "Example:\n  signer recover --statements usb/own.statements.cbor --policy policy --tail 42:1a2b-3c4d-5e6f-7081"
    )]
    Recover(RecoverArgs),
    /// Lets a copied or moved journal sign again, after the newest tail from paper.
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
    /// Hands the journal over to a new key: the old key signs the record, the new one consents.
    #[command(
        after_help = "Example:\n  signer rotate-key --operator Ada --purpose 'the yearly change'"
    )]
    RotateKey {
        #[command(flatten)]
        by: ByArgs,
        /// Bring an unencrypted OpenSSH Ed25519 private key instead of making one.
        #[arg(long, conflicts_with_all = ["pkcs11", "ssh_agent"])]
        import_ssh_key: Option<PathBuf>,
        #[command(flatten)]
        place: NewKey,
        /// Cost of opening the key file: scrypt with 2^N.
        #[arg(long, default_value_t = coldlog_kit::keyfile::SCRYPT_LOG_N, value_parser = clap::value_parser!(u8).range(10..=22))]
        scrypt_log_n: u8,
    },
    /// Changes who operates the signer, reads its records, and approves: by a record, from the next one on.
    #[command(
        after_help = "Example:\n  signer change --operator Ada --purpose 'Grace leaves' --remove-operator Grace --add-operator Edsger"
    )]
    Change {
        #[command(flatten)]
        by: ByArgs,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Revokes a key from a bound on; what witnesses saw before it stays good.
    #[command(
        after_help = "Examples:\n  signer revoke --operator Ada --purpose 'the stick was stolen' --since-time 2026-03-01T12:00:00Z\n  signer revoke --operator Ada --purpose 'for the drawer' --prepare revocation.age --to age1..."
    )]
    Revoke {
        #[command(flatten)]
        by: ByArgs,
        /// The key; by default the one in force, with which the journal ends.
        #[arg(long)]
        key: Option<String>,
        /// Records from this number on are not to be trusted.
        #[arg(long)]
        since_record: Option<u64>,
        /// What no witness saw by this time is not to be trusted (2026-03-01T12:00:00Z).
        #[arg(long)]
        since_time: Option<String>,
        /// What is not in the tree of this head (a checkpoint file) is not to be trusted.
        #[arg(long)]
        since_head: Option<PathBuf>,
        /// Write nothing into the journal: prepare a revocation, sealed into this file.
        #[arg(long, requires = "to", conflicts_with = "key")]
        prepare: Option<PathBuf>,
        /// Who may open what is prepared: an age recipient; repeat for several.
        #[arg(long, requires = "prepare")]
        to: Vec<String>,
    },
    /// Ends the journal as planned: all that was signed stays good, nothing more can be signed.
    #[command(
        after_help = "Example:\n  signer retire --operator Ada --purpose 'the product has ended'"
    )]
    Retire {
        #[command(flatten)]
        by: ByArgs,
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
    #[arg(long, conflicts_with_all = ["pkcs11", "ssh_agent"])]
    import_ssh_key: Option<PathBuf>,
    /// The folder of a journal that was lost, as it was restored: this one goes on with it, and says so.
    #[arg(long, value_name = "FOLDER")]
    recovers: Option<PathBuf>,
    /// Cost of opening the key file: scrypt with 2^N.
    #[arg(long, default_value_t = coldlog_kit::keyfile::SCRYPT_LOG_N, value_parser = clap::value_parser!(u8).range(10..=22))]
    scrypt_log_n: u8,
    /// Who may approve: NAME=FILE with an ssh-ed25519 public key; repeat for several. Not public.
    #[arg(long, requires = "approvals", value_name = "NAME=FILE")]
    approver: Vec<String>,
    /// How many of the approvers must approve before anything is signed.
    #[arg(long, requires = "approver", value_name = "K")]
    approvals: Option<usize>,
    /// What must be given beside the passphrase: totp, or second-passphrase.
    #[arg(long, value_parser = second_factor)]
    second_factor: Option<SecondFactor>,
    #[command(flatten)]
    place: NewKey,
    /// Ask nothing but the passphrase.
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    secret: Source,
    #[command(flatten)]
    second: SecondSource,
}

fn second_factor(name: &str) -> Result<SecondFactor, String> {
    SecondFactor::from_name(name).ok_or_else(|| "it is totp or second-passphrase".into())
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
            recovers: args.recovers,
            scrypt_log_n: args.scrypt_log_n,
            yes: args.yes,
            place: args.place,
            approvers: args.approver,
            threshold: args.approvals,
            second_factor: args.second_factor,
            secret: args.secret,
            second: args.second,
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
    /// Sign although the clock shows a time that cannot be; how far it is off is recorded.
    #[arg(long)]
    clock_wrong: bool,
    /// An approval that the genesis demands; repeat for several.
    #[arg(long, value_name = "FILE")]
    approval: Vec<PathBuf>,
    /// Sign without asking. Where stdin or stderr is no terminal, nothing is asked anyway.
    #[arg(short, long)]
    yes: bool,
    /// On a terminal, show each document before the question, where many would be summed up.
    #[arg(long)]
    show_all: bool,
    #[command(flatten)]
    secret: Source,
    #[command(flatten)]
    second: SecondSource,
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
            clock_wrong: args.clock_wrong,
            yes: args.yes,
            show_all: args.show_all,
            self_check: sign::self_check,
            approvals: args.approval,
            secret: args.secret,
            second: args.second,
        }
    }
}
