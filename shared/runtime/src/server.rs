//! The one builder behind every server.

use std::{any::Any, future::Future, io, net::SocketAddr, num::NonZeroUsize, time::Duration};

use futures::future::BoxFuture;
use http::Response;
use tokio::{net::TcpListener, sync::watch};
use tonic::{
    body::Body,
    codegen::Service as HttpService,
    server::NamedService,
    service::{Routes, RoutesBuilder},
    transport::server::TcpIncoming,
};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::{
    BoxError, ServiceBuilder, ServiceExt,
    layer::util::{Identity, Stack},
    util::MapResponseLayer,
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{Process, client::Way, config::ServerConfig, crowd::Bound, deadline::Enforce, explain::explain};

/// How often health asks the store.
const HEALTH_INTERVAL: Duration = Duration::from_secs(2);
/// A store that takes longer than this to answer is not serving.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// A server being put together: a bound listener and the services on it. Every server has `grpc.health.v1`,
/// reflection (v1 and v1alpha), a deadline on every request and a fence that turns a panic into `INTERNAL`.
pub struct Server {
    listener: TcpListener,
    metrics: Option<TcpListener>,
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    parts: Vec<BoxFuture<'static, ()>>,
    health: HealthReporter,
    request_timeout: Duration,
    max_requests: NonZeroUsize,
}

impl Server {
    /// Takes the address, so that a taken port is known before anything else starts.
    pub async fn bind(config: &ServerConfig) -> anyhow::Result<Self> {
        let listener = take(config.listen, "--listen").await?;
        let metrics = match config.metrics_listen {
            Some(address) => Some(take(address, "--metrics-listen").await?),
            None => None,
        };
        let (health, health_service) = tonic_health::server::health_reporter();
        // Not before the store was asked.
        health.set_service_status("", ServingStatus::NotServing).await;
        let mut routes = RoutesBuilder::default();
        routes.add_service(health_service);
        Ok(Self {
            listener,
            metrics,
            routes,
            names: Vec::new(),
            parts: Vec::new(),
            health,
            request_timeout: config.request_timeout,
            max_requests: config.max_requests,
        })
    }

    /// The address that was taken.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The address that was taken for metrics, if one was.
    pub fn metrics_addr(&self) -> io::Result<Option<SocketAddr>> {
        self.metrics.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Serves one more gRPC service.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "a server is no sum")]
    pub fn add<S>(mut self, service: S) -> Self
    where
        S: HttpService<http::Request<Body>, Error = std::convert::Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        self.routes.add_service(service);
        self
    }

    /// Shows the state of one part of the service in health, under a name of its own: a part without which the service does
    /// its work another way, so that health as a whole does not follow it. `works` reads it from `state` at every change.
    #[must_use]
    pub fn part<T>(mut self, name: &'static str, state: watch::Receiver<T>, works: fn(&T) -> bool) -> Self
    where
        T: Send + Sync + 'static,
    {
        let (reporter, mut state) = (self.health.clone(), state);
        self.parts.push(Box::pin(async move {
            loop {
                let status = if works(&state.borrow_and_update()) {
                    ServingStatus::Serving
                } else {
                    ServingStatus::NotServing
                };
                reporter.set_service_status(name, status).await;
                if state.changed().await.is_err() {
                    return;
                }
            }
        }));
        self
    }

    /// Starts serving as tasks of `process`. `healthy` says whether the service can do its work, such as reach its store;
    /// health follows it, for the server as a whole (the empty name) and for each service.
    ///
    /// When the process stops, health turns to `NOT_SERVING`, new calls are refused and running ones finish.
    pub fn spawn<F>(self, process: &Process, healthy: impl Fn() -> F + Send + Sync + 'static) -> anyhow::Result<()>
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let mut routes = self.routes;
        for reflection in [true, false] {
            // What is listed is what is served; error details are known, so that grpcurl can show them.
            let builder = || {
                let builder = tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
                    .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                    .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
                    .with_service_name("grpc.health.v1.Health");
                self.names
                    .iter()
                    .fold(builder, |builder, name| builder.with_service_name(*name))
            };
            if reflection {
                routes.add_service(builder().build_v1()?);
            } else {
                routes.add_service(builder().build_v1alpha()?);
            }
        }
        for part in self.parts {
            let stopping = process.clone();
            process.spawn("health of a part", async move {
                tokio::select! {
                    biased;
                    () = stopping.stopping() => {}
                    () = part => {}
                }
            });
        }
        if let Some(metrics) = self.metrics {
            tracing::info!(address = %metrics.local_addr()?, "serving metrics at /metrics");
            process.spawn("metrics", crate::metrics::serve(metrics, process.clone()));
        }
        process.spawn(
            "health",
            watch_health(self.health, self.names, process.clone(), healthy),
        );
        process.spawn(
            "server",
            serve(
                self.listener,
                routes.routes(),
                self.request_timeout,
                self.max_requests,
                process.clone(),
            ),
        );
        Ok(())
    }
}

/// Takes an address that `setting` names.
async fn take(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|fault| match fault.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("{address} is taken by another program: stop it or choose another address with {setting}")
        }
        _ => anyhow::anyhow!("cannot listen on {address}: {fault}"),
    })
}

/// The services of a server, to be called without a socket, behind all that stands in front of them on one: what a simulation
/// calls.
pub fn without_socket(routes: Routes, request_timeout: Duration) -> Way {
    let service = edge(request_timeout).service(routes);
    let service = service
        .map_response(|answer| answer.map(Body::new))
        .map_err(BoxError::from);
    Way::new(service)
}

type Panicked = fn(Box<dyn Any + Send>) -> Response<Body>;
type Explain = fn(Response<Body>) -> Response<Body>;
type Edge = Stack<MapResponseLayer<Explain>, Stack<Enforce, Stack<CatchPanicLayer<Panicked>, Identity>>>;

/// What stands in front of the services: from the outside in the panic fence, the deadline, words for what the transport
/// refuses.
fn edge(request_timeout: Duration) -> ServiceBuilder<Edge> {
    ServiceBuilder::new()
        .layer(CatchPanicLayer::custom(panicked as Panicked))
        .layer(Enforce::at_most(request_timeout))
        .layer(MapResponseLayer::new(explain as Explain))
}

#[expect(clippy::needless_pass_by_value, reason = "the fence hands it over")]
fn panicked(panic: Box<dyn Any + Send>) -> Response<Body> {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    status::internal(format!("a handler panicked: {text}")).into_http::<Body>()
}

async fn serve(
    listener: TcpListener,
    routes: Routes,
    request_timeout: Duration,
    max_requests: NonZeroUsize,
    process: Process,
) {
    let stopping = process.clone();
    let served = tonic::transport::Server::builder()
        .layer(Bound::at_most(max_requests))
        .layer(edge(request_timeout))
        .add_routes(routes)
        .serve_with_incoming_shutdown(
            // The server builder's own `tcp_nodelay` says nothing to a listener that it did not open; without it, a stream
            // waits 40 ms for the delayed acknowledgement of its headers.
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            async move { stopping.stopping().await },
        )
        .await;
    if let Err(fault) = served {
        tracing::error!(%fault, "the server failed");
        process.begin_stop();
    }
}

async fn watch_health<F>(
    reporter: HealthReporter,
    names: Vec<&'static str>,
    process: Process,
    healthy: impl Fn() -> F + Send + Sync,
) where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let report = async |status| {
        for name in names.iter().copied().chain([""]) {
            reporter.set_service_status(name, status).await;
        }
    };
    let mut last = None;
    loop {
        let fault = match tokio::time::timeout(HEALTH_TIMEOUT, healthy()).await {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault),
            Err(_) => Some("no answer in time".to_owned()),
        };
        let serving = fault.is_none();
        if last != Some(serving) {
            last = Some(serving);
            if let Some(fault) = fault {
                tracing::error!(%fault, "not serving");
                report(ServingStatus::NotServing).await;
            } else {
                report(ServingStatus::Serving).await;
            }
        }
        if !process.pause(HEALTH_INTERVAL).await {
            return report(ServingStatus::NotServing).await;
        }
    }
}
