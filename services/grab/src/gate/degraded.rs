//! The gate while Redis is away: grabs are answered from SQL.
//!
//! A grant is provisional: no share is set aside, because nobody could tell the other instances. Whoever opens such a
//! voucher is given a free share inside the transaction, from the high end, where the shares that firm vouchers name are
//! met last. So all who ask are granted until SQL says that nothing is left, and some of them will find that it is gone.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use clock::{SharedClock, after};
use futures::future::join_all;
use id::{PacketId, UserId};

use super::{Ask, Gate, GateError, News, Reservation, Timing, Verdict, memory::Memory};
use crate::domain::{claim::Claim, packet::Packet};

/// How old what SQL said may be. A user whom it misses is granted a voucher with which nothing more can be opened, so this
/// bounds what a packet costs the database, and nothing else.
const FRESH: Duration = Duration::from_millis(200);
/// How old while it is being read again, or while too many others are.
const STALE: Duration = Duration::from_secs(2);

/// The degraded gate.
pub struct DegradedGate {
    memory: Arc<Memory>,
    clock: SharedClock,
    timing: Timing,
}

impl DegradedGate {
    /// A gate that answers from `memory`.
    pub fn new(memory: Arc<Memory>, clock: SharedClock, timing: Timing) -> Self {
        Self { memory, clock, timing }
    }

    async fn decide(&self, ask: Ask) -> Result<Verdict, GateError> {
        let verdict = self.memory.ask(&ask, FRESH, STALE).await?;
        Ok(verdict.unwrap_or_else(|| {
            Verdict::Granted(Reservation {
                share_no: None,
                lapse_time: after(self.clock.now(), self.timing.voucher_ttl),
            })
        }))
    }
}

#[async_trait]
impl Gate for DegradedGate {
    async fn grab(&self, asks: Vec<Ask>) -> Vec<Result<Verdict, GateError>> {
        join_all(asks.into_iter().map(|ask| self.decide(ask))).await
    }

    async fn recall(&self, packet_id: PacketId, user_id: &UserId) -> Option<Claim> {
        self.memory.recall(packet_id, user_id).await
    }

    async fn tell(&self, news: Vec<News>) {
        self.memory.hear(&news).await;
    }

    async fn warm(&self, _packet: Arc<Packet>) -> Result<(), GateError> {
        Ok(()) // it is read when somebody asks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::packet::sample::START,
        gate::contract::{self, TIMING},
    };

    #[tokio::test]
    async fn passes_its_part_of_the_contract() {
        let store = contract::store().await;
        let clock: SharedClock = Arc::new(clock::Manual::new(START));
        let gate = DegradedGate::new(Arc::new(Memory::new(store.claims())), clock, TIMING);
        contract::holds_provisionally(&gate, &store).await;
    }
}
