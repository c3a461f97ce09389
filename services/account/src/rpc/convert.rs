//! Requests → domain words, with every field violation at once.

use std::{fmt::Display, str::FromStr};

use id::{GroupId, PacketId, RequestId, TransferId, UserId};
use money::Fen;
use paging::{Limits, Page};
use proto::account::v1::{self as pb, AccountKind, TransferReason};
use status::{Violations, check_count, check_text};
use tonic::Status;

use crate::{
    domain::{
        account::{AccountRef, MAX_REASON},
        chain::Hash,
        ledger::{Item, MAX_BATCH, Malformed},
        people::MAX_DISPLAY_NAME,
        transfer::{MAX_DEPOSIT_FEN, Reason, Transfer},
    },
    ops::{create_group::NewGroup, verify_ledger::Position},
};

/// Most items of a list in one request, as the proto promises.
const MAX_ITEMS: usize = MAX_BATCH;
/// Sizes of a page, as the proto promises.
const PAGES: Limits = Limits {
    default: 50,
    max: 1_000,
};

/// Sizes of a slice of a verification, as the proto promises.
const SLICES: Limits = Limits {
    default: 20_000,
    max: 100_000,
};

/// A user and its display name.
pub fn open_account(request: pb::OpenAccountRequest) -> Result<(UserId, String), Status> {
    let mut violations = Violations::default();
    let user = violations.parse("user_id", &request.user_id);
    let name = display_name(&mut violations, request.display_name, &request.user_id);
    violations.finish_with(user.zip(Some(name)))
}

/// Which account.
pub fn get_account(request: &pb::GetAccountRequest) -> Result<AccountRef, Status> {
    let mut violations = Violations::default();
    let reference = required_reference(&mut violations, "ref", request.r#ref.as_ref());
    violations.finish_with(reference)
}

/// Which accounts.
pub fn batch_get_accounts(request: &pb::BatchGetAccountsRequest) -> Result<Vec<AccountRef>, Status> {
    let mut violations = Violations::default();
    let references = list(&mut violations, "refs", &request.refs, |violations, field, item| {
        required_reference(violations, field, Some(item))
    });
    violations.finish_with(references)
}

/// Which users.
pub fn batch_get_users(request: &pb::BatchGetUsersRequest) -> Result<Vec<UserId>, Status> {
    let mut violations = Violations::default();
    let users = parse_list(&mut violations, "user_ids", &request.user_ids);
    violations.finish_with(users)
}

/// Which account and which page of its entries.
pub fn list_entries(request: &pb::ListEntriesRequest) -> Result<(AccountRef, Page<i64>), Status> {
    let mut violations = Violations::default();
    let reference = required_reference(&mut violations, "ref", request.r#ref.as_ref());
    let page = Page::parse(&mut violations, request.page_size, &request.page_token, PAGES);
    violations.finish_with(reference.zip(page))
}

/// Under which request, whose wallet, how much.
pub fn deposit(request: &pb::DepositRequest) -> Result<(RequestId, UserId, Fen), Status> {
    let mut violations = Violations::default();
    let id: Option<RequestId> = violations.parse("request_id", &request.request_id);
    let user: Option<UserId> = violations.parse("user_id", &request.user_id);
    violations.check(
        (1..=MAX_DEPOSIT_FEN).contains(&request.amount_fen),
        "amount_fen",
        format!("must be 1 to {MAX_DEPOSIT_FEN}"),
    );
    let amount = Fen::new(request.amount_fen);
    violations.finish_with(id.zip(user).map(|(id, user)| (id, user, amount)))
}

/// The items of a batch. What is wrong with one of them is for its verdict to say.
pub fn post_transfers(request: &pb::PostTransfersRequest) -> Result<Vec<Item>, Status> {
    let mut violations = Violations::default();
    check_count(&mut violations, "transfers", request.transfers.len(), MAX_BATCH);
    violations.finish()?;
    Ok(request.transfers.iter().map(item).collect())
}

/// Which transfers.
pub fn batch_get_transfers(request: &pb::BatchGetTransfersRequest) -> Result<Vec<TransferId>, Status> {
    let mut violations = Violations::default();
    let ids = parse_list(&mut violations, "transfer_ids", &request.transfer_ids);
    violations.finish_with(ids)
}

/// Whose wallet; checks the reason too.
pub fn freeze(user_id: &str, reason: &str) -> Result<UserId, Status> {
    let mut violations = Violations::default();
    let user = violations.parse("user_id", user_id);
    violations.check(!reason.trim().is_empty(), "reason", "must say why, for the record");
    check_text(&mut violations, "reason", reason, MAX_REASON);
    violations.finish_with(user)
}

/// The number and the hash of a seal that was noted before.
pub type KnownSeal = (i64, Hash);

/// Which slice of a verification, how many rows of it, and the seal that was noted before.
pub fn verify_ledger(request: &pb::VerifyLedgerRequest) -> Result<(Position, u64, Option<KnownSeal>), Status> {
    let mut violations = Violations::default();
    let page: Option<Page<Position>> = Page::parse(&mut violations, request.page_size, &request.page_token, SLICES);
    let known = request.known_head.as_ref().map(|head| {
        violations.check(head.seal_no >= 0, "known_head.seal_no", "must not be below zero");
        let hash = Hash::try_from(head.hash.as_slice());
        violations.check(hash.is_ok(), "known_head.hash", "must have 32 bytes");
        (head.seal_no, hash.unwrap_or_default())
    });
    violations.finish_with(page.map(|page| (page.after.unwrap_or_default(), page.size as u64, known)))
}

/// A new group.
pub fn create_group(request: pb::CreateGroupRequest) -> Result<NewGroup, Status> {
    let mut violations = Violations::default();
    let id: Option<GroupId> = violations.parse("group_id", &request.group_id);
    let display_name = display_name(&mut violations, request.display_name, &request.group_id);
    let owner: Option<UserId> = violations.parse("owner_id", &request.owner_id);
    let members = if request.member_ids.is_empty() {
        Some(Vec::new())
    } else {
        parse_list(&mut violations, "member_ids", &request.member_ids)
    };
    let new = id.zip(owner).zip(members).map(|((id, owner), members)| NewGroup {
        id,
        display_name,
        owner,
        members,
    });
    violations.finish_with(new)
}

/// Which group.
pub fn get_group(request: &pb::GetGroupRequest) -> Result<GroupId, Status> {
    let mut violations = Violations::default();
    let id = violations.parse("group_id", &request.group_id);
    violations.finish_with(id)
}

/// Which group and which users.
pub fn members(group_id: &str, user_ids: &[String]) -> Result<(GroupId, Vec<UserId>), Status> {
    let mut violations = Violations::default();
    let id = violations.parse("group_id", group_id);
    let users = parse_list(&mut violations, "user_ids", user_ids);
    violations.finish_with(id.zip(users))
}

/// Which group and which page of its members.
pub fn list_members(request: &pb::ListMembersRequest) -> Result<(GroupId, Page<UserId>), Status> {
    let mut violations = Violations::default();
    let id = violations.parse("group_id", &request.group_id);
    let page = Page::parse(&mut violations, request.page_size, &request.page_token, PAGES);
    violations.finish_with(id.zip(page))
}

/// The name that others see; the id where none is given.
fn display_name(violations: &mut Violations, text: String, id: &str) -> String {
    if text.is_empty() {
        return id.to_owned();
    }
    check_text(violations, "display_name", &text, MAX_DISPLAY_NAME);
    text
}

fn parse_list<T: FromStr<Err: Display>>(violations: &mut Violations, field: &str, texts: &[String]) -> Option<Vec<T>> {
    list(violations, field, texts, |violations, field, text| {
        violations.parse(field, text)
    })
}

/// Every item of a list of 1 to [`MAX_ITEMS`], or `None` with the violations of all that could not be read. The items of
/// a list that is too long are not looked at.
fn list<T, U>(
    violations: &mut Violations,
    field: &str,
    items: &[T],
    parse: impl Fn(&mut Violations, &str, &T) -> Option<U>,
) -> Option<Vec<U>> {
    check_count(violations, field, items.len(), MAX_ITEMS);
    if items.len() > MAX_ITEMS {
        return None;
    }
    let parsed: Vec<Option<U>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| parse(violations, &format!("{field}[{index}]"), item))
        .collect();
    parsed.into_iter().collect()
}

fn required_reference(
    violations: &mut Violations,
    field: &str,
    reference: Option<&pb::AccountRef>,
) -> Option<AccountRef> {
    match account_ref(violations.require(field, reference)?) {
        Ok(reference) => Some(reference),
        Err(fault) => {
            violations.add(format!("{field}.{}", fault.field), fault.description);
            None
        }
    }
}

/// What is wrong with an account reference.
struct RefFault {
    field: &'static str,
    description: String,
}

fn account_ref(reference: &pb::AccountRef) -> Result<AccountRef, RefFault> {
    let kind_fault = || RefFault {
        field: "kind",
        description: "must be a kind of account".to_owned(),
    };
    match AccountKind::try_from(reference.kind).map_err(|_| kind_fault())? {
        AccountKind::Unspecified => Err(kind_fault()),
        AccountKind::Wallet => owner(reference).map(AccountRef::Wallet),
        AccountKind::Escrow => owner(reference).map(AccountRef::Escrow),
        AccountKind::Suspense => owner(reference).map(AccountRef::Suspense),
        AccountKind::External if reference.owner.is_empty() => Ok(AccountRef::External),
        AccountKind::External => Err(RefFault {
            field: "owner",
            description: "must be empty for the external account".to_owned(),
        }),
    }
}

fn owner<T: FromStr<Err: Display>>(reference: &pb::AccountRef) -> Result<T, RefFault> {
    reference.owner.parse().map_err(|fault: T::Err| RefFault {
        field: "owner",
        description: fault.to_string(),
    })
}

fn item(transfer: &pb::Transfer) -> Item {
    let id = transfer.transfer_id.parse().map_err(|_| Malformed::Id)?;
    let side = |reference: Option<&pb::AccountRef>| {
        account_ref(reference.ok_or(Malformed::Field)?).map_err(|_| Malformed::Field)
    };
    let reason = reason(transfer.reason).ok_or(Malformed::Field)?;
    Ok(Transfer {
        id,
        debit: side(transfer.debit.as_ref())?,
        credit: side(transfer.credit.as_ref())?,
        amount: Fen::new(transfer.amount_fen),
        reason,
        packet: packet(reason, &transfer.packet_id)?,
    })
}

/// A deposit belongs to no packet, everything else to one.
fn packet(reason: Reason, text: &str) -> Result<Option<PacketId>, Malformed> {
    match reason {
        Reason::Deposit if text.is_empty() => Ok(None),
        Reason::Deposit => Err(Malformed::Field),
        _ => text.parse().map(Some).map_err(|_| Malformed::Field),
    }
}

fn reason(code: i32) -> Option<Reason> {
    match TransferReason::try_from(code).ok()? {
        TransferReason::Unspecified => None,
        TransferReason::Deposit => Some(Reason::Deposit),
        TransferReason::Fund => Some(Reason::Fund),
        TransferReason::Settle => Some(Reason::Settle),
        TransferReason::Refund => Some(Reason::Refund),
        TransferReason::Suspense => Some(Reason::Suspense),
        TransferReason::Repair => Some(Reason::Repair),
    }
}
