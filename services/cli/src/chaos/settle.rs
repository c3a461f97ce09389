//! Waits until everything has settled, and lets an operator retry what could not.

use std::{collections::HashSet, time::Duration};

use proto::gateway::v1::RetryRepairCaseRequest;
use tokio::time::Instant;

use super::{
    books::{Books, Case, PacketState},
    check::Violation,
    history::now_us,
    reading::Services,
};
use crate::client::Client;

/// How long everything may take to settle: leases, retries with their longest pause, and the sweep, twice over.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// The books when nothing is on its way any more, or as they are when that takes too long; and when they were read, in
/// microseconds since 1970.
pub async fn read(services: &Services, users: &[String]) -> anyhow::Result<(i64, Books)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let read_us = now_us();
        let found = services.read(users).await;
        // What expires while it is read moves money from one page to the next.
        let until_us = now_us();
        let is_over = found.as_ref().is_ok_and(|books| has_settled(books, until_us));
        if is_over || Instant::now() > deadline {
            return Ok((read_us, found?));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether nothing was to be expected any more in books that were read until `until_us`.
fn has_settled(books: &Books, until_us: i64) -> bool {
    let orders: HashSet<&str> = books.orders.iter().map(|order| order.packet_id.as_str()).collect();
    let is_still = |(packet_id, packet): (&String, &super::books::Packet)| match packet.state {
        PacketState::Funding | PacketState::Closing => false,
        PacketState::Active => packet.expire_us > until_us && orders.contains(packet_id.as_str()),
        PacketState::Rejected | PacketState::Completed => true,
    };
    books.unsettled == 0 && books.differences.is_empty() && books.packets.iter().all(is_still)
}

/// An operator tries each case once more, now that all wallets are thawed; how many that closed.
pub async fn retry(client: &Client, cases: &[&Case], violations: &mut Vec<Violation>) -> usize {
    let mut closed = 0;
    for case in cases {
        let request = RetryRepairCaseRequest {
            case_id: case.id.clone(),
            reason: "the wallet is no longer frozen".to_owned(),
            request_id: case.id.clone(), // one retry a case
        };
        match client.operations().retry_repair_case(request).await {
            Ok(_) => closed += 1,
            Err(status) => {
                let told = format!("the retry of repair case {} failed: {}", case.id, status.message());
                violations.push(Violation::NotBack(told));
            }
        }
    }
    closed
}
