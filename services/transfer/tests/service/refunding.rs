//! `RefundPacket`: what nobody took goes back, once.

use id::TransferId;
use proto::transfer::v1::OrderState;
use tonic::Code;
use transfer::ops::refund::refund;

use crate::{
    bank::Fault,
    mesh::{Mesh, cut_after, packet},
};

#[tokio::test]
async fn what_nobody_took_goes_back_once() {
    let (mesh, transfer) = Mesh::with_instance().await;
    transfer.fund(packet(1), "sender", 100).await.unwrap();
    assert_eq!(transfer.refund(packet(1), "sender", 0).await.unwrap(), None);
    let first = transfer.refund(packet(1), "sender", 40).await.unwrap().unwrap();
    assert_eq!(first.state(), OrderState::Posted);
    assert_eq!(first.transfer_id, TransferId::refund(packet(1)).to_string());
    assert_eq!(transfer.refund(packet(1), "sender", 40).await.unwrap(), Some(first));
    assert_eq!(mesh.bank.escrow(packet(1)), 60);
    for amount_fen in [0, 39, 41, 101] {
        let refused = transfer.refund(packet(1), "sender", amount_fen).await.unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists, "{amount_fen}");
    }
    assert_eq!(transfer.reconcile().await.differences, []);
}

#[tokio::test]
async fn what_was_not_funded_is_not_refunded() {
    let (mesh, transfer) = Mesh::with_instance().await;
    transfer.fund(packet(1), "sender", 100).await.unwrap();
    transfer.fund(packet(2), "alice", 100).await.unwrap_err();
    let table = [
        (packet(3), "sender", 0, "PACKET_NOT_FUNDED"),
        (packet(3), "sender", 1, "PACKET_NOT_FUNDED"),
        (packet(2), "alice", 1, "PACKET_NOT_FUNDED"),
        (packet(1), "alice", 1, "SENDER_MISMATCH"),
        (packet(1), "sender", 101, "REFUND_EXCEEDS_FUNDED"),
    ];
    for (packet, sender, amount_fen, reason) in table {
        let refused = transfer.refund(packet, sender, amount_fen).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert_eq!(status::reason(&refused), reason);
    }
    assert_eq!(mesh.bank.escrow(packet(1)), 100);
}

#[tokio::test]
async fn a_sender_who_cannot_be_paid_gets_a_case() {
    let (mesh, transfer) = Mesh::with_instance().await;
    for n in 1..=2 {
        transfer.fund(packet(n), "sender", 100).await.unwrap();
    }
    mesh.bank.invent(packet(2), -1);
    mesh.bank.freeze("sender");
    let table = [
        (1, OrderState::Suspended, "CREDIT_FROZEN"),
        (2, OrderState::Stuck, "INSUFFICIENT_FUNDS"),
    ];
    for (n, state, failure) in table {
        for _ in 0..2 {
            let order = transfer.refund(packet(n), "sender", 100).await.unwrap().unwrap();
            assert_eq!((order.state(), order.failure.as_str()), (state, failure));
        }
    }
    assert_eq!(transfer.cases().await.len(), 2);
    assert_eq!((mesh.bank.suspense("sender"), mesh.bank.escrow(packet(2))), (100, 99));
}

#[tokio::test]
async fn refunds_at_once_and_lost_answers_have_one_effect() {
    at_once(Mesh::new().await).await;
}

pub async fn at_once(mesh: Mesh) {
    let (mesh, transfer) = mesh.furnished().await;
    let other = mesh.start().await;
    for n in 1..=10 {
        transfer.fund(packet(n), "sender", 100).await.unwrap();
        mesh.bank
            .fail([Fault::LostAnswer, Fault::Before, Fault::None, Fault::LostAnswer]);
        let calls = (0..6).map(|call| {
            let (at, bank) = (if call % 2 == 0 { &transfer } else { &other }, &mesh.bank);
            async move {
                // The sender is frozen and unfrozen in between.
                match call {
                    1 => bank.freeze("sender"),
                    4 => bank.unfreeze("sender"),
                    _ => {}
                }
                testkit::eventually("an answer", async || match at.refund(packet(n), "sender", 100).await {
                    Err(failed) if failed.code() == Code::Unavailable => None,
                    answer => Some(answer.unwrap().unwrap()),
                })
                .await
            }
        });
        let answers = futures::future::join_all(calls).await;
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
        assert_eq!(mesh.bank.escrow(packet(n)), 0);
        mesh.bank.unfreeze("sender");
        mesh.bank.mend();
    }
    assert_eq!(mesh.bank.wallet("sender") + mesh.bank.suspense("sender"), 1_000_000);
    assert_eq!(transfer.reconcile().await.differences, []);
}

#[tokio::test]
async fn cut_off_at_every_await_it_is_refunded_once() {
    cut_off_at_every_await(Mesh::new().await).await;
}

pub async fn cut_off_at_every_await(mesh: Mesh) {
    let (mesh, transfer) = mesh.furnished().await;
    let ports = mesh.ports().await;
    let sender: id::UserId = "sender".parse().unwrap();
    for polls in 1_u8.. {
        let packet = packet(polls);
        transfer.fund(packet, "sender", 100).await.unwrap();
        if polls % 2 == 0 {
            mesh.bank.freeze("sender");
        }
        let done = cut_after(usize::from(polls) / 2, refund(&ports, packet, sender.clone(), 100)).await;
        mesh.bank.unfreeze("sender");
        let order = refund(&ports, packet, sender.clone(), 100).await.unwrap().unwrap();
        assert_ne!(order.state, transfer::domain::State::Stuck);
        assert_eq!(mesh.bank.escrow(packet), 0, "cut after {polls}");
        assert_eq!(mesh.bank.wallet("sender") + mesh.bank.suspense("sender"), 1_000_000);
        if done.is_some() && polls > 30 {
            break;
        }
    }
    assert_eq!(transfer.reconcile().await.differences, []);
}

/// The money is back with the sender, and nobody has recorded it yet.
#[tokio::test]
async fn a_refund_under_way_is_no_difference() {
    let (mesh, transfer) = Mesh::with_instance().await;
    transfer.fund(packet(1), "sender", 100).await.unwrap();
    mesh.bank.fail([Fault::LateAnswer]);
    let look = async {
        testkit::eventually("the ledger has it", async || {
            (mesh.bank.escrow(packet(1)) == 0).then_some(())
        })
        .await;
        let report = transfer.reconcile().await;
        mesh.bank.let_go();
        report
    };
    let (refunded, report) = tokio::join!(transfer.refund(packet(1), "sender", 100), look);
    assert_eq!(report.differences, []);
    refunded.unwrap();
    assert_eq!(transfer.reconcile().await.differences, []);
}
