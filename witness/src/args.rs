//! The command line of `witness`.

use clap::{Parser, Subcommand};
use coldlog_kit::custody::NewKey;
use coldlog_kit::optical::Show;
use coldlog_kit::secret::Source;
use coldlog_witness::serve::Through;
use std::net::SocketAddr;
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
        /// Make a witness to practise with: its name begins with rehearsal.invalid/, and nothing real takes
        /// what it makes.
        #[arg(long)]
        rehearsal: bool,
        /// Do not encrypt the key file: for a machine that runs unattended.
        #[arg(long)]
        unencrypted: bool,
        #[command(flatten)]
        place: NewKey,
        #[command(flatten)]
        secret: Source,
    },
    /// Watches the logs that a file names.
    #[command(
        after_help = "Examples:\n  witness add-log usb/log.policy\n  witness add-log --list log-list.1\n  witness add-log --rotation usb/rotation"
    )]
    AddLog {
        /// A policy file, or a log's own lines.
        policy: Option<PathBuf>,
        /// A list of logs, as the witness network publishes them.
        #[arg(long, conflicts_with = "policy")]
        list: Option<PathBuf>,
        /// The note by which a log's old key hands over to its new one (`log rotate-key`): both are taken from
        /// then on; with a policy file, those that it names.
        #[arg(long)]
        rotation: Option<PathBuf>,
        /// Take other keys for a log that is watched already.
        #[arg(long)]
        replace: bool,
    },
    /// Watches a log no longer. What was cosigned of it stays remembered.
    #[command(after_help = "Example:\n  witness remove-log log.example/releases")]
    RemoveLog {
        /// The log's origin.
        origin: String,
    },
    /// The logs that are watched.
    #[command(after_help = "Example:\n  witness list --json")]
    List {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Answers a log's request: cosignatures, or the protocol's refusal.
    #[command(
        after_help = "Examples:\n  witness cosign usb/monday.witness-request.cbor -o usb/w1.witness-response.cbor\n  zbarcam --raw | witness cosign --qr-request - --qr terminal"
    )]
    Cosign {
        /// The log's request; with --qr-request it may be left out, or is written.
        #[arg(required_unless_present = "qr_request")]
        request: Option<PathBuf>,
        /// Put the request together from QR codes first: a folder of PNGs, a GIF, a page, or lines as a scanner
        /// prints them (a file, or - for stdin).
        #[arg(long, value_name = "SOURCE")]
        qr_request: Option<PathBuf>,
        /// The answer; with --qr it may be left out.
        #[arg(short, long, required_unless_present = "qr")]
        output: Option<PathBuf>,
        /// Where evidence goes if the log shows another history.
        #[arg(long, default_value = "log.evidence.cbor")]
        evidence: PathBuf,
        /// Replace the answer (the request, the QR codes) if it exists.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        show: Show,
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
    /// Cosigns over HTTP (C2SP tlog-witness), and shows the newest head of each log.
    #[command(
        after_help = "Examples:\n  witness serve --listen 127.0.0.1:8081\n  witness serve --listen [::]:443 --tls-certificate chain.pem --tls-key key.pem\n  witness serve --bastion bastion.example:443"
    )]
    Serve {
        /// Address and port; port 0 lets the system pick one, which is printed. With --bastion none is opened
        /// unless one is named here; otherwise it is 127.0.0.1:8081.
        #[arg(long)]
        listen: Option<SocketAddr>,
        #[command(flatten)]
        through: Through,
        /// The certificate chain, in PEM.
        #[arg(long, requires = "tls_key")]
        tls_certificate: Option<PathBuf>,
        /// Its key, in PEM (mode 0600).
        #[arg(long, requires = "tls_certificate")]
        tls_key: Option<PathBuf>,
        /// Connections at the same time.
        #[arg(long, default_value_t = 4096)]
        connections: usize,
        /// Requests a second from one address.
        #[arg(long, default_value_t = 100)]
        rate: u32,
        /// Seconds that a connection may be idle, or take for a request's header or body.
        #[arg(long, default_value_t = 30)]
        header_time: u64,
        /// Take the client's address from the last entry of X-Forwarded-For: behind a proxy that sets it. What
        /// comes through a bastion is always taken so.
        #[arg(long)]
        behind_proxy: bool,
        /// Seconds after which an unchanged head is cosigned anew, with a new time.
        #[arg(long, default_value_t = 10)]
        heartbeat: u64,
        /// Monitoring prefixes of other witnesses or mirrors: at the start, each is asked for newer heads that
        /// this witness has cosigned and forgotten, as is each log whose URL is known.
        #[arg(long = "peer")]
        peers: Vec<String>,
        /// Log in JSON.
        #[arg(long)]
        json_log: bool,
        /// Stop by itself after so many seconds.
        #[arg(long)]
        stop_after: Option<u64>,
        #[command(flatten)]
        secret: Source,
    },
    /// The key by which a bastion knows this witness, made where there is none, and its hash.
    #[command(after_help = "Example:\n  witness bastion-key")]
    BastionKey {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Writes what this witness remembers into a file.
    #[command(after_help = "Example:\n  witness export-state -o usb/w1.heads.cbor")]
    ExportState {
        /// The file.
        #[arg(short, long)]
        output: PathBuf,
        /// Replace it.
        #[arg(long)]
        force: bool,
    },
    /// Takes newer heads from such a file: only those that this witness has cosigned itself.
    #[command(after_help = "Example:\n  witness import-state usb/w1.heads.cbor")]
    ImportState {
        /// The file.
        state: PathBuf,
    },
    /// Lets a witness cosign again whose folder was restored, copied or moved.
    #[command(after_help = "Example:\n  witness recover --newest usb/checkpoint")]
    Recover {
        /// The newest heads that carry this witness's cosignature: from each log, a mirror, an auditor.
        #[arg(long, num_args = 1..)]
        newest: Vec<PathBuf>,
        /// Nobody has a newer head than this folder: you have asked.
        #[arg(long)]
        nothing_newer: bool,
    },
}
