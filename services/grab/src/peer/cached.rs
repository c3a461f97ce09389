//! The directory with a memory in front: what was true stays true for a minute, what was not for a moment.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use id::{GroupId, UserId};
use moka::{Expiry, future::Cache};

use super::directory::{Directory, DirectoryError};

/// How long a yes is believed, at least. Who leaves a group may grab in it this long.
const YES_TTL: Duration = Duration::from_secs(50);
/// How much longer at most, by the question, so that a group's answers do not all run out at once.
const YES_JITTER_MS: u64 = 20_000;
/// How long a no is believed: who is let in wants to grab at once.
const NO_TTL: Duration = Duration::from_secs(2);
/// Answers kept; some 250 bytes each.
const MAX_ANSWERS: u64 = 500_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    /// Member of this group; or just a user.
    group_id: Option<GroupId>,
    user_id: UserId,
}

struct Life;

impl Expiry<Question, bool> for Life {
    fn expire_after_create(&self, question: &Question, yes: &bool, _: Instant) -> Option<Duration> {
        let mut hasher = DefaultHasher::new();
        question.hash(&mut hasher);
        let jitter = Duration::from_millis(hasher.finish() % YES_JITTER_MS);
        Some(if *yes { YES_TTL + jitter } else { NO_TTL })
    }
}

/// A directory that asks `D` once for many who want to know the same.
pub struct Cached<D> {
    directory: D,
    answers: Cache<Question, bool>,
}

impl<D: Directory> Cached<D> {
    /// Remembers what `directory` says.
    pub fn new(directory: D) -> Self {
        let answers = Cache::builder().max_capacity(MAX_ANSWERS).expire_after(Life).build();
        Self { directory, answers }
    }

    async fn answer(
        &self,
        question: Question,
        ask: impl Future<Output = Result<bool, DirectoryError>>,
    ) -> Result<bool, DirectoryError> {
        if let Some(yes) = self.answers.get(&question).await {
            return Ok(yes);
        }
        self.answers
            .try_get_with(question, ask)
            .await
            .map_err(|fault: Arc<DirectoryError>| DirectoryError::clone(&fault))
    }
}

#[async_trait]
impl<D: Directory> Directory for Cached<D> {
    async fn is_member(&self, group_id: &GroupId, user_id: &UserId) -> Result<bool, DirectoryError> {
        let question = Question {
            group_id: Some(group_id.clone()),
            user_id: user_id.clone(),
        };
        self.answer(question, self.directory.is_member(group_id, user_id)).await
    }

    async fn user_exists(&self, user_id: &UserId) -> Result<bool, DirectoryError> {
        let question = Question {
            group_id: None,
            user_id: user_id.clone(),
        };
        self.answer(question, self.directory.user_exists(user_id)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Knows users `u…`; counts how often it is asked; fails first.
    #[derive(Default)]
    struct Counting {
        asked: AtomicUsize,
        fails: AtomicUsize,
    }

    #[async_trait]
    impl Directory for Counting {
        async fn is_member(&self, _: &GroupId, user_id: &UserId) -> Result<bool, DirectoryError> {
            self.user_exists(user_id).await
        }

        async fn user_exists(&self, user_id: &UserId) -> Result<bool, DirectoryError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            let failing = self
                .fails
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            match failing {
                Ok(_) => Err(DirectoryError("away".to_owned())),
                Err(_) => Ok(user_id.as_str().starts_with('u')),
            }
        }
    }

    #[tokio::test]
    async fn many_ask_once_and_a_failure_is_not_remembered() {
        let cached = Cached::new(Counting::default());
        cached.directory.fails.store(1, Ordering::Relaxed);
        let (user, stranger): (UserId, UserId) = ("u1".parse().unwrap(), "x".parse().unwrap());
        assert!(cached.user_exists(&user).await.is_err());
        let answers = join_all((0..50).map(|_| cached.user_exists(&user))).await;
        assert!(answers.into_iter().all(Result::unwrap));
        assert!(!cached.user_exists(&stranger).await.unwrap());
        assert!(!cached.user_exists(&stranger).await.unwrap());
        let group: GroupId = "g".parse().unwrap();
        assert!(cached.is_member(&group, &user).await.unwrap());
        assert_eq!(cached.directory.asked.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn a_yes_lasts_about_a_minute_and_a_no_a_moment() {
        let life = |yes| {
            (0..100).map(move |n| {
                let question = Question {
                    group_id: None,
                    user_id: format!("u{n}").parse().unwrap(),
                };
                Life.expire_after_create(&question, &yes, Instant::now()).unwrap()
            })
        };
        assert!(life(false).all(|ttl| ttl == NO_TTL));
        assert!(life(true).all(|ttl| (50..70).contains(&ttl.as_secs())));
        assert!(life(true).max() > life(true).min(), "jittered");
    }
}
