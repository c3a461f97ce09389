//! Who leases does not wait for who else does.

use std::time::Duration;

use ::sql::Engine;
use id::PacketId;
use sea_orm::{EntityTrait, QuerySelect, sea_query::LockType};
use tokio::time::timeout;

use super::SqlStore;
use crate::{
    domain::{
        Packet, Phase, Rejection, State,
        fixture::{noon, order, packet_of},
    },
    store::{Agenda, Packets, sql::entity::packets},
};

/// Well below the time after which a statement that waits for a lock fails.
const SOON: Duration = Duration::from_secs(2);

/// One instance is about to lease a row: another leases the rest at once. (On `SQLite` writers queue in the process.)
pub async fn are_not_waited_for(store: &SqlStore) {
    let at = |seconds| clock::after(noon(), Duration::from_secs(seconds));
    let mut inserted = Vec::new();
    for number in 1..=16 {
        let mut packet = packet_of(&order("lou", "l"), number);
        packet.terms.packet_id = PacketId::new(7_000, &[number; 10]);
        inserted.push(store.insert(&packet, at(0)).await.unwrap());
    }
    for (shard_no, agenda) in store.agendas().iter().enumerate() {
        let here = inserted.iter().filter(|packet| store.shard_no(packet.id()) == shard_no);
        let mut here: Vec<_> = here.map(Packet::id).collect();
        here.sort();
        let database = store.of_packet(here[0]);
        if database.url().engine() == Engine::Sqlite {
            continue;
        }
        let other = database.begin().await.unwrap();
        let held = packets::Entity::find_by_id(here[0].as_uuid()).lock(LockType::Update);
        held.one(other.as_ref()).await.unwrap().unwrap();

        let leased = timeout(SOON, agenda.lease(&[Phase::Funding], at(1), at(60), 99)).await;
        let leased = leased.expect("it waits for a lock").unwrap();
        let mut ids: Vec<_> = leased.iter().map(|leased| leased.packet.id()).collect();
        ids.retain(|id| inserted.iter().any(|packet| packet.id() == *id));
        assert_eq!(ids, here[1..]);
        other.rollback().await.unwrap();
        let leased = agenda.lease(&[Phase::Funding], at(1), at(60), 99).await.unwrap();
        assert_eq!((leased.len(), leased[0].packet.id()), (1, here[0]));
    }
    for packet in &inserted {
        let rejected = State::Rejected(Rejection {
            reason: "INSUFFICIENT_FUNDS".to_owned(),
            balance_fen: None,
        });
        store.change(packet, &rejected).await.unwrap();
    }
}
