//! A crowd on one packet: every share goes to one person, every person gets one share, every sum is exact.

use std::{collections::HashSet, time::Duration};

use crate::rig::{Mesh, On, REDIS_MARIADB, REDIS_POSTGRES, for_anyone, id_of, users};
use futures::future::join_all;
use proto::grab::v1::{Claim, grab_response::Outcome};
use runtime::deadline;
use tokio::time::Instant;

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_people_grab_a_hundred_shares() {
    a_thousand_people(On::OneProcess).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_people_grab_a_hundred_shares_on_redis_and_postgres() {
    a_thousand_people(REDIS_POSTGRES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_people_grab_a_hundred_shares_on_redis_and_mariadb() {
    a_thousand_people(REDIS_MARIADB).await;
}

async fn a_thousand_people(on: On) {
    let dir = testkit::Dir::new();
    let mesh = Mesh::start(on, dir.path()).await;
    let people = users(1000);
    let operator = mesh.operator();
    operator.open_accounts(&people, 1000).await;
    mesh.caller("u0000").create_group("crowd", &people).await;
    let mut request = for_anyone("crowd".into(), 10_000, 100, HOUR);
    request.audience = Some(proto::terms::v1::Audience {
        who: Some(proto::terms::v1::audience::Who::GroupId("crowd".into())),
    });
    let packet_id = id_of(&mesh.caller("u0000").send(request).await.unwrap());

    let callers: Vec<_> = (0..8).map(|_| mesh.operator()).collect();
    let grabs = people.iter().enumerate().map(|(n, user)| {
        let (caller, packet_id) = (callers[n % callers.len()].r#as(user), packet_id.clone());
        // A thousand at once: on a loaded machine the last of them may wait longer than a call usually may.
        let deadline = Instant::now() + Duration::from_mins(1);
        tokio::spawn(deadline::scope(
            deadline,
            async move { caller.grab(&packet_id, true).await },
        ))
    });
    let mut won: Vec<Claim> = Vec::new();
    for outcome in join_all(grabs).await {
        match outcome.unwrap().expect("no error reaches anyone") {
            Outcome::Opened(claim) => won.push(claim),
            Outcome::Exhausted(_) | Outcome::AllHeld(_) => {}
            other => panic!("neither a share nor a no: {other:?}"),
        }
    }

    let claims = operator.claims(&packet_id).await;
    assert_eq!(claims.len(), 100);
    assert_eq!(claims.iter().map(|claim| claim.amount_fen).sum::<i64>(), 10_000);
    assert_eq!(
        claims.iter().map(|claim| claim.share_no).collect::<HashSet<_>>().len(),
        100
    );
    assert_eq!(
        claims.iter().map(|claim| &claim.user_id).collect::<HashSet<_>>().len(),
        100
    );
    assert_eq!(claims.iter().filter(|claim| claim.luckiest).count(), 1);
    for claim in &won {
        let stored = claims
            .iter()
            .find(|stored| stored.share_no == claim.share_no)
            .expect("a shown claim is durable");
        assert_eq!((&stored.user_id, stored.amount_fen), (&claim.user_id, claim.amount_fen));
    }
    assert_eq!(won.len(), 100);
    let result = operator.reconcile_when_settled().await;
    assert_eq!((result.claim_count, result.open_case_count), (100, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_fifty_times_at_once_gets_one_share() {
    fifty_times_at_once(On::OneProcess).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_fifty_times_at_once_gets_one_share_of_two_instances() {
    fifty_times_at_once(REDIS_POSTGRES).await;
}

async fn fifty_times_at_once(on: On) {
    let dir = testkit::Dir::new();
    let mesh = Mesh::start(on, dir.path()).await;
    mesh.operator().open_accounts(&users(2), 1000).await;
    let packet_id = id_of(
        &mesh
            .caller("u0000")
            .send(for_anyone("p".into(), 10_00, 10, HOUR))
            .await
            .unwrap(),
    );

    let callers: Vec<_> = (0..4).map(|_| mesh.caller("u0001")).collect();
    let grabs = (0..50).map(|n| {
        let (caller, packet_id) = (callers[n % callers.len()].clone(), packet_id.clone());
        tokio::spawn(async move { caller.grab(&packet_id, true).await.unwrap() })
    });
    let shown: HashSet<_> = join_all(grabs)
        .await
        .into_iter()
        .map(|outcome| match outcome.unwrap() {
            Outcome::Opened(claim) | Outcome::AlreadyOpened(claim) => (claim.share_no, claim.amount_fen),
            other => panic!("every answer is the one claim: {other:?}"),
        })
        .collect();
    assert_eq!(shown.len(), 1, "nobody is told two amounts");
    assert_eq!(mesh.operator().claims(&packet_id).await.len(), 1);
    mesh.operator().reconcile_when_settled().await;
}
