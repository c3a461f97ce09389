//! What cannot be understood, or is refused for good, becomes a case and holds up nobody.

use std::{collections::BTreeMap, time::Duration};

use id::{Partition, TransferId};
use proto::transfer::v1::{self as wire, OrderState};
use sea_orm::ConnectionTrait;
use transfer::{
    domain::{Delivery, LoggedClaim, Order},
    ops::{
        isolate::deliver_apart,
        settle::{Batch, settle, settle_apart},
    },
};
use uuid::Uuid;

use crate::{
    bank::Fault,
    mesh::{Instance, Mesh, packet},
};

/// The case with this order.
async fn case_of(transfer: &Instance, id: TransferId) -> wire::RepairCase {
    let cases = transfer.cases().await;
    let found = cases.iter().find(|case| case.case_id == id.to_string());
    found.unwrap_or_else(|| panic!("no case {id} in {cases:?}")).clone()
}

fn stand_in((partition, seq): (u32, i64)) -> TransferId {
    TransferId::unpayable(Partition::new(partition, Partition::DEFAULT_COUNT).unwrap(), seq)
}

#[tokio::test]
async fn a_damaged_record_is_a_case_and_the_feed_goes_on() {
    let (mesh, transfer) = Mesh::with_instance().await;
    transfer.fund(packet(1), "sender", 60).await.unwrap();
    mesh.log.set_down(true);
    let damaged = mesh.log.claim(packet(1), 0, "alice", 10);
    let gone = mesh.log.claim(packet(1), 1, "bob", 20);
    mesh.log.damage(damaged, Some("user_id=ali?e amount_fen=10"));
    mesh.log.damage(gone, None);
    mesh.log.claim(packet(1), 2, "carol", 30);
    mesh.log.set_down(false);

    // Reconciliation knows that these have their cases.
    let report = transfer.settled(3).await;
    assert_eq!(report.open_case_count, 2);
    assert_eq!((mesh.bank.wallet("carol"), mesh.bank.escrow(packet(1))), (30, 30));
    for (at, fact) in [(damaged, "user_id=ali?e amount_fen=10"), (gone, "there is no record")] {
        let case = case_of(&transfer, stand_in(at)).await;
        let order = case.order.unwrap();
        assert_eq!(
            (order.state(), order.failure.as_str()),
            (OrderState::Stuck, "UNREADABLE_CLAIM")
        );
        let detail = &case.events[0].detail;
        let place = format!("partition={} seq={}", at.0, at.1);
        assert!(detail.contains(fact) && detail.contains(&place), "{detail}");
    }

    // Settled again from the start, as after a restore of the cursor alone: the same cases, no second ones.
    transfer.stop().await;
    let database = mesh.database().await;
    let back = "UPDATE cursors SET after_seq = 0";
    let written = database.begin().await.unwrap();
    written.as_ref().execute_unprepared(back).await.unwrap();
    written.commit().await.unwrap();
    let transfer = mesh.start().await;
    assert_eq!(transfer.settled(3).await.open_case_count, 2);
    assert_eq!(mesh.bank.wallet("carol"), 30);
}

/// A ledger that answers one order with an error of its own: the order is found among the others and set apart, whichever
/// partition it is of; an operator's retry pays it when the ledger can.
#[tokio::test]
async fn one_order_that_the_ledger_chokes_on_holds_up_nobody() {
    let (mesh, transfer) = Mesh::with_instance().await;
    mesh.bank.deposit("dave", 0);
    mesh.bank.choke_on("dave");
    for n in 1..=20 {
        transfer.fund(packet(n), "sender", 60).await.unwrap();
        for (share_no, user) in (0..).zip(["alice", "bob", "carol"]) {
            mesh.log.claim(packet(n), share_no, user, 10);
        }
    }
    for n in [3, 17] {
        mesh.log.claim(packet(n), 3, "dave", 30);
    }
    // Whatever is settled by now: one that the ledger takes beside these shows that they are at fault, and not the ledger.
    let before = mesh.bank.calls();
    testkit::eventually("they are tried again and again", async || {
        (mesh.bank.calls() > before + 5).then_some(())
    })
    .await;
    mesh.log.claim(packet(1), 3, "alice", 10);
    let report = transfer.settled(63).await;
    assert_eq!(report.open_case_count, 2);
    assert_eq!(
        ["alice", "bob", "carol", "dave"].map(|user| mesh.bank.wallet(user)),
        [210, 200, 200, 0]
    );
    for n in [3, 17] {
        let case = case_of(&transfer, TransferId::settle(packet(n), 3)).await;
        let order = case.order.unwrap();
        assert_eq!(
            (order.state(), order.failure.as_str()),
            (OrderState::Stuck, "NO_VERDICT")
        );
        assert!(case.events[0].detail.contains("Internal"), "{:?}", case.events);
    }

    mesh.bank.recover();
    let request = wire::RetryRepairCaseRequest {
        case_id: TransferId::settle(packet(3), 3).to_string(),
        operator_id: "olga".to_owned(),
        reason: "the ledger is mended".to_owned(),
        request_id: "mended".to_owned(),
    };
    transfer.client.clone().retry_repair_case(request).await.unwrap();
    assert_eq!(mesh.bank.wallet("dave"), 30);
}

/// What the ledger refuses of everybody is nobody's fault: there are no cases, and all are paid when it is mended.
#[tokio::test]
async fn a_ledger_that_is_broken_for_everybody_makes_no_cases() {
    let (mesh, transfer) = Mesh::with_instance().await;
    for n in 1..=20 {
        transfer.fund(packet(n), "sender", 10).await.unwrap();
    }
    mesh.bank.break_down(usize::MAX);
    let before = mesh.bank.calls();
    for n in 1..=20 {
        mesh.log.claim(packet(n), 0, "alice", 10);
    }
    // Longer than it is doubted: the batch of twenty is taken apart, once at least.
    testkit::eventually("the batch is taken apart", async || {
        (mesh.bank.calls() > before + 60).then_some(())
    })
    .await;
    assert_eq!(transfer.reconcile().await.open_case_count, 0);
    mesh.bank.recover();
    assert_eq!(transfer.settled(20).await.open_case_count, 0);
    assert_eq!(mesh.bank.wallet("alice"), 200);
}

/// Orders of a packet for these users, in order of share.
fn orders_for(users: &[&str]) -> Vec<Order> {
    let claim = |(share_no, user): (u32, &&str)| LoggedClaim {
        partition: Partition::all(Partition::DEFAULT_COUNT).next().unwrap(),
        seq: i64::from(share_no) + 1,
        packet_id: packet(1).to_string(),
        share_no,
        user_id: (*user).to_owned(),
        amount_fen: 1,
        at: None,
        damage: None,
    };
    let orders = (0..).zip(users).map(claim);
    orders
        .map(|claim| Order::for_claim(&claim, clock::from_micros(0)))
        .collect()
}

/// It is asked no more often than it takes to find one order in a hundred that is accepted.
#[tokio::test]
async fn a_ledger_that_is_broken_for_everybody_is_left_in_peace() {
    let (mesh, transfer) = Mesh::with_instance().await;
    let ports = mesh.ports().await;
    mesh.bank.break_down(usize::MAX);
    let before = mesh.bank.calls();
    let heard = deliver_apart(&*ports.ledger, &orders_for(&["alice"; 500])).await;
    assert!(heard.unwrap_err().refused);
    assert!(mesh.bank.calls() - before < 200, "{} calls", mesh.bank.calls() - before);
    transfer.stop().await;
}

/// A ledger that is away in the middle of the search says nothing of whom it was asked for then.
#[tokio::test]
async fn a_ledger_that_goes_away_meanwhile_makes_no_cases() {
    let (mesh, transfer) = Mesh::with_instance().await;
    let ports = mesh.ports().await;
    transfer.fund(packet(1), "sender", 9).await.unwrap();
    mesh.bank.deposit("dave", 0);
    mesh.bank.choke_on("dave");
    let orders = orders_for(&["alice", "bob", "dave", "carol", "alice", "bob"]);
    for calls in 0.. {
        let before = mesh.bank.calls();
        mesh.bank
            .fail(std::iter::repeat_n(Fault::None, calls).chain([Fault::Before]));
        let heard = deliver_apart(&*ports.ledger, &orders).await;
        mesh.bank.mend();
        if mesh.bank.calls() - before <= calls {
            assert!(calls > 4, "it was never away");
            break;
        }
        assert!(!heard.unwrap_err().refused, "away after {calls}");
    }
    transfer.stop().await;
}

/// A ledger that is mended in the middle of the search for who is at fault: whom it refused before that is asked for again.
#[tokio::test]
async fn a_ledger_that_is_mended_meanwhile_makes_no_cases() {
    const ORDERS: u8 = 20;
    let (mesh, transfer) = Mesh::with_instance().await;
    let ports = mesh.ports().await;
    let partition = Partition::all(Partition::DEFAULT_COUNT).next().unwrap();
    for refusals in 0..=2 * ORDERS {
        let packet = packet(refusals + 1);
        transfer.fund(packet, "sender", i64::from(ORDERS)).await.unwrap();
        let claim = |share_no: u8| LoggedClaim {
            partition,
            seq: i64::from(share_no) + 1,
            packet_id: packet.to_string(),
            share_no: share_no.into(),
            user_id: "alice".to_owned(),
            amount_fen: 1,
            at: None,
            damage: None,
        };
        let orders: Vec<_> = (0..ORDERS)
            .map(|share_no| Order::for_claim(&claim(share_no), clock::from_micros(0)))
            .collect();
        mesh.bank.break_down(refusals.into());
        // It takes 2 n - 1 refusals to hear every order refused by itself, and then nothing is known.
        let heard = deliver_apart(&*ports.ledger, &orders).await;
        assert_eq!(heard.is_err(), refusals >= 2 * ORDERS - 1, "{refusals}");
        for delivery in heard.unwrap_or_default() {
            assert_eq!(delivery.unwrap(), Delivery::Paid, "mended after {refusals} refusals");
        }
    }
    transfer.stop().await;
}

/// A row that the store refuses, for whatever reason, is stood for by one that says so.
#[tokio::test]
async fn an_order_that_cannot_be_recorded_holds_up_nobody() {
    let (mesh, transfer) = Mesh::with_instance().await;
    transfer.fund(packet(1), "sender", 60).await.unwrap();
    transfer.stop().await;
    let database = mesh.database().await;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON orders WHEN NEW.user_id = 'bob' \
                  BEGIN SELECT RAISE(ABORT, 'not this one'); END";
    let written = database.begin().await.unwrap();
    written.as_ref().execute_unprepared(refuse).await.unwrap();
    written.commit().await.unwrap();

    let ports = mesh.ports().await;
    let owner = Uuid::from_u128(1);
    let now = clock::from_micros(0);
    ports
        .store
        .lease(owner, now, clock::after(now, Duration::from_secs(1)))
        .await
        .unwrap();
    let mut claims = Vec::new();
    let mut partition = None;
    for (share_no, user) in (0..).zip(["alice", "bob", "carol", "alice"]) {
        let (index, seq) = mesh.log.claim(packet(1), share_no, user, 10);
        let at = Partition::new(index, Partition::DEFAULT_COUNT).unwrap();
        partition = Some(at);
        claims.push(LoggedClaim {
            partition: at,
            seq,
            packet_id: packet(1).to_string(),
            share_no,
            user_id: user.to_owned(),
            amount_fen: 10,
            at: None,
            damage: None,
        });
    }
    let batches = BTreeMap::from([(partition.unwrap(), Batch { from_seq: 0, claims })]);
    let refused = settle(&ports, owner, &batches).await.unwrap_err();
    assert!(transfer::ops::isolate::is_refusal(&refused), "{refused}");
    assert_eq!(settle_apart(&ports, owner, &batches).await.unwrap(), []);
    assert_eq!(ports.store.cursors().await.unwrap()[&partition.unwrap()], 4);
    assert_eq!(
        ["alice", "bob", "carol"].map(|user| mesh.bank.wallet(user)),
        [20, 10, 10]
    );
    let case = ports
        .store
        .case(TransferId::unpayable(partition.unwrap(), 2))
        .await
        .unwrap()
        .unwrap();
    assert!(case.events[0].detail.contains("not this one"), "{:?}", case.events);
    assert!(
        ports
            .store
            .order(TransferId::settle(packet(1), 3))
            .await
            .unwrap()
            .is_some()
    );
}
