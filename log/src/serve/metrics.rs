//! What operators watch, as Prometheus reads it.

use coldlog_web::Traffic;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::time::Duration;

/// The metrics of a server.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) appended: Counter,
    pub(crate) refused: Counter,
    pub(crate) sealed_reads: Counter,
    pub(crate) waiting: Gauge,
    pub(crate) size: Gauge,
    heads: Histogram,
}

impl Metrics {
    pub(crate) fn new(behind_proxy: bool) -> (Metrics, Traffic) {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("coldlog"),
            appended: Counter::default(),
            refused: Counter::default(),
            sealed_reads: Counter::default(),
            waiting: Gauge::default(),
            size: Gauge::default(),
            heads: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
        };
        let registry = &mut metrics.registry;
        let traffic = Traffic::new(registry, behind_proxy);
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
        (metrics, traffic)
    }

    pub(crate) fn head(&self, took: Duration, size: u64) {
        self.heads.observe(took.as_secs_f64());
        self.size.set(size as i64);
    }

    pub(crate) fn text(&self) -> String {
        coldlog_web::metrics_text(&self.registry)
    }
}
