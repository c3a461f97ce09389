//! Two-level cache (双缓存) for what changes rarely: this process' memory in front of Redis in front of the service that
//! owns the answer. Nothing that changes with money belongs in it.
//!
//! In reading order:
//!
//! - [`Cache`]: the first level, and the way through all three.
//! - [`Kind`]: what a cache holds and for how long.
//! - [`Shared`]: the second level, and the versions by which what belongs together becomes invalid together.
//! - [`directory`]: the kinds that several services agree on: users, and who is in which group.
//!
//! # What holds
//!
//! **One question at a time.** However many callers of a process want to know the same, one of them asks. Several processes
//! may ask the owner the same at the same time: each at most once, as long as the answer lasts.
//!
//! **A failure is never remembered**, and never made worse: without Redis, or while it is away, the cache is one of a single
//! level. Redis' time-out is paid by who is under way when it goes away; then nobody asks it until it has answered a probe.
//!
//! **An answer lasts no longer than its kind says**, counted from when the owner was asked, on both levels together: what
//! comes from Redis lives on only as long as it had left there. Times to live differ by key, so that what was learnt in
//! one moment is not forgotten in one.
//!
//! **Invalidation.** Answers of one scope (say, a group) are kept, on both levels, under the scope's version, a random
//! number in Redis. Who changes the scope gives it a new version *after* the change is committed; who loads an answer reads
//! the version *before* it asks the owner. So what was read before a change is never found under a version after it,
//! however late it is written. A process looks the version up again every [`VERSION_TTL`], so the bound is that plus
//! Redis' time-out: an answer to a question asked later than this after a change takes the change into account.
//! Where the change could not be told (Redis away for either side, or promoted from a replica that had not heard of it), the
//! bound is the answer's time to live.
//!
//! Whoever can write into Redis can say who is in which group: it must be as private as a database.

pub mod directory;
mod shared;

use std::{
    collections::HashMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use moka::future;
use tokio::time::Instant;

pub use shared::{Shared, VERSION_TTL};

use shared::Version;

/// What a cache holds. `None` everywhere stands for *there is no such thing*, which is remembered too.
pub trait Kind: Send + Sync + 'static {
    /// Part of the keys in Redis; another name for another encoding.
    const NAME: &'static str;
    /// How long an answer is believed, from when the owner was asked, and how much longer at most, by its key.
    const LASTING: (Duration, Duration);
    /// How long an answer is believed that may soon change: an unknown id above all.
    const PASSING: Duration;
    /// Answers kept in this process.
    const CAPACITY: u64;
    /// What is asked.
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    /// What is answered.
    type Value: Clone + Send + Sync + 'static;

    /// The key in Redis; different for different keys.
    fn name(key: &Self::Key) -> String;

    /// What makes the answer invalid when it changes ([`Shared::changed`]), if anything can.
    fn scope(_: &Self::Key) -> Option<String> {
        None
    }

    /// Whether the answer is believed for as long as [`Kind::LASTING`] says.
    fn is_lasting(answer: Option<&Self::Value>) -> bool {
        answer.is_some()
    }

    /// For Redis.
    fn encode(value: &Self::Value) -> Vec<u8>;

    /// From Redis; `None` for what is no value, which is then asked for again.
    fn decode(bytes: &[u8]) -> Option<Self::Value>;
}

/// When what nobody asks for gives up its room. How long an answer is believed is another matter, and one of the runtime's
/// clock, which a simulation moves; this is by the machine's.
const IDLE: Duration = Duration::from_mins(10);

/// How long an answer lives: between [`Kind::LASTING`]'s first and the sum of both, by the key; or [`Kind::PASSING`].
fn life<K: Kind>(key: &K::Key, answer: Option<&K::Value>) -> Duration {
    if !K::is_lasting(answer) {
        return K::PASSING;
    }
    let (at_least, jitter) = K::LASTING;
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let jitter_ms = u64::try_from(jitter.as_millis()).unwrap_or(u64::MAX);
    at_least + Duration::from_millis(hasher.finish() % jitter_ms.max(1))
}

#[derive(Clone)]
struct Answer<V> {
    value: Option<V>,
    life: Duration,
    since: Instant,
}

impl<V> Answer<V> {
    /// One that lives from now on.
    fn new(value: Option<V>, life: Duration) -> Self {
        let since = Instant::now();
        Self { value, life, since }
    }
}

/// Where an answer is kept: under its scope's version.
type Place<K> = (Version, <K as Kind>::Key);

/// Answers of one kind. Cheap to clone; clones share what they know.
pub struct Cache<K: Kind> {
    near: future::Cache<Place<K>, Answer<K::Value>>,
    shared: Option<Shared>,
}

impl<K: Kind> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self {
            near: self.near.clone(),
            shared: self.shared.clone(),
        }
    }
}

impl<K: Kind> fmt::Debug for Cache<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cache").field(&K::NAME).finish()
    }
}

impl<K: Kind> Cache<K> {
    /// An empty one in front of `shared`; of one level without it.
    pub fn new(shared: Option<Shared>) -> Self {
        let near = future::Cache::builder()
            .max_capacity(K::CAPACITY)
            .time_to_idle(IDLE)
            .build();
        Self { near, shared }
    }

    /// The answer to `key`; `ask` asks the owner, and is dropped unpolled if that is not needed. An error is `ask`'s own.
    pub async fn get<Fault: Send + Sync + 'static>(
        &self,
        key: &K::Key,
        ask: impl Future<Output = Result<Option<K::Value>, Fault>>,
    ) -> Result<Option<K::Value>, Arc<Fault>> {
        let place = self.place(key).await;
        if let Some(known) = self.known(&place).await {
            return Ok(known.value);
        }
        let learnt = async {
            let began = Instant::now();
            if let Some(known) = self.recall(&place).await {
                return Ok(known);
            }
            let value = ask.await?;
            Ok(self.share(&place, value, began).await)
        };
        // Boxed: who finds what it wants, which is nearly everyone, should not carry the room for this.
        let known = Box::pin(self.near.try_get_with(place.clone(), learnt)).await?;
        Ok(known.value)
    }

    /// The answers to all `keys` for which there is one. `ask` asks the owner for those that are not known, all at once.
    /// Callers that want the same at the same time may each ask.
    pub async fn get_many<Fault, Asked>(
        &self,
        keys: Vec<K::Key>,
        ask: impl FnOnce(Vec<K::Key>) -> Asked,
    ) -> Result<HashMap<K::Key, K::Value>, Fault>
    where
        Asked: Future<Output = Result<HashMap<K::Key, K::Value>, Fault>>,
    {
        let began = Instant::now();
        let mut answers = HashMap::new();
        let mut unknown = Vec::new();
        for key in keys {
            let place = self.place(&key).await;
            match self.known(&place).await {
                Some(known) => answers.extend(known.value.map(|value| (key, value))),
                None => unknown.push(place),
            }
        }
        let recalled = join_all(unknown.iter().map(|place| self.recall(place))).await;
        let mut missing = Vec::new();
        for (place, recalled) in unknown.into_iter().zip(recalled) {
            let Some(known) = recalled else {
                missing.push(place);
                continue;
            };
            self.near.insert(place.clone(), known.clone()).await;
            answers.extend(known.value.map(|value| (place.1, value)));
        }
        if missing.is_empty() {
            return Ok(answers);
        }
        let mut learnt = ask(missing.iter().map(|(_, key)| key.clone()).collect()).await?;
        join_all(missing.into_iter().map(|place| {
            let value = learnt.remove(&place.1);
            answers.extend(value.clone().map(|value| (place.1.clone(), value)));
            async move {
                let answer = self.share(&place, value, began).await;
                self.near.insert(place, answer).await;
            }
        }))
        .await;
        Ok(answers)
    }

    /// What this process remembers of `key`, without asking anybody: `Some(None)` if that there is no such thing.
    pub async fn peek(&self, key: &K::Key) -> Option<Option<K::Value>> {
        Some(self.known(&self.place(key).await).await?.value)
    }

    /// Remembers an answer that came by another way, in this process; not of a kind with scopes, whose version would have had to
    /// be known before.
    pub async fn learn(&self, key: &K::Key, value: Option<K::Value>) {
        debug_assert!(K::scope(key).is_none());
        let life = life::<K>(key, value.as_ref());
        self.near.insert(self.place(key).await, Answer::new(value, life)).await;
    }

    /// Forgets one answer, here and in Redis. Other processes may remember it until its time is up, and who asks the owner
    /// just now may put it back: for what changes, have a scope.
    pub async fn forget(&self, key: &K::Key) {
        let place = self.place(key).await;
        if let Some(shared) = &self.shared {
            shared.remove(&name::<K>(&place)).await;
        }
        self.near.invalidate(&place).await;
    }

    /// What this process remembers, while it is to be believed.
    async fn known(&self, place: &Place<K>) -> Option<Answer<K::Value>> {
        let known = self.near.get(place).await?;
        if known.since.elapsed() < known.life {
            return Some(known);
        }
        self.near.invalidate(place).await;
        None
    }

    async fn place(&self, key: &K::Key) -> Place<K> {
        let version = match &self.shared {
            None => Version::NONE,
            Some(shared) => match K::scope(key) {
                None => Version::NONE,
                Some(scope) => shared.version(&scope).await,
            },
        };
        (version, key.clone())
    }

    /// The second level, where it can be trusted with this place: an answer of a scope whose version is not known could not
    /// be made invalid there.
    fn second(&self, place: &Place<K>) -> Option<&Shared> {
        let shared = self.shared.as_ref()?;
        (place.0 != Version::NONE || K::scope(&place.1).is_none()).then_some(shared)
    }

    async fn recall(&self, place: &Place<K>) -> Option<Answer<K::Value>> {
        let (bytes, left) = self.second(place)?.read(&name::<K>(place)).await?;
        let value = match bytes.split_first()? {
            (0, []) => None,
            (1, value) => Some(K::decode(value)?),
            _ => return None,
        };
        let life = left.min(life::<K>(&place.1, value.as_ref()));
        Some(Answer::new(value, life))
    }

    async fn share(&self, place: &Place<K>, value: Option<K::Value>, began: Instant) -> Answer<K::Value> {
        let life = life::<K>(&place.1, value.as_ref()).saturating_sub(began.elapsed());
        if let Some(shared) = self.second(place) {
            let mut bytes = vec![u8::from(value.is_some())];
            bytes.extend(value.as_ref().map(K::encode).unwrap_or_default());
            shared.write(&name::<K>(place), &bytes, life).await;
        }
        Answer::new(value, life)
    }
}

fn name<K: Kind>((version, key): &Place<K>) -> String {
    if *version == Version::NONE {
        format!("hb:cache:{}:{}", K::NAME, K::name(key))
    } else {
        format!("hb:cache:{}:{version}:{}", K::NAME, K::name(key))
    }
}

#[cfg(test)]
mod tests;
