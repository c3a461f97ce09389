//! [`Agenda`]: what is due, and who has it.

use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};

use clock::Timestamp;
use futures::future::join_all;
use id::PacketId;

use super::refusal;
use crate::{
    domain::{
        Packet, Phase, State,
        fixture::{noon, order, packet_of},
    },
    store::{Agenda, Packets},
};

const ALL: [Phase; 3] = [Phase::Funding, Phase::Active, Phase::Closing];

fn at(seconds: u64) -> Timestamp {
    clock::after(noon(), Duration::from_secs(seconds))
}

/// Funding packets that `home` says yes to, in the order of their ids, each due a second before the one before it.
async fn store_due(
    store: &impl Packets,
    numbers: RangeInclusive<u8>,
    count: u64,
    home: impl Fn(PacketId) -> bool,
) -> Vec<Packet> {
    let order = order("lea", "l");
    let mut stored = Vec::new();
    let fitting = numbers
        .map(|number| packet_of(&order, number))
        .filter(|packet| home(packet.id()));
    for (packet, seconds) in fitting.zip((1..=count).rev()) {
        stored.push(store.insert(&packet, at(seconds)).await.unwrap());
    }
    assert_eq!(stored.len() as u64, count, "too few numbers fit");
    stored
}

/// One agenda of `store`, over which nothing is due: that of the packets which `home` says yes to, of every fixture packet
/// at least a third.
pub async fn agenda(store: &impl Packets, agenda: &impl Agenda, home: impl Fn(PacketId) -> bool) {
    assert_eq!(agenda.next_due(&ALL).await.unwrap(), None);
    // What is due elsewhere is not due here.
    let elsewhere: Vec<_> = (60..100)
        .map(|number| packet_of(&order("else", "e"), number))
        .filter(|packet| !home(packet.id()))
        .collect();
    for packet in &elsewhere {
        store.insert(packet, noon()).await.unwrap();
    }
    let inserted = store_due(store, 100..=149, 5, home).await;
    leases(store, agenda, &inserted).await;
    for packet in elsewhere {
        assert!(store.change(&packet, &State::Rejected(refusal())).await.unwrap());
    }
}

async fn leases(store: &impl Packets, agenda: &impl Agenda, inserted: &[Packet]) {
    assert_eq!(agenda.next_due(&ALL).await.unwrap(), Some(at(1)));
    assert_eq!(agenda.next_due(&[Phase::Active]).await.unwrap(), None);
    assert_eq!(agenda.lease(&ALL, noon(), at(60), 9).await.unwrap(), []);
    assert_eq!(agenda.lease(&[Phase::Active], at(9), at(60), 9).await.unwrap(), []);

    // The longest waiting first, no more than asked for, nothing twice.
    let first = agenda.lease(&ALL, at(9), at(60), 2).await.unwrap();
    let ids: Vec<_> = first.iter().map(|leased| leased.packet.id()).collect();
    assert_eq!(ids, [inserted[4].id(), inserted[3].id()]);
    assert!(
        first
            .iter()
            .all(|leased| leased.until == at(60) && leased.attempts == 0)
    );
    let second = agenda.lease(&ALL, at(9), at(61), 9).await.unwrap();
    assert_eq!(second.len(), 3);
    assert!(second.iter().all(|leased| !ids.contains(&leased.packet.id())));
    assert_eq!(agenda.lease(&ALL, at(9), at(62), 9).await.unwrap(), []);

    // A lease runs out by itself, and whoever held it can no longer postpone.
    let again = agenda.lease(&ALL, at(60), at(90), 9).await.unwrap();
    assert_eq!(again.len(), 2);
    agenda.postpone(&first[0], at(10)).await.unwrap();
    assert_eq!(agenda.next_due(&ALL).await.unwrap(), Some(at(61)));
    // The holder can; the failure is counted until the packet moves.
    agenda.postpone(&again[0], at(10)).await.unwrap();
    let retried = agenda.lease(&ALL, at(10), at(95), 9).await.unwrap();
    assert_eq!((retried.len(), retried[0].attempts), (1, 1));
    let packet = &retried[0].packet;
    assert!(store.change(packet, &State::Active).await.unwrap());
    // An active packet is due when it expires, a final one never.
    let expiry = packet.terms.expire_time;
    assert_eq!(agenda.next_due(&[Phase::Active]).await.unwrap(), Some(expiry));
    let later = clock::after(expiry, Duration::from_secs(1));
    let expired = agenda.lease(&[Phase::Active], expiry, later, 9).await.unwrap();
    assert_eq!((expired.len(), expired[0].attempts), (1, 0));
    overdue(agenda, expiry, expired[0].packet.create_time).await;
    let mut active = expired[0].packet.clone();
    assert!(store.change(&active, &State::Closing(None)).await.unwrap());
    active.state = State::Closing(None);
    // The lease lasts through the steps that follow.
    let latest = clock::after(later, Duration::from_secs(1));
    assert_eq!(agenda.lease(&ALL, expiry, latest, 9).await.unwrap().len(), 4);
    // The longest waiting first, whatever its phase.
    let longest = agenda.lease(&ALL, latest, Timestamp::MAX, 1).await.unwrap();
    assert_eq!((longest.len(), &longest[0].packet), (1, &active));
    assert!(store.change(&active, &done(&active)).await.unwrap());
    for packet in inserted.iter().filter(|packet| packet.id() != active.id()) {
        assert!(store.change(packet, &State::Rejected(refusal())).await.unwrap());
    }
    assert_eq!(agenda.next_due(&ALL).await.unwrap(), None);
}

/// One packet is ACTIVE, expired and leased for a second; four are FUNDING.
async fn overdue(agenda: &impl Agenda, expiry: Timestamp, created: Timestamp) {
    let ask = async |phases: &[Phase], now, seconds| {
        let found = agenda.overdue(phases, now, Duration::from_secs(seconds)).await.unwrap();
        (found.count, found.since)
    };
    let active = [Phase::Active];
    let before = clock::from_micros(expiry.as_microsecond() - 1);
    assert_eq!(ask(&active, before, 2).await, (0, None), "not yet");
    assert_eq!(
        ask(&active, expiry, 2).await,
        (1, Some(expiry)),
        "although somebody is at it"
    );
    assert_eq!(ask(&active, expiry, 0).await, (0, None), "beyond the horizon");
    assert_eq!(ask(&[Phase::Funding], expiry, 0).await, (4, Some(created)));
    assert_eq!(ask(&ALL, expiry, 2).await, (5, Some(created)));
    assert_eq!(ask(&[Phase::Closing], expiry, 2).await, (0, None));
}

pub(super) fn done(closing: &Packet) -> State {
    let closed = crate::domain::Closed {
        opened_count: 0,
        opened_fen: 0,
        close_time: closing.terms.expire_time,
    };
    State::Completed {
        closed,
        refunded_fen: closing.terms.total_fen,
    }
}

/// Many instances at once: each due packet is leased by one of them, and none is left over.
pub async fn shared(store: &impl Packets, agenda: &impl Agenda, home: impl Fn(PacketId) -> bool) {
    const DUE: u64 = 30;
    let stored = store_due(store, 150..=255, DUE, home).await;
    let instances = (0..6).map(|number| async move {
        let mut mine = Vec::new();
        // One that finds nothing may have come while another held the last rows; nobody takes them away from that one.
        loop {
            let leased = agenda.lease(&ALL, at(DUE), at(1_000 + number), 3).await.unwrap();
            if leased.is_empty() {
                return mine;
            }
            mine.extend(leased.into_iter().map(|leased| leased.packet.id()));
        }
    });
    let taken = join_all(instances).await;
    assert!(
        taken.iter().filter(|mine| !mine.is_empty()).count() > 1,
        "one did it all"
    );
    let all: Vec<PacketId> = taken.concat();
    let distinct: BTreeSet<PacketId> = all.iter().copied().collect();
    assert_eq!(all.len(), distinct.len(), "leased twice");
    assert_eq!(distinct, stored.iter().map(Packet::id).collect());
    for packet in &stored {
        assert!(store.change(packet, &State::Rejected(refusal())).await.unwrap());
    }
}
