//! Every RPC for operators: it arrives with the operator's name where the service records it.

use proto::{
    account::v1::{self as account, User},
    gateway::v1::{self as gateway, resolve_repair_case_request::To as Asked},
    transfer::v1::{
        self as transfer, ActOutcome, CaseState, RepairCase, ReturnToSender, TransferOrder, WriteOff,
        resolve_repair_case_request::To as Passed,
    },
};

use crate::{
    mesh::{Mesh, by_operator},
    routing::{account, text},
};

fn outcome(name: &str) -> ActOutcome {
    ActOutcome {
        result: text(name),
        ..ActOutcome::default()
    }
}

fn case(name: &str) -> RepairCase {
    RepairCase {
        case_id: text(name),
        ..RepairCase::default()
    }
}

#[tokio::test]
async fn operations_on_accounts() {
    let mesh = Mesh::start().await;
    let user = Some(User {
        user_id: "bob".into(),
        ..User::default()
    });
    let opened = account::OpenAccountResponse {
        user: user.clone(),
        account: Some(account(1)),
    };
    mesh.fake
        .on(move |_: &account::OpenAccountRequest| Ok(opened.clone()))
        .on(|_: &account::DepositRequest| {
            Ok(account::DepositResponse {
                account: Some(account(2)),
            })
        })
        .on(|_: &account::FreezeAccountRequest| {
            Ok(account::FreezeAccountResponse {
                account: Some(account(3)),
            })
        })
        .on(|_: &account::UnfreezeAccountRequest| {
            Ok(account::UnfreezeAccountResponse {
                account: Some(account(4)),
            })
        });
    let mut operation = mesh.operation();

    let request = gateway::OpenAccountRequest {
        user_id: "bob".into(),
        display_name: text("name"),
    };
    let answer = operation
        .open_account(by_operator("olga", request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((answer.user, answer.account), (user, Some(account(1))));
    let expected = account::OpenAccountRequest {
        user_id: "bob".into(),
        display_name: text("name"),
    };
    assert_eq!(mesh.fake.heard::<account::OpenAccountRequest>(), [expected]);

    let request = gateway::DepositRequest {
        request_id: text("request"),
        user_id: "bob".into(),
        amount_fen: 9,
    };
    let answer = operation.deposit(by_operator("olga", request)).await.unwrap();
    assert_eq!(answer.into_inner().account, Some(account(2)));
    let expected = account::DepositRequest {
        request_id: text("request"),
        user_id: "bob".into(),
        amount_fen: 9,
    };
    assert_eq!(mesh.fake.heard::<account::DepositRequest>(), [expected]);

    let request = gateway::FreezeAccountRequest {
        user_id: "bob".into(),
        reason: text("reason"),
    };
    let answer = operation.freeze_account(by_operator("olga", request)).await.unwrap();
    assert_eq!(answer.into_inner().account, Some(account(3)));
    let expected = account::FreezeAccountRequest {
        user_id: "bob".into(),
        reason: text("reason"),
    };
    assert_eq!(mesh.fake.heard::<account::FreezeAccountRequest>(), [expected]);

    let request = gateway::UnfreezeAccountRequest {
        user_id: "bob".into(),
        reason: text("other"),
    };
    let answer = operation.unfreeze_account(by_operator("olga", request)).await.unwrap();
    assert_eq!(answer.into_inner().account, Some(account(4)));
    let expected = account::UnfreezeAccountRequest {
        user_id: "bob".into(),
        reason: text("other"),
    };
    assert_eq!(mesh.fake.heard::<account::UnfreezeAccountRequest>(), [expected]);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one case's life from beginning to end")]
async fn operations_on_repair_cases() {
    let mesh = Mesh::start().await;
    mesh.fake
        .on(|_: &transfer::ListRepairCasesRequest| {
            Ok(transfer::ListRepairCasesResponse {
                cases: vec![case("listed")],
                next_page_token: text("next"),
            })
        })
        .on(|_: &transfer::RetryRepairCaseRequest| {
            Ok(transfer::RetryRepairCaseResponse {
                case: Some(case("retried")),
                outcome: Some(outcome("retried")),
            })
        })
        .on(|_: &transfer::ResolveRepairCaseRequest| {
            Ok(transfer::ResolveRepairCaseResponse {
                case: Some(case("resolved")),
                outcome: Some(outcome("resolved")),
            })
        })
        .on(|_: &transfer::GetRepairCaseRequest| {
            Ok(transfer::GetRepairCaseResponse {
                case: Some(case("got")),
            })
        });
    let mut operation = mesh.operation();

    let request = gateway::ListRepairCasesRequest {
        state: CaseState::Open.into(),
        page_size: 6,
        page_token: text("token"),
    };
    let answer = operation
        .list_repair_cases(by_operator("olga", request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (answer.cases, answer.next_page_token),
        (vec![case("listed")], text("next"))
    );
    let expected = transfer::ListRepairCasesRequest {
        state: CaseState::Open.into(),
        page_size: 6,
        page_token: text("token"),
    };
    assert_eq!(mesh.fake.heard::<transfer::ListRepairCasesRequest>(), [expected]);

    let request = gateway::GetRepairCaseRequest { case_id: text("case") };
    let answer = operation.get_repair_case(by_operator("olga", request)).await.unwrap();
    assert_eq!(answer.into_inner().case, Some(case("got")));
    let expected = transfer::GetRepairCaseRequest { case_id: text("case") };
    assert_eq!(mesh.fake.heard::<transfer::GetRepairCaseRequest>(), [expected]);

    let request = gateway::RetryRepairCaseRequest {
        case_id: text("case"),
        reason: text("reason"),
        request_id: text("request"),
    };
    let answer = operation.retry_repair_case(by_operator("olga", request)).await.unwrap();
    let answer = answer.into_inner();
    assert_eq!(
        (answer.case, answer.outcome),
        (Some(case("retried")), Some(outcome("retried")))
    );
    let expected = transfer::RetryRepairCaseRequest {
        case_id: text("case"),
        operator_id: "olga".into(),
        reason: text("reason"),
        request_id: text("request"),
    };
    assert_eq!(mesh.fake.heard::<transfer::RetryRepairCaseRequest>(), [expected]);

    let ways = [
        (
            Some(Asked::RedirectUserId("dave".into())),
            Some(Passed::RedirectUserId("dave".into())),
        ),
        (
            Some(Asked::ReturnToSender(ReturnToSender {})),
            Some(Passed::ReturnToSender(ReturnToSender {})),
        ),
        (Some(Asked::WriteOff(WriteOff {})), Some(Passed::WriteOff(WriteOff {}))),
        (None, None),
    ];
    for (asked, passed) in ways {
        let request = gateway::ResolveRepairCaseRequest {
            case_id: text("case"),
            reason: text("reason"),
            request_id: text("request"),
            to: asked,
        };
        let answer = operation
            .resolve_repair_case(by_operator("olga", request))
            .await
            .unwrap();
        let answer = answer.into_inner();
        assert_eq!(
            (answer.case, answer.outcome),
            (Some(case("resolved")), Some(outcome("resolved")))
        );
        let expected = transfer::ResolveRepairCaseRequest {
            case_id: text("case"),
            operator_id: "olga".into(),
            reason: text("reason"),
            request_id: text("request"),
            to: passed,
        };
        assert_eq!(mesh.fake.heard().last(), Some(&expected));
    }
}

#[tokio::test]
async fn operations_on_the_books() {
    let mesh = Mesh::start().await;
    let result = transfer::ReconcileResponse {
        packet_count: 5,
        ..transfer::ReconcileResponse::default()
    };
    let found = result.clone();
    mesh.fake
        .on(|_: &transfer::ListTransfersRequest| {
            Ok(transfer::ListTransfersResponse {
                orders: vec![TransferOrder {
                    transfer_id: text("transfer"),
                    ..TransferOrder::default()
                }],
                next_page_token: text("next"),
            })
        })
        .on(move |_: &transfer::ReconcileRequest| Ok(found.clone()));
    let mut operation = mesh.operation();

    let request = gateway::ListTransfersRequest {
        packet_id: text("packet"),
        page_size: 7,
        page_token: text("token"),
    };
    let answer = operation
        .list_transfers(by_operator("olga", request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.orders[0].transfer_id, text("transfer"));
    assert_eq!(answer.next_page_token, text("next"));
    let expected = transfer::ListTransfersRequest {
        of: Some(transfer::list_transfers_request::Of::PacketId(text("packet"))),
        page_size: 7,
        page_token: text("token"),
    };
    assert_eq!(mesh.fake.heard::<transfer::ListTransfersRequest>(), [expected]);

    let request = by_operator("olga", gateway::ReconcileRequest::default());
    let answer = operation.reconcile(request).await.unwrap();
    assert_eq!(answer.into_inner().result, Some(result));
    assert_eq!(mesh.fake.heard::<transfer::ReconcileRequest>().len(), 1);
}
