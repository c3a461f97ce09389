//! The tables.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use clock::Timestamp;
use id::{AccountId, GroupId, TransferId, UserId};

use crate::domain::{
    account::Account,
    chain::{Member, Seal},
    ledger::{NewEntry, Verdict},
    people::{Group, User},
    transfer::PostedTransfer,
};

/// Everything that is on the disk of the account service.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) accounts: BTreeMap<AccountId, Account>,
    pub(super) acts: Vec<Act>,
    /// In order of commit. Rows, and not a map: without the guard of its key, an id is there twice.
    pub(super) transfers: Vec<PostedTransfer>,
    /// Where the first transfer of an id is.
    pub(super) transfers_by_id: BTreeMap<TransferId, usize>,
    /// Fundings that were refused for good.
    pub(super) refused: BTreeMap<TransferId, Verdict>,
    /// In order of commit.
    pub(super) entries: Vec<NewEntry>,
    /// The numbers that are taken.
    pub(super) entry_numbers: BTreeSet<(AccountId, i64)>,
    /// Their `member_count` is not kept: see `members`.
    pub(super) groups: BTreeMap<GroupId, Group>,
    pub(super) members: BTreeSet<(GroupId, UserId)>,
    /// The digests that postings left, in order of commit, until they are under a seal.
    pub(super) unsealed: VecDeque<Vec<Member>>,
    pub(super) seals: Vec<Seal>,
    /// All sealed transfers in the order of the chain.
    pub(super) seal_members: Vec<Member>,
}

/// A freeze or unfreeze that changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The wallet.
    pub account: AccountId,
    /// What it became.
    pub frozen: bool,
    /// Why.
    pub reason: String,
    /// When.
    pub create_time: Timestamp,
}

/// The ledger's rows as they are, for an auditor who trusts no query.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// In order of id.
    pub accounts: Vec<Account>,
    /// In order of commit.
    pub transfers: Vec<PostedTransfer>,
    /// In order of commit.
    pub entries: Vec<NewEntry>,
    /// In order of commit.
    pub acts: Vec<Act>,
}

impl Tables {
    /// The ledger's rows.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            accounts: self.accounts.values().cloned().collect(),
            transfers: self.transfers.clone(),
            entries: self.entries.clone(),
            acts: self.acts.clone(),
        }
    }

    /// The first transfer of an id.
    pub(super) fn transfer(&self, id: TransferId) -> Option<&PostedTransfer> {
        self.transfers.get(*self.transfers_by_id.get(&id)?)
    }
}
