//! The command line of `mirror`.

use clap::{Parser, Subcommand};
use coldlog_kit::custody::NewKey;
use coldlog_kit::secret::Source;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Keeps every byte of a log, and cosigns only heads that it can serve (C2SP tlog-mirror).
///
/// Exit codes: 0 done, 1 refused, 2 trouble (usage, unreadable input, I/O).
#[derive(Debug, Parser)]
#[command(name = "mirror", version, max_term_width = 100)]
pub(crate) struct Args {
    /// The mirror's folder: its key, and the copies of the logs.
    #[arg(long, global = true, env = "COLDLOG_MIRROR", default_value = "coldlog-mirror")]
    pub(crate) home: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes the mirror's keys, Ed25519 and ML-DSA-44, and its lines for a policy.
    #[command(
        after_help = "Example:\n  mirror init --name m1.example/mirror --url https://m1.example"
    )]
    Init {
        /// The mirror's name: a schema-less URL, and no witness's.
        #[arg(long)]
        name: String,
        /// Make a mirror to practise with: its name begins with rehearsal.invalid/, and nothing real takes
        /// what it makes.
        #[arg(long)]
        rehearsal: bool,
        /// Where logs ask it to cosign; it goes into its lines for a policy.
        #[arg(long)]
        url: Option<String>,
        /// Do not encrypt the key file: for a machine that runs unattended.
        #[arg(long)]
        unencrypted: bool,
        #[command(flatten)]
        place: NewKey,
        #[command(flatten)]
        secret: Source,
    },
    /// Mirrors a log from now on.
    #[command(
        after_help = "Examples:\n  mirror add-log log.policy --from https://log.example/releases --token-file token\n  mirror add-log log.policy --from /mnt/usb/public"
    )]
    AddLog {
        /// A policy file, or the log's own lines.
        policy: PathBuf,
        /// Where the log, or a copy of it, is read: a URL, a folder, the URL of an object store. The URL in the
        /// policy's `log` line, where none is said.
        #[arg(long)]
        from: Option<String>,
        /// A reader's token (`log allow-reader`; mode 0600), for sealed records over HTTP.
        #[arg(long)]
        token_file: Option<PathBuf>,
        /// Keep no sealed records: for logs that have none, or give this mirror none.
        #[arg(long)]
        entries_only: bool,
        /// Take other keys for a log that is mirrored already.
        #[arg(long)]
        replace: bool,
    },
    /// Mirrors a log no longer. Its copy stays, and what was cosigned stays remembered.
    #[command(after_help = "Example:\n  mirror remove-log log.example/releases")]
    RemoveLog {
        /// The log's origin.
        origin: String,
    },
    /// The logs that are mirrored, and how far.
    #[command(after_help = "Example:\n  mirror list --json")]
    List {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Fetches what is new, verifies it, and cosigns the head once all of it is here. One that was
    /// interrupted goes on.
    #[command(
        after_help = "Examples:\n  mirror follow\n  mirror follow log.example/releases -o usb/m1.witness-response.cbor"
    )]
    Follow {
        /// One log; all, where none is named.
        origin: Option<String>,
        /// Write the cosignatures into a file, for `log add-cosignatures`.
        #[arg(short, long)]
        output: Option<PathBuf>,
        /// Replace that file.
        #[arg(long)]
        force: bool,
        /// Seconds after which an unchanged head is cosigned anew, with a new time.
        #[arg(long, default_value_t = 600)]
        heartbeat: u64,
        #[command(flatten)]
        secret: Source,
    },
    /// Serves the copies by the logs' own paths, takes what logs send (C2SP tlog-mirror), and follows.
    #[command(
        after_help = "Examples:\n  mirror serve --listen 127.0.0.1:8082 --follow-every 10\n  mirror serve --listen [::]:443 --tls-certificate chain.pem --tls-key key.pem"
    )]
    Serve {
        /// Address and port; port 0 lets the system pick one, which is printed.
        #[arg(long, default_value = "127.0.0.1:8082")]
        listen: SocketAddr,
        /// The certificate chain, in PEM.
        #[arg(long, requires = "tls_key")]
        tls_certificate: Option<PathBuf>,
        /// Its key, in PEM (mode 0600).
        #[arg(long, requires = "tls_certificate")]
        tls_key: Option<PathBuf>,
        /// The authorities of readers' client certificates, in PEM.
        #[arg(long, requires = "tls_certificate")]
        client_authority: Option<PathBuf>,
        /// Connections at the same time.
        #[arg(long, default_value_t = 4096)]
        connections: usize,
        /// Heads, uploads and reads of sealed records a second from one address.
        #[arg(long, default_value_t = 100)]
        rate: u32,
        /// Seconds that a connection may be idle, or take for a request's header.
        #[arg(long, default_value_t = 30)]
        header_time: u64,
        /// Seconds within which an upload must be there.
        #[arg(long, default_value_t = 600)]
        upload_time: u64,
        /// Take the client's address from the last entry of X-Forwarded-For: behind a proxy that sets it.
        #[arg(long)]
        behind_proxy: bool,
        /// Follow all logs every so many seconds; without it, only those that send their heads.
        #[arg(long)]
        follow_every: Option<u64>,
        /// Seconds after which an unchanged head is cosigned anew, with a new time.
        #[arg(long, default_value_t = 600)]
        heartbeat: u64,
        /// Monitoring prefixes of witnesses or other mirrors: at the start, each is asked for newer heads that
        /// this mirror has cosigned and forgotten. The logs are asked whenever they are followed.
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
    /// Lets somebody read sealed records over HTTP, by a token that is shown once, or by a certificate.
    #[command(after_help = "Example:\n  mirror allow-reader auditor@bank.example")]
    AllowReader {
        /// The reader's name.
        name: String,
        /// A client certificate in PEM, rather than a token.
        #[arg(long)]
        certificate: Option<PathBuf>,
    },
    /// Takes that back.
    #[command(after_help = "Example:\n  mirror forget-reader auditor@bank.example")]
    ForgetReader {
        /// The reader's name.
        name: String,
    },
    /// Who may read sealed records over HTTP.
    #[command(after_help = "Example:\n  mirror readers --json")]
    Readers {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Who read which sealed records of a log.
    #[command(after_help = "Example:\n  mirror accesses log.example/releases")]
    Accesses {
        /// The log's origin.
        origin: String,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Lets a mirror cosign again whose folder was restored, copied or moved.
    #[command(after_help = "Example:\n  mirror recover --newest usb/checkpoint")]
    Recover {
        /// The newest heads that carry this mirror's cosignature: from each log, a witness, an auditor.
        #[arg(long, num_args = 1..)]
        newest: Vec<PathBuf>,
        /// Nobody has a newer head than this folder: you have asked.
        #[arg(long)]
        nothing_newer: bool,
    },
}
