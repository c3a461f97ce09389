//! LOG-1 and the fence under many writers, and readers beside them.

use std::{sync::atomic::Ordering, time::Duration};

use futures::future::{join_all, try_join_all};
use id::Partition;
use testkit::eventually;

use super::{Backend, Suite, sample::START};
use crate::domain::claim::Entry;
use crate::store::Changes;

/// Writers at once, and batches of each.
const WRITERS: usize = 8;
const BATCHES: usize = 25;

/// Each writer adds claims of its own packet to two partitions at once, in any order, while readers follow both logs.
pub async fn writers_take_turns_and_a_reader_misses_nothing(suite: &Suite<impl Backend>) {
    let first = suite.packet(1).await;
    let second = suite.packet_beside(&first).await;
    let partitions = [first.partition(), second.partition()];
    let mut starts = Vec::new();
    for partition in partitions {
        starts.push(suite.head(partition).await.last_seq());
    }
    let written = i64::try_from(WRITERS * BATCHES).unwrap();
    let writing = join_all((0..WRITERS).map(|n| async move {
        for _ in 0..BATCHES {
            let asked = if n % 2 == 0 {
                partitions
            } else {
                [partitions[1], partitions[0]]
            };
            add(suite, &asked).await;
        }
    }));
    let reading = join_all(partitions.iter().zip(&starts).map(|(partition, start)| async move {
        let mut cursor = *start;
        eventually("the log's end", async || {
            let entries = suite.store.log(*partition, cursor, 7).await.unwrap();
            assert!(entries.iter().map(Entry::seq).eq((cursor + 1..).take(entries.len())));
            let unreadable = entries.iter().find(|entry| matches!(entry, Entry::Unreadable(_)));
            assert_eq!(unreadable, None, "what is yet to be committed was taken for lost");
            cursor = entries.last().map_or(cursor, Entry::seq);
            (cursor == start + written).then_some(())
        })
        .await;
    }));
    tokio::join!(writing, reading);
    for (partition, start) in partitions.into_iter().zip(starts) {
        assert_eq!(suite.head(partition).await.last_seq(), start + written);
    }
}

/// One new claim at the end of each of these partitions' logs, at the position that the locked head says.
async fn add(suite: &Suite<impl Backend>, partitions: &[Partition]) {
    let batch = suite.store.begin(partitions).await.unwrap();
    let mut changes = Changes::default();
    for head in batch.heads() {
        let mut promise = suite.promise(1);
        let number = suite.next_packet.fetch_add(1, Ordering::Relaxed);
        promise.terms.sender_id = format!("sender-{number}").parse().unwrap();
        // Its partition is what the log needs; that its id belongs elsewhere does not matter here.
        let packet = super::Packet::new(promise, Partition::DEFAULT_COUNT).unwrap();
        let mut claim = super::claim(&packet, 0, "alice", head.next_seq, START);
        claim.partition = head.partition;
        changes.claims.push(claim);
        changes.heads.push(super::Head {
            next_seq: head.next_seq + 1,
            version: head.version + 1,
            ..*head
        });
        changes.tallies.push((packet.id(), super::Tally::default()));
    }
    batch.commit(changes).await.unwrap();
}

/// A tally and its claims never disagree, though claims are written all the time.
pub async fn a_snapshot_is_of_one_instant(suite: &Suite<impl Backend>) {
    let packet = suite.packet(60).await;
    let users: Vec<String> = (0..60).map(|n| format!("u{n}")).collect();
    let writing = async {
        for (share_no, user_id) in (0..).zip(&users) {
            suite.open(&packet, &[(share_no, user_id)], START).await.unwrap();
        }
    };
    let reading = async {
        loop {
            let (tally, claims) = suite.store.history(packet.id()).await.unwrap();
            assert_eq!(tally.opened_count as usize, claims.len());
            let (progress, claims) = suite.store.claims(packet.id(), 0, 100).await.unwrap().unwrap();
            assert_eq!(progress.tally.opened_count as usize, claims.len());
            if claims.len() == 60 {
                break;
            }
        }
    };
    tokio::join!(writing, reading);
}

/// Batches on different partitions go side by side, and a batch on a partition that is held waits.
pub async fn only_the_heads_asked_for_are_locked(suite: &Suite<impl Backend>) {
    for range in suite.store.ranges() {
        let (odd, even): (Vec<Partition>, Vec<Partition>) =
            range.iter().copied().partition(|partition| partition.index() % 2 == 1);
        let held = suite.store.begin(&odd).await.unwrap();
        let beside = tokio::time::timeout(Duration::from_secs(2), suite.store.begin(&even)).await;
        drop(beside.expect("it waits for heads that it did not ask for").unwrap());
        let singly = even
            .iter()
            .map(|partition| suite.store.begin(std::slice::from_ref(partition)));
        try_join_all(singly.take(5)).await.unwrap();
        let mut waiting = Box::pin(suite.store.begin(&odd[3..5]));
        let waits = tokio::time::timeout(Duration::from_millis(200), &mut waiting).await;
        assert!(waits.is_err(), "a head is not locked");
        drop(held);
        waiting.await.unwrap();
    }
}

/// Whatever one database holds, it holds alone.
pub async fn a_batch_is_of_one_database(suite: &Suite<impl Backend>) {
    let ranges = suite.store.ranges();
    let refused = async |partitions: &[Partition]| {
        let begun = suite.store.begin(partitions).await;
        assert!(matches!(begun, Err(sql::Error::Inconsistent(_))), "{partitions:?}");
    };
    refused(&[]).await;
    if let [first, second] = ranges.as_slice() {
        refused(&[first[31], second[0]]).await;
    }
    for range in ranges {
        drop(suite.store.begin(&range).await.unwrap());
    }
}
