//! [`Agenda`] in memory: what is due on one disk.

use std::time::Duration;

use ::sql::Result;
use async_trait::async_trait;
use clock::Timestamp;

use super::{MemoryStore, tables::PacketRow};
use crate::{
    domain::Phase,
    store::{Agenda, Leased, Overdue},
};

#[async_trait]
impl Agenda for MemoryStore {
    fn place(&self) -> &str {
        &self.place
    }

    async fn lease(&self, phases: &[Phase], now: Timestamp, until: Timestamp, limit: u64) -> Result<Vec<Leased>> {
        self.link
            .write("agenda.lease", |tables| {
                let rows = tables.packets.values_mut();
                let mut due: Vec<(Timestamp, &mut PacketRow)> = rows
                    .filter(|row| phases.contains(&row.packet.state.phase()))
                    .filter_map(|row| Some((row.due.filter(|due| *due <= now)?, row)))
                    .collect();
                due.sort_by_key(|(due, row)| (*due, row.packet.id()));
                let leased = due.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX));
                Ok(leased.map(|(_, row)| lease(row, until)).collect())
            })
            .await
    }

    async fn postpone(&self, leased: &Leased, due: Timestamp) -> Result<()> {
        self.link
            .write("agenda.postpone", |tables| {
                let row = tables.packets.get_mut(&leased.packet.id());
                if let Some(row) = row.filter(|row| row.due == Some(leased.until)) {
                    row.due = Some(due);
                    row.attempts = leased.attempts.saturating_add(1);
                }
                Ok(())
            })
            .await
    }

    async fn overdue(&self, phases: &[Phase], now: Timestamp, horizon: Duration) -> Result<Overdue> {
        self.link
            .read("agenda.overdue", |tables| {
                let rows = tables.packets.values();
                let near = rows.filter(|row| row.due.is_some_and(|due| due <= clock::after(now, horizon)));
                let of_phase = near.filter(|row| phases.contains(&row.packet.state.phase()));
                let wanted = of_phase.map(|row| match row.packet.state.phase() {
                    Phase::Funding => row.packet.create_time,
                    _ => row.packet.terms.expire_time,
                });
                let wanted: Vec<Timestamp> = wanted.filter(|wanted| *wanted <= now).collect();
                Ok(Overdue {
                    count: wanted.len() as u64,
                    since: wanted.into_iter().min(),
                })
            })
            .await
    }

    async fn next_due(&self, phases: &[Phase]) -> Result<Option<Timestamp>> {
        self.link
            .read("agenda.next_due", |tables| {
                let waiting = tables
                    .packets
                    .values()
                    .filter(|row| phases.contains(&row.packet.state.phase()));
                Ok(waiting.filter_map(|row| row.due).min())
            })
            .await
    }
}

fn lease(row: &mut PacketRow, until: Timestamp) -> Leased {
    row.due = Some(until);
    Leased {
        packet: row.packet.clone(),
        until,
        attempts: row.attempts,
    }
}
