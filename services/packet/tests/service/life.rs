//! Starts that are refused, health, and the end.

use std::{fs, net::SocketAddr, path::Path, process::Command, sync::Arc, time::Duration};

use futures::future::join_all;
use proto::packet::v1::packet_service_client::PacketServiceClient;
use testkit::{
    Dir,
    engines::{End, Process, free_port},
};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::app::{App, World, request};

/// Waits until health says so.
pub async fn health_is(address: SocketAddr, wanted: ServingStatus) {
    let mut health = HealthClient::new(testkit::channel(address));
    testkit::eventually("health", async || {
        let request = HealthCheckRequest {
            service: "hongbao.packet.v1.PacketService".to_owned(),
        };
        let status = health.check(request).await.ok()?.into_inner().status();
        (status == wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn it_is_healthy_while_its_store_is() {
    let world = World::sharded().await;
    let app = world.start().await;
    health_is(app.address, ServingStatus::Serving).await;
}

/// As a program, which ends as soon as it may.
#[tokio::test]
async fn a_clean_stop_leaves_the_file_and_no_log_of_it() {
    let (world, dir, elsewhere) = (World::new().await, Dir::new(), Dir::new());
    let address = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
    let mut program = Command::new(env!("CARGO_BIN_EXE_hongbao-packet"));
    program.args([
        "--listen",
        &address.to_string(),
        "--database-url",
        &dir.sqlite("packet"),
    ]);
    for peer in ["--account-url", "--grab-url", "--transfer-url"] {
        program.args([peer, &format!("http://{}", world.peers_address)]);
    }
    let log = elsewhere.path().join("log");
    let mut program = Process::start("hongbao-packet", &program, &log, End::Kill).unwrap();
    health_is(address, ServingStatus::Serving).await;
    let client = PacketServiceClient::new(testkit::channel(address));
    let sends = (0..100).map(|number| {
        let mut client = client.clone();
        async move { client.create_packet(request(&format!("r{number}"))).await }
    });
    assert!(join_all(sends).await.iter().all(Result::is_ok));
    assert!(files(dir.path()).len() > 1, "{:?}", files(dir.path()));
    assert!(program.stop(Duration::from_secs(10)).await);
    assert!(program.ended().unwrap().success());
    assert_eq!(files(dir.path()), ["packet.db"]);
}

fn files(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[tokio::test]
async fn databases_in_another_order_or_number_are_refused() {
    let world = World::sharded().await;
    let app = world.start().await;
    app.create(request("r1")).await.unwrap();
    assert!(app.stop().await);
    let start = async |change: &dyn Fn(&mut packet::Config)| {
        let mut config = world.config.clone();
        change(&mut config);
        App::try_start(config, Arc::new(world.clock.clone())).await
    };
    for change in [
        &|config: &mut packet::Config| config.database_urls.reverse(),
        &|config: &mut packet::Config| config.database_urls.truncate(1),
        &|config: &mut packet::Config| config.partitions = 32.try_into().unwrap(),
    ] as [&dyn Fn(&mut packet::Config); 3]
    {
        let fault = start(change).await.map(drop).unwrap_err().to_string();
        assert!(
            fault.contains("the list of databases must keep its order and length"),
            "{fault}"
        );
    }
    let app = start(&|_| {}).await.unwrap();
    assert_eq!(app.sent_by("alice").await.len(), 1);
}
