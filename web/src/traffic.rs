//! What each server counts and logs of its requests, and who asks.

use crate::Peer;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// Who asks: the other end of the connection, or whom the proxy names; in each request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Client(pub IpAddr);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    route: String,
    status: u16,
}

/// Requests by route and status, and connections.
#[derive(Default)]
pub struct Traffic {
    behind_proxy: bool,
    requests: Family<Asked, Counter>,
    connections: Gauge,
    turned_away: Counter,
}

/// The media type of [`metrics_text`].
pub const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A registry's metrics, as Prometheus reads them.
pub fn metrics_text(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, registry);
    text
}

impl Traffic {
    /// Behind a proxy, the last entry of `X-Forwarded-For` is the client. Of what comes through a bastion it
    /// always is.
    pub fn new(registry: &mut Registry, behind_proxy: bool) -> Traffic {
        let traffic = Traffic { behind_proxy, ..Traffic::default() };
        registry.register("requests", "Requests answered", traffic.requests.clone());
        registry.register("connections", "Connections open", traffic.connections.clone());
        registry.register(
            "connections_turned_away",
            "Connections closed for want of room",
            traffic.turned_away.clone(),
        );
        traffic
    }

    /// For [`crate::Server::run`].
    pub fn connection(&self, change: i64) {
        if change == 0 {
            self.turned_away.inc();
        }
        self.connections.inc_by(change);
    }

    /// Notes every answer of these routes. Bodies and tokens are never logged.
    pub fn watch(self: Arc<Self>, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self, note))
    }

    fn client(&self, request: &Request) -> IpAddr {
        let peer = request.extensions().get::<Peer>();
        let bastion = peer.is_some_and(|peer| peer.bastion);
        let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.address);
        let named = || {
            // What stands before the last entry is whatever the client wrote.
            let forwarded = request.headers().get_all("x-forwarded-for").iter().next_back()?;
            forwarded.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
        };
        if self.behind_proxy || bastion { named().unwrap_or(peer) } else { peer }
    }
}

async fn note(State(traffic): State<Arc<Traffic>>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let client = traffic.client(&request);
    request.extensions_mut().insert(Client(client));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = match request.extensions().get::<MatchedPath>() {
        Some(route) => route.as_str().to_owned(),
        None => "none".into(),
    };
    let response = next.run(request).await;
    let status = response.status().as_u16();
    traffic.requests.get_or_create(&Asked { route, status }).inc();
    let micros = begun.elapsed().as_micros() as u64;
    tracing::info!(%method, ?path, status, micros, %client, "answered");
    response
}

/// Logs to stderr, as text or in JSON.
pub fn log_to_stderr(json: bool) {
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false);
    // A second subscriber in one process is no error worth ending for.
    let _ = match json {
        true => builder.json().flatten_event(true).try_init(),
        false => builder.with_ansi(false).try_init(),
    };
}
