//! Domain words → answers.

use proto::account::v1::{self as pb, AccountKind, PostVerdict, TransferReason};

use crate::{
    domain::{
        account::{Account, AccountRef},
        audit::{Difference, Subject, fen},
        ledger::{Posting, Verdict},
        people::{Group, User},
        transfer::{Entry, PostedTransfer, Reason},
    },
    ops::verify_ledger::Slice,
};

/// A user.
pub fn user(user: User) -> pb::User {
    pb::User {
        user_id: user.id.into(),
        display_name: user.display_name,
        create_time: Some(clock::to_proto(user.create_time)),
    }
}

/// An account.
pub fn account(account: &Account) -> pb::Account {
    pb::Account {
        account_id: account.reference.id().to_string(),
        r#ref: Some(reference(&account.reference)),
        balance_fen: account.balance.get(),
        frozen: account.frozen,
        entry_count: account.entry_count,
        create_time: Some(clock::to_proto(account.create_time)),
    }
}

/// An entry.
pub fn entry(entry: &Entry) -> pb::Entry {
    pb::Entry {
        entry_no: entry.entry_no,
        transfer_id: entry.transfer.to_string(),
        delta_fen: entry.delta.get(),
        balance_fen: entry.balance.get(),
        reason: reason(entry.reason).into(),
        packet_id: entry.packet.map(|packet| packet.to_string()).unwrap_or_default(),
        counterparty: Some(reference(&entry.counterparty)),
        create_time: Some(clock::to_proto(entry.create_time)),
    }
}

/// The verdict on the item that was given as `transfer_id`.
pub fn posting(transfer_id: String, posting: Posting) -> pb::PostResult {
    pb::PostResult {
        transfer_id,
        verdict: verdict(posting.verdict).into(),
        debit_balance_fen: posting.debit_balance.get(),
    }
}

/// A transfer as posted.
pub fn posted_transfer(posted: &PostedTransfer) -> pb::PostedTransfer {
    let transfer = &posted.transfer;
    pb::PostedTransfer {
        transfer: Some(pb::Transfer {
            transfer_id: transfer.id.to_string(),
            debit: Some(reference(&transfer.debit)),
            credit: Some(reference(&transfer.credit)),
            amount_fen: transfer.amount.get(),
            reason: reason(transfer.reason).into(),
            packet_id: transfer.packet.map(|packet| packet.to_string()).unwrap_or_default(),
        }),
        create_time: Some(clock::to_proto(posted.create_time)),
    }
}

/// A slice of a verification.
pub fn verified(slice: &Slice) -> pb::VerifyLedgerResponse {
    let report = &slice.report;
    pb::VerifyLedgerResponse {
        account_count: report.account_count,
        transfer_count: report.transfer_count,
        balance_sum_fen: fen(report.balance_sum).get(),
        differences: report.differences.iter().map(difference).collect(),
        next_page_token: slice.next.as_ref().map(paging::token).unwrap_or_default(),
        sealed_count: report.sealed_count,
        head: Some(pb::ChainHead {
            seal_no: slice.head.seal_no,
            hash: slice.head.hash.to_vec(),
            transfer_count: slice.head.transfer_count,
        }),
        progress_permille: i32::try_from(slice.progress_permille).unwrap_or(0),
    }
}

/// A group.
pub fn group(group: Group) -> pb::Group {
    pb::Group {
        group_id: group.id.into(),
        display_name: group.display_name,
        owner_id: group.owner.into(),
        member_count: group.member_count,
        create_time: Some(clock::to_proto(group.create_time)),
    }
}

fn difference(difference: &Difference) -> pb::LedgerDifference {
    let mut found = pb::LedgerDifference {
        description: difference.finding.to_string(),
        difference_fen: difference.excess.get(),
        kind: difference.finding.name().to_owned(),
        ..pb::LedgerDifference::default()
    };
    match difference.subject {
        Subject::Account(id) => found.account_id = id.to_string(),
        Subject::Transfer(id) => found.transfer_id = id.to_string(),
        Subject::Sealed(id, seal_no) => (found.transfer_id, found.seal_no) = (id.to_string(), seal_no),
        Subject::Seal(seal_no) => found.seal_no = seal_no,
    }
    found
}

fn reference(reference: &AccountRef) -> pb::AccountRef {
    let (kind, owner) = match reference {
        AccountRef::Wallet(user) => (AccountKind::Wallet, user.to_string()),
        AccountRef::Escrow(packet) => (AccountKind::Escrow, packet.to_string()),
        AccountRef::Suspense(user) => (AccountKind::Suspense, user.to_string()),
        AccountRef::External => (AccountKind::External, String::new()),
    };
    pb::AccountRef {
        kind: kind.into(),
        owner,
    }
}

fn reason(reason: Reason) -> TransferReason {
    match reason {
        Reason::Deposit => TransferReason::Deposit,
        Reason::Fund => TransferReason::Fund,
        Reason::Settle => TransferReason::Settle,
        Reason::Refund => TransferReason::Refund,
        Reason::Suspense => TransferReason::Suspense,
        Reason::Repair => TransferReason::Repair,
    }
}

fn verdict(verdict: Verdict) -> PostVerdict {
    match verdict {
        Verdict::InvalidId => PostVerdict::InvalidId,
        Verdict::InvalidField => PostVerdict::InvalidField,
        Verdict::InvalidAmount => PostVerdict::InvalidAmount,
        Verdict::SameAccount => PostVerdict::SameAccount,
        Verdict::IdReused => PostVerdict::IdReused,
        Verdict::AlreadyPosted => PostVerdict::AlreadyPosted,
        Verdict::WrongAccounts => PostVerdict::WrongAccounts,
        Verdict::DebitNotFound => PostVerdict::DebitNotFound,
        Verdict::CreditNotFound => PostVerdict::CreditNotFound,
        Verdict::DebitFrozen => PostVerdict::DebitFrozen,
        Verdict::CreditFrozen => PostVerdict::CreditFrozen,
        Verdict::InsufficientFunds => PostVerdict::InsufficientFunds,
        Verdict::BalanceOverflow => PostVerdict::BalanceOverflow,
        Verdict::Posted => PostVerdict::Posted,
    }
}
