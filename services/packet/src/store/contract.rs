//! What every implementation of the ports keeps.

pub mod agenda;
pub mod commits;
pub mod crowd;

use std::time::Duration;

use id::{PacketId, UserId};
use paging::Page;

use super::{Agenda, Of, Packets, Requests, Reserved};
use crate::domain::{
    Audience, Closed, DailyLimits, DailyUse, Packet, Rejection, Reservation, State,
    fixture::{limits, noon, order, packet_of},
};

pub fn offer(sender: &str, request: &str, number: u8) -> Reservation {
    limits().decide(&order(sender, request), PacketId::new(1_000, &[number; 10]), noon())
}

/// Which packets are an agenda's own.
pub type Home<'a> = &'a dyn Fn(PacketId) -> bool;

/// All ports over an empty store, with its agendas and what is at home in each.
pub async fn everything<S: Requests + Packets, A: Agenda>(store: &S, agendas: &[(&A, Home<'_>)]) {
    requests(store).await;
    crowd::requests(store).await;
    packets(store).await;
    crowd::packets(store).await;
    for (agenda, home) in agendas {
        agenda::agenda(store, *agenda, home).await;
        agenda::shared(store, *agenda, home).await;
    }
    lists(store).await;
}

/// [`Requests`] over an empty store. The fixture's day holds 3 packets and 250 fen; each packet has 100 fen.
pub async fn requests(store: &impl Requests) {
    let daily = limits().daily;
    let alice: UserId = "alice".parse().unwrap();
    let first = offer("alice", "r1", 1);
    assert_eq!(store.find(&alice, &first.request_id).await.unwrap(), None);
    assert_eq!(
        store.reserve(&first, daily).await.unwrap(),
        Reserved::Held(first.clone())
    );
    assert_eq!(
        store.find(&alice, &first.request_id).await.unwrap().as_ref(),
        Some(&first)
    );

    // A later attempt gets the first reservation, whatever it offers, and counts nothing.
    for _ in 0..3 {
        let other = offer("alice", "r1", 9);
        assert_eq!(
            store.reserve(&other, daily).await.unwrap(),
            Reserved::Held(first.clone())
        );
    }
    // The same name from another sender is another request, and so is the name in other letters.
    for (number, (sender, request)) in (6..).zip([("bob", "r1"), ("Alice", "r1"), ("Alice", "R1")]) {
        let others = offer(sender, request, number);
        assert_eq!(store.reserve(&others, daily).await.unwrap(), Reserved::Held(others));
    }

    let second = offer("alice", "r2", 2);
    assert_eq!(
        store.reserve(&second, daily).await.unwrap(),
        Reserved::Held(second.clone())
    );
    // A third would be 300 fen.
    let third = offer("alice", "r3", 3);
    let full = Reserved::DayFull(DailyUse {
        count: 2,
        total_fen: 200,
    });
    assert_eq!(store.reserve(&third, daily).await.unwrap(), full);
    assert_eq!(store.find(&alice, &third.request_id).await.unwrap(), None);
    // What is held stays held on a full day, and another day is empty.
    assert_eq!(
        store.reserve(&second, daily).await.unwrap(),
        Reserved::Held(second.clone())
    );
    let tomorrow = Reservation {
        day: third.day + 1,
        ..third.clone()
    };
    assert_eq!(
        store.reserve(&tomorrow, daily).await.unwrap(),
        Reserved::Held(tomorrow.clone())
    );

    // A release makes room, once.
    for _ in 0..3 {
        store.release(&alice, second.packet_id).await.unwrap();
    }
    store.release(&alice, PacketId::new(1, &[99; 10])).await.unwrap();
    let fourth = offer("alice", "r4", 4);
    assert_eq!(store.reserve(&fourth, daily).await.unwrap(), Reserved::Held(fourth));
    let full = Reserved::DayFull(DailyUse {
        count: 2,
        total_fen: 200,
    });
    assert_eq!(store.reserve(&offer("alice", "r5", 5), daily).await.unwrap(), full);
    // The released request is still known.
    assert_eq!(store.find(&alice, &second.request_id).await.unwrap(), Some(second));
    // The count is a limit of its own.
    let narrow = DailyLimits {
        count: 1,
        total_fen: i64::MAX,
    };
    let full = Reserved::DayFull(DailyUse {
        count: 1,
        total_fen: 100,
    });
    assert_eq!(store.reserve(&offer("bob", "r2", 10), narrow).await.unwrap(), full);
}

pub async fn now_at(store: &impl Packets, packet: &Packet) -> Packet {
    store.get(&[packet.id()]).await.unwrap().pop().expect("a packet")
}

/// [`Packets`] over an empty store, which it leaves with nothing that is due.
pub async fn packets(store: &impl Packets) {
    insertion(store).await;
    life(store).await;
    rejection(store).await;
}

async fn insertion(store: &impl Packets) {
    let mut exclusive = order("ivy", "i1");
    exclusive.audience = Audience::User("bob".parse().unwrap());
    exclusive.share_cap_fen = 60;
    exclusive.passphrase = Some("芝麻开门".into());
    exclusive.greeting = "🧧".repeat(100); // the longest, four bytes each
    for (order, number) in [(exclusive, 1), (order("ivy", "i2"), 2)] {
        let packet = packet_of(&order, number);
        assert_eq!(store.get(&[packet.id()]).await.unwrap(), []);
        assert_eq!(store.insert(&packet, noon()).await.unwrap(), packet);
        assert_eq!(now_at(store, &packet).await, packet);
        // The first insertion decides the seed.
        let other = Packet {
            seed: split::Seed::from_bytes([0; 32]),
            ..packet.clone()
        };
        assert_eq!(store.insert(&other, noon()).await.unwrap(), packet);
        assert_eq!(now_at(store, &packet).await, packet);
        assert!(store.change(&packet, &State::Rejected(refusal())).await.unwrap());
    }
    assert_eq!(store.get(&[]).await.unwrap(), []);
}

pub fn refusal() -> Rejection {
    Rejection {
        reason: "INSUFFICIENT_FUNDS".to_owned(),
        balance_fen: Some(99),
    }
}

/// Each change applies once, and only to the state it was derived from.
async fn life(store: &impl Packets) {
    let closed = Closed {
        opened_count: 1,
        opened_fen: 10,
        close_time: clock::after(noon(), Duration::from_hours(24)),
    };
    let mut packet = store.insert(&packet_of(&order("leo", "l1"), 11), noon()).await.unwrap();
    let steps = [
        State::Active,
        State::Closing(None),
        State::Closing(Some(closed)),
        State::Completed {
            closed,
            refunded_fen: 90,
        },
    ];
    for next in steps {
        assert!(store.change(&packet, &next).await.unwrap(), "{next:?}");
        assert!(!store.change(&packet, &next).await.unwrap(), "{next:?}");
        packet.state = next;
        assert_eq!(now_at(store, &packet).await, packet);
    }
    // The sums of a close stay as they were first recorded.
    let late = Packet {
        state: State::Closing(None),
        ..packet.clone()
    };
    let other = Closed {
        opened_count: 2,
        opened_fen: 20,
        ..closed
    };
    assert!(!store.change(&late, &State::Closing(Some(other))).await.unwrap());
    assert_eq!(now_at(store, &packet).await, packet);
}

async fn rejection(store: &impl Packets) {
    for (number, balance_fen) in [(21, Some(99)), (22, None)] {
        let mut packet = store
            .insert(&packet_of(&order("ron", "x"), number), noon())
            .await
            .unwrap();
        let rejected = State::Rejected(Rejection {
            balance_fen,
            ..refusal()
        });
        assert!(store.change(&packet, &rejected).await.unwrap());
        // Never funds later.
        assert!(!store.change(&packet, &State::Active).await.unwrap());
        packet.state = rejected;
        assert_eq!(now_at(store, &packet).await, packet);
    }
}

/// The lists of [`Packets`], over a store to which lin is new.
pub async fn lists(store: &impl Packets) {
    let mut sent = Vec::new();
    for number in 41..48 {
        let mut order = order("lin", &format!("l{number}"));
        if number % 2 == 0 {
            order.audience = Audience::Group("g-lin".parse().unwrap());
        }
        sent.push(store.insert(&packet_of(&order, number), noon()).await.unwrap());
    }
    sent.reverse(); // newest first: ids ascend with their number
    let to_group: Vec<_> = sent
        .iter()
        .filter(|packet| packet.terms.audience != Audience::Anyone)
        .cloned()
        .collect();
    for (of, all) in [
        (Of::Sender("lin".parse().unwrap()), sent),
        (Of::Group("g-lin".parse().unwrap()), to_group),
        (Of::Sender("nobody".parse().unwrap()), vec![]),
        (Of::Sender("Lin".parse().unwrap()), vec![]),
        (Of::Group("lin".parse().unwrap()), vec![]),
    ] {
        let (mut page, mut seen) = (Page { size: 2, after: None }, Vec::new());
        loop {
            let rows = store.list(&of, &page).await.unwrap();
            let more = rows.len() > page.size;
            seen.extend(rows.into_iter().take(page.size));
            page.after = seen.last().map(Packet::id);
            if !more {
                break;
            }
        }
        assert_eq!(seen, all);
    }
}
