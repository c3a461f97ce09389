//! What is no outcome of an act: what somebody hears while another try may still take effect, or of other money.

use proto::{
    account::v1::AccountKind,
    transfer::v1::{CaseState, OrderState},
};
use tonic::Code;
use transfer::ops::{
    attempts::WINDOW,
    repair::{Repairs, Target, Wish},
};
use uuid::Uuid;

use crate::{
    bank::Fault,
    mesh::packet,
    repairing::{STUCK, SUSPENDED, account, case, case_id, events, resolve_as, retry_as, to, with_cases},
};

/// The ledger refuses the whole call, which is an outcome where nothing is on its way; here it closes nobody else's window.
#[tokio::test]
async fn a_refused_call_is_no_outcome_while_an_earlier_try_is_on_its_way() {
    let (mesh, transfer) = with_cases().await;
    mesh.bank.unfreeze("bob");
    mesh.bank.fail([Fault::LateEffect]);
    let calls = mesh.bank.calls();
    let first = retry_as(&transfer, SUSPENDED, "one");
    let others = async {
        mesh.bank.is_asked(calls).await;
        mesh.bank.choke_on("bob");
        for _ in 0..2 {
            let refused = retry_as(&transfer, SUSPENDED, "one").await.unwrap_err();
            assert_eq!(refused.code(), Code::Unavailable);
        }
        mesh.bank.let_go();
    };
    let (first, ()) = tokio::join!(first, others);
    assert_eq!(first.unwrap().outcome.unwrap().result, "DONE");
    assert_eq!(mesh.bank.wallet("bob"), 30);
}

/// Somebody took over from the first try. What that one hears in the end is no outcome unless money moved.
#[tokio::test]
async fn who_was_taken_over_from_may_not_refuse() {
    let (mesh, transfer) = with_cases().await;
    mesh.bank.fail([Fault::LateEffect]);
    let calls = mesh.bank.calls();
    let first = retry_as(&transfer, SUSPENDED, "one");
    let second = async {
        mesh.bank.is_asked(calls).await;
        let refused = retry_as(&transfer, SUSPENDED, "one").await;
        mesh.bank.let_go();
        refused
    };
    let (first, second) = tokio::join!(first, second);
    for refused in [first, second] {
        assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
    }
    let case = case(&transfer, SUSPENDED).await;
    let actions: Vec<_> = events(&case).iter().map(|event| event.1).collect();
    assert_eq!(actions, ["OPENED", "RETRIED"]);
}

/// The answer to the first try is lost: a refusal proves nothing until that one can no longer take effect.
#[tokio::test]
async fn a_refusal_is_the_outcome_when_the_window_of_a_lost_answer_has_passed() {
    let (mesh, transfer) = with_cases().await;
    mesh.bank.fail([Fault::LostAnswer]);
    for _ in 0..2 {
        let failed = retry_as(&transfer, SUSPENDED, "one").await.unwrap_err();
        assert_eq!(failed.code(), Code::Unavailable);
    }
    mesh.clock.advance(WINDOW);
    let refused = retry_as(&transfer, SUSPENDED, "one").await.unwrap().outcome.unwrap();
    assert_eq!(
        (refused.result.as_str(), refused.verdict.as_str()),
        ("REFUSED", "CREDIT_FROZEN")
    );
}

/// One act that the ledger cannot do just now keeps no other from being finished, and is tried again at once: what was said in
/// answer to it is known.
#[tokio::test]
async fn each_act_is_finished_by_itself() {
    let (mesh, transfer) = with_cases().await;
    transfer.stop().await;
    mesh.bank.unfreeze("bob");
    let ports = mesh.ports().await;
    let (store, repairs) = (
        ports.store.clone(),
        Repairs::new(ports, Uuid::from_u128(7), &runtime::Metrics::default()),
    );
    mesh.bank.set_down(true);
    for n in [SUSPENDED, STUCK] {
        let wish = Wish {
            request: format!("cut-{n}").parse().unwrap(),
            case: case_id(n).parse().unwrap(),
            operator: "olga".parse().unwrap(),
            reason: "why".to_owned(),
            target: Target::Receiver,
        };
        repairs.act(&wish).await.unwrap_err();
    }
    mesh.bank.set_down(false);
    mesh.clock.advance(WINDOW);
    mesh.bank.fail([Fault::Before]);
    repairs.finish_acts().await.unwrap_err();
    assert_eq!(store.open_case_count().await.unwrap(), 1, "the other is done");
    assert_eq!(repairs.finish_acts().await.unwrap(), 1);
    assert_eq!(
        (store.open_case_count().await.unwrap(), mesh.bank.wallet("bob")),
        (0, 60)
    );
}

/// The ledger has moved other money under the order's id: where that went says nothing of this money.
#[tokio::test]
async fn an_id_that_moved_other_money_resolves_nothing() {
    let (mesh, transfer) = with_cases().await;
    let posted = mesh.bank.post(&proto::account::v1::Transfer {
        transfer_id: case_id(STUCK),
        debit: Some(account(AccountKind::Escrow, &packet(STUCK).to_string())),
        credit: Some(account(AccountKind::Wallet, "carol")),
        amount_fen: 29,
        reason: proto::account::v1::TransferReason::Repair.into(),
        packet_id: packet(STUCK).to_string(),
    });
    assert_eq!(posted.verdict(), proto::account::v1::PostVerdict::Posted);
    let answer = resolve_as(&transfer, STUCK, "other", to("carol")).await.unwrap();
    let (case, outcome) = (answer.case.unwrap(), answer.outcome.unwrap());
    assert_eq!(
        (outcome.result.as_str(), outcome.verdict.as_str()),
        ("REFUSED", "ID_REUSED")
    );
    assert_eq!(
        (case.state(), case.order.unwrap().state()),
        (CaseState::Open, OrderState::Stuck)
    );
}
