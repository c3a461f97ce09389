//! What every implementation of the store's ports must do: the same suite on every engine, over one database and over two.

mod keys;
mod log;
mod memory;
mod questions;
mod shards;
mod twins;

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use async_trait::async_trait;
use clock::{Timestamp, from_micros};
use id::{PacketId, Partition, UserId};
use money::Fen;
use sea_orm::ConnectionTrait;
use sql::Result;

use testkit::Engine;

use super::{Changes, ClaimStore, LogStore, PacketStore, Stored, engine, sql::SqlStore};
use crate::domain::{
    claim::{Claim, Entry, Head, Tally, Unreadable},
    packet::{Packet, sample},
    terms::{Audience, Promise},
};

#[tokio::test(flavor = "multi_thread")]
async fn sqlite() {
    contract(&Engine::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres() {
    contract(&Engine::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb() {
    contract(&Engine::mariadb().await).await;
}

async fn contract(engine: &Engine) {
    for shards in [1, 2] {
        let suite = Suite::new(engine::store(engine, shards).await);
        ports(&suite).await;
        if engine.is_server() {
            log::only_the_heads_asked_for_are_locked(&suite).await;
        }
    }
    shards::what_belongs_together_is_together(engine).await;
    shards::another_layout_is_refused(engine).await;
    shards::a_store_from_before_layouts_keeps_its_own(engine).await;
}

/// What the ports promise, whatever is behind them.
async fn ports(suite: &Suite<impl Backend>) {
    promises_are_kept_once(suite).await;
    a_batch_is_all_or_nothing(suite).await;
    rows_that_cannot_be_read_are_missed_by_their_packet_alone(suite).await;
    keys::sql_is_the_arbiter(suite).await;
    keys::names_are_compared_to_the_byte(suite).await;
    questions::about_a_packet(suite).await;
    questions::about_a_user(suite).await;
    log::writers_take_turns_and_a_reader_misses_nothing(suite).await;
    log::a_snapshot_is_of_one_instant(suite).await;
    log::a_batch_is_of_one_database(suite).await;
}

/// The ports, and how somebody tampers with what is behind them.
#[async_trait]
trait Backend: PacketStore + ClaimStore + LogStore {
    /// Writes over the user of the claim at a position.
    async fn damage(&self, partition: Partition, seq: i64, user_id: &str);

    /// Removes the claim at a position.
    async fn lose(&self, partition: Partition, seq: i64);
}

#[async_trait]
impl Backend for SqlStore {
    async fn damage(&self, partition: Partition, seq: i64, user_id: &str) {
        let change = format!("UPDATE claim SET user_id = '{user_id}'");
        tamper(self, partition, seq, &change).await;
    }

    async fn lose(&self, partition: Partition, seq: i64) {
        tamper(self, partition, seq, "DELETE FROM claim").await;
    }
}

/// Runs a statement on the row of a claim.
async fn tamper(store: &SqlStore, partition: Partition, seq: i64, statement: &str) {
    let partition_no = partition.index();
    let statement = format!("{statement} WHERE partition_no = {partition_no} AND seq = {seq}");
    execute(store, partition, &statement).await;
}

/// Runs a statement in the database of a partition.
async fn execute(store: &SqlStore, partition: Partition, statement: &str) {
    let transaction = store.shards().of(partition).begin().await.unwrap();
    transaction.as_ref().execute_unprepared(statement).await.unwrap();
    transaction.commit().await.unwrap();
}

/// A store, and packets that no other part of the suite uses.
struct Suite<S> {
    store: S,
    next_packet: AtomicU16,
}

impl<S: Backend> Suite<S> {
    fn new(store: S) -> Self {
        Self {
            store,
            next_packet: AtomicU16::new(1),
        }
    }

    fn promise(&self, share_count: u32) -> Promise {
        let mut random = [0; 10];
        random[8..].copy_from_slice(&self.next_packet.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let mut promise = sample::promise(1, share_count);
        promise.terms.packet_id = PacketId::new(1, &random);
        promise
    }

    async fn packet(&self, share_count: u32) -> Arc<Packet> {
        let packet = Packet::new(self.promise(share_count), Partition::DEFAULT_COUNT).unwrap();
        let stored = self.store.keep(packet.promise(), packet.partition()).await.unwrap();
        assert_eq!(stored, Stored::New);
        Arc::new(packet)
    }

    /// Opens shares in one batch, as a writer would.
    async fn open(&self, packet: &Packet, shares: &[(u32, &str)], at: Timestamp) -> Result<Vec<Claim>> {
        let batch = self.store.begin(&[packet.partition()]).await?;
        let head = batch.heads()[0];
        let opened = shares.iter().zip(head.next_seq..);
        let claims: Vec<Claim> = opened
            .map(|((share_no, user_id), seq)| claim(packet, *share_no, user_id, seq, at))
            .collect();
        let before = batch.tallies(&[packet.id()]).await?[&packet.id()];
        let amounts_fen = claims.iter().map(|claim| claim.amount_fen);
        let tally = Tally {
            opened_count: before.opened_count + u32::try_from(claims.len()).unwrap(),
            opened_fen: Fen::checked_sum(amounts_fen.chain([before.opened_fen])).unwrap(),
            close_time: before.close_time,
        };
        batch
            .commit(changes(head, claims.clone(), vec![(packet.id(), tally)]))
            .await?;
        Ok(claims)
    }

    async fn head(&self, partition: Partition) -> Head {
        self.store.heads(&[partition]).await.unwrap()[0]
    }
}

fn claim(packet: &Packet, share_no: u32, user_id: &str, seq: i64, at: Timestamp) -> Claim {
    Claim {
        packet_id: packet.id(),
        share_no,
        user_id: user_id.parse().unwrap(),
        amount_fen: packet.amount_fen(share_no).unwrap(),
        claim_time: at,
        partition: packet.partition(),
        seq,
        luckiest: false,
        sender_id: packet.terms().sender_id.clone(),
    }
}

/// New claims at the end of a partition's log, with the head that they leave.
fn changes(head: Head, claims: Vec<Claim>, tallies: Vec<(PacketId, Tally)>) -> Changes {
    let head = Head {
        next_seq: head.next_seq + i64::try_from(claims.len()).unwrap(),
        version: head.version + 1,
        ..head
    };
    Changes {
        heads: vec![head],
        claims,
        tallies,
        luckiest: Vec::new(),
    }
}

async fn promises_are_kept_once(suite: &Suite<impl Backend>) {
    let store = &suite.store;
    let mut promise = suite.promise(5);
    promise.terms.audience = Audience::Group("g1".parse().unwrap());
    promise.terms.share_cap_fen = Some(Fen::new(400));
    promise.terms.greeting = "🧧".repeat(100);
    promise.passphrase = sample::guarded(1, 1, "芝麻开门").promise().passphrase;
    let packet = Packet::new(promise.clone(), Partition::DEFAULT_COUNT).unwrap();
    assert_eq!(store.promise(packet.id()).await.unwrap(), None);

    let keeps = (0..8).map(|_| store.keep(&promise, packet.partition()));
    let kept: Vec<Stored> = futures::future::try_join_all(keeps).await.unwrap();
    let new = kept.iter().filter(|stored| **stored == Stored::New).count();
    assert!(new == 1 && !kept.contains(&Stored::Other), "{kept:?}");
    assert_eq!(store.promise(packet.id()).await.unwrap(), Some(promise.clone()));

    let mut other = promise.clone();
    other.terms.greeting = "🧨".repeat(100);
    assert_eq!(store.keep(&other, packet.partition()).await.unwrap(), Stored::Other);
    assert_eq!(store.promise(packet.id()).await.unwrap(), Some(promise));
    let (tally, claims) = store.history(packet.id()).await.unwrap();
    assert_eq!((tally, claims.len()), (Tally::default(), 0));
}

async fn a_batch_is_all_or_nothing(suite: &Suite<impl Backend>) {
    let (store, packet) = (&suite.store, suite.packet(3).await);
    let before = suite.head(packet.partition()).await;
    let first = suite.open(&packet, &[(2, "alice")], sample::START).await.unwrap();
    let head = suite.head(packet.partition()).await;
    assert_eq!((head.next_seq, head.version), (before.next_seq + 1, before.version + 1));

    // Dropped half-way.
    let batch = store.begin(&[packet.partition()]).await.unwrap();
    assert_eq!(batch.heads(), [head]);
    assert_eq!(batch.claims(&[packet.id()]).await.unwrap(), first);
    drop(batch);
    assert_eq!(suite.head(packet.partition()).await, head);

    // Refused half-way: the second claim is of a share that is gone.
    let refused = suite.open(&packet, &[(1, "bob"), (2, "carol")], sample::START).await;
    assert!(matches!(refused, Err(sql::Error::Conflict(_))), "{refused:?}");
    assert_eq!(suite.head(packet.partition()).await, head);
    assert_eq!(store.history(packet.id()).await.unwrap().1, first);

    // Two partitions, a close, and the luckiest.
    let other = suite.packet_beside(&packet).await;
    let mut partitions = [packet.partition(), other.partition()];
    partitions.sort();
    let batch = store.begin(&partitions).await.unwrap();
    let heads = batch.heads().to_vec();
    assert!(heads.iter().map(|head| head.partition).eq(partitions));
    let tallies = batch.tallies(&[packet.id(), other.id()]).await.unwrap();
    let mut closed = tallies[&other.id()];
    closed.close(sample::START);
    let moved = heads.iter().map(|head| Head {
        version: head.version + 1,
        ..*head
    });
    let changes = Changes {
        heads: moved.collect(),
        tallies: vec![(other.id(), closed)],
        luckiest: vec![(packet.id(), 2)],
        ..Changes::default()
    };
    batch.commit(changes).await.unwrap();
    assert_eq!(store.history(other.id()).await.unwrap().0, closed);
    assert!(store.history(packet.id()).await.unwrap().1[0].luckiest);
    assert_eq!(suite.head(packet.partition()).await.version, head.version + 1);

    // The end of the log, as a writer reads it that missed something.
    let batch = store.begin(&[packet.partition()]).await.unwrap();
    let missed = super::Missed {
        partition: packet.partition(),
        after_seq: before.last_seq(),
    };
    let ends = batch.log(&[missed]).await.unwrap();
    assert!(ends.iter().map(|claim| claim.seq).eq([head.last_seq()]));
}

impl<S: Backend> Suite<S> {
    /// A packet in another partition of the same database.
    async fn packet_beside(&self, packet: &Packet) -> Arc<Packet> {
        let ranges = self.store.ranges();
        let range = ranges.iter().find(|range| range.contains(&packet.partition())).unwrap();
        loop {
            let other = self.packet(3).await;
            if other.partition() != packet.partition() && range.contains(&other.partition()) {
                return other;
            }
        }
    }
}

async fn rows_that_cannot_be_read_are_missed_by_their_packet_alone(suite: &Suite<impl Backend>) {
    let good = suite.packet(3).await;
    let bad = suite.packet_beside(&good).await;
    for packet in [&good, &bad] {
        suite
            .open(packet, &[(0, "alice"), (1, "bob")], sample::START)
            .await
            .unwrap();
    }
    let (partition, seq) = (bad.partition(), suite.head(bad.partition()).await.last_seq());
    suite.store.damage(partition, seq, "not a name").await;

    let mut partitions = [good.partition(), bad.partition()];
    partitions.sort();
    let batch = suite.store.begin(&partitions).await.unwrap();
    let claims = batch.claims(&[good.id(), bad.id()]).await.unwrap();
    let of = |packet: &Packet| claims.iter().filter(|claim| claim.packet_id == packet.id()).count();
    assert_eq!((of(&good), of(&bad)), (2, 1));
    drop(batch);
    // In the log it stands in its place, and what is behind it can be read (LOG-1).
    suite.open(&bad, &[(2, "dave")], sample::START).await.unwrap();
    let entries = suite.store.log(bad.partition(), seq - 1, 10).await.unwrap();
    let [Entry::Unreadable(unreadable), Entry::Claim(behind)] = &entries[..] else {
        panic!("{entries:?}");
    };
    assert_eq!((unreadable.seq, unreadable.missing, behind.seq), (seq, false, seq + 1));
    for fact in ["not a name", "share_no=1", &bad.id().to_string()] {
        assert!(unreadable.facts.contains(fact), "{fact} in {}", unreadable.facts);
    }
    // Whoever asks for as many positions as there are before it is not held up either.
    let before = suite.store.log(bad.partition(), seq - 2, 1).await.unwrap();
    assert!(matches!(&before[..], [Entry::Claim(claim)] if claim.seq == seq - 1));
    suite.store.damage(partition, seq, "carol").await;
    let entries = suite.store.log(bad.partition(), seq - 1, 10).await.unwrap();
    assert!(matches!(&entries[..], [Entry::Claim(_), Entry::Claim(_)]));

    // A record that is gone stands in its place too, also at the end of the log, where nothing follows that shows the gap.
    for gone in [seq + 1, seq] {
        suite.store.lose(partition, gone).await;
        let entries = suite.store.log(bad.partition(), gone - 1, 1).await.unwrap();
        assert_eq!(entries, [Entry::Unreadable(Unreadable::missing(bad.partition(), gone))]);
    }
    let entries = suite.store.log(bad.partition(), seq - 1, 10).await.unwrap();
    assert_eq!(entries.len(), 2, "nothing is told of beyond the head");
}

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn at(micros: i64) -> Timestamp {
    from_micros(micros)
}
