//! What a service counts and measures, told in Prometheus' text format.
//!
//! Each [`Process`] has its own, so that several services in one process do not mix. Instruments are OpenTelemetry's; names
//! are `hongbao.<service>.<what>` with a unit of UCUM, which Prometheus sees as `hongbao_<service>_<what>_<unit>` (counters
//! with `_total`). What is cheap to count is counted as it happens; what has to be asked for, such as the age of the oldest
//! row of a kind, is asked for when somebody scrapes ([`Metrics::before_scrape`]), so that nobody pays for figures that
//! nobody reads and every figure is of the moment it is read at. The names and their alarms are in `docs/metrics.md`.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use futures::future::{BoxFuture, FutureExt, join_all};
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder, Registry, TextEncoder};
use tokio::net::TcpListener;

use crate::Process;

pub use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Meter},
};

/// How long a scrape waits for figures that have to be asked for. Below the ten seconds after which Prometheus gives up by
/// default: the others are told in any case.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(3);

type Refresh = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// The figures of one service. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    meter: Meter,
    stale: Gauge<u64>,
    refreshes: Arc<Mutex<Vec<(&'static str, Refresh)>>>,
    // Instruments fall silent when it is gone.
    _provider: SdkMeterProvider,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .without_target_info()
            .build();
        let provider = SdkMeterProvider::builder();
        let provider = match exporter {
            Ok(exporter) => provider.with_reader(exporter).build(),
            Err(fault) => {
                tracing::error!(%fault, "there will be no metrics");
                provider.build()
            }
        };
        let meter = provider.meter("hongbao");
        let stale = meter
            .u64_gauge("hongbao.metrics.stale")
            .with_description(
                "1 while the figures of this part could not be asked for and are those of an earlier scrape",
            )
            .build();
        Self {
            registry,
            meter,
            stale,
            refreshes: Arc::default(),
            _provider: provider,
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Makes instruments. Two of one name are one.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Has `refresh` run before every scrape, to ask for the figures of `part`. If it fails or takes too long, the figures
    /// stay as they were, and `hongbao_metrics_stale` says so.
    pub fn before_scrape<F>(&self, part: &'static str, refresh: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let refresh: Refresh = Arc::new(move || refresh().boxed());
        let mut refreshes = self.refreshes.lock().unwrap_or_else(PoisonError::into_inner);
        refreshes.push((part, refresh));
    }

    /// All figures as of now, as text for Prometheus.
    pub async fn render(&self) -> String {
        let refreshes = self.refreshes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        join_all(refreshes.iter().map(async |(part, refresh)| {
            let fault = match tokio::time::timeout(REFRESH_TIMEOUT, refresh()).await {
                Ok(Ok(())) => None,
                Ok(Err(fault)) => Some(fault),
                Err(_) => Some("no answer in time".to_owned()),
            };
            self.stale
                .record(u64::from(fault.is_some()), &[KeyValue::new("part", *part)]);
            if let Some(fault) = fault {
                tracing::debug!(part, fault, "these figures are old");
            }
        }))
        .await;
        let mut text = Vec::new();
        if let Err(fault) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%fault, "metrics cannot be written");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Answers `GET /metrics` on `listener` until the process stops.
pub(crate) async fn serve(listener: TcpListener, process: Process) {
    let scrape = async |State(metrics): State<Metrics>| {
        let kind = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
        (kind, metrics.render().await).into_response()
    };
    let routes = Router::new()
        .route("/metrics", get(scrape))
        .with_state(process.metrics().clone());
    let stopping = process.clone();
    let served = axum::serve(listener, routes)
        .with_graceful_shutdown(async move { stopping.stopping().await })
        .await;
    if let Err(fault) = served {
        // Nobody's money depends on it: the service goes on.
        tracing::error!(%fault, "metrics are no longer served");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[tokio::test]
    async fn figures_are_asked_for_when_they_are_read() {
        let metrics = Metrics::default();
        let opens = metrics
            .meter()
            .u64_counter("hongbao.test.opens")
            .with_description("what it is")
            .build();
        opens.add(2, &[KeyValue::new("kind", "late")]);
        let age = metrics.meter().f64_gauge("hongbao.test.age").with_unit("s").build();
        let asked = Arc::new(AtomicU64::new(0));
        let count = asked.clone();
        metrics.before_scrape("age", move || {
            let (age, count) = (age.clone(), count.clone());
            async move {
                match count.fetch_add(1, Ordering::Relaxed) {
                    0 => age.record(1.5, &[]),
                    _ => return Err("away".to_owned()),
                }
                Ok(())
            }
        });
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        let first = metrics.render().await;
        for line in [
            "# HELP hongbao_test_opens_total what it is",
            "hongbao_test_opens_total{kind=\"late\"} 2",
            "hongbao_test_age_seconds 1.5",
            "hongbao_metrics_stale{part=\"age\"} 0",
        ] {
            assert!(first.lines().any(|told| told == line), "{line} in {first}");
        }
        let second = metrics.render().await;
        assert!(second.contains("hongbao_metrics_stale{part=\"age\"} 1"), "{second}");
        assert!(second.contains("hongbao_test_age_seconds 1.5"), "{second}");
        assert!(!Metrics::default().render().await.contains("opens"), "each has its own");
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_does_not_answer_holds_up_nobody() {
        let metrics = Metrics::default();
        metrics.before_scrape("stuck", std::future::pending);
        let text = metrics.render().await;
        assert!(text.contains("hongbao_metrics_stale{part=\"stuck\"} 1"), "{text}");
    }
}
