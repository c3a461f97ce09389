//! The ports: what the use cases ask of a store, in domain words.
//!
//! Every method is atomic: it happens as a whole or not at all, also when its future is dropped. Every method may be repeated
//! with the same arguments, and repeats itself a few times where another instance is in its way and where the answer to a
//! commit is lost. What is left then is an [`::sql::Error`]: after `OutcomeUnknown` it may have happened, after any
//! other nothing has.

#[cfg(any(test, feature = "sim"))]
pub mod memory;
pub mod sql;

use ::sql::Result;
use async_trait::async_trait;
use clock::Timestamp;
use id::{GroupId, TransferId, UserId};
use paging::Page;

use crate::domain::{
    account::{Account, AccountRef},
    audit::{
        accounts::{AccountSlice, Place},
        seals::SealSlice,
        transfers::TransferSlice,
    },
    chain::{Head, Sealing},
    ledger::{Item, Posting},
    people::{Group, User},
    transfer::{Entry, PostedTransfer},
};

/// Users and their accounts.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Makes sure that the user exists under this name (another name replaces the old one) and has a wallet; returns
    /// both as they are then.
    async fn open(&self, user: &UserId, display_name: &str, now: Timestamp) -> Result<(User, Account)>;

    /// Those of the accounts that exist, in no particular order. At most 1,000.
    async fn accounts(&self, references: &[AccountRef]) -> Result<Vec<Account>>;

    /// Those of the users that exist, in no particular order. At most 1,001 (a group's owner and its first members).
    async fn users(&self, users: &[UserId]) -> Result<Vec<User>>;

    /// Freezes or unfreezes the user's wallet and, where that changed it, records the act with its reason. Returns the
    /// wallet; `None` if there is none.
    async fn set_frozen(&self, user: &UserId, frozen: bool, reason: &str, now: Timestamp) -> Result<Option<Account>>;
}

/// The double-entry ledger.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Posts a batch of 1 to [`MAX_BATCH`](crate::domain::ledger::MAX_BATCH) items by
    /// [the ledger's rules](crate::domain::ledger::post) in one transaction over rows that it holds locked, and returns
    /// a verdict for each item in order. Of several callers that post the same id at once, one is told
    /// [`Posted`](crate::domain::ledger::Verdict::Posted); the others, and one whose first answer was lost,
    /// [`AlreadyPosted`](crate::domain::ledger::Verdict::AlreadyPosted).
    async fn post(&self, items: &[Item], now: Timestamp) -> Result<Vec<Posting>>;

    /// Those of the transfers that were posted, in no particular order. At most 1,000.
    async fn transfers(&self, ids: &[TransferId]) -> Result<Vec<PostedTransfer>>;

    /// The entries of an account, newest first, up to [`Page::fetch`]; the page's key is the `entry_no`. Empty for an
    /// account without entries and for one that does not exist.
    async fn entries(&self, account: &AccountRef, page: &Page<i64>) -> Result<Vec<Entry>>;
}

/// What a verification reads: rows as they are, each call over one snapshot. `limit` bounds what a call looks at; it is
/// above zero.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Accounts and entries behind `from`: at most `limit` entries and `limit` accounts.
    async fn accounts_from(&self, from: Place, limit: u64) -> Result<AccountSlice>;

    /// The `limit` transfers behind `after`, in order of id, and what entries say of ids between them.
    async fn transfers_from(&self, after: Option<TransferId>, limit: u64) -> Result<TransferSlice>;

    /// Seals behind the one numbered `after_no` with their members: as many seals as have `limit` members, and at least one
    /// if there is one.
    async fn seals_from(&self, after_no: i64, limit: u64) -> Result<SealSlice>;
}

/// The chain of seals over the transfers. Every posting leaves the digests of its transfers, in its own transaction, for
/// the next sealing.
#[async_trait]
pub trait Chain: Send + Sync {
    /// Puts the transfers that wait longest under a seal, whole postings in the order in which they were written, at most
    /// [`MAX_MEMBERS`](crate::domain::chain::MAX_MEMBERS). Of several callers at once, one does.
    async fn seal(&self, now: Timestamp) -> Result<Sealing>;

    /// The end of the chain.
    async fn head(&self) -> Result<Head>;
}

/// Groups and who is in them.
#[async_trait]
pub trait Groups: Send + Sync {
    /// Creates the group with `members` (the owner among them), unless its id is taken; returns the group that has the
    /// id. All members must exist. At most 1,001 members.
    async fn create(&self, group: &Group, members: &[UserId]) -> Result<Group>;

    /// The group; `None` if there is none.
    async fn group(&self, group: &GroupId) -> Result<Option<Group>>;

    /// Adds users to a group; who is in already stays. Group and users must exist. At most 1,000.
    async fn add_members(&self, group: &GroupId, users: &[UserId], now: Timestamp) -> Result<()>;

    /// Removes users from a group; who is not in is passed over. At most 1,000.
    async fn remove_members(&self, group: &GroupId, users: &[UserId]) -> Result<()>;

    /// Those of the users who are members, in no particular order. At most 1,000.
    async fn check_members(&self, group: &GroupId, users: &[UserId]) -> Result<Vec<UserId>>;

    /// The members in order of id, up to [`Page::fetch`]. Empty for a group that does not exist.
    async fn members(&self, group: &GroupId, page: &Page<UserId>) -> Result<Vec<User>>;
}

#[cfg(test)]
mod contract;
