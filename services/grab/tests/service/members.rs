//! Who left a group cannot grab in it any more, on any instance, little more than a second later.

use std::time::{Duration, Instant};

use crate::world::{Instance, World, audience, grab, snatch, terms};
use cache::{Shared, VERSION_TTL, directory::group_scope};
use proto::{grab::v1::grab_response::Outcome, terms::v1::audience::Who};
use resp::{Redis, RedisConfig};
use testkit::{engines, eventually};

/// The last share is gone: a member hears that, and anyone else that it was never for him.
async fn is_member(instance: &Instance, packet_id: &str, user_id: &str) -> bool {
    match grab(&instance.client, packet_id, user_id).await {
        Outcome::Exhausted(_) => true,
        Outcome::NotInAudience(_) => false,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_is_out_on_every_instance() {
    let redis = engines::Redis::start().await.unwrap();
    let mut world = World::new().await;
    world.settings.redis.redis_url = redis.url();
    // Nothing fails here: on a busy machine, slow is not away.
    "5s".clone_into(&mut world.settings.redis.redis_timeout);
    let (one, two) = (world.start().await, world.start().await);
    let mut promise = world.promise(1);
    terms(&mut promise).audience = Some(audience(Who::GroupId("team".to_owned())));
    let packet_id = &world.preload(&one.client, promise).await;
    assert!(matches!(snatch(&one.client, packet_id, "m1").await, Outcome::Opened(_)));
    assert!(is_member(&one, packet_id, "m2").await && is_member(&two, packet_id, "m2").await);

    // What account does: it writes it down, then it tells.
    world.account.left.lock().unwrap().insert("m2".to_owned());
    let told = Shared::new(
        Redis::open(&RedisConfig {
            url: redis.url().parse().unwrap(),
            timeout: Duration::from_secs(5),
        })
        .unwrap(),
    );
    told.changed(&group_scope(&"team".parse().unwrap())).await.unwrap();
    let left = Instant::now();
    for instance in [&one, &two] {
        eventually("m2 to be out", async || {
            (!is_member(instance, packet_id, "m2").await).then_some(())
        })
        .await;
        assert!(
            left.elapsed() < VERSION_TTL + Duration::from_secs(2),
            "{:?}",
            left.elapsed()
        );
        assert!(is_member(instance, packet_id, "m3").await);
    }
}
