//! `log serve`: the published log, registration (SCRAPI) and batches over HTTP (`spec/formats/http.md`).
//!
//! Verification runs on all cores, in the handlers; sequencing in one thread, which puts all that waits
//! under one head. The home is held only while something is appended, so that `log add-cosignatures`
//! and the other commands work beside a server.

pub mod answer;
mod cosigner;
mod metrics;
mod queue;
pub mod readers;
mod receipts;
mod routes;

use crate::commands::manage;
use crate::place::{self, Place};
use anyhow::Context;
use coldlog_kit::exit::{Failure, Outcome};
use coldlog_kit::files;
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_spec::ed25519::Verifiers;
use coldlog_web::{Limits, Rate, Server, Tls, asked_to_stop, log_to_stderr};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What the command line says.
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Certificate chain and key in PEM, for TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The authorities of readers' certificates, in PEM.
    pub client_authority: Option<PathBuf>,
    /// Connections at the same time.
    pub connections: usize,
    /// Writes, proofs and sealed reads a second from one address.
    pub rate: u32,
    /// The largest batch, in bytes.
    pub largest_batch: u64,
    /// Seconds that a connection may be idle, or take for a request's header.
    pub header_time: u64,
    /// Seconds within which a request's body must be there: of an entry, and of a batch.
    pub body_time: (u64, u64),
    /// Seconds that a peer may read nothing of its answer.
    pub stalled_time: u64,
    /// Take a client's address from the last entry of `X-Forwarded-For`.
    pub behind_proxy: bool,
    /// Show only heads that meet this policy's quorum, and make receipts under no others.
    pub policy: Option<PathBuf>,
    /// Have the newest head cosigned every so many seconds.
    pub cosign_every: Option<u64>,
    /// Log in JSON.
    pub json_log: bool,
    /// Stop after so many seconds.
    pub stop_after: Option<u64>,
    /// The passphrase's source.
    pub secret: Source,
}

/// Signers whose keys have tables: 1.2 MiB each.
const TABLES: usize = 64;
/// Runs the command.
pub fn run(home: &Path, options: &Options) -> Outcome {
    let (keys, origin) = {
        let place = Place::open(home)?;
        let keys = manage::keys(&place, &options.secret)?;
        (Arc::new(keys), place.head.checkpoint.origin.clone())
    };
    let tls = match &options.tls {
        Some((chain, key)) => Some(Tls::load(chain, key, options.client_authority.as_deref())?),
        None => None,
    };
    log_to_stderr(options.json_log);
    files::allow_many_open_files();
    let accesses = readers::Accesses::open(home, &origin)?;
    // What a server that was killed had not answered: this one is alone now.
    queue::clear_incoming(home)?;
    // Held here to the end: an object store's client must not be dropped by a task.
    let store: Arc<dyn crate::store::Store> = Arc::from(place::store(home)?);
    let policy = match &options.policy {
        Some(path) => Some(Arc::new(coldlog_kit::policy::read("log", path)?)),
        None => None,
    };
    let receipts = receipts::Receipts::new(home, keys.clone(), origin.clone(), policy.clone());
    let receipts = Arc::new(receipts);
    let cosigner = match (options.cosign_every, policy) {
        (Some(seconds), Some(policy)) => Some(cosigner::start(home, policy, seconds)?),
        _ => None,
    };
    let (metrics, traffic) = metrics::Metrics::new(options.behind_proxy);
    let (metrics, traffic) = (Arc::new(metrics), Arc::new(traffic));
    let (queue, sequencer) = queue::start(home, keys, receipts.clone(), metrics.clone())?;
    let state = Arc::new(routes::State {
        home: home.into(),
        store: store.clone(),
        receipts,
        metrics,
        queue,
        journals: Default::default(),
        verifiers: Verifiers::new(TABLES).into(),
        accesses: accesses.into(),
        rate: Rate::new(options.rate),
        largest_batch: options.largest_batch,
        body_time: (
            Duration::from_secs(options.body_time.0),
            Duration::from_secs(options.body_time.1),
        ),
        published: Default::default(),
        uploads: tokio::sync::Semaphore::new(routes::UPLOADS),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("starting the server")?;
    let header = Duration::from_secs(options.header_time);
    let stalled = Duration::from_secs(options.stalled_time);
    let connections = options.connections;
    let limits = Limits { connections, header, stalled, ..Limits::default() };
    let served = runtime.block_on(async {
        let server = Server::bind(options.listen, tls, limits).await?;
        say(format!("serving {origin} at {}", server.url()));
        let watched = traffic.clone();
        let watch = move |change| watched.connection(change);
        let stop = asked_to_stop(options.stop_after.map(Duration::from_secs));
        server.run(traffic.watch(routes::router(state)), watch, stop).await
    });
    // The last handle of the queue goes with the handlers; the sequencer ends when it is empty.
    runtime.shutdown_timeout(Duration::from_secs(10));
    let ended = sequencer.join();
    drop(cosigner);
    drop(store);
    served?;
    ended.map_err(|_| Failure::Trouble(anyhow::anyhow!("the sequencer ended by a bug")))?;
    say("stopped: all that was accepted is in the log");
    Ok(())
}
