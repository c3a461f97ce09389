//! A world small enough to break: a real store, peers that keep books, and a fuse in front of every call.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use clock::{Clock, Manual, Timestamp};
use id::{GroupId, PacketId, RequestId, UserId};
use paging::Page;
use rand::{SeedableRng, rngs::StdRng};
use sea_orm::DbErr;
use split::Seed;
use tokio::sync::Notify;

use crate::{
    domain::{
        Closed, DailyLimits, Packet, Phase, Rejection, Reservation, State, Terms,
        fixture::{limits, noon},
    },
    ops::{
        SharedRng,
        advance::Advance,
        rounds::{Drive, Rounds},
        send::Send,
        sweep::Sweep,
    },
    peer::{
        self,
        gate::Gate,
        people::{People, Wallet},
        treasury::{Funding, Treasury},
    },
    store::{
        Agenda, Leased, Of, Overdue, Packets, Requests, Reserved,
        sql::{SqlAgenda, SqlStore, tests::sqlite},
    },
};

pub const RECOVER_AFTER: Duration = Duration::from_secs(5);
pub const LEASE: Duration = Duration::from_secs(30);

/// How a call breaks.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// It fails and had no effect.
    FailBefore,
    /// It had its effect and the answer is lost.
    FailAfter,
    /// The operation is dropped while the call had no effect yet.
    VanishBefore,
    /// The operation is dropped after the effect.
    VanishAfter,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::FailBefore, Self::FailAfter, Self::VanishBefore, Self::VanishAfter];
}

/// Breaks one call out of many.
#[derive(Default)]
pub struct Fuse {
    state: Mutex<FuseState>,
    vanished: Notify,
}

#[derive(Default)]
struct FuseState {
    calls: usize,
    breaks: Option<(usize, Way)>,
    blown: bool,
}

impl Fuse {
    /// Breaks the call number `at` from now, counted from 0.
    pub fn set(&self, at: usize, way: Way) {
        *self.state.lock().unwrap() = FuseState {
            calls: 0,
            breaks: Some((at, way)),
            blown: false,
        };
    }

    /// Breaks nothing any more; whether something was broken.
    pub fn reset(&self) -> bool {
        std::mem::take(&mut *self.state.lock().unwrap()).blown
    }

    /// Resolves when the operation is to be dropped.
    pub async fn vanished(&self) {
        self.vanished.notified().await;
    }

    async fn guard<T, E>(&self, lost: impl Fn() -> E, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let way = {
            let mut state = self.state.lock().unwrap();
            let at = state.calls;
            state.calls += 1;
            let way = state
                .breaks
                .filter(|(breaks_at, _)| *breaks_at == at)
                .map(|(_, way)| way);
            state.blown |= way.is_some();
            way
        };
        match way {
            None => call.await,
            Some(Way::FailBefore) => Err(lost()),
            Some(Way::FailAfter) => call.await.and_then(|_| Err(lost())),
            Some(Way::VanishBefore) => self.vanish().await,
            Some(Way::VanishAfter) => {
                call.await?;
                self.vanish().await
            }
        }
    }

    async fn vanish<T>(&self) -> T {
        self.vanished.notify_one();
        std::future::pending().await
    }
}

/// The books of the peers. Whoever repeats a call with other facts ends the test.
#[derive(Default)]
pub struct Town {
    pub balance_fen: i64,
    pub funded: BTreeMap<PacketId, i64>,
    pub refused: BTreeMap<PacketId, i64>,
    pub preloaded: BTreeMap<PacketId, (Terms, Seed)>,
    pub opened: BTreeMap<PacketId, (u32, i64)>,
    pub closed: BTreeMap<PacketId, Closed>,
    pub refunded: BTreeMap<PacketId, i64>,
}

pub struct World {
    pub fuse: Fuse,
    pub clock: Manual,
    store: SqlStore,
    agenda: SqlAgenda,
    town: Mutex<Town>,
    _dir: testkit::Dir,
}

impl World {
    pub async fn new() -> Arc<Self> {
        let dir = testkit::Dir::new();
        let store = sqlite(&dir).await;
        Arc::new(Self {
            fuse: Fuse::default(),
            clock: Manual::new(noon()),
            agenda: store.agendas().remove(0),
            store,
            town: Mutex::new(Town {
                balance_fen: 1_000,
                ..Town::default()
            }),
            _dir: dir,
        })
    }

    pub fn town(&self) -> MutexGuard<'_, Town> {
        self.town.lock().unwrap()
    }

    pub fn set_balance(&self, balance_fen: i64) {
        self.town().balance_fen = balance_fen;
    }

    pub fn send(self: &Arc<Self>) -> Send {
        Send {
            requests: self.clone(),
            packets: self.clone(),
            people: self.clone(),
            advance: self.advance(),
            limits: limits(),
            recover_after: RECOVER_AFTER,
            clock: Arc::new(self.clock.clone()),
            rng: SharedRng::new(rand::make_rng()),
        }
    }

    pub fn advance(self: &Arc<Self>) -> Arc<Advance> {
        Arc::new(Advance {
            requests: self.clone(),
            packets: self.clone(),
            treasury: self.clone(),
            gate: self.clone(),
        })
    }

    pub fn sweep(self: &Arc<Self>) -> Sweep {
        Sweep {
            packets: self.clone(),
            gate: self.clone(),
            treasury: self.clone(),
            clock: Arc::new(self.clock.clone()),
        }
    }

    pub fn rounds<D: Drive>(self: &Arc<Self>, drive: D) -> Rounds<D> {
        Rounds {
            drive,
            agenda: self.clone(),
            interval: RECOVER_AFTER,
            lease: LEASE,
            clock: Arc::new(self.clock.clone()),
            rng: SharedRng::new(StdRng::seed_from_u64(1)),
        }
    }

    /// A packet whose sender is gone.
    pub async fn store_funding(&self, packet: &Packet) {
        let due = clock::after(self.clock.now(), RECOVER_AFTER);
        self.store.insert(packet, due).await.unwrap();
    }

    /// The fixture packet with this number, as stored.
    pub async fn only_packet(&self, number: u8) -> Packet {
        let id = crate::domain::fixture::packet_of(&crate::domain::fixture::order("alice", "r"), number).id();
        self.store.get(&[id]).await.unwrap().pop().unwrap()
    }
}

fn store_lost() -> ::sql::Error {
    ::sql::Error::OutcomeUnknown(DbErr::Custom("the answer was lost".to_owned()))
}

fn peer_lost() -> peer::Error {
    peer::Error::Unavailable {
        peer: "peer",
        cause: "the answer was lost".to_owned(),
    }
}

#[async_trait]
impl Requests for World {
    async fn find(&self, sender: &UserId, request: &RequestId) -> ::sql::Result<Option<Reservation>> {
        self.fuse.guard(store_lost, self.store.find(sender, request)).await
    }

    async fn reserve(&self, offer: &Reservation, limits: DailyLimits) -> ::sql::Result<Reserved> {
        self.fuse.guard(store_lost, self.store.reserve(offer, limits)).await
    }

    async fn release(&self, sender: &UserId, packet: PacketId) -> ::sql::Result<()> {
        self.fuse.guard(store_lost, self.store.release(sender, packet)).await
    }
}

#[async_trait]
impl Packets for World {
    async fn insert(&self, packet: &Packet, due: Timestamp) -> ::sql::Result<Packet> {
        self.fuse.guard(store_lost, self.store.insert(packet, due)).await
    }

    async fn get(&self, ids: &[PacketId]) -> ::sql::Result<Vec<Packet>> {
        self.fuse.guard(store_lost, self.store.get(ids)).await
    }

    async fn list(&self, of: &Of, page: &Page<PacketId>) -> ::sql::Result<Vec<Packet>> {
        self.fuse.guard(store_lost, self.store.list(of, page)).await
    }

    async fn change(&self, packet: &Packet, next: &State) -> ::sql::Result<bool> {
        self.fuse.guard(store_lost, self.store.change(packet, next)).await
    }
}

#[async_trait]
impl Agenda for World {
    fn place(&self) -> &'static str {
        "world"
    }

    async fn lease(
        &self,
        phases: &[Phase],
        now: Timestamp,
        until: Timestamp,
        limit: u64,
    ) -> ::sql::Result<Vec<Leased>> {
        self.fuse
            .guard(store_lost, self.agenda.lease(phases, now, until, limit))
            .await
    }

    async fn postpone(&self, leased: &Leased, due: Timestamp) -> ::sql::Result<()> {
        self.fuse.guard(store_lost, self.agenda.postpone(leased, due)).await
    }

    async fn overdue(&self, phases: &[Phase], now: Timestamp, horizon: Duration) -> ::sql::Result<Overdue> {
        self.fuse
            .guard(store_lost, self.agenda.overdue(phases, now, horizon))
            .await
    }

    async fn next_due(&self, phases: &[Phase]) -> ::sql::Result<Option<Timestamp>> {
        self.fuse.guard(store_lost, self.agenda.next_due(phases)).await
    }
}

#[async_trait]
impl People for World {
    async fn wallet(&self, _: &UserId) -> peer::Result<Option<Wallet>> {
        self.fuse
            .guard(peer_lost, async { Ok(Some(Wallet { frozen: false })) })
            .await
    }

    async fn is_member(&self, _: &GroupId, _: &UserId) -> peer::Result<Option<bool>> {
        self.fuse.guard(peer_lost, async { Ok(Some(true)) }).await
    }

    async fn exists(&self, _: &UserId) -> peer::Result<bool> {
        self.fuse.guard(peer_lost, async { Ok(true) }).await
    }
}

#[async_trait]
impl Treasury for World {
    async fn fund(&self, terms: &Terms) -> peer::Result<Funding> {
        let call = async {
            let (town, id) = (&mut *self.town(), terms.packet_id);
            if let Some(balance_fen) = town.refused.get(&id) {
                return Ok(refused(*balance_fen));
            }
            if let Some(amount_fen) = town.funded.get(&id) {
                assert_eq!(*amount_fen, terms.total_fen, "MONEY-3");
            } else if town.balance_fen < terms.total_fen {
                town.refused.insert(id, town.balance_fen);
                return Ok(refused(town.balance_fen));
            } else {
                town.balance_fen -= terms.total_fen;
                town.funded.insert(id, terms.total_fen);
            }
            Ok(Funding::Funded)
        };
        self.fuse.guard(peer_lost, call).await
    }

    async fn refund(&self, terms: &Terms, refund_fen: i64) -> peer::Result<()> {
        let call = async {
            let town = &mut *self.town();
            assert!(town.closed.contains_key(&terms.packet_id), "CLOSE-1");
            let first = *town.refunded.entry(terms.packet_id).or_insert(refund_fen);
            assert_eq!(first, refund_fen, "MONEY-3");
            Ok(())
        };
        self.fuse.guard(peer_lost, call).await
    }
}

fn refused(balance_fen: i64) -> Funding {
    Funding::Refused(Rejection {
        reason: "INSUFFICIENT_FUNDS".to_owned(),
        balance_fen: Some(balance_fen),
    })
}

#[async_trait]
impl Gate for World {
    async fn preload(&self, packet: &Packet) -> peer::Result<()> {
        let call = async {
            let town = &mut *self.town();
            assert!(town.funded.contains_key(&packet.id()), "preloaded without money");
            let told = (packet.terms.clone(), packet.seed.clone());
            let first = town.preloaded.entry(packet.id()).or_insert_with(|| told.clone());
            assert_eq!(*first, told, "another packet under the same id");
            Ok(())
        };
        self.fuse.guard(peer_lost, call).await
    }

    async fn close(&self, packet: PacketId) -> peer::Result<Closed> {
        let call = async {
            let close_time = self.clock.now();
            let town = &mut *self.town();
            assert!(town.preloaded.contains_key(&packet), "closed before it was known");
            let (opened_count, opened_fen) = town.opened.get(&packet).copied().unwrap_or_default();
            let now = Closed {
                opened_count,
                opened_fen,
                close_time,
            };
            Ok(*town.closed.entry(packet).or_insert(now))
        };
        self.fuse.guard(peer_lost, call).await
    }
}
