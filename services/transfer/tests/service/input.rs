//! Bad requests are told every fault at once.

use proto::transfer::v1::{self as wire, list_transfers_request::Of, resolve_repair_case_request::To};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::mesh::{Mesh, packet};

fn fields(refused: &Status) -> Vec<String> {
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    let violations = refused.get_details_bad_request().unwrap().field_violations;
    violations.into_iter().map(|violation| violation.field).collect()
}

#[tokio::test]
async fn every_bad_field_is_named() {
    let (_mesh, transfer) = Mesh::with_instance().await;
    let mut client = transfer.client.clone();

    for amount_fen in [0, -1, i64::MIN] {
        let request = wire::FundPacketRequest {
            packet_id: "packet".to_owned(),
            sender_id: "a b".to_owned(),
            amount_fen,
        };
        let refused = client.fund_packet(request).await.unwrap_err();
        assert_eq!(fields(&refused), ["packet_id", "sender_id", "amount_fen"]);
    }
    let request = wire::RefundPacketRequest {
        packet_id: String::new(),
        sender_id: String::new(),
        amount_fen: -1,
    };
    let refused = client.refund_packet(request).await.unwrap_err();
    assert_eq!(fields(&refused), ["packet_id", "sender_id", "amount_fen"]);

    for transfer_id in ["", "x", "0192d3c45b6a7c8d9e0f112233445566"] {
        let request = wire::GetTransferRequest {
            transfer_id: transfer_id.to_owned(),
        };
        assert_eq!(
            fields(&client.get_transfer(request).await.unwrap_err()),
            ["transfer_id"]
        );
    }
    let table = [
        (None, 0, "", vec!["of"]),
        (
            Some(Of::PacketId("x".to_owned())),
            1_001,
            "!",
            vec!["page_size", "page_token", "packet_id"],
        ),
        (
            Some(Of::UserId(String::new())),
            -1,
            "YQ",
            vec!["page_size", "page_token", "user_id"],
        ),
    ];
    for (of, page_size, page_token, expected) in table {
        let request = wire::ListTransfersRequest {
            of,
            page_size,
            page_token: page_token.to_owned(),
        };
        assert_eq!(fields(&client.list_transfers(request).await.unwrap_err()), expected);
    }
    let request = wire::ListRepairCasesRequest {
        state: 9,
        page_size: 1_001,
        page_token: "!".to_owned(),
    };
    let refused = client.list_repair_cases(request).await.unwrap_err();
    assert_eq!(fields(&refused), ["state", "page_size", "page_token"]);
}

#[tokio::test]
async fn an_operator_must_say_who_and_why_and_where() {
    let (_mesh, transfer) = Mesh::with_instance().await;
    let mut client = transfer.client.clone();
    let long = "字".repeat(201);
    let table = [
        ("x", "", "", "", vec!["case_id", "request_id", "operator_id", "reason"]),
        (
            "",
            "r",
            "system",
            long.as_str(),
            vec!["case_id", "operator_id", "reason"],
        ),
        ("", "r", "op", "a\nb", vec!["case_id", "reason"]),
        ("", "r r", "op", "  ", vec!["case_id", "request_id", "reason"]),
    ];
    for (case_id, request_id, operator_id, reason, expected) in table {
        let request_id = request_id.to_owned();
        let (case_id, operator_id, reason) = (case_id.to_owned(), operator_id.to_owned(), reason.to_owned());
        let retry = wire::RetryRepairCaseRequest {
            case_id: case_id.clone(),
            operator_id: operator_id.clone(),
            reason: reason.clone(),
            request_id: request_id.clone(),
        };
        assert_eq!(fields(&client.retry_repair_case(retry).await.unwrap_err()), expected);
        for (to, field) in [
            (None, "to"),
            (Some(To::RedirectUserId("?".to_owned())), "redirect_user_id"),
        ] {
            let resolve = wire::ResolveRepairCaseRequest {
                case_id: case_id.clone(),
                operator_id: operator_id.clone(),
                reason: reason.clone(),
                request_id: request_id.clone(),
                to,
            };
            let refused = client.resolve_repair_case(resolve).await.unwrap_err();
            assert_eq!(fields(&refused)[0], field);
            assert_eq!(fields(&refused)[1..], expected);
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let (_mesh, transfer) = Mesh::with_instance().await;
    let mut client = transfer.client.clone();
    let id = id::TransferId::fund(packet(1)).to_string();
    let request = wire::GetTransferRequest {
        transfer_id: id.clone(),
    };
    let missing = client.get_transfer(request).await.unwrap_err();
    assert_eq!(status::reason(&missing), "TRANSFER_NOT_FOUND");
    let request = wire::RetryRepairCaseRequest {
        case_id: id,
        operator_id: "op".to_owned(),
        reason: "why".to_owned(),
        request_id: "r".to_owned(),
    };
    let missing = client.retry_repair_case(request).await.unwrap_err();
    assert_eq!(status::reason(&missing), "CASE_NOT_FOUND");
    assert_eq!(transfer.orders(packet(1)).await, []);
}
