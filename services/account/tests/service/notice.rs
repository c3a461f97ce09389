//! What is remembered of a group elsewhere, when somebody leaves it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use cache::{Cache, Shared, VERSION_TTL, directory::Membership};
use proto::account::v1::{CheckMembersRequest, CreateGroupRequest, RemoveMembersRequest};
use resp::{Redis, RedisConfig};
use tonic::Status;

use crate::mesh::Mesh;

/// For a Redis that fails.
const TIMEOUT: Duration = Duration::from_millis(250);
/// For one that does not, on machines that do other things.
const PATIENCE: Duration = Duration::from_secs(5);

/// Another process, which asks and remembers.
struct Other {
    members: Cache<Membership>,
    asked: AtomicUsize,
}

impl Other {
    fn new(config: &RedisConfig) -> Self {
        let shared = Shared::new(Redis::open(config).unwrap());
        Self {
            members: Cache::new(Some(shared)),
            asked: AtomicUsize::new(0),
        }
    }

    async fn is_member(&self, mesh: &Mesh, user: &str) -> bool {
        let ask = async {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let request = CheckMembersRequest {
                group_id: "team".to_owned(),
                user_ids: vec![user.to_owned()],
            };
            let answer = mesh.groups.clone().check_members(request).await?;
            Ok::<_, Status>(Some(!answer.into_inner().member_ids.is_empty()))
        };
        let key = ("team".parse().unwrap(), user.parse().unwrap());
        self.members.get(&key, ask).await.unwrap() == Some(true)
    }
}

async fn team(mesh: &mut Mesh) {
    mesh.open(&["amy", "bo"]).await;
    let group = CreateGroupRequest {
        group_id: "team".to_owned(),
        display_name: "team".to_owned(),
        owner_id: "amy".to_owned(),
        member_ids: vec!["bo".to_owned()],
    };
    mesh.groups.create_group(group).await.unwrap();
}

fn without_bo() -> RemoveMembersRequest {
    RemoveMembersRequest {
        group_id: "team".to_owned(),
        user_ids: vec!["bo".to_owned()],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_is_soon_no_member_anywhere() {
    let redis = engines::Redis::start().await.unwrap();
    let config = RedisConfig {
        url: redis.url().parse().unwrap(),
        timeout: PATIENCE,
    };
    let mut mesh = Mesh::start_with(config.clone()).await;
    team(&mut mesh).await;
    let other = Other::new(&config);
    for _ in 0..3 {
        assert!(other.is_member(&mesh, "bo").await && other.is_member(&mesh, "amy").await);
    }
    assert_eq!(other.asked.load(Ordering::Relaxed), 2);

    mesh.groups.remove_members(without_bo()).await.unwrap();
    let left = Instant::now();
    testkit::eventually("bo to be out", async || {
        (!other.is_member(&mesh, "bo").await).then_some(())
    })
    .await;
    assert!(
        left.elapsed() < VERSION_TTL + Duration::from_secs(2),
        "{:?}",
        left.elapsed()
    );
    assert!(other.is_member(&mesh, "amy").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_leave_without_redis_too() {
    let mut redis = engines::Redis::start().await.unwrap();
    let config = RedisConfig {
        url: redis.url().parse().unwrap(),
        timeout: TIMEOUT,
    };
    redis.pause();
    let mut mesh = Mesh::start_with(config).await;
    team(&mut mesh).await;
    let group = mesh
        .groups
        .remove_members(without_bo())
        .await
        .unwrap()
        .into_inner()
        .group;
    assert_eq!(group.unwrap().member_count, 1);
}

#[tokio::test]
async fn a_redis_that_will_never_do_keeps_the_service_from_starting() {
    let options = engines::Options::default().password("hush");
    let redis = engines::Redis::start_with(options).await.unwrap();
    let wrong = RedisConfig {
        url: format!("redis://:wrong-word@{}", redis.address()).parse().unwrap(),
        timeout: PATIENCE,
    };
    let why = Mesh::refused(wrong).await;
    assert!(why.contains("redis_url") && !why.contains("wrong-word"), "{why}");
}
