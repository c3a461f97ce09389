//! What a verification reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use ::sql::Result;
use async_trait::async_trait;
use id::{AccountId, TransferId};
use money::Fen;

use super::{MemoryStore, tables::Tables};
use crate::{
    domain::{
        audit::{
            accounts::{AccountLine, AccountSlice, EntryLine, Place},
            seals::{SealSlice, Sealed},
            transfers::{Mark, Suspect, Trace, TransferSlice},
        },
        chain::{Head, Seal},
        ledger::NewEntry,
    },
    store::Audit,
};

#[async_trait]
impl Audit for MemoryStore {
    async fn accounts_from(&self, from: Place, limit: u64) -> Result<AccountSlice> {
        self.link
            .read("audit.accounts", |tables| Ok(tables.accounts_from(from, rows(limit))))
            .await
    }

    async fn transfers_from(&self, after: Option<TransferId>, limit: u64) -> Result<TransferSlice> {
        self.link
            .read(
                "audit.transfers",
                |tables| Ok(tables.transfers_from(after, rows(limit))),
            )
            .await
    }

    async fn seals_from(&self, after_no: i64, limit: u64) -> Result<SealSlice> {
        self.link
            .read("audit.seals", |tables| Ok(tables.seals_from(after_no, rows(limit))))
            .await
    }
}

fn rows(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

impl Tables {
    fn accounts_from(&self, from: Place, limit: usize) -> AccountSlice {
        let is_behind = |account: AccountId, entry_no: i64| match from {
            Place::Start => true,
            Place::Within(id, no) => (account, entry_no) > (id, no),
            Place::Behind(id) => account > id,
        };
        let mut entries: Vec<EntryLine> = self
            .entries
            .iter()
            .filter(|entry| is_behind(entry.account, entry.entry_no))
            .map(line)
            .collect();
        entries.sort_by_key(|entry| (entry.account, entry.entry_no));
        let is_cut = entries.len() > limit;
        entries.truncate(limit);
        let to = entries.last().filter(|_| is_cut);
        let to = to.map(|last| Place::Within(last.account, last.entry_no));
        let is_complete = |id: AccountId| {
            is_behind(id, i64::MAX) && to.is_none_or(|to| matches!(to, Place::Within(last, _) if id < last))
        };
        let accounts = self.accounts.iter().filter(|(id, _)| is_complete(**id));
        let accounts = accounts.map(|(id, account)| AccountLine {
            id: *id,
            reference: Some(account.reference.clone()),
            balance: account.balance,
            entry_count: account.entry_count,
        });
        AccountSlice {
            accounts: accounts.collect(),
            entries,
            to,
        }
    }

    fn transfers_from(&self, after: Option<TransferId>, limit: usize) -> TransferSlice {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut ids: Vec<TransferId> = self
            .transfers_by_id
            .range((from, Bound::Unbounded))
            .map(|(id, _)| *id)
            .collect();
        let is_cut = ids.len() > limit;
        ids.truncate(limit);
        let to = ids.last().copied().filter(|_| is_cut);
        let is_within = |id: TransferId| after.is_none_or(|after| id > after) && to.is_none_or(|to| id <= to);

        let mut entries: BTreeMap<TransferId, Vec<(AccountId, Fen)>> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| is_within(entry.transfer)) {
            let of_transfer = entries.entry(entry.transfer).or_default();
            of_transfer.push((entry.account, entry.delta));
        }
        let sealed: BTreeSet<TransferId> = self.seal_members.iter().map(|member| member.transfer).collect();
        let waiting: BTreeMap<_, _> = self
            .unsealed
            .iter()
            .flatten()
            .map(|member| (member.transfer, member.digest))
            .collect();
        let named: BTreeSet<TransferId> = ids.iter().chain(entries.keys()).copied().collect();
        let suspects = named.into_iter().map(|id| Suspect {
            id,
            trace: self.trace(id),
            entries: entries.remove(&id).unwrap_or_default(),
            mark: match waiting.get(&id) {
                Some(digest) => Mark::Waits(*digest),
                None if sealed.contains(&id) => Mark::Sealed,
                None => Mark::Unknown,
            },
        });
        TransferSlice {
            transfer_count: i64::try_from(ids.len()).unwrap_or(i64::MAX),
            suspects: suspects.collect(),
            to,
        }
    }

    fn seals_from(&self, after_no: i64, limit: usize) -> SealSlice {
        let behind: Vec<&Seal> = self.seals.iter().filter(|seal| seal.seal_no > after_no).collect();
        let mut room = limit;
        let mut seals = Vec::new();
        for seal in &behind {
            if room == 0 {
                break;
            }
            let members = self.sealed(seal);
            room = room.saturating_sub(members.len());
            seals.push((**seal, members));
        }
        SealSlice {
            is_last: seals.len() == behind.len(),
            seals,
            head: Some(self.head()),
            beyond: Vec::new(),
        }
    }

    fn sealed(&self, seal: &Seal) -> Vec<Sealed> {
        let index = |position: i64| usize::try_from(position - 1).unwrap_or(0);
        let to = Head::of(seal).transfer_count;
        let members = self.seal_members.get(index(seal.first_position)..index(to + 1));
        let sealed = members.unwrap_or_default().iter().map(|member| Sealed {
            member: *member,
            trace: self.trace(member.transfer),
        });
        sealed.collect()
    }

    fn trace(&self, id: TransferId) -> Trace {
        self.transfer(id).map_or(Trace::Gone, |posted| {
            Trace::Posted(posted.transfer.payload(), posted.create_time)
        })
    }
}

fn line(entry: &NewEntry) -> EntryLine {
    EntryLine {
        account: entry.account,
        entry_no: entry.entry_no,
        delta: entry.delta,
        balance: entry.balance,
    }
}
