//! The rules of posting, as a pure function over the rows that the store has locked.
//!
//! A batch is applied item by item: each sees the effects of those before it, and each gets a [`Verdict`] of its own, so
//! that one bad item never fails the others. Where several verdicts would fit, the first in the order of the enum is
//! given; [`judge`] asks in that order and the tests visit it in that order.
//!
//! A funding that is refused stays refused, whatever is paid in later: its sender was told so, and a copy of the call that
//! arrives late must not charge them.
#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic)]

use std::collections::{BTreeMap, HashMap};

use clock::Timestamp;
use guard::Guard;
use id::{AccountId, TransferId};
use money::Fen;

use super::{
    account::{Account, AccountRef},
    transfer::{Payload, Reason, Transfer},
};

/// Most transfers in one batch. Bounds the memory, the locks and the bind variables of one transaction.
pub const MAX_BATCH: usize = 1_000;

/// What became of one item, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The transfer id is not a UUID.
    InvalidId,
    /// An account reference, the packet id or the reason is malformed.
    InvalidField,
    /// The amount is zero or below.
    InvalidAmount,
    /// Debit and credit are the same account.
    SameAccount,
    /// The id was applied before with another payload (MONEY-3). Nothing changed.
    IdReused,
    /// The id was applied before with this payload. Nothing changed; as good as [`Verdict::Posted`].
    AlreadyPosted,
    /// The reason does not go with these accounts. Asked after the id, so that a repeat of what was posted is told so.
    WrongAccounts,
    /// The account to debit does not exist.
    DebitNotFound,
    /// The account to credit does not exist.
    CreditNotFound,
    /// The account to debit is frozen.
    DebitFrozen,
    /// The account to credit is frozen.
    CreditFrozen,
    /// The debit would take the account below zero (MONEY-2).
    InsufficientFunds,
    /// A balance would no longer fit 64 bits.
    BalanceOverflow,
    /// Applied now.
    Posted,
}

impl Verdict {
    /// The refusals of a funding that last. Those of an account that does not exist do not: there is no row to lock, so that
    /// another instance could post the same id meanwhile.
    pub const LASTING: [Self; 4] = [
        Self::DebitFrozen,
        Self::CreditFrozen,
        Self::InsufficientFunds,
        Self::BalanceOverflow,
    ];
}

/// Why an item could not be read as a transfer at all. In order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The transfer id is not a UUID.
    Id,
    /// An account reference, the packet id or the reason is malformed.
    Field,
}

/// One item of a batch.
pub type Item = Result<Transfer, Malformed>;

/// What the store knows that bears on a batch.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Transfers posted before, among the ids of the batch.
    pub posted: HashMap<TransferId, Payload>,
    /// Fundings refused before, among the ids of the batch, and why.
    pub refused: HashMap<TransferId, Verdict>,
    /// Accounts that exist, among those that the batch names.
    pub accounts: HashMap<AccountId, Account>,
}

/// The verdict on one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// What became of it.
    pub verdict: Verdict,
    /// Balance of the debited account after this item; zero where the account is not known.
    pub debit_balance: Fen,
}

/// One side of a transfer, numbered and with the balance after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// Whose entry.
    pub account: AccountId,
    /// Number within the account, from 1, gapless.
    pub entry_no: i64,
    /// The transfer it is a side of.
    pub transfer: TransferId,
    /// What the balance changed by.
    pub delta: Fen,
    /// The balance after it.
    pub balance: Fen,
}

/// What a batch does.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// One for each item, in order.
    pub postings: Vec<Posting>,
    /// The transfers posted now, in order.
    pub transfers: Vec<Transfer>,
    /// The fundings refused now for good, in order.
    pub refused: Vec<(TransferId, Verdict)>,
    /// Entries of the transfers, two for each: the debit, then the credit.
    pub entries: Vec<NewEntry>,
    /// Accounts that this batch opened, as they are after it.
    pub opened: BTreeMap<AccountId, Account>,
    /// Accounts that existed and were touched, as they are after it.
    pub changed: BTreeMap<AccountId, Account>,
}

/// Applies `items` in order to `books` at the instant `now`.
pub fn post(items: &[Item], mut books: Books, now: Timestamp) -> Outcome {
    let mut outcome = Outcome::default();
    for item in items {
        let verdict = match judge(item, &books, now) {
            Ok(movement) => {
                outcome.record(movement, &mut books);
                Verdict::Posted
            }
            Err(verdict) => {
                outcome.remember(item, verdict, &mut books);
                verdict
            }
        };
        outcome.postings.push(Posting {
            verdict,
            debit_balance: debit_balance(item, &books),
        });
    }
    outcome
}

/// A transfer that may be posted; what changes in its two accounts, and the accounts after it.
struct Movement<'a> {
    transfer: &'a Transfer,
    payload: Payload,
    debit: (Fen, Account),
    credit: (Fen, Account),
}

/// The first verdict that fits, or what the transfer does.
fn judge<'a>(item: &'a Item, books: &Books, now: Timestamp) -> Result<Movement<'a>, Verdict> {
    let transfer = item.as_ref().map_err(|malformed| match malformed {
        Malformed::Id => Verdict::InvalidId,
        Malformed::Field => Verdict::InvalidField,
    })?;
    if !transfer.amount.is_positive() {
        return Err(Verdict::InvalidAmount);
    }
    let payload = transfer.payload();
    if guard::stands(Guard::SameAccount) && payload.debit == payload.credit {
        return Err(Verdict::SameAccount);
    }
    if let Some(before) = books.posted.get(&transfer.id) {
        if guard::stands(Guard::TransferPayload) && *before != payload {
            return Err(Verdict::IdReused);
        }
        if guard::stands(Guard::TransferOnce) {
            return Err(Verdict::AlreadyPosted);
        }
    }
    if guard::stands(Guard::SameAccount) && !transfer.fits_its_reason() {
        return Err(Verdict::WrongAccounts);
    }
    if guard::stands(Guard::RefusalLasts)
        && transfer.reason == Reason::Fund
        && let Some(verdict) = books.refused.get(&transfer.id)
    {
        return Err(*verdict);
    }
    let account = |id, reference: &AccountRef, opens: bool| {
        let known = books.accounts.get(&id).cloned();
        known.or_else(|| opens.then_some(Account::open(reference.clone(), now)))
    };
    let debit = account(payload.debit, &transfer.debit, transfer.debit.may_owe()).ok_or(Verdict::DebitNotFound)?;
    let credit = account(payload.credit, &transfer.credit, transfer.credit.opens_when_credited())
        .ok_or(Verdict::CreditNotFound)?;
    if debit.frozen {
        return Err(Verdict::DebitFrozen);
    }
    if credit.frozen {
        return Err(Verdict::CreditFrozen);
    }
    if guard::stands(Guard::Funds) && debit.balance < transfer.amount && !debit.reference.may_owe() {
        return Err(Verdict::InsufficientFunds);
    }
    let given = transfer.amount;
    let taken = Fen::ZERO.checked_sub(given).ok_or(Verdict::BalanceOverflow)?;
    Ok(Movement {
        transfer,
        payload,
        debit: (taken, debit.moved(taken).ok_or(Verdict::BalanceOverflow)?),
        credit: (given, credit.moved(given).ok_or(Verdict::BalanceOverflow)?),
    })
}

/// What the debited account of a readable item holds; zero where it is not known.
fn debit_balance(item: &Item, books: &Books) -> Fen {
    item.as_ref()
        .ok()
        .and_then(|transfer| books.accounts.get(&transfer.debit.id()))
        .map_or(Fen::ZERO, |account| account.balance)
}

impl Outcome {
    fn record(&mut self, movement: Movement<'_>, books: &mut Books) {
        let Movement {
            transfer,
            payload,
            debit,
            credit,
        } = movement;
        for (id, (delta, account)) in [(payload.debit, debit), (payload.credit, credit)] {
            self.entries.push(NewEntry {
                account: id,
                entry_no: account.entry_count,
                transfer: transfer.id,
                delta,
                balance: account.balance,
            });
            let is_new = self.opened.contains_key(&id) || !books.accounts.contains_key(&id);
            let touched = if is_new { &mut self.opened } else { &mut self.changed };
            touched.insert(id, account.clone());
            books.accounts.insert(id, account);
        }
        books.posted.insert(transfer.id, payload);
        self.transfers.push(transfer.clone());
    }

    fn remember(&mut self, item: &Item, verdict: Verdict, books: &mut Books) {
        let funding = item.as_ref().ok().filter(|transfer| transfer.reason == Reason::Fund);
        if let Some(funding) = funding
            && Verdict::LASTING.contains(&verdict)
            && books.refused.insert(funding.id, verdict).is_none()
        {
            self.refused.push((funding.id, verdict));
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the model counts in 128 bits, small amounts apart"
)]
mod tests;
