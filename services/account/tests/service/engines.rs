//! Two instances of the service on one database of a server, which is behind a network that fails.

use proto::account::v1::{AccountKind, PostVerdict};
use testkit::Engine;
use tonic::Code;

use crate::{
    concurrency, durability,
    mesh::{Mesh, PACKET, escrow, reference, said, transfer, wallet},
};

async fn everything(server: Engine) {
    let url = server.database("crowd").await;
    concurrency::overlap(vec![Mesh::over(&url).await, Mesh::over(&url).await]).await;
    durability::survive_a_restart(Mesh::over(&server.database("restart").await).await).await;
    no_caller_hears_of_a_lost_commit(&server).await;
    a_server_that_is_away_is_told_as_unavailable(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    everything(Engine::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb() {
    everything(Engine::mariadb().await).await;
}

async fn no_caller_hears_of_a_lost_commit(server: &Engine) {
    let (proxy, url) = (server.proxy().await.unwrap(), server.database("lost").await);
    let (straight, mesh) = (Mesh::over(&url).await, Mesh::over(&proxy.url(&url)).await);
    mesh.open(&["amy", "bo"]).await;
    proxy.swallow_commit();
    assert_eq!(mesh.deposit("amy", "r", 100).await.unwrap(), 100);
    let batch = || {
        vec![
            transfer(1, wallet("amy"), escrow(PACKET), 60),
            transfer(2, escrow(PACKET), wallet("bo"), 60),
        ]
    };
    proxy.swallow_commit();
    let told = mesh.post(batch()).await;
    assert_eq!(
        told,
        [(PostVerdict::AlreadyPosted, 40), (PostVerdict::AlreadyPosted, 0)]
    );
    assert_eq!(straight.post(batch()).await, told, "as the other instance sees it");
    assert_eq!(proxy.commits_lost(), 2);
    assert_eq!(straight.balance(wallet("bo")).await, 60);
    assert_eq!(straight.balance(reference(AccountKind::External, "")).await, -100);
    straight.verify().await;
}

async fn a_server_that_is_away_is_told_as_unavailable(server: &Engine) {
    let (proxy, url) = (server.proxy().await.unwrap(), server.database("away").await);
    let mesh = Mesh::over(&proxy.url(&url)).await;
    mesh.open(&["amy"]).await;
    proxy.refuse();
    let (code, ..) = said(mesh.deposit("amy", "r", 100).await);
    assert!(matches!(code, Code::Unavailable | Code::DeadlineExceeded), "{code:?}");
    proxy.resume();
    let deposited = testkit::eventually("the store is back", async || mesh.deposit("amy", "r", 100).await.ok()).await;
    assert_eq!(deposited, 100);
    mesh.verify().await;
}
