//! The command line of `log`.

mod serve;

use clap::{Parser, Subcommand};
use coldlog_kit::custody::NewKey;
use coldlog_kit::optical::Show;
use coldlog_kit::secret::Source;
use serve::ServeArgs;
use std::path::PathBuf;

/// Verifies records, appends them to a Merkle tree, signs tree heads, and hands back receipts.
///
/// Exit codes: 0 done, 1 refused, 2 trouble (usage, unreadable input, I/O).
#[derive(Debug, Parser)]
#[command(name = "log", version, max_term_width = 100)]
pub(crate) struct Args {
    /// The log's folder: its key, what it allows, and `public/`, which any web server can publish.
    #[arg(long, global = true, env = "COLDLOG_LOG", default_value = "coldlog-log")]
    pub(crate) home: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a log: its keys, Ed25519 and ML-DSA-44, and its empty head.
    #[command(
        after_help = "Examples:\n  log init --origin log.example/releases\n  log init --origin log.example/releases --rehearsal"
    )]
    Init {
        /// The log's origin: a schema-less URL, its name for ever.
        #[arg(long)]
        origin: String,
        /// Make a log to practise with: its origin begins with rehearsal.invalid/, and nothing real takes
        /// what it makes.
        #[arg(long)]
        rehearsal: bool,
        /// The object store to publish into, for example s3://bucket/log; without it a folder,
        /// `public/` in the log's own. Its credentials come from the environment.
        #[arg(long)]
        store: Option<String>,
        /// Do not encrypt the key file: for a machine that runs unattended.
        #[arg(long)]
        unencrypted: bool,
        #[command(flatten)]
        place: NewKey,
        #[command(flatten)]
        secret: Source,
    },
    /// Lets this machine write a log that is in an object store, beside those that do already. The
    /// log's key file must be in the folder: copy it there first.
    #[command(after_help = "Example:\n  log join --store s3://bucket/log --home second")]
    Join {
        /// The object store.
        #[arg(long)]
        store: String,
        #[command(flatten)]
        secret: Source,
    },
    /// Allows a signer to write, by its genesis and the fingerprint that its operator read to you.
    #[command(after_help = "Example:\n  log allow usb/genesis.cbor --fingerprint 5f0c...")]
    Allow {
        /// The signer's genesis.
        genesis: PathBuf,
        /// The fingerprint that `signer init` printed.
        #[arg(long)]
        fingerprint: String,
        #[command(flatten)]
        secret: Source,
    },
    /// Publishes a revocation that `signer revoke --prepare` made, when the signer's machine is gone.
    #[command(after_help = "Example:\n  log revoke revocation.age --identity drawer.key")]
    Revoke {
        /// The prepared revocation, sealed or opened.
        revocation: PathBuf,
        /// The age identity that opens it.
        #[arg(long)]
        identity: Option<PathBuf>,
        #[command(flatten)]
        secret: Source,
    },
    /// Prints the admission rules in force, as a file for `log set-rules`.
    #[command(after_help = "Example:\n  log rules > rules")]
    Rules {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Puts other admission rules in force: appends them to the log, for everybody to see.
    #[command(after_help = "Examples:\n  log rules > rules\n  log set-rules rules")]
    SetRules {
        /// The file: who may write, and what is demanded of statements.
        rules: PathBuf,
        #[command(flatten)]
        secret: Source,
    },
    /// Lists the signers that may write.
    #[command(after_help = "Example:\n  log signers --json")]
    Signers {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Verifies batches and appends each whole or not at all. Appending twice changes nothing.
    #[command(
        after_help = "Examples:\n  log append usb/monday.batch.cbor\n  log append usb/*.batch.cbor -o usb --keep-going\n  zbarcam --raw | log append --qr - monday.batch.cbor"
    )]
    Append {
        /// The signers' batches.
        #[arg(required = true)]
        batches: Vec<PathBuf>,
        /// Put the batch together from QR codes first, and write it where it is named: a folder of PNGs, a
        /// GIF, a page, or lines as a scanner prints them (a file, or - for stdin).
        #[arg(long, value_name = "SOURCE")]
        qr: Option<PathBuf>,
        /// Write receipts under the new head, before witnesses cosigned it: a file, or for several
        /// batches a folder that is there.
        #[arg(short, long)]
        output: Option<PathBuf>,
        /// Replace the receipts file (and, with --qr, the batch) if it exists.
        #[arg(long)]
        force: bool,
        /// Go on after a batch that is refused.
        #[arg(long)]
        keep_going: bool,
        #[command(flatten)]
        secret: Source,
    },
    /// Writes the request for the witnesses to cosign the newest head.
    #[command(
        after_help = "Examples:\n  log witness-request -o usb/monday.witness-request.cbor\n  log witness-request --qr terminal"
    )]
    WitnessRequest {
        /// The request file; with --qr it may be left out.
        #[arg(short, long, required_unless_present = "qr")]
        output: Option<PathBuf>,
        /// The size that the witness saw last; by default the newest that witnesses cosigned.
        #[arg(long)]
        old: Option<u64>,
        /// Replace the file, or the QR codes, if they exist.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        show: Show,
    },
    /// Adds the witnesses' answers to the newest head.
    #[command(
        after_help = "Examples:\n  log add-cosignatures usb/*.witness-response.cbor --policy policy\n  zbarcam --raw | log add-cosignatures --qr - --policy policy"
    )]
    AddCosignatures {
        /// The witnesses' answers; one of them is written, where its QR codes are read.
        #[arg(required_unless_present = "qr")]
        responses: Vec<PathBuf>,
        /// Put one answer together from QR codes first: a folder of PNGs, a GIF, a page, or lines as a scanner
        /// prints them (a file, or - for stdin).
        #[arg(long, value_name = "SOURCE")]
        qr: Option<PathBuf>,
        /// The policy: its witnesses and its quorum.
        #[arg(long)]
        policy: PathBuf,
    },
    /// Asks all witnesses of a policy that have a URL to cosign the newest head, at once, over HTTP.
    #[command(after_help = "Example:\n  log cosign --policy policy")]
    Cosign {
        /// The policy: its witnesses (`witness <name> <vkey> <url>`) and its quorum.
        #[arg(long)]
        policy: PathBuf,
        /// Seconds that each witness has.
        #[arg(long, default_value_t = 10)]
        deadline: u64,
        /// Milliseconds that the others have once the quorum holds.
        #[arg(long, default_value_t = 1000)]
        linger: u64,
    },
    /// Writes the receipts of a batch under the newest, cosigned head.
    #[command(
        after_help = "Examples:\n  log receipts usb/monday.batch.cbor -o usb/monday.receipts.cbor --policy policy\n  log receipts monday.batch.cbor --qr terminal --policy policy"
    )]
    Receipts {
        /// The batch.
        batch: PathBuf,
        /// The receipts file; with --qr it may be left out.
        #[arg(short, long, required_unless_present = "qr")]
        output: Option<PathBuf>,
        /// Refuse unless the head meets this policy's quorum.
        #[arg(long)]
        policy: Option<PathBuf>,
        /// Prove consistency from this size instead of the one in the batch.
        #[arg(long)]
        old: Option<u64>,
        /// Replace the file, or the QR codes, if they exist.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        show: Show,
        #[command(flatten)]
        secret: Source,
    },
    /// Writes what this log has of one journal, under its newest head, for a signer whose machine died:
    /// `signer recover`.
    #[command(
        after_help = "Example:\n  log journal-of signer.example/release journal -o usb/own.statements.cbor --policy policy"
    )]
    JournalOf {
        /// The signer's name.
        issuer: String,
        /// The journal's name.
        journal: String,
        /// The file.
        #[arg(short, long)]
        output: PathBuf,
        /// Begin at this number; the signer must have all before it.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// The size of the newest head that the signer remembers; `signer restore` says it.
        #[arg(long, default_value_t = 0)]
        old: u64,
        /// Refuse unless the head meets this policy's quorum.
        #[arg(long)]
        policy: Option<PathBuf>,
        /// Replace the file if it exists.
        #[arg(long)]
        force: bool,
    },
    /// Prints the newest checkpoint.
    #[command(after_help = "Example:\n  log head > checkpoint")]
    Head {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Writes a COSE receipt: inclusion of an entry, or consistency with an older size.
    #[command(
        after_help = "Examples:\n  log prove --index 7 -o seven.receipt.cbor\n  log prove --consistency 20 -o since-20.receipt.cbor"
    )]
    Prove {
        /// An entry's index.
        #[arg(long, conflicts_with = "consistency")]
        index: Option<u64>,
        /// An older size.
        #[arg(long)]
        consistency: Option<u64>,
        /// The receipt file.
        #[arg(short, long)]
        output: PathBuf,
        /// Replace the file if it exists.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        secret: Source,
    },
    /// Lets a log sign again that was restored, copied or moved: compares it with the heads that others
    /// have, and brings back what is lost.
    #[command(
        after_help = "Examples:\n  log recover --newest usb/auditor.checkpoint\n  log recover --newest head --from s3://mirror/log\n  log recover --newest head --from https://mirror.example/HASH --token-file token\n  log recover --newest head --batches usb/monday.batch.cbor usb/tuesday.batch.cbor"
    )]
    Recover {
        /// The newest heads that witnesses, mirrors or auditors have; one at least.
        #[arg(long, required = true, num_args = 1..)]
        newest: Vec<PathBuf>,
        /// A mirror that has what is lost: its URL, a published folder, or the URL of a store.
        #[arg(long, conflicts_with = "batches")]
        from: Option<String>,
        /// A reader's token (mode 0600), for sealed records over HTTP.
        #[arg(long, requires = "from")]
        token_file: Option<PathBuf>,
        /// The signers' batches that hold what is lost (`signer export --from N`), and the files of rules,
        /// in the order in which they were appended.
        #[arg(long, num_args = 1..)]
        batches: Vec<PathBuf>,
        #[command(flatten)]
        secret: Source,
    },
    /// Copies what is new to a backup, and reads it back; one that was interrupted goes on.
    #[command(
        after_help = "Examples:\n  log backup /mnt/backup/log\n  log backup s3://backups/log"
    )]
    Backup {
        /// A folder, or the URL of a store.
        to: String,
        /// Take the key file along, which must be encrypted.
        #[arg(long)]
        with_key: bool,
    },
    /// Makes a log anew from a backup. It signs only after `log recover`.
    #[command(
        after_help = "Example:\n  log restore /mnt/backup/log --key usb/key.age --home restored"
    )]
    Restore {
        /// The backup.
        from: String,
        /// The object store to restore into; without it the log's folder.
        #[arg(long)]
        store: Option<String>,
        /// The log's key file, where the backup has none.
        #[arg(long)]
        key: Option<PathBuf>,
    },
    /// Restores a backup into a scratch folder, checks all of it, and tells how long it took.
    #[command(after_help = "Example:\n  log drill /mnt/backup/log")]
    Drill {
        /// The backup.
        from: String,
        /// Heads that others have: the backup must fit them.
        #[arg(long, num_args = 1..)]
        newest: Vec<PathBuf>,
        /// By how many entries the backup may be behind: a log that is written meanwhile has newer ones.
        #[arg(long, default_value_t = 0)]
        behind: u64,
    },
    /// Removes partial tiles whose full one is there, and what interrupted commands left.
    #[command(after_help = "Example:\n  log gc --dry-run")]
    Gc {
        /// Only name what would be removed.
        #[arg(long)]
        dry_run: bool,
    },
    /// Serves the log over HTTP: its published files, registration (SCRAPI) and batches.
    #[command(
        after_help = "Examples:\n  log serve --listen 127.0.0.1:8080\n  log serve --listen [::]:443 --tls-certificate chain.pem --tls-key key.pem"
    )]
    Serve(ServeArgs),
    /// Lets somebody read sealed records from a server; prints a token, once.
    #[command(
        after_help = "Examples:\n  log allow-reader auditor@bank.example\n  log allow-reader auditor@bank.example --certificate auditor.pem"
    )]
    AllowReader {
        /// The reader's name, for the access journal.
        name: String,
        /// Know the reader by this client certificate, in PEM, instead of a token.
        #[arg(long)]
        certificate: Option<PathBuf>,
    },
    /// Takes back what `log allow-reader` allowed; a running server heeds it at once.
    #[command(after_help = "Example:\n  log forget-reader auditor@bank.example")]
    ForgetReader {
        /// The reader's name.
        name: String,
    },
    /// Lists who may read sealed records from a server.
    #[command(after_help = "Example:\n  log readers --json")]
    Readers {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Shows who read which sealed records, and whether that journal is whole.
    #[command(after_help = "Example:\n  log accesses --json")]
    Accesses {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Changes the log's key: makes new ones, which sign every head beside the old from then on, and a note
    /// by which those who trust the old key come to trust the new; with --finish, they sign alone.
    #[command(
        after_help = "Examples:\n  log rotate-key -o usb/rotation\n  log rotate-key --finish"
    )]
    RotateKey {
        /// The note for all who have a policy.
        #[arg(short, long, required_unless_present = "finish", conflicts_with = "finish")]
        output: Option<PathBuf>,
        /// Replace the note if it exists.
        #[arg(long)]
        force: bool,
        /// The new keys sign alone; the old file is set aside.
        #[arg(long)]
        finish: bool,
        #[command(flatten)]
        place: NewKey,
        #[command(flatten)]
        secret: Source,
    },
    /// Encrypts sealed records anew, to other auditors, by someone who may open them; entries and proofs
    /// stay as they are, and the log says so in itself.
    #[command(
        after_help = "Example:\n  log reseal --identity usb/auditor.key --auditor age1new... --by Ada --purpose \"Grace has left\""
    )]
    Reseal {
        /// An age identity file that opens the records.
        #[arg(long)]
        identity: PathBuf,
        /// Who shall open them from now on: every recipient, the signers' own included where they shall.
        #[arg(long = "auditor", required = true)]
        auditors: Vec<String>,
        /// Who opens them; it stands in the log, in the clear.
        #[arg(long)]
        by: String,
        /// Why; it stands in the log, in the clear.
        #[arg(long, default_value = "")]
        purpose: String,
        /// The index of the first entry.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// The index after the last entry; by default all that there are.
        #[arg(long)]
        to: Option<u64>,
        #[command(flatten)]
        secret: Source,
    },
    /// Ends the log at its newest head, which must be cosigned: it takes nothing more.
    #[command(after_help = "Example:\n  log freeze --policy policy")]
    Freeze {
        /// The policy whose quorum has cosigned the last head.
        #[arg(long)]
        policy: PathBuf,
        #[command(flatten)]
        secret: Source,
    },
    /// Makes the successor of a log that was frozen: its first entry names the predecessor's last head.
    #[command(
        after_help = "Example:\n  log migrate new-log --origin log.example/releases-2 --policy policy"
    )]
    Migrate {
        /// The successor's folder.
        to: PathBuf,
        /// The successor's origin.
        #[arg(long)]
        origin: String,
        /// The object store to publish the successor into; without it a folder.
        #[arg(long)]
        store: Option<String>,
        /// Do not encrypt the successor's key file.
        #[arg(long)]
        unencrypted: bool,
        /// The policy whose quorum has cosigned the predecessor's last head.
        #[arg(long)]
        policy: PathBuf,
        #[command(flatten)]
        secret: Source,
    },
    /// Makes the index anew from the entries; the old one is set aside.
    #[command(after_help = "Example:\n  log reindex")]
    Reindex,
    /// Recomputes every entry, tile, head and the index; names each damage, its place and its repair.
    #[command(after_help = "Examples:\n  log fsck\n  log fsck --repair")]
    Fsck {
        /// Make anew what the entries give: tiles and the index. What was there is set aside.
        #[arg(long)]
        repair: bool,
        /// Verify the cosignatures of every head by this policy, too.
        #[arg(long)]
        policy: Option<PathBuf>,
        /// Open every sealed record, too, with these age identity files, and hold it against its commitment.
        #[arg(long, num_args = 1..)]
        identity: Vec<PathBuf>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}
