//! Many instances that do the same thing at once.

use futures::future::join_all;
use id::PacketId;

use super::{Packets, Requests, Reserved, agenda::done, now_at, offer, refusal};
use crate::domain::{
    Packet, State,
    fixture::{limits, noon, order, packet_of},
};

const CROWD: u8 = 16;

/// [`Requests`] over a store that knows neither carl nor cleo nor cora.
pub async fn requests(store: &impl Requests) {
    let daily = limits().daily;
    // One request, offered as many packets, in two days: one reservation, which all get, and which counts once.
    let offers = (0..CROWD).map(|number| {
        let mut offer = offer("carl", "c1", 30 + number);
        offer.day += i64::from(number % 2);
        offer
    });
    let offers: Vec<_> = offers.collect();
    let held = join_all(offers.iter().map(|offer| store.reserve(offer, daily))).await;
    let held: Vec<_> = held.into_iter().map(Result::unwrap).collect();
    let Reserved::Held(first) = &held[0] else {
        panic!("{held:?}")
    };
    assert!(offers.contains(first));
    assert!(held.iter().all(|other| *other == held[0]), "{held:?}");
    let other_day = offers.iter().find(|offer| offer.day != first.day).unwrap().day;
    for (day, room) in [(first.day, 1), (other_day, 2)] {
        assert_eq!(reserve_until_full(store, "carl", day).await, room);
    }

    // Many requests in one day: as many as fit.
    let offers: Vec<_> = (0..CROWD)
        .map(|number| offer("cleo", &format!("c{number}"), 50 + number))
        .collect();
    let reserved = join_all(offers.iter().map(|offer| store.reserve(offer, daily))).await;
    let mut held = Vec::new();
    for reserved in reserved {
        match reserved.unwrap() {
            Reserved::Held(reservation) => held.push(reservation),
            Reserved::DayFull(used) => assert_eq!((used.count, used.total_fen), (2, 200)),
        }
    }
    assert_eq!(held.len(), 2);
    // Many that release the same packet make room for one.
    let (sender, packet) = (&held[0].sender_id, held[0].packet_id);
    for released in join_all((0..CROWD).map(|_| store.release(sender, packet))).await {
        released.unwrap();
    }
    assert_eq!(reserve_until_full(store, "cleo", held[0].day).await, 1);
}

/// How many requests of `sender` still fit into a day.
pub async fn reserve_until_full(store: &impl Requests, sender: &str, day: i64) -> u64 {
    for fitting in 0_u64.. {
        let mut offer = offer(sender, &format!("fill-{day}-{fitting}"), 0);
        offer.packet_id = PacketId::new(day.unsigned_abs() * 1_000 + fitting, &id_of(sender));
        offer.day = day;
        match store.reserve(&offer, limits().daily).await.unwrap() {
            Reserved::Held(_) => {}
            Reserved::DayFull(_) => return fitting,
        }
    }
    unreachable!("a day has no end")
}

/// Ten bytes that are another sender's.
fn id_of(sender: &str) -> [u8; 10] {
    let mut bytes = [200; 10];
    for (byte, letter) in bytes.iter_mut().zip(sender.bytes()) {
        *byte = letter;
    }
    bytes
}

/// [`Packets`] over a store in which nothing of cyd's is due.
pub async fn packets(store: &impl Packets) {
    // The first insertion decides the seed for all.
    let drawn: Vec<_> = (0..CROWD)
        .map(|number| Packet {
            seed: split::Seed::from_bytes([number; 32]),
            ..packet_of(&order("cyd", "p"), 51)
        })
        .collect();
    let stored = join_all(drawn.iter().map(|packet| store.insert(packet, noon()))).await;
    let stored: Vec<_> = stored.into_iter().map(Result::unwrap).collect();
    assert!(drawn.contains(&stored[0]));
    assert!(stored.iter().all(|packet| *packet == stored[0]));

    // Of all that move it, one does, and it is where that one moved it.
    let nexts = [State::Active, State::Rejected(refusal())];
    let changes = (0..CROWD).map(|number| store.change(&stored[0], &nexts[usize::from(number % 2)]));
    let won: Vec<bool> = join_all(changes).await.into_iter().map(Result::unwrap).collect();
    let winner = won.iter().position(|won| *won).unwrap();
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    let mut packet = now_at(store, &stored[0]).await;
    assert_eq!(packet.state, nexts[winner % 2]);
    if packet.state == State::Active {
        assert!(store.change(&packet, &State::Closing(None)).await.unwrap());
        packet.state = State::Closing(None);
        assert!(store.change(&packet, &done(&packet)).await.unwrap());
    }
}
