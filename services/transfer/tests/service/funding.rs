//! `FundPacket`: once, or refused for good.

use std::time::Duration;

use id::TransferId;
use proto::transfer::v1::OrderState;
use runtime::Process;
use tonic::Code;
use transfer::ops::{attempts::WINDOW, fund::Fund};

use crate::{
    bank::Fault,
    mesh::{Mesh, cut_after, packet},
};

#[tokio::test]
async fn a_packet_is_funded_once() {
    let (mesh, transfer) = Mesh::with_instance().await;
    let first = transfer.fund(packet(1), "sender", 500).await.unwrap();
    assert_eq!(first.state(), OrderState::Posted);
    assert_eq!(first.transfer_id, TransferId::fund(packet(1)).to_string());
    assert_eq!(transfer.fund(packet(1), "sender", 500).await.unwrap(), first);
    assert_eq!(mesh.bank.escrow(packet(1)), 500);
    assert_eq!(mesh.bank.wallet("sender"), 999_500);

    for (sender, amount_fen) in [("sender", 501), ("alice", 500)] {
        let refused = transfer.fund(packet(1), sender, amount_fen).await.unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists);
    }
    assert_eq!(mesh.bank.calls(), 1);
}

#[tokio::test]
async fn a_refusal_is_final() {
    let (mesh, transfer) = Mesh::with_instance().await;
    mesh.bank.deposit("poor", 99);
    mesh.bank.deposit("cold", 1_000);
    mesh.bank.freeze("cold");
    let table = [
        (packet(1), "nobody", "ACCOUNT_NOT_FOUND", "0"),
        (packet(2), "cold", "ACCOUNT_FROZEN", "1000"),
        (packet(3), "poor", "INSUFFICIENT_FUNDS", "99"),
    ];
    for round in ["first", "repeated, although it would go now"] {
        for (packet, sender, reason, balance) in table {
            let refused = transfer.fund(packet, sender, 100).await.unwrap_err();
            assert_eq!(refused.code(), Code::FailedPrecondition, "{round}");
            assert_eq!(status::reason(&refused), reason, "{round}");
            assert_eq!(
                status::metadata(&refused, "balance_fen").as_deref(),
                Some(balance),
                "{round}"
            );
            assert_eq!(
                status::metadata(&refused, "needed_fen").as_deref(),
                Some("100"),
                "{round}"
            );
            assert_eq!(transfer.orders(packet).await[0].state(), OrderState::Rejected);
        }
        mesh.bank.deposit("nobody", 100);
        mesh.bank.deposit("poor", 100);
        mesh.bank.unfreeze("cold");
    }
    assert_eq!(mesh.bank.calls(), 3);
    assert_eq!(transfer.reconcile().await.differences, []);
}

#[tokio::test]
async fn a_ledger_that_says_no_just_now_is_asked_again() {
    let (mesh, transfer) = Mesh::with_instance().await;
    mesh.bank.fail([Fault::Before]);
    let failed = transfer.fund(packet(1), "sender", 500).await.unwrap_err();
    assert_eq!(failed.code(), Code::Unavailable);
    assert_eq!(transfer.orders(packet(1)).await[0].state(), OrderState::Pending);
    transfer.fund(packet(1), "sender", 500).await.unwrap();
    assert_eq!(mesh.bank.escrow(packet(1)), 500);
}

/// Nobody has to wait until the window of a try that was cut off has passed.
#[tokio::test]
async fn a_lost_answer_is_found_again() {
    let (mesh, transfer) = Mesh::with_instance().await;
    mesh.bank.fail([Fault::LostAnswer]);
    let failed = transfer.fund(packet(1), "sender", 500).await.unwrap_err();
    assert_eq!(failed.code(), Code::Unavailable);
    let order = transfer.fund(packet(1), "sender", 500).await.unwrap();
    assert_eq!(order.state(), OrderState::Posted);
    assert_eq!(mesh.bank.escrow(packet(1)), 500);
    assert_eq!(mesh.bank.calls(), 2);
}

/// The first call is refused, but hears of it late; meanwhile a deposit comes in and a second call for the same packet, by
/// another instance, is posted. The first must not record its refusal any more.
#[tokio::test]
async fn a_refusal_on_its_way_does_not_count_when_another_posts() {
    a_refusal_on_its_way(Mesh::new().await).await;
}

pub async fn a_refusal_on_its_way(mesh: Mesh) {
    let (mesh, transfer) = mesh.furnished().await;
    let other = mesh.start().await;
    mesh.bank.deposit("poor", 0);
    // The second is late as well: it is posted, and nothing says so when the first hears its refusal.
    mesh.bank.fail([Fault::LateAnswer, Fault::LateAnswer]);
    let first = async {
        let first = transfer.fund(packet(1), "poor", 100).await;
        mesh.bank.let_go();
        first
    };
    let second = async {
        at_the_ledger(&mesh, 1).await;
        mesh.bank.deposit("poor", 100);
        other.fund(packet(1), "poor", 100).await
    };
    let going = async {
        at_the_ledger(&mesh, 2).await;
        mesh.bank.let_go();
    };
    let (first, second, ()) = tokio::join!(first, second, going);
    assert_eq!(second.unwrap().state(), OrderState::Posted);
    if let Err(failed) = first {
        assert_eq!(failed.code(), Code::Unavailable, "{failed:?}");
    }
    let repeated = transfer.fund(packet(1), "poor", 100).await.unwrap();
    assert_eq!(repeated.state(), OrderState::Posted);
    assert_eq!(mesh.bank.escrow(packet(1)), 100);
    assert_eq!(mesh.bank.calls(), 2);
}

/// The first call is on its way to the ledger for long; meanwhile a second one, by another instance, is refused. That must
/// not be recorded, for the first may yet be posted.
#[tokio::test]
async fn a_posting_on_its_way_keeps_others_from_refusing() {
    a_posting_on_its_way(Mesh::new().await).await;
}

pub async fn a_posting_on_its_way(mesh: Mesh) {
    let (mesh, transfer) = mesh.furnished().await;
    let other = mesh.start().await;
    mesh.bank.deposit("poor", 0);
    // That the ledger could not do the second just now says nothing of the first.
    mesh.bank.fail([Fault::LateEffect, Fault::Before]);
    let first = transfer.fund(packet(1), "poor", 100);
    let second = async {
        at_the_ledger(&mesh, 1).await;
        for _ in 0..3 {
            let refused = other.fund(packet(1), "poor", 100).await.unwrap_err();
            assert_eq!(refused.code(), Code::Unavailable);
        }
        mesh.bank.deposit("poor", 100);
        mesh.bank.let_go();
    };
    let (first, ()) = tokio::join!(first, second);
    assert_eq!(first.unwrap().state(), OrderState::Posted);
    assert_eq!(mesh.bank.escrow(packet(1)), 100);
    assert_eq!(mesh.bank.calls(), 4);
}

/// A refusal that nothing can contradict any more is final, also after somebody was cut off.
#[tokio::test]
async fn a_refusal_counts_when_the_window_has_passed() {
    let (mesh, transfer) = Mesh::with_instance().await;
    mesh.bank.deposit("poor", 0);
    mesh.bank.fail([Fault::LostAnswer]);
    for _ in 0..2 {
        let failed = transfer.fund(packet(1), "poor", 100).await.unwrap_err();
        assert_eq!(failed.code(), Code::Unavailable);
    }
    mesh.clock.advance(WINDOW);
    let refused = transfer.fund(packet(1), "poor", 100).await.unwrap_err();
    assert_eq!(status::reason(&refused), "INSUFFICIENT_FUNDS");
}

async fn at_the_ledger(mesh: &Mesh, calls: usize) {
    testkit::eventually("the ledger is asked", async || {
        (mesh.bank.calls() == calls).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_goes_away_changes_nothing() {
    let (mesh, transfer) = Mesh::with_instance().await;
    mesh.bank.fail([Fault::LateAnswer]);
    let call = transfer.fund(packet(1), "sender", 500);
    assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err());
    testkit::eventually("the ledger has it", async || (mesh.bank.calls() == 1).then_some(())).await;
    mesh.bank.let_go();
    testkit::eventually("the order is posted", async || {
        let orders = transfer.orders(packet(1)).await;
        (orders[0].state() == OrderState::Posted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn many_calls_at_once_have_one_outcome() {
    many_calls_at_once(Mesh::new().await).await;
}

pub async fn many_calls_at_once(mesh: Mesh) {
    let (mesh, transfer) = mesh.furnished().await;
    let other = mesh.start().await;
    for n in 0..10 {
        let sender = format!("s{n}");
        mesh.bank.deposit(&sender, 99);
        let calls = (0..8).map(|call| {
            let (at, bank, sender) = (if call % 2 == 0 { &transfer } else { &other }, &mesh.bank, &sender);
            async move {
                if call == 3 {
                    bank.deposit(sender, 1);
                }
                testkit::eventually("an answer", async || match at.fund(packet(n), sender, 100).await {
                    Err(failed) if failed.code() == Code::Unavailable => None,
                    answer => Some(answer.is_ok()),
                })
                .await
            }
        });
        let answers = futures::future::join_all(calls).await;
        let posted = mesh.bank.has(TransferId::fund(packet(n)));
        assert!(
            answers.iter().all(|answer| *answer == posted),
            "{answers:?}, posted: {posted}"
        );
    }
}

/// The whole process dies at any instruction: the repeat, once nothing can follow, has the one effect.
#[tokio::test]
async fn cut_off_at_every_await_it_is_funded_once() {
    cut_off_at_every_await(Mesh::new().await).await;
}

pub async fn cut_off_at_every_await(mesh: Mesh) {
    mesh.bank.deposit("sender", 1_000_000);
    let ports = mesh.ports().await;
    for polls in 1_u8.. {
        let (packet, sender) = (packet(polls), "sender".parse::<id::UserId>().unwrap());
        let fund = Fund::new(
            ports.clone(),
            Process::new(),
            uuid::Uuid::from_u128(u128::from(polls) << 64),
        );
        let done = cut_after(polls.into(), fund.fund(packet, sender.clone(), 100)).await;
        mesh.clock.advance(WINDOW);
        let order = fund.fund(packet, sender, 100).await.unwrap();
        assert_eq!(order.state, transfer::domain::State::Posted);
        assert_eq!(mesh.bank.escrow(packet), 100, "cut after {polls} polls");
        if done.is_some() {
            assert!(polls > 1, "nothing was cut");
            break;
        }
    }
}
