//! Opens per second through gRPC on SQLite: group commit against one transaction an open, in the same run.
//!
//! ```text
//! cargo bench -p grab --bench opens
//! ```

#![cfg(test)] // so that the lints know helpers for tests

#[path = "../tests/service/world.rs"]
#[expect(dead_code, reason = "the benchmark needs a part of what the tests do")]
mod world;

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use proto::grab::v1::{BatchGrabRequest, batch_grab_result, grab_response::Outcome};
use world::{Client, World, ask, open};

/// Users that open at once.
const CONCURRENCY: usize = 256;
/// How often each setting is measured; they take turns, so that both see the same machine.
const ROUNDS: usize = 3;

/// Vouchers for `count` users of one packet.
async fn vouchers(client: &Client, packet_id: &str, count: usize) -> Vec<(String, String)> {
    let users: Vec<String> = (0..count).map(|n| format!("u{n}")).collect();
    let mut vouchers = Vec::new();
    for users in users.chunks(1_000) {
        let requests = users.iter().map(|user_id| ask(packet_id, user_id)).collect();
        let response = client.clone().batch_grab(BatchGrabRequest { requests }).await.unwrap();
        for (user_id, result) in users.iter().zip(response.into_inner().results) {
            let Some(batch_grab_result::Result::Response(response)) = result.result else {
                panic!("an error");
            };
            let Some(Outcome::Granted(granted)) = response.outcome else {
                panic!("not granted");
            };
            vouchers.push((user_id.clone(), granted.voucher));
        }
    }
    vouchers
}

async fn measure(writer_batch: usize, count: usize) -> f64 {
    let mut world = World::new().await;
    world.settings.writer_batch = writer_batch.to_string();
    "10m".clone_into(&mut world.settings.voucher_ttl);
    let instance = world.start().await;
    let client = &instance.client;
    let packet_id = &world.packet(client, u32::try_from(count).unwrap()).await;
    let vouchers = vouchers(client, packet_id, count).await;
    let began = Instant::now();
    stream::iter(&vouchers)
        .for_each_concurrent(CONCURRENCY, |(user_id, voucher)| async move {
            open(client, packet_id, user_id, voucher).await;
        })
        .await;
    let took = began.elapsed();
    instance.stop().await;
    rate(count, took)
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for round in 1..=ROUNDS {
        let single = runtime.block_on(measure(1, 2_000));
        let grouped = runtime.block_on(measure(500, 20_000));
        println!(
            "round {round}: {CONCURRENCY} users at once, one packet: {grouped:.0} opens/s in groups, \
             {single:.0} opens/s one by one, ratio {:.1}",
            grouped / single
        );
    }
}
