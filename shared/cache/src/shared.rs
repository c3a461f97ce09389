//! The second level: answers in Redis for all processes, and versions of scopes.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use moka::future::Cache;
use resp::{CheckError, Error, Redis, RedisConfig, Script, cmd, pipe};
use tokio::time::Instant;

/// How long a process believes that a scope still has the version it had. Much less would make Redis the first level.
pub const VERSION_TTL: Duration = Duration::from_secs(1);
/// How long Redis keeps a version that nobody asks for. A scope whose version it forgot gets a new one, which no answer has.
const VERSION_IDLE: Duration = Duration::from_hours(24);
/// How long the last version of a scope is remembered in case Redis goes away: longer than answers live.
const LAST_VERSION_IDLE: Duration = Duration::from_mins(10);
/// Scopes whose versions a process remembers; some 200 bytes each.
const MAX_SCOPES: u64 = 100_000;
/// How long Redis is left alone after it failed to answer.
const PAUSE: Duration = Duration::from_secs(1);

/// The version of a scope, and the new one if there is none. Asking for it keeps it.
static VERSION: Script = Script::new(include_str!("version.lua"));

/// Which state of a scope an answer is from. Random, so that a Redis which lost its memory gives none twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(u128);

impl Version {
    /// Of what has no scope, or one of which nothing is known.
    pub const NONE: Self = Self(0);

    fn new() -> Self {
        Self(rand::random::<u128>() | 1)
    }

    fn parse(text: &str) -> Option<Self> {
        u128::from_str_radix(text, 16)
            .ok()
            .filter(|number| *number != 0)
            .map(Self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// Redis as the second level of caches. Cheap to clone; make one for all caches of a process.
#[derive(Clone)]
pub struct Shared(Arc<Inner>);

struct Inner {
    redis: Redis,
    breaker: Breaker,
    /// Versions as they were at most [`VERSION_TTL`] ago.
    versions: Cache<String, Version>,
    /// Versions as they last were, for when Redis is away: what is known of a scope then stays known for its time.
    last: Cache<String, Version>,
}

impl Shared {
    /// The second level of a service that starts, if it has a Redis: [`Redis::begin`] is asked whether it is one that can be used.
    pub async fn open(config: Option<&RedisConfig>) -> Result<Option<Self>, CheckError> {
        let Some(config) = config else {
            return Ok(None);
        };
        let redis = Redis::open(config)?;
        redis.begin().await?;
        Ok(Some(Self::new(redis)))
    }

    /// Over `redis`.
    pub fn new(redis: Redis) -> Self {
        let versions = Cache::builder()
            .max_capacity(MAX_SCOPES)
            .time_to_live(VERSION_TTL)
            .build();
        let last = Cache::builder()
            .max_capacity(MAX_SCOPES)
            .time_to_idle(LAST_VERSION_IDLE)
            .build();
        Self(Arc::new(Inner {
            redis,
            breaker: Breaker::default(),
            versions,
            last,
        }))
    }

    /// Makes all answers of a scope invalid, everywhere: at once in this process, in the others within [`VERSION_TTL`] and
    /// Redis' time-out. To be called after the change was committed. An error means that answers may be believed
    /// for as long as their kind says.
    pub async fn changed(&self, scope: &str) -> Result<(), Error> {
        let version = Version::new();
        let mut set = cmd("SET");
        set.arg(key_of(scope))
            .arg(version.to_string())
            .arg("PX")
            .arg(millis(VERSION_IDLE));
        let told = self.0.redis.query::<()>(&set).await;
        if let Err(fault) = &told {
            self.0.breaker.note(&self.0.redis, fault);
        }
        // Also when Redis does not know: who made the change sees it.
        self.0.last.insert(scope.to_owned(), version).await;
        self.0.versions.insert(scope.to_owned(), version).await;
        told
    }

    /// The version of a scope as of at most [`VERSION_TTL`] ago; the last that is known, or none, while Redis is away.
    pub(crate) async fn version(&self, scope: &str) -> Version {
        if let Some(version) = self.0.versions.get(scope).await {
            return version;
        }
        Box::pin(self.0.versions.get_with_by_ref(scope, self.look_up(scope))).await
    }

    async fn look_up(&self, scope: &str) -> Version {
        let call = VERSION
            .call(&[key_of(scope)])
            .arg(Version::new().to_string())
            .arg(millis(VERSION_IDLE));
        let found = self.ask(self.0.redis.run::<String>(&call)).await;
        match found.and_then(|text| Version::parse(&text)) {
            Some(version) => {
                self.0.last.insert(scope.to_owned(), version).await;
                version
            }
            None => self.0.last.get(scope).await.unwrap_or(Version::NONE),
        }
    }

    /// What is under a key, and how long it will be.
    pub(crate) async fn read(&self, key: &str) -> Option<(Vec<u8>, Duration)> {
        let mut both = pipe();
        both.cmd("GET").arg(key).cmd("PTTL").arg(key);
        let (bytes, left_ms): (Option<Vec<u8>>, i64) = self.ask(self.0.redis.pipeline(&both)).await?;
        // What has no end was not written by a cache.
        let left = u64::try_from(left_ms).ok().filter(|left_ms| *left_ms > 0)?;
        Some((bytes?, Duration::from_millis(left)))
    }

    pub(crate) async fn write(&self, key: &str, bytes: &[u8], life: Duration) {
        let life_ms = millis(life);
        if life_ms > 0 {
            let mut set = cmd("SET");
            set.arg(key).arg(bytes).arg("PX").arg(life_ms);
            self.ask(self.0.redis.query::<()>(&set)).await;
        }
    }

    pub(crate) async fn remove(&self, key: &str) {
        self.ask(self.0.redis.query::<()>(cmd("DEL").arg(key))).await;
    }

    async fn ask<T>(&self, question: impl Future<Output = Result<T, Error>>) -> Option<T> {
        if !self.0.breaker.is_closed(&self.0.redis) {
            return None;
        }
        question
            .await
            .map_err(|fault| self.0.breaker.note(&self.0.redis, &fault))
            .ok()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&self.0.redis).finish()
    }
}

fn key_of(scope: &str) -> String {
    format!("hb:version:{scope}")
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Keeps callers from waiting for a Redis that does not answer. It opens with the first failure, since the owner is
/// always there to be asked, and closes when a probe is answered, which no caller waits for.
#[derive(Clone, Default)]
struct Breaker(Arc<State>);

#[derive(Default)]
struct State {
    open: AtomicBool,
    probe_at: Mutex<Option<Instant>>,
}

impl Breaker {
    fn is_closed(&self, redis: &Redis) -> bool {
        if !self.0.open.load(Ordering::Relaxed) {
            return true;
        }
        let mut probe_at = self.0.probe_at.lock().unwrap_or_else(PoisonError::into_inner);
        if probe_at.is_some_and(|at| at <= Instant::now()) {
            *probe_at = None;
            drop(probe_at);
            let (breaker, redis) = (self.clone(), redis.clone());
            // Ends by itself within Redis' time-out.
            tokio::spawn(async move {
                match redis.query::<()>(&cmd("PING")).await {
                    Ok(()) => breaker.close(),
                    Err(_) => breaker.pause(),
                }
            });
        }
        false
    }

    /// Notes a failure, unless it is one of this question alone.
    fn note(&self, redis: &Redis, fault: &Error) {
        if !fault.is_unavailable() {
            tracing::debug!(%fault, "cache");
        } else if !self.0.open.swap(true, Ordering::Relaxed) {
            tracing::warn!(?redis, %fault, "the cache does without Redis");
            self.pause();
        }
    }

    fn pause(&self) {
        *self.0.probe_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + PAUSE);
    }

    fn close(&self) {
        self.0.open.store(false, Ordering::Relaxed);
        tracing::info!("the cache uses Redis again");
    }
}
