//! What gates read of SQL: few at once, so that neither a crowd over many packets nor a Redis that forgot them all takes
//! the store's connections from the writer.

use std::{ops::Deref, sync::Arc};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::store::ClaimStore;

/// Reads under way at once: fewer than a pool has connections by default (10).
const MAX_READS: usize = 8;

/// The way to the claims for all gates of a process.
pub struct Reads {
    claims: Arc<dyn ClaimStore>,
    permits: Semaphore,
}

/// A read under way: the claims, until it is dropped.
pub struct Reading<'a> {
    claims: &'a Arc<dyn ClaimStore>,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Reads {
    /// Reads of `claims`.
    pub fn new(claims: Arc<dyn ClaimStore>) -> Self {
        Self {
            claims,
            permits: Semaphore::new(MAX_READS),
        }
    }

    /// Begins a read as soon as there are not too many.
    pub async fn begin(&self) -> Reading<'_> {
        Reading {
            claims: &self.claims,
            _permit: self.permits.acquire().await.ok(), // never closed
        }
    }

    /// Begins a read; `None` if there are too many.
    pub fn try_begin(&self) -> Option<Reading<'_>> {
        let permit = self.permits.try_acquire().ok()?;
        Some(Reading {
            claims: &self.claims,
            _permit: Some(permit),
        })
    }
}

impl Deref for Reading<'_> {
    type Target = dyn ClaimStore;

    fn deref(&self) -> &Self::Target {
        &**self.claims
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{
        collections::HashMap,
        ops::Range,
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use async_trait::async_trait;
    use clock::{SharedClock, Timestamp};
    use id::{PacketId, UserId};

    use super::*;
    use crate::{
        domain::{
            claim::{Claim, Progress, Summary, Tally},
            packet::sample,
        },
        gate::{
            Ask, Gate,
            contract::{TIMING, user},
            degraded::DegradedGate,
            local::LocalGate,
            memory::Memory,
        },
        store::ByTime,
    };

    /// No claims, read slowly.
    #[derive(Default)]
    pub struct Slow {
        now: AtomicUsize,
        most: AtomicUsize,
    }

    impl Slow {
        async fn read(&self) {
            let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(now, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.now.fetch_sub(1, Ordering::Relaxed);
        }

        /// Many ask `gate`, which reads here, for as many cold packets.
        pub async fn is_spared_by(&self, gate: &dyn Gate) {
            let asks = (1..=40).map(|number| Ask {
                packet: sample::packet(number, 3),
                user_id: user(1),
                admitted: true,
            });
            gate.grab(asks.collect()).await;
            assert_eq!(self.most.load(Ordering::Relaxed), MAX_READS);
        }
    }

    #[async_trait]
    impl ClaimStore for Slow {
        async fn history(&self, _: PacketId) -> sql::Result<(Tally, Vec<Claim>)> {
            self.read().await;
            Ok((Tally::default(), Vec::new()))
        }

        async fn claim_of(&self, _: PacketId, _: &UserId) -> sql::Result<Option<Claim>> {
            unreachable!("a gate does not ask this")
        }

        async fn claims(&self, _: PacketId, _: i64, _: u64) -> sql::Result<Option<(Progress, Vec<Claim>)>> {
            self.read().await;
            Ok(None)
        }

        async fn progress(&self, _: &[PacketId]) -> sql::Result<HashMap<PacketId, Progress>> {
            unreachable!("a gate does not ask this")
        }

        async fn claims_of_user(&self, _: &UserId, _: Option<ByTime>, _: u64) -> sql::Result<Vec<Claim>> {
            unreachable!("a gate does not ask this")
        }

        async fn summarize(&self, _: &UserId, _: Range<Timestamp>) -> sql::Result<Summary> {
            unreachable!("a gate does not ask this")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_cold_packets_leave_connections_to_the_writer() {
        let clock: SharedClock = Arc::new(clock::Manual::new(sample::START));
        let slow = Arc::new(Slow::default());
        let local = LocalGate::new(slow.clone(), clock.clone(), TIMING);
        slow.is_spared_by(&local).await;
        let slow = Arc::new(Slow::default());
        let degraded = DegradedGate::new(Arc::new(Memory::new(slow.clone())), clock, TIMING);
        slow.is_spared_by(&degraded).await;
    }
}
