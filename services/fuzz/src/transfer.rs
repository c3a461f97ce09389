//! Requests of the transfer service that are understood.

use proto::transfer::v1 as pb;
use transfer::{ops::repair::Wish, rpc::convert};

use crate::requests::{self, Parsers, is_name, is_page, is_text, is_uuid};

fn is_wish(wish: &Wish, case_id: &str) -> bool {
    is_uuid(case_id) && is_name(wish.operator.as_str()) && is_text(&wish.reason, 200) && !wish.reason.trim().is_empty()
}

/// By message.
pub const PARSERS: Parsers = &[
    ("hongbao.transfer.v1.FundPacketRequest", |name, bytes| {
        let read = |request: pb::FundPacketRequest| convert::fund(&request);
        requests::parse(name, bytes, read, |request, (_, sender, amount_fen)| {
            assert!(is_uuid(&request.packet_id) && is_name(sender.as_str()) && amount_fen >= 1);
        })
    }),
    ("hongbao.transfer.v1.RefundPacketRequest", |name, bytes| {
        let read = |request: pb::RefundPacketRequest| convert::refund(&request);
        requests::parse(name, bytes, read, |request, (_, sender, amount_fen)| {
            assert!(is_uuid(&request.packet_id) && is_name(sender.as_str()) && amount_fen >= 0);
        })
    }),
    ("hongbao.transfer.v1.GetTransferRequest", |name, bytes| {
        let read = |request: pb::GetTransferRequest| convert::transfer_id("transfer_id", &request.transfer_id);
        requests::parse(name, bytes, read, |request, _| assert!(is_uuid(&request.transfer_id)))
    }),
    ("hongbao.transfer.v1.ListTransfersRequest", |name, bytes| {
        requests::parse(
            name,
            bytes,
            convert::list,
            |request: &pb::ListTransfersRequest, (_, page)| {
                assert!(is_page(request.page_size, &page, 50, 1_000));
            },
        )
    }),
    ("hongbao.transfer.v1.ListRepairCasesRequest", |name, bytes| {
        let read = |request: pb::ListRepairCasesRequest| convert::list_cases(&request);
        requests::parse(name, bytes, read, |request, (state, page)| {
            assert!(is_page(request.page_size, &page, 50, 1_000));
            assert_eq!(state.is_none(), request.state == 0);
        })
    }),
    ("hongbao.transfer.v1.GetRepairCaseRequest", |name, bytes| {
        let read = |request: pb::GetRepairCaseRequest| convert::transfer_id("case_id", &request.case_id);
        requests::parse(name, bytes, read, |request, _| assert!(is_uuid(&request.case_id)))
    }),
    ("hongbao.transfer.v1.RetryRepairCaseRequest", |name, bytes| {
        requests::parse(
            name,
            bytes,
            convert::retry,
            |request: &pb::RetryRepairCaseRequest, wish| {
                assert!(is_wish(&wish, &request.case_id));
            },
        )
    }),
    ("hongbao.transfer.v1.ResolveRepairCaseRequest", |name, bytes| {
        requests::parse(
            name,
            bytes,
            convert::resolve,
            |request: &pb::ResolveRepairCaseRequest, wish| {
                assert!(is_wish(&wish, &request.case_id) && request.to.is_some());
            },
        )
    }),
    ("hongbao.transfer.v1.ReconcileRequest", |name, bytes| {
        let read = |request: pb::ReconcileRequest| convert::reconcile(&request);
        requests::parse(name, bytes, read, |_, (_, rows)| assert!((1..=100_000).contains(&rows)))
    }),
];

/// One request.
pub fn transfer(bytes: &[u8]) {
    requests::try_one(PARSERS, bytes);
}
