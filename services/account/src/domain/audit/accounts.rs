//! Every balance against the entries below it.

use std::collections::{BTreeMap, BTreeSet};

use id::AccountId;
use money::Fen;

use super::{Finding, Report, Subject, count};
use crate::domain::account::AccountRef;

/// How far a walk through accounts and their entries has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// At the beginning.
    #[default]
    Start,
    /// Within an account, behind its entry of this number.
    Within(AccountId, i64),
    /// Behind all entries of an account.
    Behind(AccountId),
}

/// What an account says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountLine {
    /// Its id.
    pub id: AccountId,
    /// What it stands for; `None` if that cannot be read.
    pub reference: Option<AccountRef>,
    /// What it says it holds.
    pub balance: Fen,
    /// How many entries it says it has.
    pub entry_count: i64,
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryLine {
    /// Whose.
    pub account: AccountId,
    /// Its number.
    pub entry_no: i64,
    /// What it changed.
    pub delta: Fen,
    /// The balance that it noted.
    pub balance: Fen,
}

/// Accounts and entries behind a [`Place`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountSlice {
    /// The accounts whose last entry is in the slice, or that have none; in no particular order.
    pub accounts: Vec<AccountLine>,
    /// In order of account and number.
    pub entries: Vec<EntryLine>,
    /// Behind it all: [`Place::Within`] the account of the last entry if more of it may follow. `None` if nothing follows.
    pub to: Option<Place>,
}

/// The entries of an account, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many there are.
    pub entry_count: i64,
    /// The number of the last one.
    pub last_no: i64,
    /// The sum of what they changed, in fen.
    pub sum: i128,
    /// The balance that the last one noted.
    pub balance: Fen,
}

/// Where the walk stands, with the part of an account that it has behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// How far it has come.
    pub place: Place,
    /// Of the account that it is within.
    pub tally: Tally,
}

impl Walk {
    /// Judges what is in `slice`, which is behind this place. Returns where the walk stands then; `None` at the end.
    pub fn on(&self, slice: &AccountSlice, report: &mut Report) -> Option<Self> {
        let mut tallies: BTreeMap<AccountId, Tally> = BTreeMap::new();
        if let Place::Within(account, _) = self.place {
            tallies.insert(account, self.tally);
        }
        for entry in &slice.entries {
            tallies.entry(entry.account).or_default().take(entry, report);
        }
        let mut carried = Tally::default();
        if let Some(Place::Within(account, _)) = slice.to {
            carried = tallies.remove(&account).unwrap_or_default();
        }
        let mut known = BTreeSet::new();
        for account in &slice.accounts {
            known.insert(account.id);
            account.judge(tallies.get(&account.id).copied().unwrap_or_default(), report);
        }
        report.account_count = report.account_count.saturating_add(count(known.len()));
        for (id, tally) in tallies {
            if !known.contains(&id) && tally.entry_count > 0 {
                report.add(Finding::NoSuchAccount, Subject::Account(id), tally.sum);
                report.balance_sum -= tally.sum;
            }
        }
        slice.to.map(|place| Self { place, tally: carried })
    }
}

impl Tally {
    fn take(&mut self, entry: &EntryLine, report: &mut Report) {
        // After a missing entry, it is the next one that does not follow.
        let follows = self.last_no.checked_add(1) == Some(entry.entry_no);
        let before = if follows { self.balance } else { Fen::ZERO };
        let excess = i128::from(entry.balance.get()) - i128::from(before.get()) - i128::from(entry.delta.get());
        if excess != 0 {
            let entry_no = entry.entry_no;
            report.add(
                Finding::RunningBalance { entry_no },
                Subject::Account(entry.account),
                excess,
            );
        }
        self.entry_count = self.entry_count.saturating_add(1);
        self.last_no = entry.entry_no;
        self.sum += i128::from(entry.delta.get());
        self.balance = entry.balance;
    }
}

impl AccountLine {
    fn judge(&self, entries: Tally, report: &mut Report) {
        let subject = Subject::Account(self.id);
        let balance = i128::from(self.balance.get());
        if self
            .reference
            .as_ref()
            .is_none_or(|reference| reference.id() != self.id)
        {
            report.add(Finding::Name, subject, 0);
        }
        if balance < 0 && self.id != AccountId::external() {
            report.add(Finding::BelowZero, subject, balance);
        }
        let excess = balance - entries.sum;
        if excess != 0 {
            report.add(Finding::Balance, subject, excess);
            report.balance_sum += excess;
        }
        let (counted, found) = (self.entry_count, entries.entry_count);
        // As many as the highest number, which is above zero and unique: 1 to `found` without a gap.
        if counted != found || entries.last_no != found {
            report.add(Finding::EntryCount { counted, found }, subject, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wallet(n: u8) -> AccountRef {
        AccountRef::Wallet(format!("u{n}").parse().unwrap())
    }

    /// A sound ledger: for each account, what its entries change.
    fn sound(changes: &[Vec<i64>]) -> (Vec<AccountLine>, Vec<EntryLine>) {
        let (mut accounts, mut entries) = (Vec::new(), Vec::new());
        for (n, deltas) in (0..).zip(changes) {
            let reference = wallet(n);
            let (id, mut balance) = (reference.id(), 0);
            for (entry_no, delta) in (1..).zip(deltas) {
                balance += delta;
                entries.push(EntryLine {
                    account: id,
                    entry_no,
                    delta: Fen::new(*delta),
                    balance: Fen::new(balance),
                });
            }
            accounts.push(AccountLine {
                id,
                reference: Some(reference),
                balance: Fen::new(balance),
                entry_count: count(deltas.len()),
            });
        }
        accounts.sort_by_key(|account| account.id);
        entries.sort_by_key(|entry| (entry.account, entry.entry_no));
        (accounts, entries)
    }

    /// The slices of `size` entries that a store would give.
    fn walk(accounts: &[AccountLine], entries: &[EntryLine], size: usize) -> Report {
        let mut report = Report::default();
        let mut walk = Some(Walk::default());
        while let Some(at) = walk {
            let is_behind = |account: AccountId, entry_no: i64| match at.place {
                Place::Start => true,
                Place::Within(id, no) => (account, entry_no) > (id, no),
                Place::Behind(id) => account > id,
            };
            let rest: Vec<EntryLine> = entries
                .iter()
                .copied()
                .filter(|entry| is_behind(entry.account, entry.entry_no))
                .collect();
            let taken = rest[..rest.len().min(size)].to_vec();
            let to = (rest.len() >= size).then(|| taken.last()).flatten();
            let to = to.map(|entry| Place::Within(entry.account, entry.entry_no));
            let is_complete = |account: &&AccountLine| {
                is_behind(account.id, i64::MAX)
                    && to.is_none_or(|to| matches!(to, Place::Within(id, _) if account.id < id))
            };
            let slice = AccountSlice {
                accounts: accounts.iter().filter(is_complete).cloned().collect(),
                entries: taken,
                to,
            };
            walk = at.on(&slice, &mut report);
        }
        report
    }

    proptest! {
        /// Wherever the slices are cut, the same is found.
        #[test]
        fn slices_do_not_matter(
            changes in prop::collection::vec(prop::collection::vec(1_i64..100, 0..6), 1..6),
            size in 1_usize..8,
            broken in any::<prop::sample::Index>(),
        ) {
            let (accounts, mut entries) = sound(&changes);
            let report = walk(&accounts, &entries, size);
            prop_assert_eq!(&report.differences, &[]);
            prop_assert_eq!(report.account_count, count(accounts.len()));
            prop_assert_eq!(report.balance_sum, 0);
            if !entries.is_empty() {
                let at = broken.index(entries.len());
                entries[at].delta = Fen::new(entries[at].delta.get() + 1);
                let (whole, sliced) = (walk(&accounts, &entries, 1_000), walk(&accounts, &entries, size));
                prop_assert_eq!(whole.differences.len(), 2, "{:?}", whole.differences);
                let key = |found: &super::super::Difference| format!("{found:?}");
                let (mut whole, mut sliced) = (whole, sliced);
                whole.differences.sort_by_key(key);
                sliced.differences.sort_by_key(key);
                prop_assert_eq!(whole, sliced);
            }
        }
    }

    #[test]
    fn what_an_account_says_is_held_against_its_entries() {
        let (accounts, entries) = sound(&[vec![5, 7]]);
        let found = |change: fn(&mut AccountLine)| {
            let mut account = accounts[0].clone();
            change(&mut account);
            let report = walk(&[account], &entries, 9);
            let findings: Vec<_> = report
                .differences
                .iter()
                .map(|found| (found.finding, found.excess.get()))
                .collect();
            (findings, report.balance_sum)
        };
        let counted = |counted, found| Finding::EntryCount { counted, found };
        assert_eq!(found(|_| {}), (vec![], 0));
        assert_eq!(
            found(|account| account.balance = Fen::new(13)),
            (vec![(Finding::Balance, 1)], 1)
        );
        assert_eq!(
            found(|account| account.balance = Fen::new(-1)),
            (vec![(Finding::BelowZero, -1), (Finding::Balance, -13)], -13)
        );
        assert_eq!(found(|account| account.entry_count = 3), (vec![(counted(3, 2), 0)], 0));
        assert_eq!(found(|account| account.reference = None), (vec![(Finding::Name, 0)], 0));
        assert_eq!(
            found(|account| account.reference = Some(wallet(9))),
            (vec![(Finding::Name, 0)], 0)
        );
        assert_eq!(
            found(|account| account.id = wallet(9).id()),
            (
                vec![
                    (Finding::Name, 0),
                    (Finding::Balance, 12),
                    (counted(2, 0), 0),
                    (Finding::NoSuchAccount, 12)
                ],
                0
            )
        );
    }
}
