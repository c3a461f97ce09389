//! What this process remembers of claims: what SQL said of packets, and what the writer told since.
//!
//! Two gates use it. The Redis gate finds in it that a packet has ended: nothing can happen to such a packet any more, so
//! that the crowd that comes too late is answered from here for ever, without Redis and without SQL. The degraded gate
//! answers everything from it, and has it read again what is older than a moment: one short query a packet and moment,
//! however large the crowd.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use id::{PacketId, UserId};
use moka::{future::Cache, policy::EvictionPolicy};
use tokio::time::Instant;

use super::{Ask, GateError, News, Verdict, reads::Reads};
use crate::{
    domain::{claim::Claim, packet::Packet, roll::Roll},
    store::ClaimStore,
};

/// Shares of all rolls together; a share costs up to some 200 bytes (its user's name), so this bounds them at a few
/// hundred megabytes; beyond it, the packet asked for least recently is forgotten.
const MAX_SHARES: u64 = 2_000_000;
/// What a packet weighs besides its shares, in shares.
const PACKET_WEIGHT: u32 = 8;
/// Packets of which it is remembered that they have ended; some 100 bytes each.
const MAX_ENDED: u64 = 500_000;
/// Claims just written that are remembered for those who ask again; some 400 bytes each.
const MAX_RECENT: u64 = 100_000;
/// How long: clients that got no answer ask again within seconds. Not longer, because such a claim does not learn that it
/// became the luckiest of a packet that another process completed.
const RECENT_TTL: Duration = Duration::from_secs(10);
/// When they give up their room. By the machine's clock, while what counts is the runtime's, which a simulation moves.
const RECENT_IDLE: Duration = Duration::from_mins(10);

/// What is remembered, by packet.
pub struct Memory {
    reads: Reads,
    rolls: Cache<PacketId, Arc<Entry>>,
    /// Of these it was told that they have ended; SQL knows how.
    ended: Cache<PacketId, ()>,
    /// With when it was told.
    recent: Cache<(PacketId, UserId), (Claim, Instant)>,
}

struct Entry {
    packet: Arc<Packet>,
    seen: Mutex<Option<Seen>>,
    /// Held by who reads.
    turn: tokio::sync::Mutex<()>,
}

/// What was seen of a packet: all claims up to `seq`, and those told of since.
struct Seen {
    roll: Roll,
    closed: bool,
    seq: i64,
    at: Instant,
}

impl Seen {
    /// Whether all that can ever be known of the packet is known: it is closed, and its claims were read together with
    /// that; or all shares have their claims.
    fn has_ended(&self) -> bool {
        self.closed || self.roll.opened().is_full()
    }

    /// What there is to say to an ask of a packet of which only SQL says anything, in the order of [`Verdict`]; `None`
    /// if the user may have a share.
    fn verdict(&self, ask: &Ask) -> Option<Verdict> {
        if let Some(claim) = self.roll.claim_of(&ask.user_id) {
            Some(Verdict::AlreadyOpened(claim))
        } else if self.closed {
            Some(Verdict::Closed)
        } else if !ask.admitted {
            Some(Verdict::NotAdmitted)
        } else if self.roll.opened().is_full() {
            Some(Verdict::Exhausted)
        } else {
            None
        }
    }
}

impl Entry {
    fn new(packet: Arc<Packet>) -> Self {
        Self {
            packet,
            seen: Mutex::new(None),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        // Nothing behind this lock panics half-way; if it does, SQL still decides.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long ago it was read, if ever; zero for what can never change.
    fn age(&self) -> Option<Duration> {
        self.seen().as_ref().map(|seen| {
            if seen.has_ended() {
                Duration::ZERO
            } else {
                seen.at.elapsed()
            }
        })
    }

    fn has_ended(&self) -> bool {
        self.seen().as_ref().is_some_and(Seen::has_ended)
    }

    fn verdict(&self, ask: &Ask) -> Option<Verdict> {
        self.seen().as_ref().and_then(|seen| seen.verdict(ask))
    }

    fn hear(&self, news: &News) {
        if let Some(seen) = &mut *self.seen() {
            match news {
                News::Opened(claim) => {
                    seen.roll
                        .enter(&claim.user_id, claim.share_no, claim.seq, claim.claim_time);
                }
                // Before it is complete, its last claims must be read with it.
                News::Closed(_) => seen.closed |= seen.has_ended(),
                News::Taken { .. } | News::Astray(_) => {}
            }
        }
    }

    /// Reads what was committed since the last time.
    async fn read(&self, claims: &dyn ClaimStore) -> Result<(), GateError> {
        let began = Instant::now();
        let after_seq = self.seen().as_ref().map_or(0, |seen| seen.seq);
        let limit = u64::from(self.packet.share_count()); // there are no more claims
        let found = claims.claims(self.packet.id(), after_seq, limit).await;
        let found = found.map_err(|fault| GateError(fault.to_string().into()))?;
        let (progress, claims) = found.ok_or_else(|| GateError("a packet is not in the store".into()))?;
        let mut seen = self.seen();
        let seen = seen.get_or_insert_with(|| Seen {
            roll: Roll::new(self.packet.clone()),
            closed: false,
            seq: 0,
            at: began,
        });
        for claim in &claims {
            seen.roll
                .enter(&claim.user_id, claim.share_no, claim.seq, claim.claim_time);
            seen.seq = seen.seq.max(claim.seq);
        }
        seen.closed |= progress.tally.close_time.is_some();
        seen.at = began;
        Ok(())
    }
}

impl Memory {
    /// An empty memory of what `claims` has.
    pub fn new(claims: Arc<dyn ClaimStore>) -> Self {
        let rolls = Cache::builder()
            .max_capacity(MAX_SHARES)
            .weigher(|_, entry: &Arc<Entry>| entry.packet.share_count().saturating_add(PACKET_WEIGHT))
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self {
            reads: Reads::new(claims),
            rolls,
            ended: Cache::builder().max_capacity(MAX_ENDED).build(),
            recent: Cache::builder()
                .max_capacity(MAX_RECENT)
                .time_to_live(RECENT_IDLE)
                .build(),
        }
    }

    /// Hears what the writer committed.
    pub async fn hear(&self, news: &[News]) {
        for news in news {
            let packet_id = news.packet_id();
            if let Some(entry) = self.rolls.get(&packet_id).await {
                entry.hear(news);
            }
            match news {
                News::Opened(claim) => {
                    let key = (packet_id, claim.user_id.clone());
                    self.recent.insert(key, (claim.clone(), Instant::now())).await;
                }
                // Perhaps: SQL will be asked.
                News::Closed(_) | News::Astray(_) => self.note_ended(packet_id).await,
                News::Taken { .. } => {}
            }
        }
    }

    /// Remembers that a packet has ended, by somebody's word. SQL will be asked before it is believed.
    pub async fn note_ended(&self, packet_id: PacketId) {
        self.ended.insert(packet_id, ()).await;
    }

    /// The claim of a user, if it is remembered.
    pub async fn recall(&self, packet_id: PacketId, user_id: &UserId) -> Option<Claim> {
        if let Some(entry) = self.rolls.get(&packet_id).await
            && let Some(claim) = entry.seen().as_ref().and_then(|seen| seen.roll.claim_of(user_id))
        {
            return Some(claim);
        }
        if self.ended.contains_key(&packet_id) {
            return None; // which is the luckiest, SQL knows
        }
        self.recent(packet_id, user_id).await
    }

    /// A claim that was written here a moment ago.
    async fn recent(&self, packet_id: PacketId, user_id: &UserId) -> Option<Claim> {
        let (claim, told) = self.recent.get(&(packet_id, user_id.clone())).await?;
        (told.elapsed() < RECENT_TTL).then_some(claim)
    }

    /// The answer to an ask for which no gate is needed: the packet has ended, or the user's claim was written here a
    /// moment ago.
    pub async fn late(&self, ask: &Ask) -> Result<Option<Verdict>, GateError> {
        let packet_id = ask.packet.id();
        if let Some(entry) = self.rolls.get(&packet_id).await
            && entry.has_ended()
        {
            return Ok(entry.verdict(ask));
        }
        if self.ended.contains_key(&packet_id) {
            let entry = self.entry(&ask.packet).await;
            let _turn = entry.turn.lock().await;
            if !entry.has_ended() {
                self.read(&entry).await?;
            }
            if entry.has_ended() {
                return Ok(entry.verdict(ask));
            }
            self.ended.invalidate(&packet_id).await; // it was not so
        }
        let claim = self.recent(packet_id, &ask.user_id).await;
        Ok(claim.map(Verdict::AlreadyOpened))
    }

    /// What SQL says to an ask, at most `fresh` ago, or `stale` while others read; `None` if the user may have a share.
    pub async fn ask(&self, ask: &Ask, fresh: Duration, stale: Duration) -> Result<Option<Verdict>, GateError> {
        if let Some(verdict) = self.late(ask).await? {
            return Ok(Some(verdict));
        }
        let entry = self.entry(&ask.packet).await;
        let younger_than = |limit| entry.age().is_some_and(|age| age < limit);
        if !younger_than(fresh) {
            if younger_than(stale) {
                // If somebody reads it, or too many read, what is known will do.
                if let Ok(_turn) = entry.turn.try_lock()
                    && let Some(reading) = self.reads.try_begin()
                {
                    entry.read(&*reading).await?;
                }
            } else {
                let _turn = entry.turn.lock().await;
                if !younger_than(fresh) {
                    self.read(&entry).await?;
                }
            }
        }
        Ok(entry.verdict(ask))
    }

    async fn entry(&self, packet: &Arc<Packet>) -> Arc<Entry> {
        match self.rolls.get(&packet.id()).await {
            Some(entry) => entry,
            None => {
                self.rolls
                    .get_with(packet.id(), async { Arc::new(Entry::new(packet.clone())) })
                    .await
            }
        }
    }

    async fn read(&self, entry: &Entry) -> Result<(), GateError> {
        entry.read(&*self.reads.begin().await).await
    }

    /// The way to SQL that all gates of this process share.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }
}
