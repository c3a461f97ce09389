//! The simulated server and a real one are asked the same and must say the same.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop at once, in its helpers too"
)]

mod commands;
mod moods;
mod scripts;

use std::{sync::Arc, time::Duration};

use resp::{Redis, RedisConfig, Value, cmd};
use simredis::{Calm, Server};

/// For servers that do not fail, on machines that do other things.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much earlier or later one of the two may have been asked, in milliseconds.
const ASYNC_MS: i64 = 3_000;

/// What is said: a value, or an error without what only logs need.
type Said = Result<Value, String>;

/// Both servers.
struct Twins {
    real: Redis,
    simulated: Redis,
    /// The simulated one.
    server: Server,
    process: engines::Redis,
}

impl Twins {
    async fn start() -> Self {
        let process = engines::Redis::start().await.unwrap();
        let server = Server::new(Arc::new(clock::System));
        Self {
            real: open(&process.url(), PATIENCE),
            simulated: server.link(Arc::new(Calm)).redis(PATIENCE).unwrap(),
            server,
            process,
        }
    }

    /// Asks both; what they said, if it is the same.
    async fn ask(&self, words: &[&[u8]]) -> Result<Said, String> {
        let (real, simulated) = (say(&self.real, words).await, say(&self.simulated, words).await);
        if alike(words, &real, &simulated) {
            return Ok(real);
        }
        let asked: Vec<String> = words.iter().map(|word| word.escape_ascii().to_string()).collect();
        Err(format!("{asked:?}\n     real: {real:?}\nsimulated: {simulated:?}"))
    }

    /// Whether both have the same under all keys.
    async fn have_the_same(&self) -> Result<(), String> {
        let Ok(Value::Array(keys)) = self.ask(&[b"KEYS", b"*"]).await?.map(sorted) else {
            return Err("no list of keys".to_owned());
        };
        for key in keys {
            let Value::BulkString(key) = key else {
                return Err(format!("no key: {key:?}"));
            };
            let kind = self.ask(&[b"TYPE", &key]).await?;
            let _ = self.ask(&[b"PTTL", &key]).await?;
            match kind {
                Ok(Value::SimpleString(kind)) if kind == "string" => self.ask(&[b"GET", &key]).await?,
                Ok(Value::SimpleString(kind)) if kind == "hash" => self.ask(&[b"HGETALL", &key]).await?,
                _ => self.ask(&[b"ZRANGE", &key, b"0", b"-1", b"WITHSCORES"]).await?,
            }
            .map_err(|fault| format!("unreadable: {fault}"))?;
        }
        Ok(())
    }

    async fn forget(&self) {
        self.ask(&[b"FLUSHALL"]).await.unwrap().unwrap();
    }
}

fn open(url: &str, timeout: Duration) -> Redis {
    let url = url.parse().unwrap();
    Redis::open(&RedisConfig { url, timeout }).unwrap()
}

async fn say(redis: &Redis, words: &[&[u8]]) -> Said {
    let mut command = cmd(str::from_utf8(words[0]).unwrap());
    for word in &words[1..] {
        command.arg(word);
    }
    redis.query::<Value>(&command).await.map_err(|fault| {
        let text = fault.to_string();
        // What follows names the script and its line.
        text.split(" script: ").next().unwrap_or_default().to_owned()
    })
}

fn alike(words: &[&[u8]], real: &Said, simulated: &Said) -> bool {
    match (real, simulated) {
        (Ok(Value::Int(real)), Ok(Value::Int(simulated))) if words[0].eq_ignore_ascii_case(b"PTTL") => {
            (real - simulated).abs() <= ASYNC_MS && (real < &0) == (simulated < &0)
        }
        // These have no order.
        (Ok(real), Ok(simulated)) if words[0] == b"KEYS" => sorted(real.clone()) == sorted(simulated.clone()),
        (Ok(real), Ok(simulated)) if words[0] == b"HGETALL" => pairs(real) == pairs(simulated),
        (real, simulated) => real == simulated,
    }
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Array(mut values) => {
            values.sort_by_key(|value| format!("{value:?}"));
            Value::Array(values)
        }
        value => value,
    }
}

fn pairs(value: &Value) -> Vec<String> {
    let Value::Array(values) = value else {
        return vec![format!("{value:?}")];
    };
    let mut pairs: Vec<String> = values.chunks(2).map(|pair| format!("{pair:?}")).collect();
    pairs.sort();
    pairs
}
