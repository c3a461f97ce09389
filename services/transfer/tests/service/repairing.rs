//! Repair cases: an operator moves on what automation could not.

use std::sync::atomic::{AtomicU32, Ordering};

use id::TransferId;
use proto::{
    account::v1::AccountKind,
    transfer::v1::{self as wire, CaseState, OrderState, resolve_repair_case_request::To},
};
use tonic::{Code, Status};

use crate::{
    bank::Fault,
    mesh::{Instance, Mesh, packet},
};

pub const SUSPENDED: u8 = 1;
pub const STUCK: u8 = 2;

/// A mesh where bob is frozen and has two cases: 30 fen of packet 1 in suspense, 30 fen of packet 2 stuck in escrow, which
/// was one fen short.
pub async fn with_cases() -> (Mesh, Instance) {
    with_cases_in(Mesh::new().await).await
}

pub async fn with_cases_in(mesh: Mesh) -> (Mesh, Instance) {
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

pub fn case_id(n: u8) -> String {
    TransferId::settle(packet(n), 0).to_string()
}

/// A request id that was not used before.
fn fresh() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("r-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub async fn retry_as(transfer: &Instance, n: u8, request: &str) -> Result<wire::RetryRepairCaseResponse, Status> {
    let request = wire::RetryRepairCaseRequest {
        case_id: case_id(n),
        operator_id: "op-1".to_owned(),
        reason: "the user asked".to_owned(),
        request_id: request.to_owned(),
    };
    Ok(transfer.client.clone().retry_repair_case(request).await?.into_inner())
}

pub async fn resolve_as(
    transfer: &Instance,
    n: u8,
    request: &str,
    to: To,
) -> Result<wire::ResolveRepairCaseResponse, Status> {
    let request = wire::ResolveRepairCaseRequest {
        case_id: case_id(n),
        operator_id: "op-2".to_owned(),
        reason: "家人代收".to_owned(),
        to: Some(to),
        request_id: request.to_owned(),
    };
    Ok(transfer.client.clone().resolve_repair_case(request).await?.into_inner())
}

pub async fn retry(transfer: &Instance, n: u8) -> Result<wire::RepairCase, Status> {
    Ok(retry_as(transfer, n, &fresh()).await?.case.unwrap())
}

pub async fn resolve(transfer: &Instance, n: u8, to: To) -> Result<wire::RepairCase, Status> {
    Ok(resolve_as(transfer, n, &fresh(), to).await?.case.unwrap())
}

pub async fn case(transfer: &Instance, n: u8) -> wire::RepairCase {
    let request = wire::GetRepairCaseRequest { case_id: case_id(n) };
    let answer = transfer.client.clone().get_repair_case(request).await.unwrap();
    answer.into_inner().case.unwrap()
}

pub fn to(user: &str) -> To {
    To::RedirectUserId(user.to_owned())
}

pub fn events(case: &wire::RepairCase) -> Vec<(&str, &str, &str)> {
    let events = case.events.iter();
    events
        .map(|event| (event.actor.as_str(), event.action.as_str(), event.reason.as_str()))
        .collect()
}

#[tokio::test]
async fn a_retry_resolves_what_the_wallet_can_take_again() {
    let (mesh, transfer) = with_cases().await;
    for n in [SUSPENDED, STUCK] {
        let answer = retry_as(&transfer, n, &format!("first-{n}")).await.unwrap();
        let (case, outcome) = (answer.case.unwrap(), answer.outcome.unwrap());
        assert_eq!(
            (outcome.result.as_str(), outcome.verdict.as_str()),
            ("REFUSED", "CREDIT_FROZEN")
        );
        assert_eq!((case.state(), case.kind.as_str()), (CaseState::Open, "UNDELIVERED"));
        let tail = [
            ("op-1", "RETRIED", "the user asked"),
            ("system", "REFUSED", "to bob: CREDIT_FROZEN"),
        ];
        assert_eq!(events(&case)[1..], tail);
        let names: Vec<_> = case.events.iter().map(|event| event.request_id.clone()).collect();
        assert_eq!(names, [String::new(), format!("first-{n}"), format!("first-{n}")]);
        assert_eq!(case.events[2].detail, "CREDIT_FROZEN");
    }
    mesh.bank.unfreeze("bob");
    for n in [SUSPENDED, STUCK] {
        let case = retry(&transfer, n).await.unwrap();
        assert_eq!(case.state(), CaseState::Resolved);
        let order = case.order.as_ref().unwrap();
        assert_eq!(
            (order.state(), order.paid_to_user_id.as_str()),
            (OrderState::Repaired, "bob")
        );
        let tail = [
            ("op-1", "RETRIED", "the user asked"),
            ("system", "RESOLVED", "paid to bob"),
        ];
        assert_eq!(events(&case)[3..], tail);
        for refused in [retry(&transfer, n).await, resolve(&transfer, n, to("carol")).await] {
            let refused = refused.unwrap_err();
            assert_eq!(refused.code(), Code::FailedPrecondition);
            assert_eq!(status::reason(&refused), "CASE_RESOLVED");
            assert!(
                refused.message().contains("paid to bob, as op-1 decided"),
                "{refused:?}"
            );
        }
    }
    assert_eq!((mesh.bank.wallet("bob"), mesh.bank.suspense("bob")), (60, 0));
    let report = transfer.reconcile().await;
    assert_eq!((report.differences, report.open_case_count), (vec![], 0));
}

/// ID-1: whatever has changed since, the same request gives the first outcome, and another one under its id is refused.
#[tokio::test]
async fn a_request_has_one_outcome() {
    let (mesh, transfer) = with_cases().await;
    let first = retry_as(&transfer, SUSPENDED, "one").await.unwrap();
    mesh.bank.unfreeze("bob");
    let calls = mesh.bank.calls();
    let again = retry_as(&transfer, SUSPENDED, "one").await.unwrap();
    assert_eq!(again, first);
    for refused in [
        retry_as(&transfer, STUCK, "one").await.map(|_| ()),
        resolve_as(&transfer, SUSPENDED, "one", to("bob")).await.map(|_| ()),
    ] {
        let refused = refused.unwrap_err();
        assert_eq!(
            (refused.code(), status::reason(&refused).as_str()),
            (Code::AlreadyExists, "REQUEST_ID_REUSED")
        );
    }
    assert_eq!(
        (mesh.bank.calls(), mesh.bank.wallet("bob")),
        (calls, 0),
        "nothing was asked of the ledger"
    );

    let done = retry_as(&transfer, SUSPENDED, "two").await.unwrap();
    assert_eq!(done.outcome.as_ref().unwrap().result, "DONE");
    let again = retry_as(&transfer, SUSPENDED, "two").await.unwrap();
    assert_eq!(again, done);
    let again = retry_as(&transfer, SUSPENDED, "one").await.unwrap();
    assert_eq!(
        again.outcome, first.outcome,
        "also when the case was resolved by another act"
    );
    assert_eq!(mesh.bank.wallet("bob"), 30);
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

/// The money leaves the books for the world outside; every fen of it is accounted for there (MONEY-1).
#[tokio::test]
async fn an_operator_writes_off() {
    let (mesh, transfer) = with_cases().await;
    let outside = mesh.bank.balance(AccountKind::External, "");
    for n in [SUSPENDED, STUCK] {
        let case = resolve(&transfer, n, To::WriteOff(wire::WriteOff {})).await.unwrap();
        assert_eq!(case.state(), CaseState::Resolved);
        let order = case.order.as_ref().unwrap();
        assert!(order.state() == OrderState::Repaired && order.written_off, "{order:?}");
        let tail = [
            ("op-2", "WRITTEN_OFF", "家人代收"),
            ("system", "RESOLVED", "written off"),
        ];
        assert_eq!(events(&case)[1..], tail);
    }
    assert_eq!((mesh.bank.suspense("bob"), mesh.bank.escrow(packet(STUCK))), (0, 0));
    assert_eq!(mesh.bank.balance(AccountKind::External, ""), outside + 60);
    let report = transfer.reconcile().await;
    assert_eq!((report.differences, report.open_case_count), (vec![], 0));
}

#[tokio::test]
async fn an_act_whose_answer_is_lost_is_found_again() {
    let (mesh, transfer) = with_cases().await;
    for n in [SUSPENDED, STUCK] {
        mesh.bank.fail([Fault::LostAnswer]);
        let lost = resolve_as(&transfer, n, &format!("lost-{n}"), to("carol"))
            .await
            .unwrap_err();
        assert_eq!(lost.code(), Code::Unavailable);
        let case = case(&transfer, n).await;
        assert_eq!(
            (case.state(), case.events[2].action.as_str()),
            (CaseState::Open, "DELAYED")
        );
        assert!(case.events[2].detail.starts_with("account: "), "{:?}", case.events[2]);
    }
    // The same again finds it done.
    let found = resolve_as(&transfer, SUSPENDED, &format!("lost-{SUSPENDED}"), to("carol"))
        .await
        .unwrap();
    assert_eq!(found.outcome.unwrap().result, "DONE");
    // Another one finishes it before its own turn, and hears what came of it.
    let late = resolve(&transfer, STUCK, to("alice")).await.unwrap_err();
    assert_eq!(status::reason(&late), "CASE_RESOLVED");
    assert!(late.message().contains("paid to carol, as op-2 decided"), "{late:?}");
    assert_eq!((mesh.bank.wallet("carol"), mesh.bank.wallet("alice")), (60, 0));
    let case = case(&transfer, STUCK).await;
    assert_eq!(events(&case).last(), Some(&("system", "RESOLVED", "paid to carol")));
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
        debit: Some(account(AccountKind::Escrow, &packet(STUCK).to_string())),
        credit: Some(account(AccountKind::Suspense, "bob")),
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

pub fn account(kind: AccountKind, owner: &str) -> proto::account::v1::AccountRef {
    proto::account::v1::AccountRef {
        kind: kind.into(),
        owner: owner.to_string(),
    }
}

/// Nobody can be paid by it; it is closed by writing it off, which moves nothing.
#[tokio::test]
async fn a_claim_that_names_no_packet_cannot_be_paid_by_anyone() {
    let (mesh, transfer) = Mesh::with_instance().await;
    mesh.log.append("?", 0, "alice", 5);
    let cases = testkit::eventually("a case", async || {
        Some(transfer.cases().await).filter(|cases| !cases.is_empty())
    });
    let unreadable = cases.await.remove(0);
    assert_eq!(unreadable.kind, "UNREADABLE_CLAIM");
    let mut client = transfer.client.clone();
    let request = wire::RetryRepairCaseRequest {
        case_id: unreadable.case_id.clone(),
        operator_id: "op-1".to_owned(),
        reason: "why not".to_owned(),
        request_id: "a".to_owned(),
    };
    let refused = client.retry_repair_case(request).await.unwrap_err();
    assert_eq!(status::reason(&refused), "CASE_UNPAYABLE");
    let mut request = wire::ResolveRepairCaseRequest {
        case_id: unreadable.case_id.clone(),
        operator_id: "op-1".to_owned(),
        reason: "looked into".to_owned(),
        request_id: "b".to_owned(),
        to: Some(To::ReturnToSender(wire::ReturnToSender {})),
    };
    let refused = client.resolve_repair_case(request.clone()).await.unwrap_err();
    assert_eq!(status::reason(&refused), "CASE_UNPAYABLE");
    request.to = Some(To::WriteOff(wire::WriteOff {}));
    let closed = client
        .resolve_repair_case(request)
        .await
        .unwrap()
        .into_inner()
        .case
        .unwrap();
    assert_eq!(
        (closed.state(), closed.order.unwrap().state()),
        (CaseState::Resolved, OrderState::Stuck)
    );
    assert_eq!(mesh.bank.calls(), 0, "nothing was moved");
    let report = transfer.reconcile().await;
    assert_eq!((report.differences, report.open_case_count), (vec![], 0));
}
