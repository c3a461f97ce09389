//! One account and its entries.

use paging::Page;

use super::Result;
use crate::{
    domain::{
        account::{Account, AccountRef},
        refusal::Refusal,
        transfer::Entry,
    },
    store::{Accounts, Ledger},
};

/// The account, or the refusal that there is none.
pub async fn get_account(accounts: &dyn Accounts, reference: AccountRef) -> Result<Account> {
    let found = accounts.accounts(std::slice::from_ref(&reference)).await?.pop();
    found.ok_or_else(|| Refusal::UnknownAccount(reference).into())
}

/// One page of an account's entries, newest first, and the token of the next.
pub async fn list_entries(
    accounts: &dyn Accounts,
    ledger: &dyn Ledger,
    reference: AccountRef,
    page: &Page<i64>,
) -> Result<(Vec<Entry>, String)> {
    let entries = ledger.entries(&reference, page).await?;
    if entries.is_empty() {
        get_account(accounts, reference).await?;
    }
    Ok(page.cut(entries, |entry| entry.entry_no))
}
