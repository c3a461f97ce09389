//! What the schema itself refuses, whoever writes.

use ::sql::{Database, Error};
use id::PacketId;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};

use super::SqlStore;
use crate::{
    domain::fixture::{limits, noon, order, packet_of},
    store::sql::{
        entity::{packets, send_requests, sender_days},
        rows,
    },
};

/// Writes one row as it is; `None` if it was written.
async fn refusal<A>(database: &Database, row: A) -> Option<Error>
where
    A: ActiveModelTrait + Send,
{
    let transaction = database.begin().await.unwrap();
    let written = <A::Entity as EntityTrait>::insert(row)
        .exec_without_returning(transaction.as_ref())
        .await;
    match written {
        Ok(_) => {
            transaction.commit().await.unwrap();
            None
        }
        Err(fault) => Some(fault.into()),
    }
}

/// A packet that is its own, and what is changed about it.
fn packet(number: u8, change: impl FnOnce(&mut packets::ActiveModel)) -> packets::ActiveModel {
    let mut row = rows::packet_row(&packet_of(&order("rob", "r"), number), noon()).unwrap();
    row.packet_id = Set(PacketId::new(9_000, &[number; 10]).as_uuid());
    row.due_us = Set(None);
    change(&mut row);
    row
}

fn request(sender: &str, request: &str, number: u8) -> send_requests::ActiveModel {
    let id = PacketId::new(9_000, &[number; 10]);
    rows::reservation_row(&limits().decide(&order(sender, request), id, noon()))
}

fn day(sender: &str, sent_count: i64, sent_fen: i64) -> sender_days::ActiveModel {
    sender_days::ActiveModel {
        sender_id: Set(sender.to_owned()),
        day: Set(7),
        sent_count: Set(sent_count),
        sent_fen: Set(sent_fen),
    }
}

/// Checks and keys, in every database of the store.
pub async fn are_enforced(store: &SqlStore) {
    for database in store.shards.iter() {
        checks(database).await;
        keys(database).await;
    }
}

async fn checks(database: &Database) {
    let closed = |opened_fen: i64, refunded_fen: i64| {
        move |row: &mut packets::ActiveModel| {
            row.opened_fen = Set(Some(opened_fen));
            row.refunded_fen = Set(Some(refunded_fen));
        }
    };
    let refused = [
        ("no share", packet(1, |row| row.share_count = Set(0))),
        ("a share of nothing", packet(1, |row| row.total_fen = Set(4))),
        (
            "less than nothing opened",
            packet(1, |row| row.opened_fen = Set(Some(-1))),
        ),
        ("too much back (CLOSE-1)", packet(1, closed(30, 71))),
        ("too little back (CLOSE-1)", packet(1, closed(30, 69))),
    ];
    for (what, row) in refused {
        let refusal = refusal(database, row).await;
        assert!(matches!(refusal, Some(Error::Driver(_))), "{what}: {refusal:?}");
    }
    for (what, row) in [("count", day("rob", -1, 0)), ("sum", day("rob", 0, -1))] {
        let refusal = refusal(database, row).await;
        assert!(matches!(refusal, Some(Error::Driver(_))), "{what}: {refusal:?}");
    }
    // The row itself is not what was wrong.
    assert!(refusal(database, packet(1, closed(30, 70))).await.is_none());
}

async fn keys(database: &Database) {
    for (what, refused, row) in [
        ("another packet", false, request("rob", "k1", 1)),
        ("one request, two packets", true, request("rob", "k1", 2)),
        ("one packet, two requests", true, request("rob", "k2", 1)),
        ("other letters", false, request("rob", "K1", 3)),
        ("other letters", false, request("Rob", "k1", 4)),
    ] {
        let refusal = refusal(database, row).await;
        assert_eq!(
            matches!(refusal, Some(Error::Conflict(_))),
            refused,
            "{what}: {refusal:?}"
        );
        assert_eq!(refusal.is_some(), refused, "{what}: {refusal:?}");
    }
    assert!(refusal(database, day("rob", 0, 0)).await.is_none());
    assert!(refusal(database, day("roB", 0, 0)).await.is_none());
    let again = refusal(database, day("rob", 1, 1)).await;
    assert!(matches!(again, Some(Error::Conflict(_))), "{again:?}");
    let again = refusal(database, packet(1, |_| {})).await;
    assert!(matches!(again, Some(Error::Conflict(_))), "{again:?}");
}
