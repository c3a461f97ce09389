//! [`Packets`] in memory.

use std::cmp::Reverse;

use ::sql::Result;
use async_trait::async_trait;
use clock::Timestamp;
use guard::Guard;
use id::PacketId;
use paging::Page;

use super::{
    MemoryStore,
    tables::{PacketRow, Tables},
};
use crate::{
    domain::{Audience, Due, Packet, State},
    store::{Of, Packets},
};

#[async_trait]
impl Packets for MemoryStore {
    async fn insert(&self, packet: &Packet, due: Timestamp) -> Result<Packet> {
        self.link
            .write("packets.insert", |tables| tables.insert(packet, due))
            .await
    }

    async fn get(&self, ids: &[PacketId]) -> Result<Vec<Packet>> {
        self.link
            .read("packets.get", |tables| {
                let found = ids.iter().filter_map(|id| tables.packets.get(id));
                Ok(found.map(|row| row.packet.clone()).collect())
            })
            .await
    }

    async fn list(&self, of: &Of, page: &Page<PacketId>) -> Result<Vec<Packet>> {
        self.link
            .read("packets.list", |tables| {
                let mut found: Vec<&Packet> = tables
                    .packets
                    .values()
                    .map(|row| &row.packet)
                    .filter(|packet| is_of(packet, of) && page.after.is_none_or(|after| packet.id() < after))
                    .collect();
                found.sort_unstable_by_key(|packet| Reverse(packet.id()));
                let page = found
                    .into_iter()
                    .take(usize::try_from(page.fetch()).unwrap_or(usize::MAX));
                Ok(page.cloned().collect())
            })
            .await
    }

    async fn change(&self, packet: &Packet, next: &State) -> Result<bool> {
        self.link
            .write("packets.change", |tables| tables.change(packet, next))
            .await
    }
}

impl Tables {
    fn insert(&mut self, packet: &Packet, due: Timestamp) -> Result<Packet> {
        if guard::stands(Guard::SeedOnce)
            && let Some(first) = self.packets.get(&packet.id())
        {
            return Ok(first.packet.clone());
        }
        check(packet)?;
        let row = PacketRow {
            packet: packet.clone(),
            due: Some(due),
            attempts: 0,
        };
        self.packets.insert(packet.id(), row);
        Ok(packet.clone())
    }

    fn change(&mut self, packet: &Packet, next: &State) -> Result<bool> {
        let Some(row) = self.packets.get_mut(&packet.id()) else {
            return Ok(false);
        };
        if guard::stands(Guard::StateFence) && !is_there(&row.packet.state, &packet.state) {
            return Ok(false);
        }
        row.packet.state = next.clone();
        row.attempts = 0;
        match packet.due(next) {
            Due::At(due) => row.due = Some(due),
            Due::Unchanged => {}
            Due::Never => row.due = None,
        }
        check(&row.packet)?;
        Ok(true)
    }
}

/// Whether a packet is where it was believed to be. The first sums of a close stay (CLOSE-1).
fn is_there(actual: &State, believed: &State) -> bool {
    actual.phase() == believed.phase() && (*believed != State::Closing(None) || actual.closed().is_none())
}

fn check(packet: &Packet) -> Result<()> {
    let terms = &packet.terms;
    disk::check(terms.share_count >= 1, "packets.share_count >= 1")?;
    let each_has_a_fen = terms.total_fen >= i64::from(terms.share_count);
    disk::check(each_has_a_fen, "packets.total_fen >= packets.share_count")?;
    let opened_fen = packet.state.closed().map_or(0, |closed| closed.opened_fen);
    disk::check(opened_fen >= 0, "packets.opened_fen >= 0")?;
    if guard::stands(Guard::RefundRest)
        && let State::Completed { refunded_fen, .. } = packet.state
    {
        let whole = opened_fen.checked_add(refunded_fen) == Some(terms.total_fen);
        disk::check(
            whole,
            "packets.refunded_fen + packets.opened_fen = packets.total_fen (CLOSE-1)",
        )?;
    }
    Ok(())
}

fn is_of(packet: &Packet, of: &Of) -> bool {
    match of {
        Of::Sender(sender) => packet.terms.sender_id == *sender,
        Of::Group(group) => packet.terms.audience == Audience::Group(group.clone()),
    }
}
