//! The use cases, one file each, over the ports. What needs no more than one call of a port has none.

pub mod create_group;
pub mod deposit;
pub mod freeze;
pub mod members;
pub mod post_transfers;
pub mod read_account;
pub mod seal;
pub mod verify_ledger;

use std::{collections::HashMap, hash::Hash};

use id::UserId;

use crate::{domain::refusal::Refusal, store::Accounts};

/// Why a use case gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was understood and refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] sql::Error),
}

/// Result of a use case.
pub type Result<T> = std::result::Result<T, Error>;

/// What was found, in the order asked for; what was not found is left out, what was asked for twice comes twice.
pub fn in_order<K: Eq + Hash, T: Clone>(asked: &[K], found: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let by_key: HashMap<K, T> = found.into_iter().map(|item| (key(&item), item)).collect();
    asked.iter().filter_map(|key| by_key.get(key).cloned()).collect()
}

/// Refuses users that were never opened. Users are never removed, so that the answer cannot age.
async fn require_users(accounts: &dyn Accounts, users: &[UserId]) -> Result<()> {
    let known: std::collections::HashSet<UserId> =
        accounts.users(users).await?.into_iter().map(|user| user.id).collect();
    let unknown: Vec<UserId> = users.iter().filter(|user| !known.contains(*user)).cloned().collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(Refusal::UnknownUsers(unknown).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_comes_in_the_order_asked_for() {
        let found = vec![("a", 1), ("c", 3), ("b", 2)];
        let ordered = in_order(&["c", "x", "a", "c"], found, |item| item.0);
        assert_eq!(ordered, [("c", 3), ("a", 1), ("c", 3)]);
    }
}
