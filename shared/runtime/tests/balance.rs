//! Several instances of a service behind one channel.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should stop at once")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use runtime::{
    Channel,
    client::{Endpoints, OneInstance},
};
use testkit::engines::Proxy;
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};

/// Counts what it is asked, and answers after `delay` or, asked for `no`, with a refusal.
#[derive(Clone, Default)]
struct Instance {
    asked: Arc<AtomicUsize>,
    delay: Duration,
}

#[tonic::async_trait]
impl Health for Instance {
    type WatchStream = futures::stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(self.delay).await;
        if request.into_inner().service == "no" {
            return Err(Status::unavailable("no"));
        }
        Ok(Response::new(HealthCheckResponse::default()))
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented(""))
    }
}

impl Instance {
    async fn start(&self) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = tonic::transport::Server::builder().add_service(HealthServer::new(self.clone()));
        let serving = tokio::spawn(async move {
            routes.serve_with_incoming(TcpIncoming::from(listener)).await.unwrap();
        });
        (address, serving)
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

fn channel(addresses: &[SocketAddr]) -> Channel {
    let addresses: Vec<_> = addresses.iter().map(|address| format!("http://{address}")).collect();
    runtime::client::channel(&Endpoints::parse(&addresses.join(",")).unwrap())
}

fn question(service: &str) -> Request<HealthCheckRequest> {
    Request::new(HealthCheckRequest {
        service: service.to_owned(),
    })
}

async fn ask(channel: &Channel, service: &str) -> Result<(), Status> {
    send(channel, question(service)).await
}

async fn send(channel: &Channel, request: Request<HealthCheckRequest>) -> Result<(), Status> {
    HealthClient::new(channel.clone()).check(request).await.map(drop)
}

#[tokio::test]
async fn calls_are_shared_and_survive_all_instances_but_one() {
    let (one, two) = (Instance::default(), Instance::default());
    let ((first, _), (second, _)) = (one.start().await, two.start().await);
    let way = Proxy::opaque(first).await.unwrap();
    let channel = channel(&[way.address(), second]);
    for _ in 0..20 {
        ask(&channel, "").await.unwrap();
    }
    assert_eq!((one.asked(), two.asked()), (10, 10));

    way.refuse();
    for _ in 0..20 {
        ask(&channel, "").await.unwrap();
    }
    assert_eq!((one.asked(), two.asked()), (0, 20));

    way.resume();
    testkit::eventually("the first instance is asked again", async || {
        ask(&channel, "").await.unwrap();
        (one.asked() > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_is_asked_again_elsewhere() {
    let slow = Instance {
        delay: Duration::from_millis(200),
        ..Instance::default()
    };
    let quick = Instance::default();
    let ((first, _), (second, _)) = (slow.start().await, quick.start().await);
    let way = Proxy::opaque(first).await.unwrap();
    let channel = channel(&[way.address(), second]);
    let asking = tokio::spawn(async move { ask(&channel, "").await });
    testkit::eventually("the call is on its way", async || {
        (slow.asked.load(Ordering::Relaxed) == 1).then_some(())
    })
    .await;
    way.cut();
    asking.await.unwrap().unwrap();
    assert_eq!(quick.asked(), 1);
}

#[tokio::test]
async fn a_call_for_one_instance_is_asked_nowhere_else() {
    let slow = Instance {
        delay: Duration::from_millis(200),
        ..Instance::default()
    };
    let other = Instance::default();
    let ((first, _), (second, _)) = (slow.start().await, other.start().await);
    let way = Proxy::opaque(first).await.unwrap();
    let channel = channel(&[way.address(), second]);
    let mut question = question("");
    question.extensions_mut().insert(OneInstance);
    let asking = tokio::spawn(async move { send(&channel, question).await });
    testkit::eventually("the call is on its way", async || {
        (slow.asked.load(Ordering::Relaxed) == 1).then_some(())
    })
    .await;
    way.cut();
    asking.await.unwrap().expect_err("the answer is lost");
    assert_eq!(other.asked(), 0);
}

#[tokio::test]
async fn an_instance_with_much_to_answer_gets_less() {
    let slow = Instance {
        delay: Duration::from_secs(5),
        ..Instance::default()
    };
    let quick = Instance::default();
    let ((first, _), (second, _)) = (slow.start().await, quick.start().await);
    let channel = channel(&[first, second]);
    let stuck = tokio::spawn({
        let channel = channel.clone();
        async move { ask(&channel, "").await }
    });
    testkit::eventually("the slow instance is asked", async || (slow.asked() == 1).then_some(())).await;
    for _ in 0..10 {
        ask(&channel, "").await.unwrap();
    }
    assert_eq!((slow.asked(), quick.asked()), (0, 10));
    stuck.abort();
}

#[tokio::test]
async fn a_refusal_is_an_answer() {
    let (one, two) = (Instance::default(), Instance::default());
    let ((first, _), (second, _)) = (one.start().await, two.start().await);
    let channel = channel(&[first, second]);
    let refused = ask(&channel, "no").await.unwrap_err();
    assert_eq!((refused.message(), one.asked() + two.asked()), ("no", 1));
}

#[tokio::test]
async fn without_any_instance_the_call_fails_as_unavailable() {
    let nobody = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    for addresses in [&nobody[..], &nobody[..1]] {
        let fault = ask(&channel(addresses), "").await.unwrap_err();
        assert_eq!(fault.code(), tonic::Code::Unavailable, "{fault:?}");
    }
}
