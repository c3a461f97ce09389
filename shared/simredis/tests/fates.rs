//! What becomes of requests on a way that is not fair, over simulated time.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop at once, in its helpers too"
)]

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use clock::{Manual, Timestamp};
use futures::future::join_all;
use resp::{Error, Redis, Script, cmd};
use simredis::{Calm, Fate, Reply, Request, Server, Weather};
use tokio::time::{Instant, sleep};

const TIMEOUT: Duration = Duration::from_millis(250);

static ADD: Script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");

/// A way that does one thing after the other, and is fair when it has no more to do.
#[derive(Default)]
struct Plan {
    fates: Mutex<VecDeque<Fate>>,
    there: Duration,
    back: Duration,
    refuses: bool,
    seen: Mutex<Vec<String>>,
}

#[async_trait]
impl Weather for Plan {
    async fn dial(&self) -> io::Result<()> {
        if self.refuses {
            return Err(io::ErrorKind::HostUnreachable.into());
        }
        Ok(())
    }

    async fn before(&self, request: Request<'_>) -> Fate {
        if request.name() == b"CLIENT" {
            return Fate::Fair; // as a driver begins
        }
        let fate = self.fates.lock().unwrap().pop_front().unwrap_or(Fate::Fair);
        self.seen.lock().unwrap().push(format!("{fate:?} {request:?}"));
        sleep(self.there).await;
        fate
    }

    async fn after(&self, request: Request<'_>) {
        if request.name() != b"CLIENT" {
            sleep(self.back).await;
        }
    }
}

struct World {
    server: Server,
    plan: Arc<Plan>,
    redis: Redis,
    clock: Manual,
}

async fn world(plan: Plan) -> World {
    let clock = Manual::new(Timestamp::UNIX_EPOCH);
    let server = Server::new(Arc::new(clock.clone()));
    // Known, so that a call is one request.
    let calm = server.link(Arc::new(Calm)).redis(TIMEOUT).unwrap();
    let _: i64 = calm.run(&ADD.call(&["other"]).arg(1)).await.unwrap();
    let plan = Arc::new(plan);
    let redis = server.link(plan.clone()).redis(TIMEOUT).unwrap();
    World {
        server,
        plan,
        redis,
        clock,
    }
}

impl World {
    async fn add(&self) -> Result<i64, Error> {
        self.redis.run(&ADD.call(&["n"]).arg(1)).await
    }

    fn count(&self) -> Reply {
        self.server.execute(&[b"GET", b"n"])
    }
}

fn number(number: i64) -> Reply {
    Reply::Bulk(number.to_string().into_bytes())
}

#[tokio::test(start_paused = true)]
async fn each_fate_is_what_it_says() {
    // A connection that breaks is tried once more.
    for (fates, said, count) in [
        (vec![Fate::Fair], Some(1), number(1)),
        (vec![Fate::Cut], Some(1), number(1)),
        (vec![Fate::Cut, Fate::Cut], None, Reply::Nil),
        (vec![Fate::AnswerLost], Some(2), number(2)),
        (vec![Fate::AnswerLost, Fate::AnswerLost], None, number(2)),
        (vec![Fate::Swallowed], None, Reply::Nil),
        (vec![Fate::Unanswered], None, number(1)),
        (vec![Fate::Cut, Fate::Unanswered], None, number(1)),
    ] {
        let world = world(Plan {
            fates: Mutex::new(fates.clone().into()),
            ..Plan::default()
        })
        .await;
        let began = Instant::now();
        let answer = world.add().await;
        assert_eq!(answer.as_ref().ok(), said.as_ref(), "{fates:?}: {answer:?}");
        if let Err(fault) = answer {
            assert!(matches!(fault, Error::Unavailable(_)), "{fates:?}: {fault}");
        }
        assert!(began.elapsed() <= TIMEOUT, "{fates:?}");
        assert_eq!(world.count(), count, "{fates:?}");
        world.add().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_late_takes_effect_all_the_same() {
    for (there, back) in [(400, 0), (0, 400)] {
        let world = world(Plan {
            there: Duration::from_millis(there),
            back: Duration::from_millis(back),
            ..Plan::default()
        })
        .await;
        let answer = world.add().await;
        assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
        let now = if there > 0 { Reply::Nil } else { number(1) };
        assert_eq!(world.count(), now);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(world.count(), number(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_way_is_slow_and_nothing_else() {
    let world = world(Plan {
        there: Duration::from_millis(1),
        back: Duration::from_millis(20),
        ..Plan::default()
    })
    .await;
    let began = Instant::now();
    world.add().await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(21));
    let both = join_all((0..2).map(|_| world.add())).await;
    let sums: Vec<i64> = both.into_iter().map(Result::unwrap).collect();
    assert_eq!(sums, [2, 3]);
    assert_eq!(world.plan.seen.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_way_nothing_arrives() {
    let world = world(Plan {
        refuses: true,
        ..Plan::default()
    })
    .await;
    let answer = world.add().await;
    assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    assert_eq!(world.count(), Reply::Nil);
}

#[tokio::test]
async fn a_server_goes_back_in_time_or_loses_everything() {
    let world = world(Plan::default()).await;
    world.add().await.unwrap();
    let then = world.server.snapshot();
    world.add().await.unwrap();
    world.server.restart(Some(&then));
    assert_eq!(
        world.add().await.unwrap(),
        2,
        "with its connections and its scripts gone"
    );
    world.server.flush();
    assert_eq!(world.add().await.unwrap(), 1);
    world.server.restart(None);
    assert_eq!(world.add().await.unwrap(), 1);
    assert!(world.server.misunderstood().is_empty());
    let _: Result<(), _> = world.redis.query(cmd("SET").arg("k").arg(1).arg("NX")).await;
    assert_eq!(world.server.misunderstood(), ["SET: ERR syntax error"]);
}

#[tokio::test]
async fn keys_expire_by_the_given_clock() {
    let world = world(Plan::default()).await;
    world.add().await.unwrap();
    world.server.execute(&[b"PEXPIRE", b"n", b"1000"]);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.count(), number(1));
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.count(), Reply::Nil);
    assert_eq!(world.add().await.unwrap(), 1);
}
