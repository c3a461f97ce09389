//! Requests of the account service that are understood.

use account::{domain::account::AccountRef, rpc::convert};
use proto::account::v1 as pb;

use crate::requests::{self, Parsers, is_name, is_page, is_text, is_uuid};

fn is_reference(reference: &AccountRef) -> bool {
    match reference {
        AccountRef::Wallet(user) | AccountRef::Suspense(user) => is_name(user.as_str()),
        AccountRef::Escrow(_) | AccountRef::External => true,
    }
}

/// By message.
pub const PARSERS: Parsers = &[
    ("hongbao.account.v1.OpenAccountRequest", |name, bytes| {
        requests::parse(name, bytes, convert::open_account, |_, (user, shown)| {
            assert!(is_name(user.as_str()) && is_text(&shown, 64) && !shown.is_empty());
        })
    }),
    ("hongbao.account.v1.GetAccountRequest", |name, bytes| {
        let read = |request: pb::GetAccountRequest| convert::get_account(&request);
        requests::parse(name, bytes, read, |_, reference| assert!(is_reference(&reference)))
    }),
    ("hongbao.account.v1.BatchGetAccountsRequest", |name, bytes| {
        let read = |request: pb::BatchGetAccountsRequest| convert::batch_get_accounts(&request);
        requests::parse(name, bytes, read, |request, references| {
            assert!((1..=1_000).contains(&references.len()) && references.len() == request.refs.len());
            assert!(references.iter().all(is_reference));
        })
    }),
    ("hongbao.account.v1.BatchGetUsersRequest", |name, bytes| {
        let read = |request: pb::BatchGetUsersRequest| convert::batch_get_users(&request);
        requests::parse(name, bytes, read, |request, users| {
            assert!((1..=1_000).contains(&users.len()) && users.len() == request.user_ids.len());
        })
    }),
    ("hongbao.account.v1.ListEntriesRequest", |name, bytes| {
        let read = |request: pb::ListEntriesRequest| convert::list_entries(&request);
        requests::parse(name, bytes, read, |request, (reference, page)| {
            assert!(is_reference(&reference) && is_page(request.page_size, &page, 50, 1_000));
        })
    }),
    ("hongbao.account.v1.DepositRequest", |name, bytes| {
        let read = |request: pb::DepositRequest| convert::deposit(&request);
        requests::parse(name, bytes, read, |request, (_, user, amount)| {
            assert!(is_name(user.as_str()) && amount.get() == request.amount_fen && amount.get() >= 1);
        })
    }),
    ("hongbao.account.v1.PostTransfersRequest", |name, bytes| {
        let read = |request: pb::PostTransfersRequest| convert::post_transfers(&request);
        requests::parse(name, bytes, read, |request, items| {
            assert!((1..=1_000).contains(&items.len()) && items.len() == request.transfers.len());
            for (asked, item) in request.transfers.iter().zip(items) {
                let Ok(transfer) = item else { continue };
                assert!(is_uuid(&asked.transfer_id), "{}", asked.transfer_id);
                assert!(is_reference(&transfer.debit) && is_reference(&transfer.credit));
                assert_eq!(transfer.amount.get(), asked.amount_fen);
                assert_eq!(transfer.packet.is_none(), asked.packet_id.is_empty());
            }
        })
    }),
    ("hongbao.account.v1.BatchGetTransfersRequest", |name, bytes| {
        let read = |request: pb::BatchGetTransfersRequest| convert::batch_get_transfers(&request);
        requests::parse(name, bytes, read, |request, ids| {
            assert!((1..=1_000).contains(&ids.len()) && ids.len() == request.transfer_ids.len());
            assert!(
                request.transfer_ids.iter().all(|id| is_uuid(id)),
                "{:?}",
                request.transfer_ids
            );
        })
    }),
    ("hongbao.account.v1.FreezeAccountRequest", |name, bytes| {
        let read = |request: pb::FreezeAccountRequest| convert::freeze(&request.user_id, &request.reason);
        requests::parse(name, bytes, read, |request, user| {
            assert!(is_name(user.as_str()) && is_text(&request.reason, 200) && !request.reason.trim().is_empty());
        })
    }),
    ("hongbao.account.v1.UnfreezeAccountRequest", |name, bytes| {
        let read = |request: pb::UnfreezeAccountRequest| convert::freeze(&request.user_id, &request.reason);
        requests::parse(name, bytes, read, |request, user| {
            assert!(is_name(user.as_str()) && is_text(&request.reason, 200) && !request.reason.trim().is_empty());
        })
    }),
    ("hongbao.account.v1.VerifyLedgerRequest", |name, bytes| {
        let read = |request: pb::VerifyLedgerRequest| convert::verify_ledger(&request);
        requests::parse(name, bytes, read, |request, (_, rows, known)| {
            assert!((1..=100_000).contains(&rows));
            assert_eq!(request.known_head.is_some(), known.is_some());
            assert!(known.is_none_or(|(seal_no, _)| seal_no >= 0));
        })
    }),
    ("hongbao.account.v1.CreateGroupRequest", |name, bytes| {
        requests::parse(
            name,
            bytes,
            convert::create_group,
            |request: &pb::CreateGroupRequest, group| {
                assert!(
                    is_name(group.id.as_str()) && is_name(group.owner.as_str()) && is_text(&group.display_name, 64)
                );
                assert!(group.members.len() <= 1_000 && group.members.len() == request.member_ids.len());
            },
        )
    }),
    ("hongbao.account.v1.GetGroupRequest", |name, bytes| {
        let read = |request: pb::GetGroupRequest| convert::get_group(&request);
        requests::parse(name, bytes, read, |_, group| assert!(is_name(group.as_str())))
    }),
    ("hongbao.account.v1.AddMembersRequest", |name, bytes| {
        let read = |request: pb::AddMembersRequest| convert::members(&request.group_id, &request.user_ids);
        requests::parse(name, bytes, read, |_, (group, users)| {
            assert!(is_name(group.as_str()) && (1..=1_000).contains(&users.len()));
        })
    }),
    ("hongbao.account.v1.RemoveMembersRequest", |name, bytes| {
        let read = |request: pb::RemoveMembersRequest| convert::members(&request.group_id, &request.user_ids);
        requests::parse(name, bytes, read, |_, (group, users)| {
            assert!(is_name(group.as_str()) && (1..=1_000).contains(&users.len()));
        })
    }),
    ("hongbao.account.v1.CheckMembersRequest", |name, bytes| {
        let read = |request: pb::CheckMembersRequest| convert::members(&request.group_id, &request.user_ids);
        requests::parse(name, bytes, read, |_, (group, users)| {
            assert!(is_name(group.as_str()) && (1..=1_000).contains(&users.len()));
        })
    }),
    ("hongbao.account.v1.ListMembersRequest", |name, bytes| {
        let read = |request: pb::ListMembersRequest| convert::list_members(&request);
        requests::parse(name, bytes, read, |request, (_, page)| {
            assert!(is_page(request.page_size, &page, 50, 1_000));
        })
    }),
];

/// One request.
pub fn account(bytes: &[u8]) {
    requests::try_one(PARSERS, bytes);
}
