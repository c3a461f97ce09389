//! The whole mesh on a disk that is full: every service says so, none says that something is done which is not, and all goes on
//! when there is room.

use std::time::Duration;

use proto::grab::v1::grab_response::Outcome;
use testkit::engines::SmallDisk;
use tonic::{Code, Status};

use crate::rig::{Mesh, for_anyone, id_of, users};

/// Room for the stores of the mesh, their logs, and some packets.
const KIB: u32 = 48 * 1_024;
/// How many times something is tried on a full disk before it is believed to have room: SQLite's logs are used again from
/// their start now and then.
const TRIES: usize = 5_000;

/// Tries until it is refused; nothing else than that the store is full may come of it.
async fn until_full<T>(what: &str, mut attempt: impl AsyncFnMut(usize) -> Result<T, Status>) -> Vec<T> {
    let mut done = Vec::new();
    for n in 0..TRIES {
        match attempt(n).await {
            Ok(one) => done.push(one),
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{what}: {status:?}");
                return done;
            }
        }
    }
    panic!("{what}: the disk has room for everything");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_tells_of_a_full_disk_and_goes_on_when_there_is_room() {
    if !SmallDisk::is_possible() {
        return;
    }
    let disk = SmallDisk::new(KIB).await.unwrap();
    let mesh = Mesh::up(disk.path(), &[]).await;
    let operator = mesh.operator();
    let people = users(40);
    operator.open_accounts(&people, 1_000).await;
    let sender = mesh.caller(&people[0]);
    let packet = id_of(
        &sender
            .send(for_anyone("before".to_owned(), 4_000, 40, HOUR))
            .await
            .unwrap(),
    );
    let open = async |user: &str| match mesh.caller(user).grab(&packet, true).await {
        Ok(Outcome::Opened(claim) | Outcome::AlreadyOpened(claim)) => Ok(claim),
        Ok(other) => panic!("{other:?}"),
        Err(status) => Err(status),
    };
    open(&people[1]).await.unwrap();

    disk.fill().unwrap();
    // Each service's own writes: account, packet (with transfer and account behind it), grab.
    until_full("deposit", async |n| {
        operator.deposit(&people[1], &format!("full-{n}")).await
    })
    .await;
    let sent = until_full("send", async |n| {
        let request = for_anyone(format!("full-{n}"), 100, 1, HOUR);
        sender.send(request).await.map(|packet| id_of(&packet))
    })
    .await;
    let mut opened = Vec::new();
    for user in &people[2..] {
        if let Ok(claim) = open(user).await {
            opened.push(claim);
        }
    }

    disk.free().unwrap();
    for user in &people[2..] {
        testkit::eventually("opens work again", async || open(user).await.ok()).await;
    }
    testkit::eventually("deposits work again", async || {
        operator.deposit(&people[1], "after").await.ok()
    })
    .await;
    testkit::eventually("sends work again", async || {
        sender.send(for_anyone("after".to_owned(), 100, 1, HOUR)).await.ok()
    })
    .await;
    let report = operator.reconcile_when_settled().await;
    assert_eq!(report.differences, []);
    // What was told is there: every packet, every amount.
    for packet_id in sent {
        assert!(operator.packet(&packet_id).await.unwrap().packet.is_some());
    }
    let claims = operator.claims(&packet).await;
    assert_eq!(claims.len(), people.len() - 1);
    for told in opened {
        let there = claims.iter().find(|claim| claim.user_id == told.user_id).unwrap();
        assert_eq!((there.share_no, there.amount_fen), (told.share_no, told.amount_fen));
    }
    mesh.kill().await;
}

const HOUR: Duration = Duration::from_hours(1);
