//! One real server, sound and broken in every way. Each test has a server of its own.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop at once, in its helpers too"
)]

use std::{
    env,
    process::Command,
    time::{Duration, Instant},
};

use engines::Options;
use futures::future::join_all;
use resp::{CheckError, Error, Redis, RedisConfig, Script, cmd, pipe};

/// For servers that fail.
const TIMEOUT: Duration = Duration::from_millis(300);
/// For servers that do not, on machines that do other things.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a loaded machine may add to a time-out.
const SLACK: Duration = Duration::from_secs(2);

static ADD: Script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
static BAD: Script = Script::new("local nothing; return nothing.field");

fn open_with(timeout: Duration, url: &str) -> Redis {
    let url = url.parse().unwrap();
    Redis::open(&RedisConfig { url, timeout }).unwrap()
}

fn open(url: &str) -> Redis {
    open_with(PATIENCE, url)
}

async fn add(redis: &Redis, key: &str) -> Result<i64, Error> {
    redis.run(&ADD.call(&[key]).arg(1)).await
}

#[tokio::test]
async fn commands_pipelines_and_scripts() {
    let server = engines::Redis::start().await.unwrap();
    let redis = open(&server.url());
    let checked = redis.check().await.unwrap();
    assert!(checked.warnings.is_empty(), "{checked:?}");

    redis
        .query::<()>(cmd("SET").arg("k").arg("v").arg("PX").arg(60_000))
        .await
        .unwrap();
    assert_eq!(redis.query::<String>(cmd("GET").arg("k")).await.unwrap(), "v");
    assert_eq!(
        redis.query::<Option<String>>(cmd("GET").arg("none")).await.unwrap(),
        None
    );
    let mut both = pipe();
    both.cmd("GET").arg("k").cmd("PTTL").arg("k");
    let (value, left): (String, i64) = redis.pipeline(&both).await.unwrap();
    assert!(value == "v" && left > 50_000);

    // Unknown at first, then known, then forgotten.
    assert_eq!(add(&redis, "n").await.unwrap(), 1);
    assert_eq!(add(&redis, "n").await.unwrap(), 2);
    server.command(&["SCRIPT", "FLUSH"]).await.unwrap();
    let sums = join_all((0..100).map(|_| add(&redis, "n"))).await;
    let mut sums: Vec<i64> = sums.into_iter().map(Result::unwrap).collect();
    sums.sort_unstable();
    assert!(sums.into_iter().eq(3..103), "each ran once");
    let stats = server.command(&["INFO", "commandstats"]).await.unwrap();
    assert!(stats.contains("cmdstat_evalsha"), "{stats}");

    for broken in [
        redis.run::<i64>(&BAD.call(&["n"])).await,
        redis.query::<i64>(cmd("LPOP").arg("n")).await,
        redis.query::<i64>(cmd("GET").arg("k")).await,
        redis.query::<i64>(&cmd("NONSENSE")).await,
    ] {
        assert!(matches!(broken, Err(Error::Broken(_))), "{broken:?}");
    }
    assert_eq!(add(&redis, "n").await.unwrap(), 103, "none of it did harm");
}

#[tokio::test]
async fn a_password_must_be_right() {
    let server = engines::Redis::start_with(Options::default().password("hush"))
        .await
        .unwrap();
    let redis = open(&server.url());
    redis.begin().await.unwrap();
    assert_eq!(add(&redis, "n").await.unwrap(), 1);

    for (login, word) in [("", "password"), (":wrong@", "not accept")] {
        let redis = open(&format!("redis://{login}{}", server.address()));
        assert!(matches!(add(&redis, "n").await, Err(Error::Refused(_))), "{login}");
        let fault = redis.begin().await.unwrap_err();
        assert!(
            matches!(&fault, CheckError::Unfit(text) if text.contains(word)),
            "{fault}"
        );
        assert!(!fault.to_string().contains("wrong@"), "{fault}");
    }
}

#[tokio::test]
async fn what_is_not_well_is_told() {
    let options = Options::default()
        .set("maxmemory", "2mb")
        .set("maxmemory-policy", "allkeys-lru");
    let server = engines::Redis::start_with(options).await.unwrap();
    let redis = open(&server.url());
    let warnings = redis.check().await.unwrap().warnings;
    assert!(
        warnings.len() == 1 && warnings[0].contains("noeviction"),
        "{warnings:?}"
    );

    server
        .command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"])
        .await
        .unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).await.unwrap();
    let full = redis.query::<()>(cmd("SET").arg("k").arg(1)).await.unwrap_err();
    assert!(matches!(full, Error::Refused(_)), "{full}");
    let full = add(&redis, "n").await.unwrap_err();
    assert!(matches!(full, Error::Refused(_)), "{full}");

    // A replica takes no writes; it may be promoted.
    let replica = engines::Redis::replica_of(&server, Options::default()).await.unwrap();
    let redis = open(&replica.url());
    let warnings = redis.check().await.unwrap().warnings;
    assert!(warnings.iter().any(|text| text.contains("replica")), "{warnings:?}");
    for fault in [
        add(&redis, "n").await.unwrap_err(),
        redis.query::<()>(cmd("SET").arg("k").arg(1)).await.unwrap_err(),
    ] {
        assert!(matches!(fault, Error::Unavailable(_)), "{fault}");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_hangs_or_comes_back() {
    let mut server = engines::Redis::start().await.unwrap();
    let redis = open_with(TIMEOUT, &server.url());
    // Restarted between two calls: nobody notices.
    let patient = open(&server.url());
    assert_eq!(add(&patient, "n").await.unwrap(), 1);
    server.restart().await.unwrap();
    assert_eq!(add(&patient, "n").await.unwrap(), 1);

    // Gone.
    server.kill().await;
    for _ in 0..3 {
        let began = Instant::now();
        assert!(matches!(add(&redis, "n").await, Err(Error::Unavailable(_))));
        assert!(began.elapsed() < TIMEOUT + SLACK);
    }
    redis.begin().await.expect("a service starts without Redis");
    server.restart().await.unwrap();
    testkit::eventually("it to answer again", async || add(&redis, "n").await.ok()).await;

    // Hung with calls under way and calls that come later, on the old connection and on new ones.
    server.pause();
    for _ in 0..2 {
        let began = Instant::now();
        let answers = join_all((0..50).map(|_| add(&redis, "n"))).await;
        assert!(
            answers
                .iter()
                .all(|answer| matches!(answer, Err(Error::Unavailable(_)))),
            "{answers:?}"
        );
        assert!(
            began.elapsed() >= TIMEOUT && began.elapsed() < TIMEOUT + SLACK,
            "{:?}",
            began.elapsed()
        );
    }
    let late = open_with(TIMEOUT, &server.url());
    assert!(matches!(late.check().await, Err(CheckError::Unreachable(_))));
    server.resume();
    testkit::eventually("it to answer again", async || add(&redis, "after").await.ok()).await;
    assert_eq!(
        redis.query::<String>(cmd("ECHO").arg("mine")).await.unwrap(),
        "mine",
        "no answer of a call before"
    );
}

#[tokio::test]
async fn a_url_must_say_what_it_is() {
    let server = engines::Redis::start().await.unwrap();
    let redis = open(&format!("redis+cluster://{}", server.address()));
    let fault = redis.begin().await.unwrap_err();
    assert!(
        matches!(&fault, CheckError::Unfit(text) if text.contains("redis://")),
        "{fault}"
    );
    assert!(add(&redis, "n").await.is_err());
}

/// Where the server is, for the child of the test below.
const TLS_URL: &str = "RESP_TEST_TLS_URL";

/// Whom to trust is said in the environment, which a test must not change: it starts itself again with another one.
#[tokio::test]
async fn tls_with_an_authority_of_its_own() {
    if let Ok(url) = env::var(TLS_URL) {
        let redis = open(&url);
        redis.begin().await.unwrap();
        assert_eq!(add(&redis, "n").await.unwrap(), 1);
        return;
    }
    let options = || Options::default().password("hush").tls();
    let server = engines::Redis::start_with(options()).await.unwrap();
    let cluster = engines::RedisCluster::start_with(3, 0, options()).await.unwrap();
    let both = [
        (server.url(), server.authority()),
        (cluster.url(), cluster[0].authority()),
    ];
    for (url, authority) in both {
        let trusting = Command::new(env::current_exe().unwrap())
            .args(["--exact", "tls_with_an_authority_of_its_own"])
            .env(TLS_URL, &url)
            .env("SSL_CERT_FILE", authority.unwrap())
            .output()
            .unwrap();
        assert!(
            trusting.status.success(),
            "{}",
            String::from_utf8_lossy(&trusting.stdout)
        );

        let redis = open(&url);
        let fault = redis.begin().await.unwrap_err();
        assert!(
            matches!(&fault, CheckError::Unfit(text) if text.contains("SSL_CERT_FILE")),
            "{fault}"
        );
        let fault = add(&redis, "n").await.unwrap_err();
        assert!(matches!(fault, Error::Refused(_)), "{fault}");
    }
}
