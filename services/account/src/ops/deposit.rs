//! Money from the world outside into a wallet.

use clock::Clock;
use id::{RequestId, TransferId, UserId};
use money::Fen;

use super::{Result, post_transfers::post_transfers, read_account::get_account};
use crate::{
    domain::{
        account::{Account, AccountRef},
        ledger::Verdict,
        refusal::Refusal,
        transfer::{Reason, Transfer},
    },
    store::{Accounts, Ledger},
};

/// Deposits `amount` and returns the wallet after it; on a repeat of the same `request`, as it is now (ID-1).
pub async fn deposit(
    ledger: &dyn Ledger,
    accounts: &dyn Accounts,
    clock: &dyn Clock,
    request: &RequestId,
    user: &UserId,
    amount: Fen,
) -> Result<Account> {
    let wallet = AccountRef::Wallet(user.clone());
    let transfer = Transfer {
        id: TransferId::deposit(user, request),
        debit: AccountRef::External,
        credit: wallet.clone(),
        amount,
        reason: Reason::Deposit,
        packet: None,
    };
    let postings = post_transfers(ledger, clock, &[Ok(transfer)]).await?;
    let verdict = postings.first().map(|posting| posting.verdict);
    match verdict {
        Some(Verdict::Posted | Verdict::AlreadyPosted) => get_account(accounts, wallet).await,
        Some(Verdict::IdReused) => Err(Refusal::RequestIdReused(request.clone()).into()),
        Some(Verdict::CreditNotFound) => Err(Refusal::UnknownUsers(vec![user.clone()]).into()),
        Some(Verdict::CreditFrozen) => Err(Refusal::AccountFrozen(user.clone()).into()),
        Some(Verdict::BalanceOverflow) => Err(Refusal::BalanceOverflow(user.clone()).into()),
        _ => Err(sql::Error::inconsistent(format!("a deposit got the verdict {verdict:?}")).into()),
    }
}
