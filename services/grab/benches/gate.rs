//! Asks per second of the Redis gate's script, in batches of 1, 16 and 128, and what each costs the server in processor
//! time, against a script that does nothing, on the same server over the same connection in the same run.
//!
//! ```text
//! cargo bench -p grab --bench gate
//! ```

#![cfg(test)] // so that the lints know helpers for tests

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use resp::{Call, Redis, RedisConfig, Script};
use testkit::engines;

/// Calls under way at once.
const CONCURRENCY: usize = 64;
/// How long each figure is measured.
const SPAN: Duration = Duration::from_secs(1);
/// How often; they take turns, so that all see the same machine.
const ROUNDS: usize = 3;

static NOTHING: Script = Script::new("return 0");
static GRAB: Script = Script::new(concat!(
    include_str!("../src/gate/redis/state.lua"),
    include_str!("../src/gate/redis/grab.lua")
));
static BEGIN: Script = Script::new(concat!(
    include_str!("../src/gate/redis/state.lua"),
    include_str!("../src/gate/redis/begin.lua")
));
static TELL: Script = Script::new(concat!(
    include_str!("../src/gate/redis/state.lua"),
    include_str!("../src/gate/redis/tell.lua")
));

fn keys(packet: &str) -> [String; 4] {
    ["", ":head", ":bits", ":ends"].map(|part| format!("grab:{{p00}}{packet}{part}"))
}

/// A call as the gate makes it: users numbered from `first`.
fn grab(packet: &str, first: usize, batch: usize) -> Call {
    let mut keys = keys(packet);
    "grab:{p00}".clone_into(&mut keys[0]);
    let mut call = GRAB.call(&keys).arg(0).arg("e");
    // now, voucher_ttl, lapse_grace, idle
    for number in [1_700_000_000_000_000_u64, 30_000_000, 2_000_000, 600_000] {
        call.push(number);
    }
    call.push(batch);
    for n in first..first + batch {
        call.push(format!("user-{n:07}"));
        call.push(1);
    }
    call
}

/// A live packet.
async fn live(redis: &Redis, packet: &str, shares: u32) {
    let mut keys = keys(packet);
    "grab:{p00}".clone_into(&mut keys[0]);
    let begin = BEGIN.call(&keys).arg(0).arg("e").arg("mark").arg(shares).arg(30_000);
    redis.run::<String>(&begin).await.unwrap();
    let loaded = TELL.call(&keys).arg(0).arg("e").arg(0).arg(600_000);
    let states: Vec<i64> = redis.run(&loaded.arg(1).arg("loaded").arg("mark")).await.unwrap();
    assert_eq!(states, [2]);
}

/// Processor time that the server has used, in microseconds.
async fn processor_us(redis: &Redis) -> f64 {
    let info: String = redis.query(resp::cmd("INFO").arg("cpu")).await.unwrap();
    let used = |name| {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok())
            .unwrap()
    };
    (used("used_cpu_sys:") + used("used_cpu_user:")) * 1e6
}

/// Calls per second, and the server's processor time for one in microseconds.
#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
async fn rate(redis: &Redis, mut call: impl FnMut(usize) -> Call) -> (f64, f64) {
    let (began, used) = (Instant::now(), processor_us(redis).await);
    let calls = stream::iter(0..).take_while(|_| std::future::ready(began.elapsed() < SPAN));
    let done = calls
        .map(|n| {
            let call = call(n);
            async move { redis.run::<resp::Value>(&call).await.unwrap() }
        })
        .buffer_unordered(CONCURRENCY)
        .count()
        .await;
    let took = began.elapsed();
    (
        done as f64 / took.as_secs_f64(),
        (processor_us(redis).await - used) / done as f64,
    )
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
async fn measure() {
    let server = engines::Redis::start().await.unwrap();
    let url = server.url().parse().unwrap();
    let timeout = Duration::from_secs(5);
    let redis = Redis::open(&RedisConfig { url, timeout }).unwrap();
    for round in 0..ROUNDS {
        let (nothing, cost) = rate(&redis, |_| NOTHING.call(&["grab:{p00}"])).await;
        println!(
            "round {}: a script that does nothing: {nothing:.0} calls/s, {cost:.1} us each",
            round + 1
        );
        for batch in [1, 16, 128] {
            for (shares, what) in [(100_000, "granted"), (10, "all held"), (100_000, "all held")] {
                let (name, full) = (format!("{round}-{batch}-{shares}-{what}"), what == "all held");
                let packet = |n: usize| format!("{name}-{}", n * batch / shares);
                if full {
                    live(&redis, &name, u32::try_from(shares).unwrap()).await;
                    for first in (0..shares).step_by(500) {
                        redis.run::<resp::Value>(&grab(&name, first, 500)).await.unwrap();
                    }
                } else {
                    for n in 0..100 {
                        live(&redis, &format!("{name}-{n}"), u32::try_from(shares).unwrap()).await;
                    }
                }
                let (calls, cost) = if full {
                    rate(&redis, |n| grab(&name, 1_000_000 + n * batch, batch)).await
                } else {
                    rate(&redis, |n| grab(&packet(n), n * batch, batch)).await
                };
                println!(
                    "  {what} of {shares:>6} shares, {batch:>3} asks a call: {:>7.0} asks/s, {:.1} us each",
                    calls * batch as f64,
                    cost / batch as f64,
                );
                server.command(&["FLUSHALL"]).await.unwrap();
            }
        }
    }
}

fn main() {
    tokio::runtime::Runtime::new().unwrap().block_on(measure());
}
