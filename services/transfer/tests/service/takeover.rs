//! Several instances on one store.

use std::time::Duration;

use crate::mesh::{Instance, Mesh, packet};

async fn claim_some(mesh: &Mesh, from: u8, to: u8) {
    for n in from..=to {
        mesh.log.claim(packet(n), 0, "alice", 10);
        tokio::task::yield_now().await;
    }
}

async fn fund_all(transfer: &Instance) {
    for n in 1..=90 {
        transfer.fund(packet(n), "sender", 10).await.unwrap();
    }
}

#[tokio::test]
async fn an_instance_that_stops_hands_its_partitions_over_at_once() {
    an_instance_that_stops(Mesh::new().await).await;
}

#[tokio::test]
async fn an_instance_that_dies_is_taken_over_when_its_leases_run_out() {
    an_instance_that_dies(Mesh::new().await).await;
}

pub async fn an_instance_that_stops(mesh: Mesh) {
    let (mesh, first) = mesh.furnished().await;
    fund_all(&first).await;
    claim_some(&mesh, 1, 30).await;
    let second = mesh.start().await;
    claim_some(&mesh, 31, 60).await;
    first.settled(60).await;
    first.stop().await;
    claim_some(&mesh, 61, 90).await;
    // The hour stands still: no lease runs out, what the first held must have been let go.
    second.settled(90).await;
    assert_eq!(mesh.bank.wallet("alice"), 900);
}

pub async fn an_instance_that_dies(mesh: Mesh) {
    let (mesh, first) = mesh.furnished().await;
    let second = mesh.start().await;
    fund_all(&second).await;
    claim_some(&mesh, 1, 30).await;
    first.kill();
    claim_some(&mesh, 31, 60).await;
    mesh.clock.advance(Duration::from_secs(1));
    second.settled(60).await;

    // One after the other, in the middle of work.
    let third = mesh.start().await;
    claim_some(&mesh, 61, 75).await;
    second.kill();
    claim_some(&mesh, 76, 90).await;
    testkit::eventually("all is settled", async || {
        mesh.clock.advance(Duration::from_millis(100));
        let report = third.reconcile().await;
        assert_eq!(report.differences, []);
        (report.claim_count == 90).then_some(())
    })
    .await;
    assert_eq!(mesh.bank.wallet("alice"), 900);
}

#[tokio::test]
async fn the_number_of_partitions_never_changes() {
    let (mesh, transfer) = Mesh::with_instance().await;
    transfer.stop().await;
    let mut config = mesh.config.clone();
    config.partitions = std::num::NonZeroU16::new(4).unwrap();
    let (clock, process) = (std::sync::Arc::new(mesh.clock.clone()), runtime::Process::new());
    let refused = transfer::app::start_at(config, clock, &process).await.unwrap_err();
    assert!(format!("{refused:#}").contains("never changes"));
    assert!(mesh.path().join("transfer.db").exists());
}
