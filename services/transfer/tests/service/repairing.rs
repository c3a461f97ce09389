//! Repair cases: an operator moves on what automation could not.

use id::TransferId;
use proto::transfer::v1::{self as wire, CaseState, OrderState, resolve_repair_case_request::To};
use tonic::{Code, Status};

use crate::{
    bank::Fault,
    mesh::{Instance, Mesh, packet},
};

const SUSPENDED: u8 = 1;
const STUCK: u8 = 2;

/// A mesh where bob is frozen and has two cases: 30 fen of packet 1 in suspense, 30 fen of packet 2 stuck in escrow, which
/// was one fen short.
async fn with_cases() -> (Mesh, Instance) {
    with_cases_in(Mesh::new().await).await
}

async fn with_cases_in(mesh: Mesh) -> (Mesh, Instance) {
    let (mesh, transfer) = mesh.furnished().await;
    mesh.bank.freeze("bob");
    for n in [SUSPENDED, STUCK] {
        transfer.fund(packet(n), "sender", 30).await.unwrap();
    }
    mesh.bank.invent(packet(STUCK), -1);
    for n in [SUSPENDED, STUCK] {
        mesh.log.claim(packet(n), 0, "bob", 30);
    }
    testkit::eventually("two cases", async || (transfer.cases().await.len() == 2).then_some(())).await;
    mesh.bank.invent(packet(STUCK), 1);
    (mesh, transfer)
}

fn case_id(n: u8) -> String {
    TransferId::settle(packet(n), 0).to_string()
}

async fn retry(transfer: &Instance, n: u8) -> Result<wire::RepairCase, Status> {
    let request = wire::RetryRepairCaseRequest {
        case_id: case_id(n),
        operator_id: "op-1".to_owned(),
        reason: "the user asked".to_owned(),
    };
    let answer = transfer.client.clone().retry_repair_case(request).await?;
    Ok(answer.into_inner().case.unwrap())
}

async fn resolve(transfer: &Instance, n: u8, to: To) -> Result<wire::RepairCase, Status> {
    let request = wire::ResolveRepairCaseRequest {
        case_id: case_id(n),
        operator_id: "op-2".to_owned(),
        reason: "家人代收".to_owned(),
        to: Some(to),
    };
    let answer = transfer.client.clone().resolve_repair_case(request).await?;
    Ok(answer.into_inner().case.unwrap())
}

fn to(user: &str) -> To {
    To::RedirectUserId(user.to_owned())
}

fn events(case: &wire::RepairCase) -> Vec<(&str, &str, &str)> {
    let events = case.events.iter();
    events
        .map(|event| (event.actor.as_str(), event.action.as_str(), event.reason.as_str()))
        .collect()
}

#[tokio::test]
async fn a_retry_resolves_what_the_wallet_can_take_again() {
    let (mesh, transfer) = with_cases().await;
    for (n, verdict) in [(SUSPENDED, "to bob: CREDIT_FROZEN"), (STUCK, "to bob: CREDIT_FROZEN")] {
        let case = retry(&transfer, n).await.unwrap();
        assert_eq!(case.state(), CaseState::Open);
        let tail = [("op-1", "RETRIED", "the user asked"), ("system", "REFUSED", verdict)];
        assert_eq!(events(&case)[1..], tail);
    }
    mesh.bank.unfreeze("bob");
    for n in [SUSPENDED, STUCK] {
        let case = retry(&transfer, n).await.unwrap();
        assert_eq!(case.state(), CaseState::Resolved);
        assert_eq!(case.order.as_ref().unwrap().state(), OrderState::Repaired);
        let tail = [
            ("op-1", "RETRIED", "the user asked"),
            ("system", "RESOLVED", "paid to bob"),
        ];
        assert_eq!(events(&case)[3..], tail);
        for refused in [retry(&transfer, n).await, resolve(&transfer, n, to("carol")).await] {
            let refused = refused.unwrap_err();
            assert_eq!(refused.code(), Code::FailedPrecondition);
            assert_eq!(status::reason(&refused), "CASE_RESOLVED");
        }
    }
    assert_eq!((mesh.bank.wallet("bob"), mesh.bank.suspense("bob")), (60, 0));
    let report = transfer.reconcile().await;
    assert_eq!((report.differences, report.open_case_count), (vec![], 0));
}

#[tokio::test]
async fn an_operator_redirects_or_returns() {
    let (mesh, transfer) = with_cases().await;
    let case = resolve(&transfer, SUSPENDED, to("carol")).await.unwrap();
    assert_eq!(case.state(), CaseState::Resolved);
    assert_eq!(
        events(&case)[1..],
        [
            ("op-2", "REDIRECTED", "to carol: 家人代收"),
            ("system", "RESOLVED", "paid to carol"),
        ]
    );
    let case = resolve(&transfer, STUCK, To::ReturnToSender(wire::ReturnToSender {}))
        .await
        .unwrap();
    assert_eq!(
        events(&case)[1..],
        [
            ("op-2", "RETURNED", "to sender: 家人代收"),
            ("system", "RESOLVED", "paid to sender"),
        ]
    );
    assert_eq!((mesh.bank.wallet("carol"), mesh.bank.wallet("sender")), (30, 999_970));
    assert_eq!((mesh.bank.suspense("bob"), mesh.bank.escrow(packet(STUCK))), (0, 0));
    assert_eq!(transfer.reconcile().await.differences, []);

    let list = async |state: CaseState| {
        let request = wire::ListRepairCasesRequest {
            state: state.into(),
            ..Default::default()
        };
        let cases = transfer.client.clone().list_repair_cases(request).await.unwrap();
        cases.into_inner().cases.len()
    };
    assert_eq!((list(CaseState::Open).await, list(CaseState::Resolved).await), (0, 2));
}

#[tokio::test]
async fn an_act_whose_answer_is_lost_is_found_again() {
    let (mesh, transfer) = with_cases().await;
    for n in [SUSPENDED, STUCK] {
        mesh.bank.fail([Fault::LostAnswer]);
        let lost = resolve(&transfer, n, to("carol")).await.unwrap_err();
        assert_eq!(lost.code(), Code::Unavailable);
    }
    // The same again finds it done.
    let case = resolve(&transfer, SUSPENDED, to("carol")).await.unwrap();
    assert_eq!(case.state(), CaseState::Resolved);
    // Another target is too late: the books show where it went.
    let late = resolve(&transfer, STUCK, to("alice")).await.unwrap_err();
    assert_eq!(status::reason(&late), "CASE_RESOLVED");
    assert_eq!((mesh.bank.wallet("carol"), mesh.bank.wallet("alice")), (60, 0));
    let cases = transfer.cases().await;
    let case = cases.iter().find(|case| case.case_id == case_id(STUCK)).unwrap();
    assert_eq!(events(case).last(), Some(&("system", "RESOLVED", "paid to carol")));
    assert_eq!(transfer.reconcile().await.differences, []);
}

#[tokio::test]
async fn acts_at_once_pay_once() {
    acts_at_once(Mesh::new().await).await;
}

pub async fn acts_at_once(mesh: Mesh) {
    let (mesh, transfer) = with_cases_in(mesh).await;
    mesh.bank.unfreeze("bob");
    let other = mesh.start().await;
    for n in [SUSPENDED, STUCK] {
        let (first, second, third, fourth) = tokio::join!(
            retry(&transfer, n),
            resolve(&other, n, to("carol")),
            resolve(&transfer, n, to("alice")),
            retry(&other, n),
        );
        assert!([first, second, third, fourth].iter().any(Result::is_ok));
    }
    let paid = ["alice", "bob", "carol"].map(|user| mesh.bank.wallet(user));
    assert_eq!(paid.iter().sum::<i64>(), 60, "{paid:?}");
    assert_eq!(mesh.bank.suspense("bob") + mesh.bank.escrow(packet(STUCK)), 0);
    let report = transfer.reconcile().await;
    assert_eq!((report.differences, report.open_case_count), (vec![], 0));
}

/// The money has left the escrow, and nobody has recorded it yet.
#[tokio::test]
async fn a_repair_under_way_is_no_difference() {
    let (mesh, transfer) = with_cases().await;
    mesh.bank.fail([Fault::LateAnswer]);
    let look = async {
        testkit::eventually("the ledger has it", async || {
            (mesh.bank.wallet("carol") == 30).then_some(())
        })
        .await;
        let report = transfer.reconcile().await;
        mesh.bank.let_go();
        report
    };
    let (case, report) = tokio::join!(resolve(&transfer, STUCK, to("carol")), look);
    assert_eq!((report.differences, report.open_case_count), (vec![], 2));
    assert_eq!(case.unwrap().state(), CaseState::Resolved);
    assert_eq!(transfer.reconcile().await.differences, []);
}

/// The order says STUCK, the ledger suspense: a posting went through that was never recorded.
#[tokio::test]
async fn money_found_in_suspense_is_sent_on_from_there() {
    let (mesh, transfer) = with_cases().await;
    let posted = mesh.bank.post(&proto::account::v1::Transfer {
        transfer_id: case_id(STUCK),
        debit: Some(account(
            proto::account::v1::AccountKind::Escrow,
            &packet(STUCK).to_string(),
        )),
        credit: Some(account(proto::account::v1::AccountKind::Suspense, "bob")),
        amount_fen: 30,
        reason: proto::account::v1::TransferReason::Suspense.into(),
        packet_id: packet(STUCK).to_string(),
    });
    assert_eq!(posted.verdict(), proto::account::v1::PostVerdict::Posted);
    let case = resolve(&transfer, STUCK, to("carol")).await.unwrap();
    assert_eq!(case.state(), CaseState::Resolved);
    assert_eq!((mesh.bank.wallet("carol"), mesh.bank.suspense("bob")), (30, 30));
    assert_eq!(transfer.reconcile().await.differences, []);
}

fn account(kind: proto::account::v1::AccountKind, owner: &str) -> proto::account::v1::AccountRef {
    proto::account::v1::AccountRef {
        kind: kind.into(),
        owner: owner.to_string(),
    }
}

#[tokio::test]
async fn a_claim_that_names_no_packet_cannot_be_paid_by_anyone() {
    let (mesh, transfer) = Mesh::with_instance().await;
    mesh.log.append("?", 0, "alice", 5);
    let cases = testkit::eventually("a case", async || {
        Some(transfer.cases().await).filter(|cases| !cases.is_empty())
    });
    let request = wire::RetryRepairCaseRequest {
        case_id: cases.await[0].case_id.clone(),
        operator_id: "op-1".to_owned(),
        reason: "why not".to_owned(),
    };
    let refused = transfer.client.clone().retry_repair_case(request).await.unwrap_err();
    assert_eq!(status::reason(&refused), "CASE_UNPAYABLE");
}
