//! Servers that do not serve: a client sees the same of both.

use std::mem::discriminant;

use resp::{Error, Script};
use simredis::Mood;

use super::*;

/// For servers that fail.
const TIMEOUT: Duration = Duration::from_millis(300);

static READ: Script = Script::new("return redis.call('GET', KEYS[1])");
static WRITE: Script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
static FREE: Script = Script::new("return redis.call('DEL', KEYS[2])");
/// Has written before it needs memory.
static GO_ON: Script = Script::new("redis.call('DEL', KEYS[2]) return redis.call('INCRBY', KEYS[1], 0)");

/// What each kind of call comes to, by the error's kind.
async fn calls(redis: &Redis) -> Vec<Result<Value, Error>> {
    let run = async |script: &'static Script| redis.run(&script.call(&["n", "none"]).arg(1)).await;
    vec![
        run(&WRITE).await,
        redis.query(&cmd("PING")).await,
        redis.query(cmd("GET").arg("n")).await,
        redis.query(cmd("SET").arg("m").arg(1)).await,
        redis.query(cmd("DEL").arg("none")).await,
        run(&READ).await,
        run(&FREE).await,
        run(&GO_ON).await,
    ]
}

async fn both_say_the_same(real: &Redis, simulated: &Redis) -> Vec<Result<Value, Error>> {
    let (real, simulated) = (calls(real).await, calls(simulated).await);
    for (n, (real, simulated)) in real.iter().zip(&simulated).enumerate() {
        match (real, simulated) {
            (Ok(real), Ok(simulated)) => assert_eq!(real, simulated, "{n}"),
            (Err(real), Err(simulated)) if discriminant(real) == discriminant(simulated) => {}
            _ => panic!("{n}\n     real: {real:?}\nsimulated: {simulated:?}"),
        }
    }
    real
}

#[tokio::test]
async fn every_mood_is_that_of_a_real_server() {
    let mut twins = Twins::start().await;
    let real = open(&twins.process.url(), TIMEOUT);
    let simulated = twins.server.link(Arc::new(Calm)).redis(TIMEOUT).unwrap();
    let well = both_say_the_same(&real, &simulated).await;
    assert!(well.iter().all(Result::is_ok), "{well:?}");
    assert_eq!(real.check().await.is_ok(), simulated.check().await.is_ok());

    for (mood, words, amends, word) in [
        (
            Mood::Full,
            ["CONFIG", "SET", "maxmemory", "1"],
            ["CONFIG", "SET", "maxmemory", "0"],
            "OOM",
        ),
        (
            Mood::ReadOnly,
            ["REPLICAOF", "127.0.0.1", "1", ""],
            ["REPLICAOF", "NO", "ONE", ""],
            "replica",
        ),
    ] {
        let said = |words: [&'static str; 4]| words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>();
        twins.process.command(&said(words)).await.unwrap();
        twins.server.set_mood(mood);
        let said_so = both_say_the_same(&real, &simulated).await;
        let refused = said_so.iter().filter_map(|said| said.as_ref().err());
        assert!(
            refused.clone().count() > 0 && refused.clone().all(|fault| fault.to_string().contains(word)),
            "{said_so:?}"
        );
        twins.process.command(&said(amends)).await.unwrap();
        twins.server.set_mood(Mood::Well);
        both_say_the_same(&real, &simulated).await;
    }

    twins.process.pause();
    twins.server.set_mood(Mood::Hung);
    let hung = both_say_the_same(&real, &simulated).await;
    assert!(
        hung.iter().all(|said| matches!(said, Err(Error::Unavailable(_)))),
        "{hung:?}"
    );
    twins.process.resume();
    twins.server.set_mood(Mood::Well);
    // What was sent and not answered takes effect, for both: the fourth that did.
    let last = &[&b"GET"[..], b"n"];
    while say(&twins.real, last).await != Ok(Value::BulkString(b"4".to_vec())) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    twins.ask(last).await.unwrap().unwrap();

    twins.process.kill().await;
    twins.server.set_mood(Mood::Down);
    let down = both_say_the_same(&real, &simulated).await;
    assert!(down.iter().all(|said| matches!(said, Err(Error::Unavailable(_)))));
    twins.process.restart().await.unwrap();
    twins.server.restart(None);
    let back = both_say_the_same(&real, &simulated).await;
    assert!(back.iter().all(Result::is_ok), "{back:?}");
    twins.have_the_same().await.unwrap();
    assert!(
        twins.server.misunderstood().is_empty(),
        "{:?}",
        twins.server.misunderstood()
    );
}
