//! What clients hear when a service refuses, breaks, is slow or is gone.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use proto::{
    gateway::v1::{
        GetGroupRequest, GetPacketRequest, GetWalletRequest, GrabPacketRequest, ReconcileRequest, SendPacketRequest,
        red_packet_service_client::RedPacketServiceClient,
    },
    grab::v1 as grab,
    packet::v1 as packet,
};
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt;

use crate::mesh::{Mesh, NOBODY, by, by_operator};

/// A channel that sets no time-out by itself.
fn plain(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect_lazy()
}

#[tokio::test]
async fn what_a_service_says_arrives_unchanged() {
    let said = [
        status::precondition(
            "INSUFFICIENT_FUNDS",
            "wallet",
            "余额不足",
            [("balance_fen", "7".into())],
        ),
        status::already_exists("REQUEST_ID_REUSED", "request", "r", "used before"),
        status::exhausted("DAILY_LIMIT", "no more today", Duration::from_mins(1)),
        status::unavailable("the store", "secret", Duration::from_millis(500)),
        status::internal("secret"),
    ];
    for status in said {
        let mesh = Mesh::start().await;
        let answer = status.clone();
        mesh.fake.on(
            move |_: &packet::CreatePacketRequest| -> Result<packet::CreatePacketResponse, Status> {
                Err(answer.clone())
            },
        );
        let request = by("alice", SendPacketRequest::default());
        let heard = mesh.red_packet().send_packet(request).await.unwrap_err();
        assert_eq!(heard.code(), status.code());
        assert_eq!(heard.message(), status.message());
        assert_eq!(heard.details(), status.details(), "{status:?}");
        assert!(!status::reason(&heard).is_empty());
    }
}

#[tokio::test]
async fn what_no_service_said_is_unavailable() {
    for said in [
        Status::unknown("secret"),
        Status::internal("secret"),
        Status::not_found("secret"),
    ] {
        let mesh = Mesh::start().await;
        mesh.fake
            .on(move |_: &grab::GrabRequest| -> Result<grab::GrabResponse, Status> { Err(said.clone()) });
        let request = by("alice", GrabPacketRequest::default());
        let heard = mesh.red_packet().grab_packet(request).await.unwrap_err();
        assert_unavailable(&heard, "grab");
    }
}

#[tokio::test]
async fn a_service_that_is_gone_is_unavailable() {
    let mesh = Mesh::with(|config| {
        config.account = testkit::endpoint(NOBODY);
        config.packet = testkit::endpoint(NOBODY);
        config.grab = testkit::endpoint(NOBODY);
        config.transfer = testkit::endpoint(NOBODY);
    })
    .await;
    let heard = mesh.wallet().get_wallet(by("alice", GetWalletRequest {})).await;
    assert_unavailable(&heard.unwrap_err(), "account");
    let heard = mesh.group().get_group(by("alice", GetGroupRequest::default())).await;
    assert_unavailable(&heard.unwrap_err(), "account");
    let heard = mesh
        .red_packet()
        .send_packet(by("alice", SendPacketRequest::default()))
        .await;
    assert_unavailable(&heard.unwrap_err(), "packet");
    let heard = mesh
        .red_packet()
        .grab_packet(by("alice", GrabPacketRequest::default()))
        .await;
    assert_unavailable(&heard.unwrap_err(), "grab");
    let heard = mesh
        .operation()
        .reconcile(by_operator("olga", ReconcileRequest::default()))
        .await;
    assert_unavailable(&heard.unwrap_err(), "transfer");
}

fn assert_unavailable(heard: &Status, peer: &str) {
    assert_eq!(heard.code(), Code::Unavailable, "{heard:?}");
    assert_eq!(heard.message(), format!("the {peer} service is not available just now"));
    assert_eq!(status::reason(heard), "UNAVAILABLE");
    let retry = heard.get_details_retry_info().unwrap();
    assert_eq!(retry.retry_delay, Some(Duration::from_millis(500)));
}

#[tokio::test]
async fn an_answer_without_what_was_promised_is_an_internal_error() {
    let mesh = Mesh::start().await;
    mesh.fake
        .on(|_: &packet::GetPacketRequest| Ok(packet::GetPacketResponse { packet: None }))
        .on(|_: &grab::ListClaimsRequest| Ok(grab::ListClaimsResponse::default()));
    let request = by("alice", GetPacketRequest::default());
    let heard = mesh.red_packet().get_packet(request).await.unwrap_err();
    assert_eq!((heard.code(), heard.message()), (Code::Internal, "internal error"));
}

#[tokio::test]
async fn the_callers_deadline_is_passed_on_less_the_time_used() {
    let mesh = Mesh::start().await;
    mesh.fake.on(|_: &grab::GrabRequest| Ok(grab::GrabResponse::default()));
    // Ours would replace the time-out by its own.
    let channel = plain(mesh.address);
    let mut request = by("alice", GrabPacketRequest::default());
    request.set_timeout(Duration::from_secs(5));
    RedPacketServiceClient::new(channel).grab_packet(request).await.unwrap();

    let timeout = mesh.fake.timeouts().pop().flatten().expect("a time-out");
    let micros: u64 = timeout.strip_suffix('u').expect("in microseconds").parse().unwrap();
    assert!((1..5_000_000).contains(&micros), "{timeout}");
}

#[tokio::test]
async fn a_caller_without_a_deadline_gets_the_gateways() {
    let mesh = Mesh::with(|config| config.server.request_timeout = Duration::from_secs(3)).await;
    mesh.fake.on(|_: &grab::GrabRequest| Ok(grab::GrabResponse::default()));
    let channel = plain(mesh.address);
    let request = by("alice", GrabPacketRequest::default());
    RedPacketServiceClient::new(channel).grab_packet(request).await.unwrap();

    let timeout = mesh.fake.timeouts().pop().flatten().expect("a time-out");
    let micros: u64 = timeout.strip_suffix('u').expect("in microseconds").parse().unwrap();
    assert!((1..3_000_000).contains(&micros), "{timeout}");
}

#[tokio::test]
async fn a_service_that_never_answers_does_not_hold_the_caller() {
    let mesh = Mesh::with(|config| config.server.request_timeout = Duration::from_millis(200)).await;
    mesh.fake.hang::<grab::GrabRequest, grab::GrabResponse>();
    let began = Instant::now();
    let request = by("alice", GrabPacketRequest::default());
    let heard = mesh.red_packet().grab_packet(request).await.unwrap_err();
    assert_eq!(heard.code(), Code::DeadlineExceeded);
    assert_eq!(status::reason(&heard), "DEADLINE_EXCEEDED");
    assert!(began.elapsed() < Duration::from_secs(5));
}
