//! What operators watch, as Prometheus reads it.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    route: String,
    status: u16,
}

/// The metrics of a server.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Asked, Counter>,
    connections: Gauge,
    turned_away: Counter,
    pub(crate) appended: Counter,
    pub(crate) refused: Counter,
    pub(crate) sealed_reads: Counter,
    pub(crate) waiting: Gauge,
    pub(crate) size: Gauge,
    heads: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("coldlog"),
            requests: Family::default(),
            connections: Gauge::default(),
            turned_away: Counter::default(),
            appended: Counter::default(),
            refused: Counter::default(),
            sealed_reads: Counter::default(),
            waiting: Gauge::default(),
            size: Gauge::default(),
            heads: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
        };
        let registry = &mut metrics.registry;
        registry.register("requests", "Requests answered", metrics.requests.clone());
        registry.register("connections", "Connections open", metrics.connections.clone());
        registry.register(
            "connections_turned_away",
            "Connections closed for want of room",
            metrics.turned_away.clone(),
        );
        registry.register("appended", "Entries appended", metrics.appended.clone());
        registry.register("refused", "Entries and batches refused", metrics.refused.clone());
        registry.register(
            "sealed_reads",
            "Bundles of sealed records read",
            metrics.sealed_reads.clone(),
        );
        registry.register("waiting", "Entries and batches that wait", metrics.waiting.clone());
        registry.register("tree_size", "Entries under the newest head", metrics.size.clone());
        registry.register(
            "head_seconds",
            "From taking up what waits to a durable head",
            metrics.heads.clone(),
        );
        metrics
    }

    pub(crate) fn request(&self, route: &str, status: u16) {
        self.requests.get_or_create(&Asked { route: route.into(), status }).inc();
    }

    pub(crate) fn connection(&self, change: i64) {
        if change == 0 {
            self.turned_away.inc();
        }
        self.connections.inc_by(change);
    }

    pub(crate) fn head(&self, took: Duration, size: u64) {
        self.heads.observe(took.as_secs_f64());
        self.size.set(size as i64);
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
