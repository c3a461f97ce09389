//! The suite on the store in memory, and what the disk below it does.

use std::{num::NonZeroUsize, sync::Arc, task::Poll};

use async_trait::async_trait;
use disk::{Calm, Fate, Told};
use guard::Guard;
use id::Partition;
use sql::Error;

use super::{Backend, Suite, changes, claim, log, ports, sample::START};
use crate::store::{
    ClaimStore, LogStore, PacketStore, Stored,
    memory::{MemoryDisk, MemoryStore},
};

#[async_trait]
impl Backend for MemoryStore {
    async fn damage(&self, partition: Partition, seq: i64, user_id: &str) {
        self.disk().damage(partition, seq, user_id);
    }

    async fn lose(&self, partition: Partition, seq: i64) {
        self.disk().lose(partition, seq);
    }
}

fn disk(databases: usize) -> MemoryDisk {
    MemoryDisk::new(Partition::DEFAULT_COUNT, NonZeroUsize::new(databases).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory() {
    for databases in [1, 2] {
        let suite = Suite::new(disk(databases).store(Arc::new(Calm)));
        ports(&suite).await;
        log::only_the_heads_asked_for_are_locked(&suite).await;
    }
}

/// What each loss of a commit leaves on the disk, and that it outlives who wrote to it.
#[tokio::test(start_paused = true)]
async fn what_becomes_of_a_commit_in_bad_weather() {
    let (disk, weather) = (disk(1), Arc::new(Told::default()));
    let suite = Suite::new(disk.store(weather.clone()));
    for (fate, written) in [
        (Fate::Cut, false),
        (Fate::Contended, false),
        (Fate::Full, false),
        (Fate::CommitLost, false),
        (Fate::AnswerLost, true),
    ] {
        let packet = suite.packet(2).await;
        let before = suite.head(packet.partition()).await;
        weather.next_write(fate);
        let opened = suite.open(&packet, &[(0, "alice")], START).await;
        let as_said = match fate {
            Fate::Cut => matches!(opened, Err(Error::Driver(_))),
            Fate::Contended => matches!(opened, Err(Error::Contended(_))),
            Fate::Full => matches!(opened, Err(Error::Unwritable(..))),
            _ => matches!(opened, Err(Error::OutcomeUnknown(_))),
        };
        assert!(as_said, "{fate:?}: {opened:?}");
        let elsewhere = disk.store(Arc::new(Calm));
        let (tally, claims) = elsewhere.history(packet.id()).await.unwrap();
        assert_eq!(
            (tally.opened_count, claims.len()),
            (u32::from(written), usize::from(written)),
            "{fate:?}"
        );
        let head = elsewhere.heads(&[packet.partition()]).await.unwrap()[0];
        assert_eq!(head.next_seq, before.next_seq + i64::from(written), "{fate:?}");
        // The heads are locked no longer.
        suite.open(&packet, &[(1, "bob")], START).await.unwrap();
    }
    assert!(weather.is_over());
}

/// Promises repeat themselves, where that can help.
#[tokio::test(start_paused = true)]
async fn what_becomes_of_a_promise_in_bad_weather() {
    let weather = Arc::new(Told::default());
    let store = disk(1).store(weather.clone());
    let suite = Suite::new(store.clone());
    for (fate, stored) in [
        (Fate::Contended, Stored::New),
        (Fate::CommitLost, Stored::New),
        (Fate::AnswerLost, Stored::Same),
    ] {
        let promise = suite.promise(2);
        let partition = promise.terms.packet_id.partition(Partition::DEFAULT_COUNT);
        weather.next_write(fate);
        assert_eq!(store.keep(&promise, partition).await.unwrap(), stored, "{fate:?}");
    }
    weather.next_write(Fate::Cut);
    let promise = suite.promise(2);
    let partition = promise.terms.packet_id.partition(Partition::DEFAULT_COUNT);
    assert!(matches!(store.keep(&promise, partition).await, Err(Error::Driver(_))));
    assert_eq!(store.promise(promise.terms.packet_id).await.unwrap(), None);
    assert!(weather.is_over());
}

/// What the auditor sees is what is stored, and stays what it was.
#[tokio::test]
async fn a_snapshot_is_everything_as_it_was() {
    let disk = disk(1);
    let suite = Suite::new(disk.store(Arc::new(Calm)));
    let packet = suite.packet(3).await;
    let claims = suite.open(&packet, &[(0, "alice"), (2, "bob")], START).await.unwrap();
    let snapshot = disk.snapshot();
    suite.open(&packet, &[(1, "carol")], START).await.unwrap();
    disk.damage(packet.partition(), 3, "not a name");

    assert!(snapshot.claims().eq(&claims));
    assert_eq!(snapshot.promises()[&packet.id()], *packet.promise());
    assert_eq!(snapshot.tallies()[&packet.id()].opened_count, 2);
    assert_eq!(snapshot.heads()[&packet.partition()].next_seq, 3);
    assert_eq!(snapshot.heads().len(), 64);
    assert_eq!(snapshot.damaged().count(), 0);
    let now = disk.snapshot();
    assert_eq!(now.claims().count(), 3);
    assert_eq!(now.damaged().collect::<Vec<_>>(), [(packet.partition(), 3)]);
}

/// Each key refuses what it is there for, and nothing once it is taken away; so the simulation can take away one at a time.
#[test]
fn a_key_that_is_taken_away_refuses_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for guard in [Guard::ShareOnce, Guard::UserOnce, Guard::LogOrder] {
        let refused = runtime.block_on(written_twice(guard));
        assert!(matches!(refused, Err(Error::Conflict(_))), "{guard:?}: {refused:?}");
        guard::without(&[guard], || runtime.block_on(written_twice(guard))).unwrap();
        let others = Guard::ALL.into_iter().filter(|other| *other != guard);
        let refused = guard::without(&others.collect::<Vec<_>>(), || runtime.block_on(written_twice(guard)));
        assert!(
            matches!(refused, Err(Error::Conflict(_))),
            "{guard:?} alone: {refused:?}"
        );
    }
}

/// A second claim of what `guard` lets be claimed once.
async fn written_twice(guard: Guard) -> sql::Result<()> {
    let suite = Suite::new(disk(1).store(Arc::new(Calm)));
    let packet = suite.packet(3).await;
    let first = suite.open(&packet, &[(0, "alice")], START).await?;
    let batch = suite.store.begin(&[packet.partition()]).await?;
    let head = batch.heads()[0];
    let (share_no, name, seq) = match guard {
        Guard::ShareOnce => (0, "bob", head.next_seq),
        Guard::UserOnce => (1, "alice", head.next_seq),
        _ => (1, "bob", first[0].seq),
    };
    let again = claim(&packet, share_no, name, seq, START);
    batch.commit(changes(head, vec![again], vec![])).await
}

/// Who holds a batch keeps others out of its partitions, unless that is taken away.
#[test]
fn heads_are_locked_while_their_guard_stands() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let second_waits = || {
        runtime.block_on(async {
            let store = disk(1).store(Arc::new(Calm));
            let partition = store.ranges()[0][0];
            let _first = store.begin(&[partition]).await.unwrap();
            let mut second = store.begin(std::slice::from_ref(&partition));
            // Calm weather takes one turn.
            let polled = (futures::poll!(&mut second), futures::poll!(&mut second));
            matches!(polled, (Poll::Pending, Poll::Pending))
        })
    };
    assert!(second_waits());
    assert!(!guard::without(&[Guard::LogOrder], second_waits));
}
