//! Row ↔ domain. A row that no domain value can be read from is [`sql::Error::Inconsistent`].

use ::sql::{Error, Result};
use clock::{Timestamp, from_micros};
use id::{PacketId, TransferId};
use money::Fen;
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

use super::entity::{account, entry, group, refusal, transfer, user};
use crate::domain::{
    account::{Account, AccountRef},
    chain::{Member, digest},
    ledger::{NewEntry, Verdict},
    people::{Group, User},
    transfer::{Payload, Reason, Transfer},
};

// Codes of `accounts.kind`. They are in every row: none may ever change its meaning.
const KIND_WALLET: i16 = 1;
const KIND_ESCROW: i16 = 2;
const KIND_SUSPENSE: i16 = 3;
/// The one kind whose balance may be below zero (MONEY-2).
pub const KIND_EXTERNAL: i16 = 4;

/// Kind and owner of an account.
pub fn from_reference(reference: &AccountRef) -> (i16, String) {
    match reference {
        AccountRef::Wallet(user) => (KIND_WALLET, user.to_string()),
        AccountRef::Escrow(packet) => (KIND_ESCROW, packet.to_string()),
        AccountRef::Suspense(user) => (KIND_SUSPENSE, user.to_string()),
        AccountRef::External => (KIND_EXTERNAL, String::new()),
    }
}

/// The account that kind and owner stand for.
pub fn reference(kind: i16, owner: &str) -> Result<AccountRef> {
    Ok(match kind {
        KIND_WALLET => AccountRef::Wallet(name("accounts.owner", owner)?),
        KIND_ESCROW => AccountRef::Escrow(name("accounts.owner", owner)?),
        KIND_SUSPENSE => AccountRef::Suspense(name("accounts.owner", owner)?),
        KIND_EXTERNAL => AccountRef::External,
        _ => return Err(Error::inconsistent(format!("accounts.kind is {kind}"))),
    })
}

/// The code of a reason. The same rule as for kinds: none may ever change its meaning.
pub fn from_reason(reason: Reason) -> i16 {
    reason.code().into()
}

/// The reason that a code stands for.
pub fn reason(code: i16) -> Result<Reason> {
    let reason = Reason::ALL.into_iter().find(|reason| from_reason(*reason) == code);
    reason.ok_or_else(|| Error::inconsistent(format!("transfers.reason is {code}")))
}

// Codes of `refusals.verdict`. The same rule: none may ever change its meaning.
const fn lasting_code(verdict: Verdict) -> Option<i16> {
    Some(match verdict {
        Verdict::DebitFrozen => 1,
        Verdict::CreditFrozen => 2,
        Verdict::InsufficientFunds => 3,
        Verdict::BalanceOverflow => 4,
        _ => return None,
    })
}

/// The row of a funding that is refused for good; `None` for a verdict that does not last.
pub fn from_refusal(id: TransferId, verdict: Verdict, now: Timestamp) -> Option<refusal::ActiveModel> {
    Some(refusal::ActiveModel {
        transfer_id: Set(id.as_uuid()),
        verdict: Set(lasting_code(verdict)?),
        create_us: Set(now.as_microsecond()),
    })
}

/// The funding that was refused, and why.
pub fn refusal(row: &refusal::Model) -> Result<(TransferId, Verdict)> {
    let verdict = Verdict::LASTING
        .into_iter()
        .find(|verdict| lasting_code(*verdict) == Some(row.verdict));
    let verdict = verdict.ok_or_else(|| Error::inconsistent(format!("refusals.verdict is {}", row.verdict)))?;
    Ok((row.transfer_id.into(), verdict))
}

/// A name or id that the service itself once wrote.
pub fn name<T: std::str::FromStr>(column: &str, text: &str) -> Result<T> {
    text.parse()
        .map_err(|_| Error::inconsistent(format!("{column} is {text:?}")))
}

/// A user.
pub fn user(row: user::Model) -> Result<User> {
    Ok(User {
        id: name("users.user_id", &row.user_id)?,
        display_name: row.display_name,
        create_time: from_micros(row.create_us),
    })
}

/// An account.
pub fn account(row: &account::Model) -> Result<Account> {
    Ok(Account {
        reference: reference(row.kind, &row.owner)?,
        balance: Fen::new(row.balance_fen),
        frozen: row.frozen,
        entry_count: row.entry_count,
        create_time: from_micros(row.create_us),
    })
}

/// The row of an account.
pub fn from_account(id: Uuid, account: &Account) -> account::ActiveModel {
    let (kind, owner) = from_reference(&account.reference);
    account::ActiveModel {
        account_id: Set(id),
        kind: Set(kind),
        owner: Set(owner),
        balance_fen: Set(account.balance.get()),
        frozen: Set(account.frozen),
        entry_count: Set(account.entry_count),
        create_us: Set(account.create_time.as_microsecond()),
    }
}

/// A transfer's id and payload.
pub fn payload(row: &transfer::Model) -> Result<(TransferId, Payload)> {
    let payload = Payload {
        debit: row.debit_id.into(),
        credit: row.credit_id.into(),
        amount: Fen::new(row.amount_fen),
        reason: reason(row.reason)?,
        packet: row.packet_id.map(PacketId::from),
    };
    Ok((row.transfer_id.into(), payload))
}

/// The member of the chain that a transfer is.
pub fn member(row: &transfer::Model) -> Result<Member> {
    let (transfer, payload) = payload(row)?;
    let digest = digest(transfer, &payload, from_micros(row.create_us));
    Ok(Member { transfer, digest })
}

/// The row of a transfer posted at `now`.
pub fn from_transfer(transfer: &Transfer, now: Timestamp) -> transfer::ActiveModel {
    let payload = transfer.payload();
    transfer::ActiveModel {
        transfer_id: Set(transfer.id.as_uuid()),
        debit_id: Set(payload.debit.as_uuid()),
        credit_id: Set(payload.credit.as_uuid()),
        amount_fen: Set(payload.amount.get()),
        reason: Set(from_reason(payload.reason)),
        packet_id: Set(payload.packet.map(|packet| packet.as_uuid())),
        create_us: Set(now.as_microsecond()),
    }
}

/// The row of an entry.
pub fn from_entry(entry: &NewEntry) -> entry::ActiveModel {
    entry::ActiveModel {
        account_id: Set(entry.account.as_uuid()),
        entry_no: Set(entry.entry_no),
        transfer_id: Set(entry.transfer.as_uuid()),
        delta_fen: Set(entry.delta.get()),
        balance_fen: Set(entry.balance.get()),
    }
}

/// A group with its number of members.
pub fn group(row: group::Model, member_count: u64) -> Result<Group> {
    Ok(Group {
        id: name("groups.group_id", &row.group_id)?,
        display_name: row.display_name,
        owner: name("groups.owner_id", &row.owner_id)?,
        member_count: i64::try_from(member_count).map_err(Error::inconsistent)?,
        create_time: from_micros(row.create_us),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_back_and_others_are_refused() {
        for code in 1..=6 {
            assert_eq!(from_reason(reason(code).unwrap()), code);
        }
        let packet = "0192d3c4-5b6a-7c8d-9e0f-112233445566";
        for (kind, owner) in [(1, "a"), (2, packet), (3, "a"), (4, "")] {
            assert_eq!(
                from_reference(&reference(kind, owner).unwrap()),
                (kind, owner.to_owned())
            );
        }
        for (kind, owner) in [(0, "a"), (5, "a"), (1, ""), (2, "a"), (3, "a b")] {
            assert!(
                matches!(reference(kind, owner), Err(Error::Inconsistent(_))),
                "{kind} {owner}"
            );
        }
        for code in [0, 7, -1] {
            assert!(matches!(reason(code), Err(Error::Inconsistent(_))), "{code}");
        }
    }
}
