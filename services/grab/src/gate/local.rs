//! The gate in process memory: the embedded default, for a single grab process.
//!
//! The state of a packet is rebuilt from SQL on its first use and forgotten when nobody has asked for it for longer than
//! any reservation lives. A grab of a live packet asks SQL nothing and takes one short lock, which only grabs of the
//! same packet share.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use clock::SharedClock;
use futures::future::join_all;
use id::{PacketId, UserId};
use moka::{future::Cache, policy::EvictionPolicy};
use tokio::sync::OnceCell;

use super::{Ask, Gate, GateError, News, Timing, Verdict, live::Live, reads::Reads};
use crate::{
    domain::{claim::Claim, packet::Packet},
    store::ClaimStore,
};

/// Shares of all live packets together. A share costs up to some 200 bytes (its user's name on the roll), so this bounds
/// the gate at a few hundred megabytes; beyond it, the packet asked for least recently is forgotten.
const MAX_LIVE_SHARES: u64 = 2_000_000;
/// What a packet weighs besides its shares, in shares.
const PACKET_WEIGHT: u32 = 8;
/// A packet stays at least this long after its last grab, so that a quiet hour is not followed by a cold start.
const MIN_IDLE: Duration = Duration::from_mins(10);

/// The local gate.
pub struct LocalGate {
    live: Cache<PacketId, Arc<Slot>>,
    reads: Reads,
    clock: SharedClock,
    timing: Timing,
}

struct Slot {
    packet: Arc<Packet>,
    state: Mutex<State>,
    loaded: OnceCell<()>,
}

/// News that arrive while the claims are being read are kept and heard afterwards: a claim that commits after the read
/// is news, a claim that committed before is read, so that none is missed.
enum State {
    Loading(Vec<News>),
    Loaded(Box<Live>),
}

impl LocalGate {
    /// A gate that rebuilds its state from `claims`.
    pub fn new(claims: Arc<dyn ClaimStore>, clock: SharedClock, timing: Timing) -> Self {
        let idle = (timing.voucher_ttl + timing.lapse_grace) * 2;
        let live = Cache::builder()
            .max_capacity(MAX_LIVE_SHARES)
            .weigher(|_, slot: &Arc<Slot>| slot.packet.share_count().saturating_add(PACKET_WEIGHT))
            .time_to_idle(idle.max(MIN_IDLE))
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self {
            live,
            reads: Reads::new(claims),
            clock,
            timing,
        }
    }

    /// The loaded slot of a packet. Many who ask for a cold one at once wait for one read.
    async fn slot(&self, packet: &Arc<Packet>) -> Result<Arc<Slot>, GateError> {
        let fresh = || Arc::new(Slot::loading(packet.clone()));
        let slot = match self.live.get(&packet.id()).await {
            Some(slot) => slot,
            None => self.live.get_with(packet.id(), async { fresh() }).await,
        };
        slot.loaded
            .get_or_try_init(|| async {
                let (tally, claims) = self.reads.begin().await.history(packet.id()).await?;
                let closed = tally.close_time.is_some();
                slot.load(Live::new(packet.clone(), closed, &claims, self.timing));
                Ok(())
            })
            .await
            .map_err(|fault: sql::Error| GateError(fault.to_string().into()))?;
        Ok(slot)
    }

    async fn decide(&self, ask: Ask) -> Result<Verdict, GateError> {
        let slot = self.slot(&ask.packet).await?;
        let now = self.clock.now();
        match &mut *slot.state() {
            State::Loaded(live) => Ok(live.grab(&ask.user_id, ask.admitted, now)),
            State::Loading(_) => Err(GateError("a packet is not loaded".into())),
        }
    }
}

impl Slot {
    fn loading(packet: Arc<Packet>) -> Self {
        Self {
            packet,
            state: Mutex::new(State::Loading(Vec::new())),
            loaded: OnceCell::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing behind this lock panics half-way; if it does, the writer still decides.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is known here that nothing is left.
    fn is_exhausted(&self) -> bool {
        matches!(&*self.state(), State::Loaded(live) if live.is_exhausted())
    }

    fn load(&self, mut live: Live) {
        let mut state = self.state();
        if let State::Loading(news) = &*state {
            for news in news {
                hear(&mut live, news);
            }
        }
        *state = State::Loaded(Box::new(live));
    }

    fn hear(&self, news: News) {
        match &mut *self.state() {
            State::Loaded(live) => hear(live, &news),
            State::Loading(kept) => kept.push(news),
        }
    }
}

fn hear(live: &mut Live, news: &News) {
    match news {
        News::Opened(claim) => live.opened(claim),
        News::Taken { share_no, .. } => live.taken(*share_no),
        News::Closed(_) => live.close(),
        News::Astray(_) => {} // known, or the slot was dropped
    }
}

#[async_trait]
impl Gate for LocalGate {
    async fn grab(&self, asks: Vec<Ask>) -> Vec<Result<Verdict, GateError>> {
        join_all(asks.into_iter().map(|ask| self.decide(ask))).await
    }

    async fn recall(&self, packet_id: PacketId, user_id: &UserId) -> Option<Claim> {
        let slot = self.live.get(&packet_id).await?;
        match &*slot.state() {
            State::Loaded(live) => live.claim_of(user_id),
            State::Loading(_) => None,
        }
    }

    async fn tell(&self, news: Vec<News>) {
        for news in news {
            let packet_id = news.packet_id();
            let Some(slot) = self.live.get(&packet_id).await else {
                continue; // whoever reads it next reads what was committed
            };
            if matches!(news, News::Astray(_)) && !slot.is_exhausted() {
                self.live.invalidate(&packet_id).await;
            } else {
                slot.hear(news);
            }
        }
    }

    async fn warm(&self, packet: Arc<Packet>) -> Result<(), GateError> {
        self.slot(&packet).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::packet::sample::START, gate::contract};

    #[tokio::test]
    async fn passes_the_contract() {
        let clock = clock::Manual::new(START);
        let store = contract::store().await;
        let shared: SharedClock = Arc::new(clock.clone());
        let gate = |timing| LocalGate::new(store.claims(), shared.clone(), timing);
        contract::holds(gate, &store, &clock).await;
    }
}
