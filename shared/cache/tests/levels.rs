//! Two processes' caches over one Redis, which fails in every way. Each test has a server of its own.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop at once, in its helpers too"
)]

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cache::{
    Cache, Shared, VERSION_TTL,
    directory::{Membership, Name, group_scope},
};
use id::{GroupId, UserId};
use resp::{Redis, RedisConfig};
use tokio::sync::Semaphore;

/// For a Redis that fails.
const TIMEOUT: Duration = Duration::from_millis(250);
/// For one that does not, on machines that do other things.
const PATIENCE: Duration = Duration::from_secs(5);

fn shared(timeout: Duration, url: &str) -> Shared {
    let url = url.parse().unwrap();
    Shared::new(Redis::open(&RedisConfig { url, timeout }).unwrap())
}

/// A process that asks for members: caches of its own, a connection of its own.
struct Process {
    shared: Shared,
    members: Cache<Membership>,
}

impl Process {
    fn new(timeout: Duration, url: &str) -> Self {
        let shared = shared(timeout, url);
        Self {
            members: Cache::new(Some(shared.clone())),
            shared,
        }
    }

    async fn is_member(&self, owner: &Owner, user: &str) -> bool {
        let key = (group(), user.parse::<UserId>().unwrap());
        let answer = self.members.get(&key, owner.is_member(user)).await;
        answer.unwrap() == Some(true)
    }
}

fn group() -> GroupId {
    "family".parse().unwrap()
}

/// Who owns the truth.
#[derive(Default)]
struct Owner {
    members: Mutex<HashSet<String>>,
    asked: AtomicUsize,
    /// Where set, an answer that has been read waits here before it is given.
    slow: Mutex<Option<Arc<Semaphore>>>,
}

impl Owner {
    fn of(members: &[&str]) -> Self {
        Self {
            members: Mutex::new(members.iter().map(|&name| name.to_owned()).collect()),
            ..Self::default()
        }
    }

    async fn is_member(&self, user: &str) -> Result<Option<bool>, std::convert::Infallible> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.members.lock().unwrap().contains(user);
        let slow = self.slow.lock().unwrap().clone();
        if let Some(slow) = slow {
            slow.acquire().await.unwrap().forget();
        }
        Ok(Some(answer))
    }

    async fn remove(&self, user: &str, told: &Shared) {
        self.members.lock().unwrap().remove(user);
        told.changed(&group_scope(&group())).await.unwrap();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_learns_for_all_and_a_removed_member_is_soon_none() {
    let server = engines::Redis::start().await.unwrap();
    let owner = Owner::of(&["ann", "bob"]);
    let (one, two) = (
        Process::new(PATIENCE, &server.url()),
        Process::new(PATIENCE, &server.url()),
    );
    let account = shared(PATIENCE, &server.url());

    assert!(one.is_member(&owner, "ann").await && one.is_member(&owner, "bob").await);
    assert!(two.is_member(&owner, "ann").await && two.is_member(&owner, "bob").await);
    assert!(!one.is_member(&owner, "eve").await && !two.is_member(&owner, "eve").await);
    assert_eq!(owner.asked(), 3, "the second process has it from Redis");

    owner.remove("bob", &account).await;
    let removed = Instant::now();
    testkit::eventually("bob to be out", async || {
        (!one.is_member(&owner, "bob").await && !two.is_member(&owner, "bob").await).then_some(())
    })
    .await;
    // What a loaded machine adds is not the cache's.
    assert!(
        removed.elapsed() < VERSION_TTL + Duration::from_secs(2),
        "{:?}",
        removed.elapsed()
    );
    assert!(one.is_member(&owner, "ann").await && two.is_member(&owner, "ann").await);

    // Who tells of a change sees it at once.
    owner.remove("ann", &one.shared).await;
    assert!(!one.is_member(&owner, "ann").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_read_before_a_removal_and_written_after_it_is_never_found() {
    let server = engines::Redis::start().await.unwrap();
    let owner = Arc::new(Owner::of(&["bob"]));
    let (one, two) = (
        Arc::new(Process::new(PATIENCE, &server.url())),
        Process::new(PATIENCE, &server.url()),
    );
    let account = shared(PATIENCE, &server.url());

    let gate = Arc::new(Semaphore::new(0));
    *owner.slow.lock().unwrap() = Some(gate.clone());
    let reader = tokio::spawn({
        let (one, owner) = (one.clone(), owner.clone());
        async move { one.is_member(&owner, "bob").await }
    });
    testkit::eventually("the owner to be asked", async || (owner.asked() == 1).then_some(())).await;
    *owner.slow.lock().unwrap() = None;
    owner.remove("bob", &account).await;
    gate.add_permits(1);
    assert!(reader.await.unwrap(), "it was asked before the removal");

    assert!(!two.is_member(&owner, "bob").await, "the late write must not be found");
    testkit::eventually("the reader's process to see it", async || {
        (!one.is_member(&owner, "bob").await).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_hang_die_lose_everything_and_come_back() {
    let mut server = engines::Redis::start().await.unwrap();
    let owner = Owner::of(&["ann", "bob"]);
    let one = Process::new(TIMEOUT, &server.url());
    let account = shared(TIMEOUT, &server.url());
    assert!(one.is_member(&owner, "ann").await);

    // It hangs: one call waits, the others do not, and what is known stays known.
    server.pause();
    testkit::eventually("the version to be too old", async || {
        let began = Instant::now();
        assert!(one.is_member(&owner, "ann").await);
        (began.elapsed() >= TIMEOUT).then_some(())
    })
    .await;
    let began = Instant::now();
    for n in 0..100 {
        assert!(one.is_member(&owner, "ann").await);
        assert!(!one.is_member(&owner, &format!("stranger-{n}")).await);
    }
    assert!(began.elapsed() < TIMEOUT, "{:?}", began.elapsed());
    assert_eq!(
        owner.asked(),
        101,
        "what is known of the group is not forgotten with Redis"
    );
    assert!(account.changed(&group_scope(&group())).await.is_err());

    // It goes on, and is used again.
    server.resume();
    owner.members.lock().unwrap().remove("bob");
    testkit::eventually("changes to be told again", async || {
        account.changed(&group_scope(&group())).await.ok()
    })
    .await;
    let two = Process::new(TIMEOUT, &server.url());
    testkit::eventually("answers to be shared again", async || {
        assert!(!two.is_member(&owner, "bob").await);
        let before = owner.asked();
        assert!(!one.is_member(&owner, "bob").await);
        (owner.asked() == before).then_some(())
    })
    .await;

    // It loses everything, then it dies: nobody is told an error, and nothing wrong is believed.
    server.command(&["FLUSHALL"]).await.unwrap();
    assert!(two.is_member(&owner, "ann").await && !two.is_member(&owner, "bob").await);
    server.kill().await;
    assert!(two.is_member(&owner, "ann").await && one.is_member(&owner, "ann").await);
    let three = Process::new(TIMEOUT, &server.url());
    assert!(three.is_member(&owner, "ann").await && !three.is_member(&owner, "bob").await);

    server.restart().await.unwrap();
    owner.members.lock().unwrap().insert("bob".to_owned());
    testkit::eventually("bob to be in", async || {
        account.changed(&group_scope(&group())).await.ok();
        (one.is_member(&owner, "bob").await && three.is_member(&owner, "bob").await).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_names_are_shared_on_a_cluster() {
    let cluster = engines::RedisCluster::start(3, 0).await.unwrap();
    let names = |url: &str| Cache::<Name>::new(Some(shared(PATIENCE, url)));
    let (one, two) = (names(&cluster.url()), names(&cluster.url()));
    let users: Vec<UserId> = (0..100).map(|n| format!("user-{n}").parse().unwrap()).collect();
    let asked = AtomicUsize::new(0);
    let ask = async |users: Vec<UserId>| {
        asked.fetch_add(users.len(), Ordering::Relaxed);
        let known = users.into_iter().filter(|user| user.as_str().ends_with('7'));
        Ok::<_, std::convert::Infallible>(known.map(|user| (user.clone(), user.as_str().to_uppercase())).collect())
    };
    for cache in [&one, &one, &two] {
        let found = cache.get_many(users.clone(), &ask).await.unwrap();
        assert_eq!(found.len(), 10);
        assert_eq!(found[&"user-7".parse::<UserId>().unwrap()], "USER-7");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 100);
}
