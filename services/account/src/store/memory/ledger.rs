//! The double-entry ledger.

use ::sql::{Result, repeat};
use async_trait::async_trait;
use clock::Timestamp;
use guard::Guard;
use id::TransferId;
use paging::Page;

use super::{MemoryStore, tables::Tables};
use crate::{
    domain::{
        account::{Account, AccountRef},
        chain::Member,
        ledger::{self, Books, Item, NewEntry, Outcome, Posting},
        transfer::{Entry, PostedTransfer, Transfer},
    },
    store::Ledger,
};

#[async_trait]
impl Ledger for MemoryStore {
    async fn post(&self, items: &[Item], now: Timestamp) -> Result<Vec<Posting>> {
        if !guard::stands(Guard::LedgerLock) {
            return self.post_unlocked(items, now).await;
        }
        self.link
            .write("ledger.post", |tables| {
                let outcome = ledger::post(items, tables.books(items), now);
                tables.record(&outcome, now)?;
                Ok(outcome.postings)
            })
            .await
    }

    async fn transfers(&self, ids: &[TransferId]) -> Result<Vec<PostedTransfer>> {
        self.link
            .read("ledger.transfers", |tables| {
                Ok(ids.iter().filter_map(|id| tables.transfer(*id)).cloned().collect())
            })
            .await
    }

    async fn entries(&self, account: &AccountRef, page: &Page<i64>) -> Result<Vec<Entry>> {
        let account = account.id();
        let is_behind = |entry: &&NewEntry| page.after.is_none_or(|after| entry.entry_no < after);
        self.link
            .read("ledger.entries", |tables| {
                let entries = tables.entries.iter().rev();
                let page = entries
                    .filter(|entry| entry.account == account)
                    .filter(is_behind)
                    .take(usize::try_from(page.fetch()).unwrap_or(usize::MAX));
                Ok(page.filter_map(|entry| tables.line(entry)).collect())
            })
            .await
    }
}

impl MemoryStore {
    /// What a batch would do if it locked nothing: others write between its reading and its writing.
    async fn post_unlocked(&self, items: &[Item], now: Timestamp) -> Result<Vec<Posting>> {
        repeat(|| async {
            let books = self.link.read("ledger.post", |tables| Ok(tables.books(items))).await?;
            let outcome = ledger::post(items, books, now);
            self.link
                .write_once("ledger.post", |tables| tables.record(&outcome, now))
                .await?;
            Ok(outcome.postings)
        })
        .await
    }
}

impl Tables {
    fn books(&self, items: &[Item]) -> Books {
        let mut books = Books::default();
        for transfer in items.iter().flatten() {
            if let Some(posted) = self.transfer(transfer.id) {
                books.posted.insert(transfer.id, posted.transfer.payload());
            }
            if let Some(verdict) = self.refused.get(&transfer.id) {
                books.refused.insert(transfer.id, *verdict);
            }
            for side in [transfer.debit.id(), transfer.credit.id()] {
                if let Some(account) = self.accounts.get(&side) {
                    books.accounts.insert(side, account.clone());
                }
            }
        }
        books
    }

    fn record(&mut self, outcome: &Outcome, now: Timestamp) -> Result<()> {
        for transfer in &outcome.transfers {
            self.insert_transfer(transfer, now)?;
        }
        for (id, account) in &outcome.opened {
            // Without locks, who comes later overwrites.
            let is_new = !self.accounts.contains_key(id) || !guard::stands(Guard::LedgerLock);
            disk::key(is_new, "accounts by account_id")?;
            check_account(account)?;
            self.accounts.insert(*id, account.clone());
        }
        for entry in &outcome.entries {
            self.insert_entry(entry)?;
        }
        if !outcome.transfers.is_empty() {
            let members = outcome.transfers.iter().map(|transfer| Member::of(transfer, now));
            self.unsealed.push_back(members.collect());
        }
        for (id, verdict) in &outcome.refused {
            let is_new = self.refused.insert(*id, *verdict).is_none();
            disk::key(is_new, "refusals by transfer_id")?;
        }
        for (id, changed) in &outcome.changed {
            check_account(changed)?;
            if let Some(account) = self.accounts.get_mut(id) {
                (account.balance, account.entry_count) = (changed.balance, changed.entry_count);
            }
        }
        Ok(())
    }

    fn insert_transfer(&mut self, transfer: &Transfer, now: Timestamp) -> Result<()> {
        let is_new = !self.transfers_by_id.contains_key(&transfer.id);
        disk::key(
            is_new || !guard::stands(Guard::TransferOnce),
            "transfers by transfer_id (MONEY-3)",
        )?;
        disk::check(transfer.amount.is_positive(), "transfers.amount_fen > 0")?;
        disk::check(
            transfer.debit != transfer.credit || !guard::stands(Guard::SameAccount),
            "transfers.debit_id <> credit_id (MONEY-1)",
        )?;
        self.transfers_by_id.entry(transfer.id).or_insert(self.transfers.len());
        self.transfers.push(PostedTransfer {
            transfer: transfer.clone(),
            create_time: now,
        });
        Ok(())
    }

    fn insert_entry(&mut self, entry: &NewEntry) -> Result<()> {
        // The number of an entry gives away what overwrote a balance, whichever way that came about.
        let numbered = guard::stands(Guard::LedgerLock) && guard::stands(Guard::SameAccount);
        let is_new = self.entry_numbers.insert((entry.account, entry.entry_no));
        disk::key(is_new || !numbered, "entries by account_id, entry_no (MONEY-1)")?;
        disk::check(entry.entry_no > 0, "entries.entry_no > 0")?;
        disk::check(entry.delta.get() != 0, "entries.delta_fen <> 0")?;
        self.entries.push(entry.clone());
        Ok(())
    }

    /// An entry with its transfer and the account on the other side.
    fn line(&self, entry: &NewEntry) -> Option<Entry> {
        let PostedTransfer { transfer, create_time } = self.transfer(entry.transfer)?;
        let is_debit = transfer.debit.id() == entry.account;
        Some(Entry {
            entry_no: entry.entry_no,
            transfer: entry.transfer,
            delta: entry.delta,
            balance: entry.balance,
            reason: transfer.reason,
            packet: transfer.packet,
            counterparty: if is_debit { &transfer.credit } else { &transfer.debit }.clone(),
            create_time: *create_time,
        })
    }
}

fn check_account(account: &Account) -> Result<()> {
    let holds = account.balance.get() >= 0 || account.reference.may_owe() || !guard::stands(Guard::Funds);
    disk::check(holds, "accounts.balance_fen >= 0 (MONEY-2)")?;
    disk::check(account.entry_count >= 0, "accounts.entry_count >= 0")
}
