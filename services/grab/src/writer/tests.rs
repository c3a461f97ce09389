//! The writer on a store that fails, beside another writer, under load and at a stop.

use std::{sync::atomic::Ordering, time::Duration};

use futures::future::join_all;
use id::UserId;

use super::{
    WriteError,
    scene::{Fault, PLENTY, Scene, claim_in, race, user},
};
use crate::{
    domain::{
        claim::{Claim, Tally},
        picture::Opening,
    },
    gate::{Ask, Verdict},
    store::{Changes, LogStore},
};

#[tokio::test]
async fn a_passing_failure_is_tried_again_and_nobody_hears_of_it() {
    for faults in [
        [Fault::Begin].as_slice(),
        &[Fault::Refused],
        &[Fault::AnswerLost],
        &[Fault::Conflict, Fault::Contended],
        &[Fault::Refused, Fault::AnswerLost, Fault::Begin],
    ] {
        let scene = Scene::new().await;
        let (packet, writer) = (scene.packet(1, 3).await, scene.writer(100));
        writer.open(&packet, &user(0), Some(0)).await.unwrap();
        scene.fail(faults);
        let answer = writer.open(&packet, &user(1), Some(1)).await.unwrap();
        assert!(matches!(answer, Opening::Opened(_)), "{faults:?}: {answer:?}");
        let claim = claim_in(answer);
        assert_eq!((claim.share_no, claim.seq), (1, 2), "{faults:?}");
        assert_eq!(claim_in(writer.open(&packet, &user(1), None).await.unwrap()), claim);
        let claims = scene.claims(&packet).await;
        assert_eq!((claims.len(), &claims[1]), (2, &claim), "{faults:?}");
        let head = scene.ports.heads.follow(packet.partition()).unwrap().see().last_seq();
        assert_eq!(head, 2, "followers hear of it, {faults:?}");
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_waited_for_once() {
    let scene = Scene::new().await;
    let (packet, writer) = (scene.packet(1, 3).await, scene.writer(100));
    scene.fail(&[Fault::Begin; 1_000]);
    let away = Err(WriteError::Unavailable);
    assert_eq!(writer.open(&packet, &user(1), Some(1)).await, away);
    let left = scene.faults_left();
    assert_eq!(writer.open(&packet, &user(1), Some(1)).await, away);
    assert_eq!(scene.faults_left(), left - 1, "known to be away");
    scene.mend();
    writer.open(&packet, &user(1), Some(1)).await.unwrap();
    scene.fail(&[Fault::Begin]);
    writer.open(&packet, &user(2), Some(2)).await.unwrap();
    assert_eq!(scene.claims(&packet).await.len(), 2);
}

#[tokio::test]
async fn a_lost_answer_is_looked_for_until_nobody_waits() {
    let scene = Scene::new().await;
    let (packet, writer) = (scene.packet(1, 3).await, scene.writer(100));
    scene.fail(&[Fault::AnswerLost]);
    scene.fail(&[Fault::Begin; 10_000]);
    let late = user(1);
    let open = tokio::time::timeout(Duration::from_secs(2), writer.open(&packet, &late, None));
    assert!(open.await.is_err(), "an answer that nobody can know");
    scene.mend();
    let claim = claim_in(writer.open(&packet, &late, None).await.unwrap());
    assert_eq!(scene.claims(&packet).await, [claim]);
}

/// The claim is there, and neither who asked nor the gate was told: nobody waits any more, or the lane gives up.
#[tokio::test]
async fn a_gate_that_missed_a_claim_asks_sql() {
    let scene = Scene::new().await;
    let (gate, writer, late) = (&scene.ports.gate, scene.writer(100), user(1));
    let cases = [
        (1, vec![Fault::Begin; 10_000], true),
        (2, vec![Fault::Inconsistent], false),
    ];
    for (number, then, abandoned) in cases {
        let packet = scene.packet(number, 3).await;
        gate.warm(packet.clone()).await.unwrap();
        scene.fail(&[Fault::AnswerLost]);
        scene.fail(&then);
        let open = tokio::time::timeout(Duration::from_secs(1), writer.open(&packet, &late, None)).await;
        assert!(!matches!(open, Ok(Ok(_))), "{open:?}");
        assert_eq!(open.is_err(), abandoned);
        testkit::eventually("the gate knows the claim", async || {
            let ask = Ask {
                packet: packet.clone(),
                user_id: late.clone(),
                admitted: false,
            };
            let verdict = gate.grab(vec![ask]).await.remove(0).unwrap();
            matches!(verdict, Verdict::AlreadyOpened(_)).then_some(())
        })
        .await;
        scene.mend();
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_close_is_found_again() {
    let scene = Scene::new().await;
    let (packet, writer) = (scene.packet(1, 3).await, scene.writer(100));
    writer.open(&packet, &user(1), None).await.unwrap();
    scene.fail(&[Fault::AnswerLost]);
    let closing = writer.close(&packet).await.unwrap();
    assert_eq!(closing.opened_count, 1);
    assert_eq!(scene.commits(), 2, "closed once");
    assert_eq!(writer.close(&packet).await, Ok(closing));
    assert_eq!(writer.open(&packet, &user(2), None).await, Ok(Opening::Closed));
}

#[tokio::test]
async fn what_waits_together_is_committed_together() {
    let scene = Scene::new().await;
    let (packet, writer) = (scene.packet(1, 100).await, scene.writer(1_000));
    scene.faulty.tickets.forget_permits(PLENTY);
    let users: Vec<UserId> = (0..150).map(user).collect();
    let opens = join_all(users.iter().map(|user_id| writer.open(&packet, user_id, None)));
    let tickets = async { scene.faulty.tickets.add_permits(2) };
    let (openings, ()) = tokio::join!(opens, tickets);
    assert!(scene.commits() <= 2, "{} commits", scene.commits());
    let opened = openings
        .iter()
        .filter(|opening| matches!(opening, Ok(Opening::Opened(_))))
        .count();
    let exhausted = openings
        .iter()
        .filter(|opening| matches!(opening, Ok(Opening::Exhausted)))
        .count();
    assert_eq!((opened, exhausted), (100, 50));
    let claims = scene.claims(&packet).await;
    let luckiest: Vec<&Claim> = claims.iter().filter(|claim| claim.luckiest).collect();
    let most = claims.iter().map(|claim| claim.amount_fen).max().unwrap();
    let first = claims.iter().find(|claim| claim.amount_fen == most).unwrap();
    assert_eq!(luckiest, [first], "the largest, ties to the earliest");
}

#[tokio::test]
async fn a_full_lane_refuses_and_an_abandoned_ask_is_not_tried() {
    let scene = Scene::new().await;
    let (packet, writer) = (scene.packet(1, 10).await, scene.writer(1));
    scene.faulty.tickets.forget_permits(PLENTY);
    let users = [0, 1, 2, 3, 4].map(user);
    let mut first = Box::pin(writer.open(&packet, &users[1], None));
    assert!(futures::poll!(&mut first).is_pending());
    // Wait until the lane has taken the first, then fill the one place in its queue.
    testkit::eventually("the lane is at work", async || {
        (writer.lanes[0].capacity() == 1).then_some(())
    })
    .await;
    let mut gone = Box::pin(writer.open(&packet, &users[2], None));
    assert!(futures::poll!(&mut gone).is_pending());
    let refused = writer.open(&packet, &users[3], None).await;
    assert_eq!(refused, Err(WriteError::Overloaded));
    drop(gone);
    scene.faulty.tickets.add_permits(PLENTY);
    first.await.unwrap();
    writer.open(&packet, &users[4], None).await.unwrap();
    let users: Vec<UserId> = scene
        .claims(&packet)
        .await
        .into_iter()
        .map(|claim| claim.user_id)
        .collect();
    assert!(
        users.contains(&user(1)) && users.contains(&user(4)) && !users.contains(&user(2)),
        "{users:?}"
    );
}

#[tokio::test]
async fn an_inconsistent_packet_fails_alone() {
    let scene = Scene::new().await;
    let (bad, good) = (scene.packet(1, 3).await, scene.packet(2, 3).await);
    let batch = scene.store.begin(&[bad.partition()]).await.unwrap();
    let tally = Tally {
        opened_count: 1,
        opened_fen: money::Fen::new(1),
        close_time: None,
    };
    let changes = Changes {
        heads: batch.heads().to_vec(),
        tallies: vec![(bad.id(), tally)],
        ..Changes::default()
    };
    batch.commit(changes).await.unwrap();
    let writer = scene.writer(100);
    let (user_1, user_2) = (user(1), user(2));
    let opens = tokio::join!(writer.open(&bad, &user_1, None), writer.open(&good, &user_2, None));
    assert_eq!(opens.0, Err(WriteError::Inconsistent));
    assert!(matches!(opens.1, Ok(Opening::Opened(_))));
}

#[tokio::test]
async fn a_writer_sees_what_another_wrote_since() {
    let scene = Scene::new().await;
    let packet = scene.packet(1, 8).await;
    let writers = [scene.writer(10), scene.writer(10)];
    // No share and no user twice, so that only the fence can tell that a picture is old.
    for n in 0..6_u8 {
        let writer = &writers[usize::from(n % 2)];
        let claim = claim_in(writer.open(&packet, &user(n.into()), Some(n.into())).await.unwrap());
        assert_eq!((claim.share_no, claim.seq), (n.into(), i64::from(n) + 1));
        assert_eq!(scene.claims(&packet).await.len(), usize::from(n) + 1);
    }
    let closing = writers[0].close(&packet).await.unwrap();
    assert_eq!(closing.opened_count, 6);
    assert_eq!(writers[1].open(&packet, &user(9), Some(7)).await, Ok(Opening::Closed));
    assert_eq!(writers[1].close(&packet).await, Ok(closing));
}

#[tokio::test]
async fn what_others_wrote_is_followed_and_not_read_from_the_beginning() {
    let scene = Scene::new().await;
    let (packet, beside) = (scene.packet(1, 50).await, scene.packet_in_partition_of(1, 50).await);
    let writers = [scene.writer(10), scene.writer(10)];
    for n in 0..40 {
        let packet = if n % 4 < 2 { &packet } else { &beside };
        writers[n % 2].open(packet, &user(n), None).await.unwrap();
    }
    assert_eq!(
        scene.claims(&packet).await.len() + scene.claims(&beside).await.len(),
        40
    );
    let painted = scene.counts().painted.load(Ordering::Relaxed);
    assert!(painted <= 4, "each packet once by each writer, not {painted}");
    let followed = scene.counts().followed.load(Ordering::Relaxed);
    assert!((36..40).contains(&followed), "{followed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_of_one_partition_never_trust_an_old_picture() {
    let scene = Scene::new().await;
    let writers = [scene.writer(1_000), scene.writer(1_000), scene.writer(1_000)];
    race(&scene, &scene.packet(1, 60).await, &writers).await;
}

#[tokio::test]
async fn a_stop_writes_what_was_accepted() {
    let scene = Scene::new().await;
    let (packet, writer) = (scene.packet(1, 100).await, scene.writer(1_000));
    scene.faulty.tickets.forget_permits(PLENTY);
    let users: Vec<UserId> = (0..100).map(user).collect();
    let opens = join_all(users.iter().map(|user_id| writer.open(&packet, user_id, None)));
    let mut opens = Box::pin(opens);
    assert!(futures::poll!(&mut opens).is_pending());
    scene.process.begin_stop();
    scene.faulty.tickets.add_permits(PLENTY);
    let openings = opens.await;
    assert!(openings.iter().all(|opening| matches!(opening, Ok(Opening::Opened(_)))));
    drop(writer);
    assert!(
        scene.process.stop(Duration::from_secs(10)).await,
        "the lanes did not end"
    );
    assert_eq!(scene.claims(&packet).await.len(), 100);
}
