//! The service on servers: what is easy with one writer, with many.

use testkit::{Dir, Engine, engines::Proxy};

use crate::{
    books,
    engine::mesh,
    funding,
    mesh::{Mesh, packet},
    refunding, repairing, runs, settling, takeover,
};

async fn everything(engine: Engine) {
    funding::a_refusal_on_its_way(mesh(&engine, "refusal").await).await;
    funding::a_posting_on_its_way(mesh(&engine, "posting").await).await;
    funding::many_calls_at_once(mesh(&engine, "calls").await).await;
    funding::cut_off_at_every_await(mesh(&engine, "funding_cut").await).await;
    refunding::at_once(mesh(&engine, "refunds").await).await;
    refunding::cut_off_at_every_await(mesh(&engine, "refunding_cut").await).await;
    settling::claims_become_transfers_in(mesh(&engine, "claims").await).await;
    settling::cut_off_at_every_await(mesh(&engine, "settling_cut").await).await;
    repairing::acts_at_once(mesh(&engine, "acts").await).await;
    books::a_claim_without_transfer(mesh(&engine, "books").await).await;
    books::moving_money(mesh(&engine, "moving").await).await;
    runs::one_run_at_a_time(&engine).await;
    takeover::an_instance_that_stops(mesh(&engine, "stops").await).await;
    takeover::an_instance_that_dies(mesh(&engine, "dies").await).await;
    no_caller_hears_of_a_lost_commit(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    everything(Engine::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb() {
    everything(Engine::mariadb().await).await;
}

/// Whatever commit it is of, while claims are settled all the time.
async fn no_caller_hears_of_a_lost_commit(engine: &Engine) {
    let (proxy, url) = (engine.proxy().await.unwrap(), engine.database("lost").await);
    let mesh = Mesh::on(&proxy.url(&url), Dir::new()).await;
    let (mesh, transfer) = mesh.furnished().await;
    for n in 1..=30 {
        let lose = if n % 2 == 0 {
            Proxy::swallow_commit
        } else {
            Proxy::lose_commit
        };
        lose(&proxy);
        transfer.fund(packet(n), "sender", 60).await.unwrap();
        lose(&proxy);
        mesh.log.claim(packet(n), 0, "alice", 50);
        lose(&proxy);
        transfer.refund(packet(n), "sender", 10).await.unwrap();
    }
    transfer.settled(30).await;
    assert_eq!(
        (mesh.bank.wallet("alice"), mesh.bank.wallet("sender")),
        (1_500, 998_500)
    );
    assert!(proxy.commits_lost() > 60, "{}", proxy.commits_lost());
}
