//! The directory with a cache in front, which it shares with other services where there is Redis.
//!
//! Who is removed from a group cannot grab in it any more after [`cache::VERSION_TTL`] and Redis' time-out; without Redis, or
//! where account could not tell it, after [`cache::directory::MEMBER_TTL_MAX`]. Who is added waits two seconds at the
//! most.

use std::sync::Arc;

use async_trait::async_trait;
use cache::{
    Cache, Shared,
    directory::{Membership, Name},
};
use id::{GroupId, UserId};

use super::directory::{Directory, DirectoryError};

/// A directory that asks `D` once for many who want to know the same.
pub struct Cached<D> {
    directory: D,
    members: Cache<Membership>,
    names: Cache<Name>,
}

impl<D: Directory> Cached<D> {
    /// Remembers what `directory` says, and what others were told through `shared`.
    pub fn new(directory: D, shared: Option<&Shared>) -> Self {
        Self {
            directory,
            members: Cache::new(shared.cloned()),
            names: Cache::new(shared.cloned()),
        }
    }
}

#[async_trait]
impl<D: Directory> Directory for Cached<D> {
    async fn membership(&self, group_id: &GroupId, user_id: &UserId) -> Result<Option<bool>, DirectoryError> {
        let ask = self.directory.membership(group_id, user_id);
        let answer = self.members.get(&(group_id.clone(), user_id.clone()), ask).await;
        answer.map_err(Arc::unwrap_or_clone)
    }

    async fn name(&self, user_id: &UserId) -> Result<Option<String>, DirectoryError> {
        let answer = self.names.get(user_id, self.directory.name(user_id)).await;
        answer.map_err(Arc::unwrap_or_clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Knows users `u…`, all in every group; counts how often it is asked; fails first.
    #[derive(Default)]
    struct Counting {
        asked: AtomicUsize,
        fails: AtomicUsize,
    }

    #[async_trait]
    impl Directory for Counting {
        async fn membership(&self, _: &GroupId, user_id: &UserId) -> Result<Option<bool>, DirectoryError> {
            Ok(Some(self.user_exists(user_id).await?))
        }

        async fn name(&self, user_id: &UserId) -> Result<Option<String>, DirectoryError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            let failing = self
                .fails
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            match failing {
                Ok(_) => Err(DirectoryError("away".to_owned())),
                Err(_) => Ok(user_id.as_str().starts_with('u').then(|| user_id.to_string())),
            }
        }
    }

    #[tokio::test]
    async fn many_ask_once_and_a_failure_is_not_remembered() {
        let cached = Cached::new(Counting::default(), None);
        cached.directory.fails.store(1, Ordering::Relaxed);
        let (user, stranger): (UserId, UserId) = ("u1".parse().unwrap(), "x".parse().unwrap());
        assert!(cached.user_exists(&user).await.is_err());
        let answers = join_all((0..50).map(|_| cached.user_exists(&user))).await;
        assert!(answers.into_iter().all(Result::unwrap));
        assert!(!cached.user_exists(&stranger).await.unwrap());
        assert!(!cached.user_exists(&stranger).await.unwrap());
        let group: GroupId = "g".parse().unwrap();
        assert!(cached.is_member(&group, &user).await.unwrap());
        assert!(!cached.is_member(&group, &stranger).await.unwrap());
        assert!(!cached.is_member(&group, &stranger).await.unwrap());
        assert_eq!(cached.directory.asked.load(Ordering::Relaxed), 5);
    }
}
