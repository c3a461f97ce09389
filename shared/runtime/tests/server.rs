//! The edge that every service shares: health that tells the truth, reflection, a fence around panics, a stop that drains.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should stop at once")]

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use runtime::{Process, Server};
use testkit::{channel, eventually, server_config};
use tokio::sync::Notify;
use tonic::{Code, body::Body, server::NamedService};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

/// A hand-made service: `/test.Test/Panic` panics, `/test.Test/Wait` answers when told.
#[derive(Clone, Default)]
struct TestService {
    entered: Arc<Notify>,
    release: Arc<Notify>,
}

impl NamedService for TestService {
    const NAME: &'static str = "test.Test";
}

impl tower::Service<Request<Body>> for TestService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = futures::future::BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            assert_ne!(request.uri().path(), "/test.Test/Panic", "told to");
            this.entered.notify_one();
            this.release.notified().await;
            Ok(tonic::Status::ok("released").into_http())
        })
    }
}

async fn start(process: &Process, healthy: Arc<AtomicBool>) -> (SocketAddr, TestService) {
    let service = TestService::default();
    let server = Server::bind(&server_config()).await.unwrap().add(service.clone());
    let address = server.local_addr().unwrap();
    server
        .spawn(process, move || {
            let healthy = healthy.load(Ordering::Relaxed);
            async move { if healthy { Ok(()) } else { Err("told to".to_owned()) } }
        })
        .unwrap();
    (address, service)
}

async fn call(address: SocketAddr, path: &'static str) -> Code {
    let request = Request::post(format!("http://{address}{path}"))
        .body(Body::empty())
        .unwrap();
    let answer = tower::ServiceExt::oneshot(channel(address), request).await;
    match answer {
        Ok(answer) => tonic::Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code()),
        Err(_) => Code::Unavailable,
    }
}

async fn health(address: SocketAddr, service: &str) -> Option<ServingStatus> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = HealthClient::new(channel(address)).check(request).await.ok()?;
    ServingStatus::try_from(answer.into_inner().status).ok()
}

#[tokio::test]
async fn health_follows_the_store() {
    let (process, healthy) = (Process::new(), Arc::new(AtomicBool::new(true)));
    let (address, _) = start(&process, healthy.clone()).await;
    for (store, expected) in [(true, ServingStatus::Serving), (false, ServingStatus::NotServing)] {
        healthy.store(store, Ordering::Relaxed);
        for name in ["", "test.Test"] {
            eventually("health follows", async || {
                (health(address, name).await == Some(expected)).then_some(())
            })
            .await;
        }
    }
    assert!(process.stop(Duration::from_secs(5)).await);
}

/// A part shows its own state under its own name; the service does not follow it.
#[tokio::test]
async fn health_shows_a_part() {
    let (process, state) = (Process::new(), tokio::sync::watch::Sender::new(0));
    let server = Server::bind(&server_config()).await.unwrap();
    let address = server.local_addr().unwrap();
    let server = server.part("engine", state.subscribe(), |failing| *failing == 0);
    server.spawn(&process, || async { Ok(()) }).unwrap();
    for (failing, expected) in [
        (0, ServingStatus::Serving),
        (2, ServingStatus::NotServing),
        (0, ServingStatus::Serving),
    ] {
        state.send_replace(failing);
        eventually("health follows the part", async || {
            (health(address, "engine").await == Some(expected)).then_some(())
        })
        .await;
        assert_ne!(health(address, "").await, None);
    }
    eventually("the service serves", async || {
        (health(address, "").await == Some(ServingStatus::Serving)).then_some(())
    })
    .await;
    assert!(process.stop(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_the_server_lives_on() {
    let process = Process::new();
    let (address, _) = start(&process, Arc::new(AtomicBool::new(true))).await;
    assert_eq!(call(address, "/test.Test/Panic").await, Code::Internal);
    assert!(health(address, "").await.is_some());
    assert!(process.stop(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn reflection_lists_the_services() {
    let process = Process::new();
    let (address, _) = start(&process, Arc::new(AtomicBool::new(true))).await;
    let ask = ServerReflectionRequest {
        message_request: Some(MessageRequest::FileContainingSymbol(
            "hongbao.grab.v1.GrabService".into(),
        )),
        ..Default::default()
    };
    let mut client = ServerReflectionClient::new(channel(address));
    let asked = client.server_reflection_info(futures::stream::iter([ask])).await;
    let answer = asked.unwrap().into_inner().message().await.unwrap().unwrap();
    assert!(
        matches!(
            answer.message_response,
            Some(MessageResponse::FileDescriptorResponse(_))
        ),
        "{answer:?}"
    );
    assert!(process.stop(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn a_stop_finishes_running_calls_and_refuses_new_ones() {
    let process = Process::new();
    let (address, service) = start(&process, Arc::new(AtomicBool::new(true))).await;
    let running = tokio::spawn(call(address, "/test.Test/Wait"));
    service.entered.notified().await;

    let stop = tokio::spawn({
        let process = process.clone();
        async move { process.stop(Duration::from_secs(20)).await }
    });
    eventually("new calls are refused", async || {
        (call(address, "/test.Test/Panic").await == Code::Unavailable).then_some(())
    })
    .await;
    assert!(!running.is_finished());
    service.release.notify_one();
    assert_eq!(running.await.unwrap(), Code::Ok);
    assert!(stop.await.unwrap(), "drained");
}

#[tokio::test]
async fn a_taken_address_is_told() {
    let mut config = server_config();
    let first = Server::bind(&config).await.unwrap();
    config.listen = first.local_addr().unwrap();
    let fault = Server::bind(&config).await.err().unwrap().to_string();
    assert!(
        fault.contains("taken by another program") && fault.contains("--listen"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_task_that_panics_stops_the_service() {
    let process = Process::new();
    process.spawn("doomed", async { panic!("told to") });
    process.stopping().await;
    assert!(process.stop(Duration::from_secs(5)).await);
}
