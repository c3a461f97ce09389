//! What becomes of a packet's state in Redis: rebuilt, forgotten, lost in part, refused.

use super::*;
use crate::gate::model::{TIMING, at, claim, granted, user};

struct Scene {
    server: engines::Redis,
    wire: Wire,
    packet: Arc<Packet>,
}

impl Scene {
    async fn new(share_count: u32) -> Self {
        let server = engines::Redis::start().await.unwrap();
        let wire = wire_to(&server);
        Self {
            server,
            wire,
            packet: sample::packet(1, share_count),
        }
    }

    async fn begin(&self) -> Option<String> {
        self.wire.begin(&self.packet).await.unwrap()
    }

    async fn tell(&self, told: &[Told<'_>], seq: i64) -> State {
        let news = [(self.packet.id(), told.to_vec())];
        self.wire.tell(self.packet.partition(), &news, seq).await.unwrap()[0]
    }

    async fn rebuild(&self) {
        let mark = self.begin().await.unwrap();
        assert_eq!(self.tell(&[Told::Loaded(&mark)], 0).await, State::Live);
    }

    async fn grab(&self, n: u8, secs: u64) -> Option<Verdict> {
        grab_by(&self.wire, &self.packet, n, secs).await.unwrap()
    }

    fn claim(&self, n: u8, share_no: u32, seq: i64) -> Claim {
        claim(&self.packet, user(n), share_no, seq)
    }

    fn keys(&self) -> [String; 3] {
        wire::packet_keys(self.packet.partition(), self.packet.id())
    }

    async fn say(&self, words: &[&str]) -> String {
        self.server.command(words).await.unwrap()
    }
}

fn wire_to(server: &engines::Redis) -> Wire {
    Wire::new(redis_at(&server.url()), TIMING, &empty_log(), name())
}

async fn grab_by(wire: &Wire, packet: &Arc<Packet>, n: u8, secs: u64) -> Result<Option<Verdict>, resp::Error> {
    let ask = Ask {
        packet: packet.clone(),
        user_id: user(n),
        admitted: true,
    };
    let asks = [(packet.clone(), vec![&ask])];
    Ok(wire.grab(packet.partition(), &asks, at(secs)).await?.remove(0))
}

#[tokio::test]
async fn a_rebuild_hears_what_is_told_while_it_reads() {
    let scene = Scene::new(2).await;
    let mark = scene.begin().await.unwrap();
    assert_eq!(scene.grab(1, 0).await, None, "nobody is answered yet");
    // Committed after the claims were read: the reading has nothing of it.
    let late = scene.claim(1, 0, 7);
    assert_eq!(scene.tell(&[Told::Opened(&late)], 7).await, State::Loading);
    assert_eq!(scene.tell(&[Told::Loaded(&mark)], 7).await, State::Live);
    assert_eq!(scene.grab(1, 0).await, Some(Verdict::AlreadyOpened(late)));
    assert_eq!(granted(&scene.grab(2, 0).await.unwrap()).0, 1);
}

#[tokio::test]
async fn a_rebuild_whose_mark_is_gone_changes_nothing() {
    let scene = Scene::new(2).await;
    let old = scene.begin().await.unwrap();
    assert_eq!(scene.tell(&[Told::Astray], 0).await, State::Absent);
    assert_eq!(scene.tell(&[Told::Loaded(&old)], 0).await, State::Absent);
    let new = scene.begin().await.unwrap();
    assert_ne!(old, new);
    assert_eq!(scene.tell(&[Told::Loaded(&old)], 0).await, State::Loading);
    assert_eq!(scene.tell(&[Told::Closed], 0).await, State::Closed);
    assert_eq!(scene.tell(&[Told::Loaded(&new)], 0).await, State::Absent);
}

#[tokio::test]
async fn who_comes_to_a_rebuild_goes_on_with_it() {
    let scene = Scene::new(2).await;
    let mark = scene.begin().await.unwrap();
    assert_eq!(scene.begin().await.as_ref(), Some(&mark));
    assert_eq!(scene.tell(&[Told::Loaded(&mark)], 0).await, State::Live);
    let granted = scene.grab(1, 0).await;
    // The slower one tells what it read, which is older.
    assert_eq!(scene.tell(&[Told::Loaded(&mark)], 0).await, State::Live);
    assert_eq!(scene.grab(1, 0).await, granted);
    assert_eq!(scene.begin().await, None);
}

/// Emptied, restored from an old copy: whoever told Redis more than it remembers has everything rebuilt, for all.
#[tokio::test]
async fn a_memory_that_went_back_is_not_believed() {
    let mut scene = Scene::new(5).await;
    scene.rebuild().await;
    let stranger = wire_to(&scene.server);
    let first = scene.claim(1, 0, 1);
    assert_eq!(scene.tell(&[Told::Opened(&first)], 1).await, State::Live);
    scene.say(&["SAVE"]).await;
    scene.server.restart().await.unwrap();
    assert!(scene.grab(1, 0).await.is_some(), "it remembers all that it was told");
    let second = scene.claim(2, 1, 2);
    assert_eq!(scene.tell(&[Told::Opened(&second)], 2).await, State::Live);
    scene.server.kill().await;
    scene.server.restart().await.unwrap();
    assert_eq!(scene.grab(3, 0).await, None);
    let by_stranger = grab_by(&stranger, &scene.packet, 3, 0).await.unwrap();
    assert_eq!(by_stranger, None, "nor by those who told it nothing");
    scene.rebuild().await;
    scene.say(&["FLUSHALL"]).await;
    assert_eq!(scene.grab(3, 0).await, None);
    // A process that starts takes the log for what Redis should know.
    scene.rebuild().await;
    assert!(grab_by(&stranger, &scene.packet, 3, 0).await.unwrap().is_some());
    let heads = empty_log().into_iter().map(|head| Head { next_seq: 9, ..head });
    let started = Wire::new(
        redis_at(&scene.server.url()),
        TIMING,
        &heads.collect::<Vec<_>>(),
        name(),
    );
    assert_eq!(grab_by(&started, &scene.packet, 3, 0).await.unwrap(), None);
    assert_eq!(grab_by(&stranger, &scene.packet, 3, 0).await.unwrap(), None);
}

/// Too much was missed to drop it packet by packet: the whole partition begins anew, and no other.
#[tokio::test]
async fn a_partition_can_be_renewed() {
    let scene = Scene::new(2).await;
    let other = sample::packet(2, 2);
    assert_ne!(scene.packet.partition(), other.partition());
    scene.rebuild().await;
    let mark = scene.wire.begin(&other).await.unwrap().unwrap();
    let loaded = [(other.id(), vec![Told::Loaded(&mark)])];
    scene.wire.tell(other.partition(), &loaded, 0).await.unwrap();
    scene.wire.probe(scene.packet.partition(), true).await.unwrap();
    assert_eq!(scene.grab(1, 0).await, None);
    assert!(grab_by(&scene.wire, &other, 1, 0).await.unwrap().is_some());
}

/// An evicting policy takes keys one by one.
#[tokio::test]
async fn a_state_that_lost_a_part_is_rebuilt() {
    let scene = Scene::new(2).await;
    let [_, bits, ends] = scene.keys();
    scene.rebuild().await;
    scene.grab(1, 0).await.unwrap();
    scene.say(&["DEL", &bits]).await;
    assert_eq!(scene.grab(1, 0).await, None);
    scene.rebuild().await;
    assert_eq!(granted(&scene.grab(1, 0).await.unwrap()).0, 0);
    assert_eq!(granted(&scene.grab(2, 0).await.unwrap()).0, 1);
    scene.say(&["DEL", &ends]).await;
    assert_eq!(scene.grab(3, 0).await, None, "all held by nobody");
    assert_eq!(scene.say(&["EXISTS", &bits]).await, "0");
}

#[tokio::test]
async fn a_full_memory_refuses_and_changes_nothing() {
    let scene = Scene::new(2).await;
    scene.rebuild().await;
    scene.grab(1, 0).await.unwrap();
    scene.say(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let refused = grab_by(&scene.wire, &scene.packet, 2, 0).await.unwrap_err();
    assert!(matches!(refused, resp::Error::Refused(_)), "{refused}");
    let probe = scene.wire.probe(scene.packet.partition(), false).await.unwrap_err();
    assert!(matches!(probe, resp::Error::Refused(_)), "{probe}");
    scene.say(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert_eq!(granted(&scene.grab(2, 0).await.unwrap()).0, 1);
    scene.wire.probe(scene.packet.partition(), false).await.unwrap();
}

/// Holds that lapsed together go back bit by bit, and nobody waits for them.
#[tokio::test]
async fn a_crowd_that_lapsed_does_not_stop_everybody() {
    let scene = Scene::new(1_000).await;
    scene.rebuild().await;
    let users: Vec<Ask> = (0..1_000)
        .map(|n| Ask {
            packet: scene.packet.clone(),
            user_id: format!("crowd{n}").parse().unwrap(),
            admitted: true,
        })
        .collect();
    for users in users.chunks(500) {
        let asks = [(scene.packet.clone(), users.iter().collect())];
        let granted = scene.wire.grab(scene.packet.partition(), &asks, at(0)).await.unwrap();
        assert!(
            granted
                .iter()
                .all(|verdict| matches!(verdict, Some(Verdict::Granted(_))))
        );
    }
    assert!(matches!(scene.grab(1, 0).await, Some(Verdict::AllHeld { .. })));
    let ends = &scene.keys()[2];
    assert_eq!(scene.say(&["ZCARD", ends]).await, "1000");
    for n in 1..=30 {
        assert!(matches!(scene.grab(n, 12).await, Some(Verdict::Granted(_))), "{n}");
        let left: usize = scene.say(&["ZCARD", ends]).await.parse().unwrap();
        assert!(left < 1_000 && left + 66 * usize::from(n) >= 1_000, "{left} left");
    }
    assert_eq!(scene.say(&["ZCARD", ends]).await, "30", "those of now");
}

#[tokio::test]
async fn what_nobody_asks_for_goes_by_itself() {
    let scene = Scene::new(2).await;
    let mark = scene.begin().await.unwrap();
    let ttl = async |key: &str| scene.say(&["PTTL", key]).await.parse::<i64>().unwrap();
    let [head, bits, ends] = scene.keys();
    for key in [&head, &bits] {
        assert!((1..=30_000).contains(&ttl(key).await), "a rebuild that nobody ends");
    }
    scene.tell(&[Told::Loaded(&mark)], 0).await;
    scene.grab(1, 0).await.unwrap();
    for key in [&head, &bits, &ends] {
        assert!(ttl(key).await > 590_000, "{key}");
    }
}

/// The figures that the documentation states, with the longest names left out of account: users of 12 characters.
#[tokio::test]
async fn memory_of_a_live_packet() {
    let mut figures = Vec::new();
    for (shares, most) in [(10_u32, 2_600), (100, 21_000), (1_000, 210_000)] {
        let scene = Scene::new(shares).await;
        scene.rebuild().await;
        let used = async || {
            let mut sum = 0;
            for key in scene.keys() {
                let said = scene.say(&["MEMORY", "USAGE", &key, "SAMPLES", "0"]).await;
                sum += said.parse::<usize>().unwrap_or(0); // nothing, if it is not there
            }
            sum
        };
        let fresh = used().await;
        let users: Vec<Ask> = (0..shares)
            .map(|n| Ask {
                packet: scene.packet.clone(),
                user_id: format!("user-{n:07}").parse().unwrap(),
                admitted: true,
            })
            .collect();
        for users in users.chunks(500) {
            let asks = [(scene.packet.clone(), users.iter().collect())];
            scene
                .wire
                .grab(scene.packet.partition(), &asks, Timestamp::now())
                .await
                .unwrap();
        }
        let held = used().await;
        for (share_no, ask) in (0..shares).zip(&users).skip(1) {
            let mut claim = scene.claim(0, share_no, i64::from(share_no));
            claim.user_id = ask.user_id.clone();
            claim.claim_time = Timestamp::now();
            scene.tell(&[Told::Opened(&claim)], 0).await;
        }
        let opened = used().await;
        figures.push(format!("{shares} shares: {fresh} fresh, {held} held, {opened} opened"));
        assert!(held.max(opened) <= most, "{figures:?}");
        let last = scene.claim(0, 0, 9_999);
        assert_eq!(scene.tell(&[Told::Opened(&last)], 0).await, State::Exhausted);
        assert_eq!(used().await, 0);
    }
    println!("{figures:#?}");
}
