//! Why the service says no.

use id::{GroupId, RequestId, UserId};

use super::account::AccountRef;

/// A request that was understood and refused. Repeating it does not help until something else changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Users that were never opened, at least one, in the order given.
    #[error("unknown users {0:?}")]
    UnknownUsers(Vec<UserId>),
    /// The account was never opened.
    #[error("unknown account {0}")]
    UnknownAccount(AccountRef),
    /// There is no such group.
    #[error("unknown group {0}")]
    UnknownGroup(GroupId),
    /// The group id belongs to a group with another owner or name.
    #[error("group {0} has another owner or name")]
    GroupIdTaken(GroupId),
    /// The user's deposit of this request id had another amount (ID-1).
    #[error("request {0} had another amount")]
    RequestIdReused(RequestId),
    /// The user's wallet takes no part in transfers.
    #[error("the wallet of {0} is frozen")]
    AccountFrozen(UserId),
    /// The wallet, or what the world outside owes, would no longer fit 64 bits.
    #[error("the balance of {0} would overflow")]
    BalanceOverflow(UserId),
}
