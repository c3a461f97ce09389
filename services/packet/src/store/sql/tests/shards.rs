//! Which rows are in which database, and that it stays so.

use std::collections::BTreeSet;

use ::sql::Pool;
use clock::Timestamp;
use id::PacketId;
use sea_orm::EntityTrait;

use super::{Engine, PARTITIONS, SqlStore, database, open};
use crate::{
    domain::{
        Audience, Phase, State,
        fixture::{limits, noon, order, packet_of},
    },
    store::{
        Agenda, Packets, Requests,
        sql::entity::{packets, send_requests, sender_days},
    },
};

/// Many senders' sends to one group; then reads the tables of every database by itself.
pub async fn everything_is_at_home(store: &SqlStore) {
    for number in 1..=60 {
        let mut order = order(&format!("home-{number}"), "r");
        order.audience = Audience::Group("home".parse().unwrap());
        let id = PacketId::new(5_000, &[number; 10]);
        let reserved = limits().decide(&order, id, noon());
        store.reserve(&reserved, limits().daily).await.unwrap();
        let mut packet = packet_of(&order, number);
        packet.terms.packet_id = id;
        let packet = store.insert(&packet, noon()).await.unwrap();
        store.change(&packet, &State::Active).await.unwrap();
    }
    for (shard_no, database) in store.shards.iter().enumerate() {
        let read = database.read();
        let packets = packets::Entity::find().all(read).await.unwrap();
        let requests = send_requests::Entity::find().all(read).await.unwrap();
        let days = sender_days::Entity::find().all(read).await.unwrap();
        assert!(packets.len() > 10 && requests.len() > 10 && days.len() > 10);
        for row in packets {
            assert_eq!(store.shard_no(PacketId::from(row.packet_id)), shard_no);
        }
        let senders = requests.into_iter().map(|row| row.sender_id);
        let senders: BTreeSet<_> = senders.chain(days.into_iter().map(|row| row.sender_id)).collect();
        for sender in senders {
            let home = store.of_sender(&sender.parse().unwrap());
            assert!(
                home.url().to_string() == database.url().to_string(),
                "{sender} in {shard_no}"
            );
        }
        // What is due in a database is due in its agenda.
        let agenda = &store.agendas()[shard_no];
        let due = agenda
            .lease(&[Phase::Active], Timestamp::MAX, Timestamp::MAX, 1_000)
            .await
            .unwrap();
        assert!(due.iter().all(|leased| store.shard_no(leased.packet.id()) == shard_no));
    }
}

/// Another order, another length, another number of partitions.
pub async fn layouts_stay(engine: &Engine) {
    let (a, b) = (database(engine, "first").await, database(engine, "second").await);
    let c = database(engine, "third").await;
    open(&[a.clone(), b.clone()]).await.unwrap().close().await;
    open(&[a.clone(), b.clone()]).await.unwrap().close().await;
    for (urls, told) in [
        (
            vec![b.clone(), a.clone()],
            "holds database 2 of 2 over 64 partitions, but the settings make it database 1 of 2",
        ),
        (
            vec![a.clone()],
            "holds database 1 of 2 over 64 partitions, but the settings make it database 1 of 1",
        ),
        (
            vec![a.clone(), a.clone()],
            "holds database 1 of 2 over 64 partitions, but the settings make it database 2 of 2",
        ),
        (
            vec![a.clone(), b.clone(), c.clone()],
            "the settings make it database 1 of 3",
        ),
    ] {
        let fault = open(&urls).await.map(drop).unwrap_err().to_string();
        assert!(
            fault.contains(told) && fault.contains("must keep its order and length"),
            "{fault}"
        );
    }
    let fewer = PARTITIONS.get() / 2;
    let fault = SqlStore::open(&[a, b], Pool::default(), fewer.try_into().unwrap()).await;
    let fault = fault.map(drop).unwrap_err().to_string();
    assert!(fault.contains("the number of partitions must not change"), "{fault}");
}
