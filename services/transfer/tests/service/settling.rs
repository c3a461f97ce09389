//! Claims into posted transfers: every claim once, whatever happens on the way.

use std::collections::BTreeMap;

use id::{PacketId, Partition};
use proto::transfer::v1::{self as wire, CaseState, OrderKind, OrderState};
use sea_orm::ConnectionTrait;
use transfer::{
    domain::LoggedClaim,
    ops::{
        Ports,
        settle::{Batch, settle},
    },
};
use uuid::Uuid;

use crate::{
    bank::Fault,
    mesh::{Mesh, PARTITIONS, cut_after, packet},
};

const USERS: [&str; 3] = ["alice", "bob", "carol"];

/// Funds packets 1 to 20 with 60 fen and lets three users open 10, 20 and 30 of each.
async fn play(mesh: &Mesh, transfer: &crate::mesh::Instance) {
    for n in 1..=20 {
        transfer.fund(packet(n), "sender", 60).await.unwrap();
        for (share_no, user) in (0..).zip(USERS) {
            mesh.log.claim(packet(n), share_no, user, i64::from(share_no + 1) * 10);
        }
    }
}

fn all_paid(mesh: &Mesh) {
    assert_eq!(USERS.map(|user| mesh.bank.wallet(user)), [200, 400, 600]);
    assert!((1..=20).all(|n| mesh.bank.escrow(packet(n)) == 0));
}

#[tokio::test]
async fn claims_become_transfers() {
    claims_become_transfers_in(Mesh::new().await).await;
}

pub async fn claims_become_transfers_in(mesh: Mesh) {
    let (mesh, transfer) = mesh.furnished().await;
    play(&mesh, &transfer).await;
    transfer.settled(60).await;
    all_paid(&mesh);
    let report = transfer.reconcile().await;
    assert_eq!(
        (report.packet_count, report.transfer_count, report.open_case_count),
        (20, 80, 0)
    );

    let orders = transfer.orders(packet(7)).await;
    assert_eq!(orders.len(), 4);
    let settle = orders.iter().find(|order| order.share_no == 1).unwrap();
    assert_eq!((settle.kind(), settle.state()), (OrderKind::Settle, OrderState::Posted));
    assert_eq!((settle.user_id.as_str(), settle.amount_fen), ("bob", 20));
    assert!(settle.claim_time.is_some());

    let request = wire::GetTransferRequest {
        transfer_id: settle.transfer_id.clone(),
    };
    let one = transfer
        .client
        .clone()
        .get_transfer(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(one.order.as_ref(), Some(settle));

    let (mut token, mut seen) = (String::new(), Vec::new());
    loop {
        let request = wire::ListTransfersRequest {
            of: Some(wire::list_transfers_request::Of::UserId("bob".to_owned())),
            page_size: 7,
            page_token: token,
        };
        let page = transfer
            .client
            .clone()
            .list_transfers(request)
            .await
            .unwrap()
            .into_inner();
        seen.extend(page.orders.into_iter().map(|order| order.transfer_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 20);
}

#[tokio::test]
async fn a_feed_that_repeats_itself_and_breaks_off_pays_once() {
    let (mesh, transfer) = Mesh::with_instance().await;
    mesh.log.set_repeat(true);
    play(&mesh, &transfer).await;
    mesh.log.set_cut(true);
    for n in 21..=40 {
        transfer.fund(packet(n), "sender", 5).await.unwrap();
        mesh.log.claim(packet(n), 0, "alice", 5);
    }
    transfer.settled(80).await;
    assert_eq!(mesh.bank.wallet("alice"), 300);
    assert!(mesh.log.tails() > usize::from(PARTITIONS), "no stream was cut");
}

#[tokio::test]
async fn a_log_that_was_away_is_caught_up_with() {
    let mesh = Mesh::new().await;
    mesh.log.set_down(true);
    mesh.bank.deposit("sender", 10_000);
    for user in USERS {
        mesh.bank.deposit(user, 0);
    }
    let transfer = mesh.start().await;
    play(&mesh, &transfer).await;
    mesh.log.set_down(false);
    transfer.settled(60).await;
    all_paid(&mesh);
}

#[tokio::test]
async fn a_ledger_that_was_away_is_caught_up_with() {
    let (mesh, transfer) = Mesh::with_instance().await;
    for n in 1..=20 {
        transfer.fund(packet(n), "sender", 60).await.unwrap();
    }
    mesh.bank.set_down(true);
    let before = mesh.bank.calls();
    for n in 1..=20 {
        for (share_no, user) in (0..).zip(USERS) {
            mesh.log.claim(packet(n), share_no, user, i64::from(share_no + 1) * 10);
        }
    }
    testkit::eventually("it is tried again and again", async || {
        (mesh.bank.calls() > before + 2).then_some(())
    })
    .await;
    assert_eq!(transfer.reconcile().await.unsettled_count, 60);
    mesh.bank
        .fail([Fault::LostAnswer, Fault::Before, Fault::LostAnswer, Fault::LostAnswer]);
    mesh.bank.set_down(false);
    transfer.settled(60).await;
    all_paid(&mesh);
}

/// Somebody puts the cursors back under an instance that runs: it reads on from there, and pays nobody twice.
#[tokio::test]
async fn cursors_that_were_put_back_are_gone_on_from() {
    let (mesh, transfer) = Mesh::with_instance().await;
    transfer.fund(packet(1), "sender", 20).await.unwrap();
    mesh.log.claim(packet(1), 0, "alice", 10);
    transfer.settled(1).await;
    let database = mesh.database().await;
    let written = database.begin().await.unwrap();
    let back = "UPDATE cursors SET after_seq = 0";
    written.as_ref().execute_unprepared(back).await.unwrap();
    written.commit().await.unwrap();
    mesh.log.claim(packet(1), 1, "alice", 10);
    transfer.settled(2).await;
    assert_eq!(mesh.bank.wallet("alice"), 20);
}

#[tokio::test]
async fn who_cannot_be_paid_gets_a_case_and_nobody_waits_for_it() {
    let (mesh, transfer) = Mesh::with_instance().await;
    mesh.bank.freeze("bob");
    play(&mesh, &transfer).await;
    transfer.fund(packet(30), "sender", 5).await.unwrap();
    mesh.log.claim(packet(30), 0, "stranger", 5);
    transfer.fund(packet(31), "sender", 5).await.unwrap();
    mesh.log.claim(packet(31), 0, "alice", 6);
    mesh.log.claim(packet(32), 0, "alice", 7);
    let report = transfer.settled(63).await;
    assert_eq!(report.open_case_count, 23);
    assert_eq!(USERS.map(|user| mesh.bank.wallet(user)), [200, 0, 600]);
    assert_eq!((mesh.bank.suspense("bob"), mesh.bank.suspense("stranger")), (400, 5));
    assert_eq!(mesh.bank.escrow(packet(31)), 5);

    let cases = transfer.cases().await;
    let of = |packet: PacketId| {
        let packet = packet.to_string();
        cases
            .iter()
            .find(|case| case.order.as_ref().unwrap().packet_id == packet)
            .unwrap()
    };
    let table = [
        (packet(1), OrderState::Suspended, "CREDIT_FROZEN"),
        (packet(30), OrderState::Suspended, "CREDIT_NOT_FOUND"),
        (packet(31), OrderState::Stuck, "INSUFFICIENT_FUNDS"),
        (packet(32), OrderState::Stuck, "DEBIT_NOT_FOUND"),
    ];
    for (packet, state, failure) in table {
        let case = of(packet);
        let order = case.order.as_ref().unwrap();
        assert_eq!(case.state(), CaseState::Open);
        assert_eq!((order.state(), order.failure.as_str()), (state, failure));
        assert_eq!(case.case_id, order.transfer_id);
        assert_eq!(
            (case.events[0].actor.as_str(), case.events[0].action.as_str()),
            ("system", "OPENED")
        );
    }
}

#[tokio::test]
async fn a_claim_that_cannot_be_understood_is_a_case_and_the_feed_goes_on() {
    let (mesh, transfer) = Mesh::with_instance().await;
    transfer.fund(packet(1), "sender", 60).await.unwrap();
    let text = packet(1).to_string();
    let table = [
        ("no packet", "alice", 5, "", "alice"),
        (text.as_str(), "no user", 5, text.as_str(), ""),
        (text.as_str(), "alice", 0, text.as_str(), "alice"),
        (text.as_str(), "alice", -5, text.as_str(), "alice"),
    ];
    for (packet, user, amount_fen, ..) in table {
        mesh.log.append(packet, 0, user, amount_fen);
    }
    // The share itself is still payable, once; a claim that contradicts it is a case.
    mesh.log.claim(packet(1), 0, "alice", 20);
    mesh.log.claim(packet(1), 0, "bob", 20);
    let report = transfer.settled(6).await;
    assert_eq!(report.open_case_count, 5);
    assert_eq!((mesh.bank.wallet("alice"), mesh.bank.wallet("bob")), (20, 0));
    assert_eq!(mesh.bank.escrow(packet(1)), 40);

    let cases = transfer.cases().await;
    for (_, _, amount_fen, packet, user) in table {
        let fits = |order: &wire::TransferOrder| {
            (order.packet_id.as_str(), order.user_id.as_str(), order.amount_fen) == (packet, user, amount_fen)
                && order.failure == "UNREADABLE_CLAIM"
                && order.state() == OrderState::Stuck
        };
        assert!(
            cases.iter().any(|case| fits(case.order.as_ref().unwrap())),
            "{packet:?} {user:?}"
        );
    }
    assert!(
        cases
            .iter()
            .any(|case| case.order.as_ref().unwrap().failure == "ID_REUSED")
    );
}

/// Leases all partitions for a caller and gives what is in the log behind the cursors.
async fn batches(mesh: &Mesh, ports: &Ports, owner: Uuid) -> BTreeMap<Partition, Batch> {
    use futures::StreamExt;
    let now = mesh.clock.now();
    let until = clock::after(now, std::time::Duration::from_secs(1));
    let mut batches = BTreeMap::new();
    for (partition, from_seq) in ports.store.lease(owner, now, until).await.unwrap() {
        let log = ports.log.tail(partition, from_seq, false).await.unwrap();
        let claims: Vec<Vec<LoggedClaim>> = log.map(|batch| batch.unwrap()).collect().await;
        let claims = claims.concat();
        if !claims.is_empty() {
            batches.insert(partition, Batch { from_seq, claims });
        }
    }
    batches
}

use clock::Clock;

/// The process dies at any instruction of settling a batch with a frozen receiver in it, the receiver is unfrozen, and
/// another process takes over: nobody is paid twice, nobody is left out.
#[tokio::test]
async fn cut_off_at_every_await_everybody_is_paid_once() {
    cut_off_at_every_await(Mesh::new().await).await;
}

pub async fn cut_off_at_every_await(mesh: Mesh) {
    let (mesh, transfer) = mesh.furnished().await;
    let mut claims = 0;
    for n in 1..=60 {
        transfer.fund(packet(n), "sender", 60).await.unwrap();
        claims = i64::from(n) * 3;
    }
    transfer.stop().await;
    let ports = mesh.ports().await;
    let mut fates = [0, 0];
    for (polls, n) in (1..).zip(1..=60) {
        for (share_no, user) in (0..).zip(USERS) {
            mesh.log.claim(packet(n), share_no, user, i64::from(share_no + 1) * 10);
        }
        mesh.bank.freeze("bob");
        let first = Uuid::from_u128(polls);
        let batch = batches(&mesh, &ports, first).await;
        let cut = cut_after(usize::try_from(polls).unwrap() / 2, settle(&ports, first, &batch)).await;
        mesh.bank.unfreeze("bob");
        mesh.clock.advance(std::time::Duration::from_secs(2));

        let second = Uuid::from_u128(1_000 + polls);
        let batch = batches(&mesh, &ports, second).await;
        assert_eq!(settle(&ports, second, &batch).await.unwrap(), []);
        ports.store.retire(second).await.unwrap();
        assert_eq!(mesh.bank.escrow(packet(n)), 0, "cut after {polls}");
        let paid = USERS.map(|user| mesh.bank.wallet(user) + mesh.bank.suspense(user));
        assert_eq!(paid, [10, 20, 30].map(|fen| fen * i64::from(n)), "cut after {polls}");
        fates[usize::from(cut.is_some())] += 1;
    }
    assert!(
        fates.iter().all(|count| *count > 5),
        "cut or came to its end: {fates:?}"
    );
    let transfer = mesh.start().await;
    transfer.settled(claims).await;
}

/// The same with answers that are lost, at every one of the three calls that settling makes.
#[tokio::test]
async fn answers_lost_between_freeze_and_unfreeze_pay_once() {
    let (mesh, transfer) = Mesh::with_instance().await;
    for n in 1..=2 {
        transfer.fund(packet(n), "sender", 60).await.unwrap();
    }
    transfer.stop().await;
    let ports = mesh.ports().await;
    let owner = Uuid::from_u128(1);
    for (n, faults) in [(1, vec![Fault::LostAnswer]), (2, vec![Fault::None, Fault::LostAnswer])] {
        mesh.log.claim(packet(n), 0, "bob", 60);
        mesh.bank.freeze("bob");
        mesh.bank.fail(faults);
        let batch = batches(&mesh, &ports, owner).await;
        settle(&ports, owner, &batch).await.unwrap_err();
        mesh.bank.unfreeze("bob");
        settle(&ports, owner, &batch).await.unwrap();
        assert_eq!(mesh.bank.escrow(packet(n)), 0);
    }
    assert_eq!((mesh.bank.wallet("bob"), mesh.bank.suspense("bob")), (60, 60));
    ports.store.retire(owner).await.unwrap();
    let transfer = mesh.start().await;
    transfer.settled(2).await;
}
