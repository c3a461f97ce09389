//! [`Requests`] in memory.

use ::sql::Result;
use async_trait::async_trait;
use guard::Guard;
use id::{PacketId, RequestId, UserId};

use super::{
    MemoryStore,
    tables::{RequestRow, Tables},
};
use crate::{
    domain::{DailyLimits, DailyUse, Reservation},
    store::{Requests, Reserved},
};

#[async_trait]
impl Requests for MemoryStore {
    async fn find(&self, sender: &UserId, request: &RequestId) -> Result<Option<Reservation>> {
        self.link
            .read("requests.find", |tables| Ok(tables.reserved(sender, request).cloned()))
            .await
    }

    async fn reserve(&self, offer: &Reservation, limits: DailyLimits) -> Result<Reserved> {
        self.link
            .write("requests.reserve", |tables| tables.reserve(offer, limits))
            .await
    }

    async fn release(&self, sender: &UserId, packet: PacketId) -> Result<()> {
        self.link
            .write("requests.release", |tables| tables.release(sender, packet))
            .await
    }
}

impl Tables {
    fn reserved(&self, sender: &UserId, request: &RequestId) -> Option<&Reservation> {
        let mut reserved = self.requests.iter().map(|row| &row.reserved);
        reserved.find(|reserved| (&reserved.sender_id, &reserved.request_id) == (sender, request))
    }

    fn reserve(&mut self, offer: &Reservation, limits: DailyLimits) -> Result<Reserved> {
        let first = self.reserved(&offer.sender_id, &offer.request_id);
        if guard::stands(Guard::RequestOnce)
            && let Some(first) = first
        {
            return Ok(Reserved::Held(first.clone()));
        }
        let day = (offer.sender_id.clone(), offer.day);
        let used = self.days.get(&day).copied().unwrap_or_default();
        let Some(after) = used.with(offer.total_fen, limits) else {
            return Ok(Reserved::DayFull(used));
        };
        let is_new = self
            .requests
            .iter()
            .all(|row| row.reserved.packet_id != offer.packet_id);
        disk::key(is_new, "send_requests by packet_id")?;
        self.requests.push(RequestRow {
            reserved: offer.clone(),
            counted: true,
        });
        self.days.insert(day, after);
        Ok(Reserved::Held(offer.clone()))
    }

    fn release(&mut self, sender: &UserId, packet: PacketId) -> Result<()> {
        let is_it = |row: &&mut RequestRow| {
            row.reserved.packet_id == packet && row.reserved.sender_id == *sender && row.counted
        };
        let Some(row) = self.requests.iter_mut().find(is_it) else {
            return Ok(());
        };
        row.counted = false;
        let day = self.days.entry((sender.clone(), row.reserved.day)).or_default();
        let after = DailyUse {
            count: day.count.saturating_sub(1),
            total_fen: day.total_fen.saturating_sub(row.reserved.total_fen),
        };
        disk::check(after.count >= 0, "sender_days.sent_count >= 0")?;
        disk::check(after.total_fen >= 0, "sender_days.sent_fen >= 0")?;
        *day = after;
        Ok(())
    }
}
