//! Connections: how many, how long, and how they end.

use crate::Tls;
use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use coldlog_spec::hash::Hash;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;
use tower::util::Oneshot;

/// What a server bears.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at the same time; further ones are closed at once.
    pub connections: usize,
    /// How long a connection may take for a request's header, be idle before one, or shake hands.
    pub header: Duration,
    /// How long a peer may read nothing of an answer.
    pub stalled: Duration,
    /// How long requests under way may take when the server stops.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 4096,
            header: Duration::from_secs(30),
            stalled: Duration::from_secs(30),
            grace: Duration::from_secs(30),
        }
    }
}

/// Who is at the other end; in each request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// SHA-256 of its certificate, which an authority of the server's vouches for.
    pub certificate: Option<Hash>,
    /// Whether it is a bastion, which says in `X-Forwarded-For` for whom it asks.
    pub bastion: bool,
}

/// A socket that listens.
pub struct Server {
    listener: TcpListener,
    tls: Option<Tls>,
    limits: Limits,
    address: SocketAddr,
}

impl Server {
    /// Listens; port 0 lets the system pick one.
    pub async fn bind(address: SocketAddr, tls: Option<Tls>, limits: Limits) -> Result<Server> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
        let address = listener.local_addr()?;
        Ok(Server { listener, tls, limits, address })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http{}://{}", if self.tls.is_some() { "s" } else { "" }, self.address)
    }

    /// Serves until `stop`, then lets the requests under way end. `watch` is told of each connection
    /// that opens (+1), closes (-1), or is one too many (0).
    pub async fn run(
        self,
        router: Router,
        watch: impl Fn(i64) + Clone + Send + 'static,
        stop: impl Future<Output = ()>,
    ) -> Result<()> {
        let (graceful, limits) = (GracefulShutdown::new(), self.limits);
        let free = Arc::new(Semaphore::new(limits.connections));
        let mut stop = std::pin::pin!(stop);
        loop {
            let (stream, address) = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(why) => {
                        // Too many open files, most often: what is open must be closed first.
                        tracing::warn!(%why, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
                () = &mut stop => break,
            };
            let Ok(permit) = free.clone().try_acquire_owned() else {
                watch(0);
                continue;
            };
            let _ = stream.set_nodelay(true);
            let (router, tls, watcher) = (router.clone(), self.tls.clone(), graceful.watcher());
            let watch = watch.clone();
            tokio::spawn(async move {
                watch(1);
                let served = async {
                    let peer = Peer { address: address.ip(), certificate: None, bastion: false };
                    match tls {
                        None => drive(stream, peer, router, limits, watcher).await,
                        Some(tls) => {
                            let hands = tokio::time::timeout(limits.header, tls.0.accept(stream));
                            let stream = hands.await.context("no handshake in time")??;
                            let certificate = stream.get_ref().1.peer_certificates();
                            let certificate =
                                certificate.and_then(|all| all.first()).map(|one| Hash::of(one));
                            let peer = Peer { certificate, ..peer };
                            drive(stream, peer, router, limits, watcher).await
                        }
                    }
                };
                let served: Result<()> = served.await;
                if let Err(why) = served {
                    tracing::debug!(%address, why = %format!("{why:#}"), "a connection broke off");
                }
                watch(-1);
                drop(permit);
            });
        }
        drop(self.listener);
        if tokio::time::timeout(limits.grace, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests were still under way when the time to stop was over");
        }
        Ok(())
    }
}

async fn drive<S: AsyncRead + AsyncWrite + Send + 'static>(
    stream: S,
    peer: Peer,
    router: Router,
    limits: Limits,
    watcher: hyper_util::server::graceful::Watcher,
) -> Result<()> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.stalled));
    let service = service_fn(move |request| answered(&router, peer, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        // A peer that has sent all it has to send may still wait for its answer.
        .half_close(true)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    Ok(watcher.watch(connection).await?)
}

/// The router's answer to a peer.
pub(crate) fn answered(
    router: &Router,
    peer: Peer,
    request: Request<Incoming>,
) -> Oneshot<Router, Request<Body>> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(peer);
    router.clone().oneshot(request)
}

/// Ends when the process is asked to stop (SIGTERM, SIGINT), or after a time.
pub async fn asked_to_stop(at_most: Option<Duration>) {
    use tokio::signal::unix::{SignalKind, signal};
    let signalled = async |kind| match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    };
    let time_over = async {
        match at_most {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = signalled(SignalKind::terminate()) => {}
        () = signalled(SignalKind::interrupt()) => {}
        () = time_over => {}
    }
}
