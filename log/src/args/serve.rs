//! `log serve`

use coldlog_kit::secret::Source;
use coldlog_log::serve;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Address and port; port 0 lets the system pick one, which is printed.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The certificate chain, in PEM.
    #[arg(long, requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Its key, in PEM (mode 0600).
    #[arg(long, requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// The authorities whose certificates readers of sealed records may have, in PEM.
    #[arg(long, requires = "tls_certificate")]
    client_authority: Option<PathBuf>,
    /// Connections at the same time.
    #[arg(long, default_value_t = 4096)]
    connections: usize,
    /// Writes, receipts and sealed bundles a second from one address.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// The largest batch, in bytes.
    #[arg(long, default_value_t = 1 << 30)]
    largest_batch: u64,
    /// Seconds that a connection may be idle, or take for a request's header.
    #[arg(long, default_value_t = 30)]
    header_time: u64,
    /// Seconds within which the body of an entry must be there.
    #[arg(long, default_value_t = 30)]
    entry_time: u64,
    /// Seconds within which the body of a batch must be there.
    #[arg(long, default_value_t = 600)]
    batch_time: u64,
    /// Seconds that a peer may read nothing of its answer.
    #[arg(long, default_value_t = 30)]
    stalled_time: u64,
    /// Take the client's address from the last entry of X-Forwarded-For: behind a proxy that sets it.
    #[arg(long)]
    behind_proxy: bool,
    /// Show only heads that meet this policy's quorum, and make receipts under no others.
    #[arg(long)]
    policy: Option<PathBuf>,
    /// Have the newest head cosigned by the policy's witnesses every so many seconds.
    #[arg(long, requires = "policy")]
    cosign_every: Option<u64>,
    /// Log in JSON.
    #[arg(long)]
    json_log: bool,
    /// Stop by itself after so many seconds.
    #[arg(long)]
    stop_after: Option<u64>,
    #[command(flatten)]
    secret: Source,
}

impl From<ServeArgs> for serve::Options {
    fn from(args: ServeArgs) -> serve::Options {
        serve::Options {
            listen: args.listen,
            tls: args.tls_certificate.zip(args.tls_key),
            client_authority: args.client_authority,
            connections: args.connections,
            rate: args.rate,
            largest_batch: args.largest_batch,
            header_time: args.header_time,
            body_time: (args.entry_time, args.batch_time),
            stalled_time: args.stalled_time,
            behind_proxy: args.behind_proxy,
            policy: args.policy,
            cosign_every: args.cosign_every,
            json_log: args.json_log,
            stop_after: args.stop_after,
            secret: args.secret,
        }
    }
}
