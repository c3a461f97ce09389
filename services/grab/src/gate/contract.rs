//! What every gate must do, whatever it is made of.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use clock::{Clock, Manual};
use futures::future::join_all;
use id::UserId;

use super::{Ask, Gate, News, Reservation, Timing, Verdict};
use crate::{
    domain::{
        claim::{Claim, Tally},
        packet::{Packet, sample},
    },
    store::{Changes, ClaimStore, LogStore, PacketStore, sql::SqlStore},
};

/// A SQL store in a directory of its own.
pub struct Stored {
    store: Arc<SqlStore>,
    _dir: testkit::Dir,
}

/// An empty store.
pub async fn store() -> Stored {
    let dir = testkit::Dir::new();
    let store = SqlStore::in_dir(&dir).await;
    Stored {
        store: Arc::new(store),
        _dir: dir,
    }
}

impl Stored {
    /// Where a gate reads claims.
    pub fn claims(&self) -> Arc<dyn ClaimStore> {
        self.store.clone()
    }

    /// Keeps a packet, as a preload does; the gate is not told.
    pub async fn keep(&self, packet: &Packet) {
        self.store.keep(packet.promise(), packet.partition()).await.unwrap();
    }

    /// Makes a claim durable, as the writer does; the gate is not told.
    pub async fn open(&self, packet: &Packet, user_id: &UserId, share_no: u32) -> Claim {
        let batch = self.store.begin(&[packet.partition()]).await.unwrap();
        let mut head = batch.heads()[0];
        let claim = Claim {
            packet_id: packet.id(),
            share_no,
            user_id: user_id.clone(),
            amount_fen: packet.amount_fen(share_no).unwrap(),
            claim_time: sample::START,
            partition: packet.partition(),
            seq: head.next_seq,
            luckiest: false,
            sender_id: packet.terms().sender_id.clone(),
        };
        let mut tally = batch.tallies(&[packet.id()]).await.unwrap()[&packet.id()];
        tally.opened_count += 1;
        tally.opened_fen = tally.opened_fen.checked_add(claim.amount_fen).unwrap();
        head.next_seq += 1;
        head.version += 1;
        self.commit(batch, vec![claim.clone()], packet, tally, head).await;
        claim
    }

    /// Closes a packet, as the writer does; the gate is not told.
    pub async fn close(&self, packet: &Packet) {
        let batch = self.store.begin(&[packet.partition()]).await.unwrap();
        let mut head = batch.heads()[0];
        let mut tally = batch.tallies(&[packet.id()]).await.unwrap()[&packet.id()];
        tally.close(sample::START);
        head.version += 1;
        self.commit(batch, Vec::new(), packet, tally, head).await;
    }

    async fn commit(
        &self,
        batch: Box<dyn crate::store::Batch>,
        claims: Vec<Claim>,
        packet: &Packet,
        tally: Tally,
        head: crate::domain::claim::Head,
    ) {
        let changes = Changes {
            heads: vec![head],
            claims,
            tallies: vec![(packet.id(), tally)],
            luckiest: Vec::new(),
        };
        batch.commit(changes).await.unwrap();
    }
}

pub const TIMING: Timing = Timing {
    voucher_ttl: Duration::from_secs(10),
    lapse_grace: Duration::from_secs(2),
};

pub fn user(number: usize) -> UserId {
    format!("u{number}").parse().unwrap()
}

pub async fn ask(gate: &impl Gate, packet: &Arc<Packet>, user_id: UserId, admitted: bool) -> Verdict {
    let ask = Ask {
        packet: packet.clone(),
        user_id,
        admitted,
    };
    gate.grab(vec![ask]).await.remove(0).unwrap()
}

pub fn share(verdict: &Verdict) -> u32 {
    match verdict {
        Verdict::Granted(reservation) => reservation.share_no.unwrap(),
        other => panic!("not granted: {other:?}"),
    }
}

/// The suite. `gate` makes gates over `store` that read the hour from `clock`.
pub async fn holds<G: Gate>(gate: impl Fn(Timing) -> G, store: &Stored, clock: &Manual) {
    answers_in_order_of_precedence(&gate(TIMING), store, clock).await;
    rebuilds_from_sql(&gate, store).await;
    a_crowd_gets_every_share_once(&gate(TIMING), store).await;
    repeats_itself(&gate(TIMING), store, clock).await;
    hears_news(&gate(TIMING), store).await;
    hears_news_of_a_cold_packet(&gate(TIMING), store).await;
    a_close_ends_everything(&gate(TIMING), store).await;
}

/// The suite for a gate that sets no shares aside.
pub async fn holds_provisionally(gate: &impl Gate, store: &Stored) {
    let (packet, packet_id) = (sample::packet(1, 2), sample::packet(1, 2).id());
    store.keep(&packet).await;
    gate.warm(packet.clone()).await.unwrap();
    assert_eq!(ask(gate, &packet, user(1), false).await, Verdict::NotAdmitted);
    for n in 1..=3 {
        let granted = ask(gate, &packet, user(n), true).await;
        assert!(
            matches!(granted, Verdict::Granted(Reservation { share_no: None, .. })),
            "{granted:?}"
        );
    }
    let first = store.open(&packet, &user(1), 1).await;
    gate.tell(vec![News::Opened(first.clone()), News::Opened(first.clone())])
        .await;
    assert_eq!(gate.recall(packet_id, &user(1)).await, Some(first.clone()));
    assert_eq!(gate.recall(packet_id, &user(2)).await, None);
    assert_eq!(ask(gate, &packet, user(1), false).await, Verdict::AlreadyOpened(first));
    let last = store.open(&packet, &user(2), 0).await;
    gate.tell(vec![News::Opened(last), News::Astray(packet_id)]).await;
    assert_eq!(ask(gate, &packet, user(3), true).await, Verdict::Exhausted);
    assert_eq!(ask(gate, &packet, user(3), false).await, Verdict::NotAdmitted);
    gate.tell(vec![News::Closed(packet_id)]).await;
    assert_eq!(ask(gate, &packet, user(3), true).await, Verdict::Closed);
    let claim = ask(gate, &packet, user(2), true).await;
    assert!(matches!(claim, Verdict::AlreadyOpened(_)), "{claim:?}");

    // What others wrote, and what ended elsewhere, is seen after a moment without any news.
    let packet = sample::packet(2, 2);
    store.keep(&packet).await;
    assert!(matches!(ask(gate, &packet, user(1), true).await, Verdict::Granted(_)));
    let claim = store.open(&packet, &user(1), 0).await;
    testkit::eventually("the claim is seen", async || {
        (ask(gate, &packet, user(1), true).await == Verdict::AlreadyOpened(claim.clone())).then_some(())
    })
    .await;
    store.close(&packet).await;
    testkit::eventually("the close is seen", async || {
        (ask(gate, &packet, user(2), true).await == Verdict::Closed).then_some(())
    })
    .await;
}

async fn answers_in_order_of_precedence(gate: &impl Gate, store: &Stored, clock: &Manual) {
    let packet = sample::packet(1, 2);
    store.keep(&packet).await;
    gate.warm(packet.clone()).await.unwrap();
    assert_eq!(ask(gate, &packet, user(1), false).await, Verdict::NotAdmitted);
    let first = ask(gate, &packet, user(1), true).await;
    assert_eq!(
        ask(gate, &packet, user(1), false).await,
        first,
        "what a user has is told"
    );
    let second = share(&ask(gate, &packet, user(2), true).await);
    assert_ne!(share(&first), second);
    let Verdict::AllHeld { retry_delay } = ask(gate, &packet, user(3), true).await else {
        panic!("a third share of two");
    };
    assert!(!retry_delay.is_zero() && retry_delay <= TIMING.voucher_ttl);

    // A lapsed share goes to the next who asks.
    clock.advance(Duration::from_secs(12));
    let third = share(&ask(gate, &packet, user(3), true).await);
    let claim = store.open(&packet, &user(3), third).await;
    gate.tell(vec![News::Opened(claim.clone()), News::Opened(claim.clone())])
        .await;
    assert_eq!(
        ask(gate, &packet, user(3), false).await,
        Verdict::AlreadyOpened(claim.clone())
    );
    assert_eq!(gate.recall(packet.id(), &user(3)).await, Some(claim.clone()));
    assert_eq!(gate.recall(packet.id(), &user(1)).await, None);

    let fourth = share(&ask(gate, &packet, user(4), true).await);
    let last = store.open(&packet, &user(4), fourth).await;
    gate.tell(vec![News::Opened(last)]).await;
    assert_eq!(ask(gate, &packet, user(1), true).await, Verdict::Exhausted);
    assert_eq!(ask(gate, &packet, user(1), false).await, Verdict::NotAdmitted);
    gate.tell(vec![News::Closed(packet.id())]).await;
    assert_eq!(ask(gate, &packet, user(1), true).await, Verdict::Closed);
    assert!(matches!(
        ask(gate, &packet, user(3), true).await,
        Verdict::AlreadyOpened(_)
    ));
    assert!(clock.now() > sample::START);
}

async fn rebuilds_from_sql<G: Gate>(gate: &impl Fn(Timing) -> G, store: &Stored) {
    let packet = sample::packet(2, 2);
    store.keep(&packet).await;
    let claim = store.open(&packet, &user(1), 0).await;
    let gate = gate(TIMING);
    assert_eq!(ask(&gate, &packet, user(1), true).await, Verdict::AlreadyOpened(claim));
    assert_eq!(share(&ask(&gate, &packet, user(2), true).await), 1);
}

async fn a_crowd_gets_every_share_once(gate: &impl Gate, store: &Stored) {
    let packet = sample::packet(3, 50);
    store.keep(&packet).await;
    let asks = |from: usize| {
        let asks = (from..from + 100).map(|n| Ask {
            packet: packet.clone(),
            user_id: user(n),
            admitted: true,
        });
        gate.grab(asks.collect())
    };
    let verdicts = join_all([asks(0), asks(100), asks(50)]).await.concat_ok();
    let shares: Vec<u32> = verdicts
        .iter()
        .filter(|verdict| matches!(verdict, Verdict::Granted(_)))
        .map(share)
        .collect();
    assert_eq!(shares.iter().collect::<BTreeSet<_>>().len(), 50, "every share");
    let held = verdicts
        .iter()
        .filter(|verdict| matches!(verdict, Verdict::AllHeld { .. }))
        .count();
    assert_eq!(shares.len() + held, 300);
}

async fn hears_news(gate: &impl Gate, store: &Stored) {
    let packet = sample::packet(4, 2);
    store.keep(&packet).await;
    assert_eq!(gate.recall(packet.id(), &user(1)).await, None, "a cold packet");
    let first = share(&ask(gate, &packet, user(1), true).await);
    // Another writer opened the share that was reserved here, and then everything.
    store.open(&packet, &user(8), first).await;
    let packet_id = packet.id();
    gate.tell(vec![News::Taken {
        packet_id,
        share_no: first,
    }])
    .await;
    let second = share(&ask(gate, &packet, user(2), true).await);
    assert_ne!(first, second);
    store.open(&packet, &user(9), second).await;
    gate.tell(vec![News::Astray(packet.id())]).await;
    assert_eq!(ask(gate, &packet, user(2), true).await, Verdict::Exhausted);
    assert!(matches!(
        ask(gate, &packet, user(9), true).await,
        Verdict::AlreadyOpened(_)
    ));
}

/// A batch that is sent twice, and users who ask twice in it, get what they got.
async fn repeats_itself(gate: &impl Gate, store: &Stored, clock: &Manual) {
    let packets = [sample::packet(5, 3), sample::packet(6, 40), sample::packet(7, 1)];
    for packet in &packets {
        store.keep(packet).await;
    }
    let asks: Vec<Ask> = (0..60)
        .map(|n| Ask {
            packet: packets[n % 3].clone(),
            user_id: user(n % 45),
            admitted: n % 45 % 7 != 0,
        })
        .collect();
    let first = gate.grab(asks.clone()).await.into_iter().map(Result::unwrap);
    let first: Vec<Verdict> = first.collect();
    for n in 45..60 {
        assert_eq!(first[n], first[n - 45], "{n}"); // 45 is a multiple of 3: the same user and packet
    }
    clock.advance(Duration::from_secs(9));
    let again = gate.grab(asks).await.into_iter().map(Result::unwrap);
    for (n, (first, again)) in first.iter().zip(again).enumerate() {
        match first {
            Verdict::AllHeld { .. } => assert!(matches!(again, Verdict::AllHeld { .. }), "{n}: {again:?}"),
            first => assert_eq!(*first, again, "{n}"),
        }
    }
}

async fn hears_news_of_a_cold_packet(gate: &impl Gate, store: &Stored) {
    let (packet, closed) = (sample::packet(8, 2), sample::packet(9, 2));
    store.keep(&packet).await;
    store.keep(&closed).await;
    let claim = store.open(&packet, &user(1), 0).await;
    store.close(&closed).await;
    gate.tell(vec![
        News::Opened(claim.clone()),
        News::Taken {
            packet_id: packet.id(),
            share_no: 0,
        },
        News::Closed(closed.id()),
    ])
    .await;
    assert_eq!(ask(gate, &packet, user(1), true).await, Verdict::AlreadyOpened(claim));
    assert_eq!(share(&ask(gate, &packet, user(2), true).await), 1);
    assert_eq!(ask(gate, &closed, user(2), true).await, Verdict::Closed);
}

async fn a_close_ends_everything(gate: &impl Gate, store: &Stored) {
    let packet = sample::packet(10, 2);
    store.keep(&packet).await;
    share(&ask(gate, &packet, user(1), true).await);
    store.close(&packet).await;
    gate.tell(vec![News::Closed(packet.id()), News::Closed(packet.id())])
        .await;
    let held = ask(gate, &packet, user(1), true).await;
    assert_eq!(held, Verdict::Closed, "a voucher for nothing is worth nothing");
    assert_eq!(ask(gate, &packet, user(2), false).await, Verdict::Closed);
}

trait ConcatOk {
    fn concat_ok(self) -> Vec<Verdict>;
}

impl ConcatOk for Vec<Vec<Result<Verdict, super::GateError>>> {
    fn concat_ok(self) -> Vec<Verdict> {
        self.into_iter().flatten().map(Result::unwrap).collect()
    }
}
