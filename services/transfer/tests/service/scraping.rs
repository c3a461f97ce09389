//! Metrics as Prometheus reads them.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::mesh::{Mesh, packet};

/// An address that was free a moment ago.
async fn free() -> SocketAddr {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    taken.local_addr().unwrap()
}

async fn scrape(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
    answer
}

fn value(told: &str, metric: &str) -> f64 {
    let line = told.lines().find_map(|line| line.strip_prefix(&format!("{metric} ")));
    line.unwrap_or_else(|| panic!("{metric} in {told}")).parse().unwrap()
}

const OLDEST: &str = "hongbao_transfer_oldest_unsettled_claim_age_seconds";
const UNSETTLED: &str = "hongbao_transfer_unsettled_claims";

/// While the ledger is away the oldest claim grows older; when it is back, nothing is old.
#[tokio::test]
async fn the_oldest_unsettled_claim_is_seen_from_outside() {
    let mut mesh = Mesh::new().await;
    let address = free().await;
    mesh.config.server.metrics_listen = Some(address);
    let (mesh, transfer) = mesh.furnished().await;
    transfer.fund(packet(1), "sender", 100).await.unwrap();
    let quiet = testkit::eventually("it follows everything", async || {
        let told = scrape(address).await;
        (value(&told, "hongbao_transfer_partitions_held") > 0.0
            && value(&told, "hongbao_transfer_partitions_not_followed") < 1.0)
            .then_some(told)
    });
    let quiet = quiet.await;
    assert!(
        value(&quiet, OLDEST) < f64::EPSILON && value(&quiet, UNSETTLED) < f64::EPSILON,
        "{quiet}"
    );

    mesh.bank.set_down(true);
    mesh.log.claim(packet(1), 0, "alice", 60);
    let waiting = testkit::eventually("a claim waits", async || {
        let told = scrape(address).await;
        (value(&told, UNSETTLED) > 0.0 && told.contains("hongbao_transfer_settle_retries_total")).then_some(told)
    });
    let first = value(&waiting.await, OLDEST);
    mesh.clock.advance(Duration::from_mins(10));
    let then = value(&scrape(address).await, OLDEST);
    assert!((then - first - 600.0).abs() < 1.0, "{first} then {then}");

    mesh.bank.set_down(false);
    let told = testkit::eventually("nothing waits", async || {
        let told = scrape(address).await;
        (value(&told, UNSETTLED) < f64::EPSILON).then_some(told)
    });
    let told = told.await;
    assert!(value(&told, OLDEST) < f64::EPSILON, "{told}");
    assert!(
        (value(&told, "hongbao_transfer_settled_claims_total") - 1.0).abs() < f64::EPSILON,
        "{told}"
    );
    assert_eq!(mesh.bank.wallet("alice"), 60);
}

/// Cases are counted by what they are about, and acts by what came of them.
#[tokio::test]
async fn open_cases_and_acts_are_seen_from_outside() {
    let mut mesh = Mesh::new().await;
    let address = free().await;
    mesh.config.server.metrics_listen = Some(address);
    let (mesh, transfer) = crate::repairing::with_cases_in(mesh).await;
    mesh.clock.advance(Duration::from_hours(1));
    mesh.log.append("?", 0, "alice", 5);
    let told = testkit::eventually("three cases", async || {
        let told = scrape(address).await;
        (value(&told, "hongbao_transfer_repair_cases_open{kind=\"UNREADABLE_CLAIM\"}") > 0.0).then_some(told)
    });
    let told = told.await;
    assert!((value(&told, "hongbao_transfer_repair_cases_open{kind=\"UNDELIVERED\"}") - 2.0).abs() < f64::EPSILON);
    let age = value(&told, "hongbao_transfer_repair_cases_oldest_open_age_seconds");
    assert!(
        (3_600.0..3_700.0).contains(&age),
        "that of the first, of whatever kind: {age}"
    );

    crate::repairing::retry(&transfer, crate::repairing::SUSPENDED)
        .await
        .unwrap();
    mesh.bank.unfreeze("bob");
    crate::repairing::retry(&transfer, crate::repairing::SUSPENDED)
        .await
        .unwrap();
    let told = scrape(address).await;
    for outcome in ["REFUSED", "DONE"] {
        let acts = format!("hongbao_transfer_repair_acts_total{{action=\"RETRIED\",outcome=\"{outcome}\"}}");
        assert!((value(&told, &acts) - 1.0).abs() < f64::EPSILON, "{told}");
    }
    assert!((value(&told, "hongbao_transfer_repair_cases_open{kind=\"UNDELIVERED\"}") - 1.0).abs() < f64::EPSILON);
    assert!(value(&told, "hongbao_metrics_stale{part=\"repair_cases\"}") < f64::EPSILON);
}
