//! Acts that are cut off, and cases whose records and ledger went apart.

use std::time::Duration;

use id::TransferId;
use proto::{
    account::v1::{self as account, AccountKind},
    transfer::v1::{CaseState, OrderState},
};
use sea_orm::ConnectionTrait;
use tonic::Code;
use transfer::ops::{
    attempts::WINDOW,
    repair::{Repairs, Target, Wish},
};
use uuid::Uuid;

use crate::{
    bank::Fault,
    mesh::{Mesh, cut_after, packet},
    repairing::{STUCK, SUSPENDED, account, case, case_id, events, resolve, retry, retry_as, to, with_cases},
};

/// Packets from here on are each cut off one step later than the one before.
const FIRST_CUT: u8 = 10;
const CUTS: u8 = 120;

/// An act is dropped after each of its polls in turn. Then nobody does anything but recovery; the act is done, or it was
/// never on record and nothing has moved. Nothing is a difference at any time.
async fn cut_everywhere(stuck: bool) {
    let (mesh, transfer) = Mesh::with_instance().await;
    mesh.bank.freeze("bob");
    let packets = FIRST_CUT..FIRST_CUT + CUTS;
    for n in packets.clone() {
        transfer.fund(packet(n), "sender", 30).await.unwrap();
        if stuck {
            mesh.bank.invent(packet(n), -1);
        }
        mesh.log.claim(packet(n), 0, "bob", 30);
    }
    let ports = mesh.ports().await;
    let (store, repairs) = (
        ports.store.clone(),
        Repairs::new(ports, Uuid::from_u128(7), &runtime::Metrics::default()),
    );
    testkit::eventually("cases", async || {
        (store.open_case_count().await.unwrap() == i64::from(CUTS)).then_some(())
    })
    .await;
    if stuck {
        packets.clone().for_each(|n| mesh.bank.invent(packet(n), 1));
    }
    // How many polls an act takes differs from time to time: after its end come cuts a few polls before it, once more.
    let (mut paid, mut never, mut behind, mut polls) = (0, 0, 0, 0_usize);
    for n in packets {
        let wish = Wish {
            request: format!("cut-{n}").parse().unwrap(),
            case: case_id(n).parse().unwrap(),
            operator: "olga".parse().unwrap(),
            reason: "why".to_owned(),
            target: Target::User("carol".parse().unwrap()),
        };
        let ended = cut_after(polls, repairs.act(&wish)).await.is_some();
        assert_eq!(transfer.reconcile().await.differences, [], "cut after {polls}");
        mesh.clock.advance(WINDOW + Duration::from_secs(1));
        repairs.finish_acts().await.unwrap();
        let found = store.case(wish.case).await.unwrap().unwrap();
        if found.events.len() == 1 {
            never += 1;
            assert_eq!(mesh.bank.wallet("carol"), paid, "nothing moves before it is on record");
            repairs.act(&wish).await.unwrap();
        } else if !ended {
            behind += 1;
        }
        paid += 30;
        assert_eq!(mesh.bank.wallet("carol"), paid, "cut after {polls}");
        let found = store.case(wish.case).await.unwrap().unwrap();
        assert_eq!(found.state, transfer::domain::CaseState::Resolved, "cut after {polls}");
        assert_eq!(found.events.len(), 3, "each step is told once: {:?}", found.events);
        if ended && behind > 2 {
            break;
        }
        polls = if ended { polls.saturating_sub(4) } else { polls + 1 };
    }
    assert!(
        never > 0 && behind > 2,
        "cuts before the record: {never}, behind it: {behind}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_on_suspended_money_may_be_cut_anywhere() {
    cut_everywhere(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_on_stuck_money_may_be_cut_anywhere() {
    cut_everywhere(true).await;
}

/// The ledger is away; the act is on record and says so once. When the ledger is back, nobody has to ask again.
#[tokio::test]
async fn an_act_without_an_answer_is_finished_by_itself() {
    let (mesh, transfer) = with_cases().await;
    mesh.bank.unfreeze("bob");
    mesh.bank.set_down(true);
    for _ in 0..3 {
        let failed = retry_as(&transfer, SUSPENDED, "once").await.unwrap_err();
        assert_eq!(failed.code(), Code::Unavailable);
    }
    let delayed = case(&transfer, SUSPENDED).await;
    let actions: Vec<_> = events(&delayed).iter().map(|event| event.1).collect();
    assert_eq!(actions, ["OPENED", "RETRIED", "DELAYED"]);
    mesh.bank.set_down(false);
    mesh.clock.advance(WINDOW);
    let resolved = testkit::eventually("it is finished", async || {
        let case = case(&transfer, SUSPENDED).await;
        (case.state() == CaseState::Resolved).then_some(case)
    });
    assert_eq!(
        events(&resolved.await).last(),
        Some(&("system", "RESOLVED", "paid to bob"))
    );
    assert_eq!(mesh.bank.wallet("bob"), 30);
    let told = retry_as(&transfer, SUSPENDED, "once").await.unwrap();
    assert_eq!(told.outcome.unwrap().result, "DONE");
}

/// The first try is on its way for long; meanwhile a repeat hears that the wallet is frozen. That is no outcome yet, for
/// the first may still be posted, as it then is.
#[tokio::test]
async fn a_refusal_is_no_outcome_while_an_earlier_try_is_on_its_way() {
    let (mesh, transfer) = with_cases().await;
    mesh.bank.fail([Fault::LateEffect]);
    let calls = mesh.bank.calls();
    let first = retry_as(&transfer, SUSPENDED, "one");
    let second = async {
        mesh.bank.is_asked(calls).await;
        let refused = retry_as(&transfer, SUSPENDED, "one").await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
        mesh.bank.unfreeze("bob");
        mesh.bank.let_go();
    };
    let (first, ()) = tokio::join!(first, second);
    assert_eq!(first.unwrap().outcome.unwrap().result, "DONE");
    assert_eq!((mesh.bank.wallet("bob"), mesh.bank.suspense("bob")), (30, 0));
}

/// A funding that was refused for good and is posted all the same gets a case, whose acts bring the money back.
#[tokio::test]
async fn what_was_rejected_but_posted_is_returned() {
    let (mesh, transfer) = Mesh::with_instance().await;
    mesh.bank.deposit("poor", 0);
    let id = TransferId::fund(packet(1));
    transfer.fund(packet(1), "poor", 100).await.unwrap_err();
    mesh.bank.deposit("poor", 100);
    let posted = mesh.bank.post(&account::Transfer {
        transfer_id: id.to_string(),
        debit: Some(account(AccountKind::Wallet, "poor")),
        credit: Some(account(AccountKind::Escrow, &packet(1).to_string())),
        amount_fen: 100,
        reason: account::TransferReason::Fund.into(),
        packet_id: packet(1).to_string(),
    });
    assert_eq!(posted.verdict(), account::PostVerdict::Posted);
    for _ in 0..2 {
        let report = transfer.reconcile().await;
        let kinds: Vec<_> = report.differences.iter().map(|found| found.kind.as_str()).collect();
        assert_eq!(kinds, ["REJECTED_BUT_POSTED"]);
        assert_eq!(report.differences[0].case_id, id.to_string());
    }
    let cases = transfer.cases().await;
    assert_eq!((cases.len(), cases[0].kind.as_str()), (1, "REJECTED_BUT_POSTED"));
    let mut client = transfer.client.clone();
    let request = proto::transfer::v1::RetryRepairCaseRequest {
        case_id: id.to_string(),
        operator_id: "olga".to_owned(),
        reason: "it was refused".to_owned(),
        request_id: "back".to_owned(),
    };
    let case = client
        .retry_repair_case(request)
        .await
        .unwrap()
        .into_inner()
        .case
        .unwrap();
    let order = case.order.as_ref().unwrap();
    assert_eq!(
        (case.state(), order.state()),
        (CaseState::Resolved, OrderState::Rejected)
    );
    assert_eq!(order.paid_to_user_id, "poor");
    assert_eq!((mesh.bank.wallet("poor"), mesh.bank.escrow(packet(1))), (100, 0));
    assert_eq!(transfer.reconcile().await.differences, []);
    let refused = transfer.fund(packet(1), "poor", 100).await.unwrap_err();
    assert_eq!(
        status::reason(&refused),
        "INSUFFICIENT_FUNDS",
        "the first answer stands"
    );
    assert_eq!(mesh.bank.wallet("poor"), 100);
}

/// Neither the wallet nor suspense takes it: the money stays in escrow, and no refund goes past it.
#[tokio::test]
async fn a_packet_is_not_refunded_past_what_is_stuck() {
    let (mesh, transfer) = Mesh::with_instance().await;
    mesh.bank.freeze("bob");
    transfer.fund(packet(1), "sender", 100).await.unwrap();
    mesh.bank.invent(packet(1), -80);
    mesh.log.claim(packet(1), 0, "bob", 30);
    testkit::eventually("a case", async || (transfer.cases().await.len() == 1).then_some(())).await;
    assert_eq!(
        transfer.cases().await[0].order.as_ref().unwrap().state(),
        OrderState::Stuck
    );
    mesh.bank.invent(packet(1), 80);

    let past = transfer.refund(packet(1), "sender", 71).await.unwrap_err();
    assert_eq!(
        (past.code(), status::reason(&past).as_str()),
        (Code::FailedPrecondition, "REFUND_EXCEEDS_REST")
    );
    assert_eq!(mesh.bank.escrow(packet(1)), 100);
    transfer.refund(packet(1), "sender", 70).await.unwrap();
    assert_eq!((mesh.bank.escrow(packet(1)), mesh.bank.wallet("sender")), (30, 999_970));
    assert_eq!(transfer.reconcile().await.differences, []);
    mesh.bank.unfreeze("bob");
    let id = transfer.cases().await[0].case_id.clone();
    assert_eq!(id, case_id(1));
    retry(&transfer, 1).await.unwrap();
    assert_eq!((mesh.bank.wallet("bob"), mesh.bank.escrow(packet(1))), (30, 0));
    assert_eq!(transfer.reconcile().await.differences, []);
}

async fn run(mesh: &Mesh, statements: &[&str]) {
    let transaction = mesh.database().await.begin().await.unwrap();
    for statement in statements {
        transaction.as_ref().execute_unprepared(statement).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

/// A case whose order was lost is shown, and nobody acts on it; reconciliation puts the order back.
#[tokio::test]
async fn a_case_without_its_order_is_shown() {
    let (mesh, transfer) = with_cases().await;
    run(&mesh, &["DELETE FROM orders WHERE kind = 2"]).await;
    let kinds: Vec<_> = transfer
        .cases()
        .await
        .into_iter()
        .map(|case| (case.kind, case.order))
        .collect();
    assert_eq!(
        kinds,
        [("ORDER_MISSING".to_owned(), None), ("ORDER_MISSING".to_owned(), None)]
    );
    let refused = retry(&transfer, SUSPENDED).await.unwrap_err();
    assert_eq!(status::reason(&refused), "CASE_WITHOUT_ORDER");
    let found = transfer.reconcile().await.differences;
    let lost = found.iter().filter(|found| found.kind == "CLAIM_WITHOUT_TRANSFER");
    assert_eq!(lost.count(), 2, "{found:?}");
    mesh.bank.unfreeze("bob");
    for n in [SUSPENDED, STUCK] {
        let case = retry(&transfer, n).await.unwrap();
        assert_eq!(case.state(), CaseState::Resolved);
    }
    assert_eq!((mesh.bank.wallet("bob"), mesh.bank.suspense("bob")), (60, 0));
    assert_eq!(transfer.reconcile().await.differences, []);
}

/// Our records are restored from an old copy, the ledger's are not. What operators did since is found in the ledger: no
/// claim gets a second order that could be paid.
#[tokio::test]
async fn after_a_restore_nothing_is_paid_again() {
    let (mesh, transfer) = with_cases().await;
    resolve(&transfer, SUSPENDED, to("carol")).await.unwrap();
    resolve(&transfer, STUCK, to("carol")).await.unwrap();
    transfer.stop().await;
    run(
        &mesh,
        &[
            "DELETE FROM orders WHERE kind = 2",
            "DELETE FROM repair_cases",
            "DELETE FROM case_events",
            "DELETE FROM repair_acts",
            "UPDATE cursors SET after_seq = 0",
        ],
    )
    .await;
    let transfer = mesh.start().await;
    let report = transfer.settled(2).await;
    assert_eq!(
        report.open_case_count, 1,
        "the one in suspense, as far as the records know"
    );
    let order = transfer.orders(packet(STUCK)).await.remove(1);
    assert_eq!(
        (order.state(), order.paid_to_user_id.as_str()),
        (OrderState::Repaired, "carol")
    );
    // An operator acts again on the other, and hears where it went.
    mesh.bank.unfreeze("bob");
    let late = retry(&transfer, SUSPENDED).await.unwrap_err();
    assert_eq!(status::reason(&late), "CASE_RESOLVED");
    assert!(late.message().contains("paid to carol"), "{late:?}");
    assert_eq!((mesh.bank.wallet("carol"), mesh.bank.wallet("bob")), (60, 0));
    let report = transfer.reconcile().await;
    assert_eq!((report.differences, report.open_case_count), (vec![], 0));
}
