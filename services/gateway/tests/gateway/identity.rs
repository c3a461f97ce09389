//! Who is let in.

use gateway::rpc::MAX_REQUEST_BYTES;
use prost::Message;
use prost_types::FileDescriptorSet;
use proto::gateway::v1::{GetWalletRequest, GrabPacketRequest};
use runtime::Channel;
use tokio_stream::StreamExt;
use tonic::{Code, Request, Status, metadata::MetadataValue};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};

use crate::mesh::{Mesh, NOBODY, by, by_operator};

/// The path of every RPC of the client-facing API, read from the descriptors, so that none can be forgotten.
fn paths() -> Vec<String> {
    let files = FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap().file;
    let gateway = files.into_iter().find(|file| file.package() == "hongbao.gateway.v1");
    let services = gateway.unwrap().service;
    let path = |service: &str, method: &str| format!("/hongbao.gateway.v1.{service}/{method}");
    services
        .iter()
        .flat_map(|service| service.method.iter().map(|method| path(service.name(), method.name())))
        .collect()
}

/// Calls any RPC with an empty message; every message of the API may be empty.
async fn call(channel: &Channel, path: &str, request: Request<()>) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let answer = client
        .server_streaming(request, path.parse().unwrap(), codec)
        .await?
        .into_inner()
        .next()
        .await;
    answer.unwrap_or(Ok(()))
}

#[tokio::test]
async fn outside_development_nobody_is_let_in() {
    let mesh = Mesh::with(|config| config.development = false).await;
    let paths = paths();
    assert_eq!(paths.len(), 27);
    for path in paths {
        let refused = call(&mesh.channel(), &path, by_operator("alice", ()))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{path}");
        assert_eq!(status::reason(&refused), "IDENTITY_REQUIRED", "{path}");
        for word in ["cannot check who calls", "development", "hongbao-user-id"] {
            assert!(refused.message().contains(word), "{word} in {}", refused.message());
        }
    }
    assert_eq!(mesh.fake.count(), 0);
}

#[tokio::test]
async fn health_and_reflection_are_open() {
    let mesh = Mesh::with(|config| config.development = false).await;
    let mut health = HealthClient::new(mesh.channel());
    for service in ["", "hongbao.gateway.v1.OperationService"] {
        testkit::eventually("serving", async || {
            let service = service.to_owned();
            // A service is not known to health before the first look at the peers.
            let answer = health.check(HealthCheckRequest { service }).await.ok()?;
            (answer.into_inner().status() == ServingStatus::Serving).then_some(())
        })
        .await;
    }

    let list = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..ServerReflectionRequest::default()
    };
    let answers = ServerReflectionClient::new(mesh.channel())
        .server_reflection_info(tokio_stream::once(list))
        .await
        .unwrap();
    let answer = format!("{:?}", answers.into_inner().next().await.unwrap().unwrap());
    assert!(answer.contains("hongbao.gateway.v1.RedPacketService"), "{answer}");
}

#[tokio::test]
async fn one_peer_that_is_gone_is_enough_not_to_serve() {
    let mesh = Mesh::with(|config| config.transfer = testkit::endpoint(NOBODY)).await;
    let mut health = HealthClient::new(mesh.channel());
    testkit::eventually("not serving", async || {
        let answer = health.check(HealthCheckRequest::default()).await.unwrap();
        (answer.into_inner().status() == ServingStatus::NotServing).then_some(())
    })
    .await;
}

#[tokio::test]
async fn in_development_a_request_must_say_who_calls() {
    let mesh = Mesh::start().await;
    for path in paths() {
        let refused = call(&mesh.channel(), &path, Request::new(())).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{path}");
        assert_eq!(status::reason(&refused), "IDENTITY_REQUIRED", "{path}");
    }

    let mut binary = Request::new(GetWalletRequest {});
    let value = MetadataValue::from_bytes(b"alice");
    binary.metadata_mut().insert_bin("hongbao-user-id-bin", value);
    let refused = mesh.wallet().get_wallet(binary).await.unwrap_err();
    assert_eq!(status::reason(&refused), "IDENTITY_REQUIRED");

    let long = "a".repeat(65);
    for name in ["", long.as_str(), "a b", "a.b", "阿明", "alice,bob"] {
        let mut request = Request::new(GetWalletRequest {});
        let value = MetadataValue::try_from(name.as_bytes()).unwrap();
        request.metadata_mut().insert("hongbao-user-id", value);
        let refused = mesh.wallet().get_wallet(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{name}");
        assert_eq!(status::reason(&refused), "IDENTITY_INVALID", "{name}");
        assert!(
            refused.message().starts_with("hongbao-user-id: "),
            "{}",
            refused.message()
        );
    }

    let mut twice = by("alice", GetWalletRequest {});
    twice.metadata_mut().append("hongbao-user-id", "bob".parse().unwrap());
    let mut role = by("alice", GetWalletRequest {});
    role.metadata_mut().insert("hongbao-role", "root".parse().unwrap());
    for request in [twice, role] {
        let refused = mesh.wallet().get_wallet(request).await.unwrap_err();
        assert_eq!(status::reason(&refused), "IDENTITY_INVALID", "{refused:?}");
    }
    assert_eq!(mesh.fake.count(), 0);
}

#[tokio::test]
async fn operations_are_for_operators() {
    let mesh = Mesh::start().await;
    let (operations, others): (Vec<_>, Vec<_>) =
        paths().into_iter().partition(|path| path.contains("OperationService"));
    assert_eq!((operations.len(), others.len()), (11, 16));
    for path in &operations {
        let refused = call(&mesh.channel(), path, by("alice", ())).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{path}");
        assert_eq!(status::reason(&refused), "OPERATOR_REQUIRED", "{path}");
    }
    assert_eq!(mesh.fake.count(), 0);

    // The fake was told nothing to say, so whoever gets through hears that a service is unavailable.
    let through = async |path: &str, request| {
        let status = call(&mesh.channel(), path, request).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{path}: {status:?}");
    };
    for path in &operations {
        through(path, by_operator("olga", ())).await;
    }
    for path in &others {
        through(path, by("alice", ())).await;
        through(path, by_operator("olga", ())).await;
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_is_not_read() {
    let mesh = Mesh::start().await;
    let request = GrabPacketRequest {
        passphrase: "x".repeat(MAX_REQUEST_BYTES),
        ..GrabPacketRequest::default()
    };
    let refused = mesh.red_packet().grab_packet(by("alice", request.clone())).await;
    assert_eq!(refused.unwrap_err().code(), Code::ResourceExhausted);
    // Who is not known hears that first.
    let refused = mesh.red_packet().grab_packet(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(mesh.fake.count(), 0);
}
