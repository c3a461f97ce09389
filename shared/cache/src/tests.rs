use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Squares of numbers below 100.
struct Square;

impl Kind for Square {
    const NAME: &'static str = "square";
    const LASTING: (Duration, Duration) = (Duration::from_secs(50), Duration::from_secs(20));
    const PASSING: Duration = Duration::from_secs(2);
    const CAPACITY: u64 = 1000;
    type Key = u32;
    type Value = u32;

    fn name(key: &u32) -> String {
        key.to_string()
    }

    fn encode(value: &u32) -> Vec<u8> {
        value.to_be_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<u32> {
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }
}

#[derive(Debug, PartialEq)]
struct Away;

/// Counts how often it is asked; fails as often as told.
#[derive(Default)]
struct Owner {
    asked: AtomicUsize,
    fails: AtomicUsize,
}

impl Owner {
    async fn square(&self, key: u32) -> Result<Option<u32>, Away> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        match self
            .fails
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
        {
            Ok(_) => Err(Away),
            Err(_) => Ok((key < 100).then_some(key * key)),
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn many_ask_once_and_a_failure_is_not_remembered() {
    let (cache, owner) = (Cache::<Square>::new(None), Owner::default());
    owner.fails.store(1, Ordering::Relaxed);
    assert_eq!(*cache.get(&7, owner.square(7)).await.unwrap_err(), Away);
    let answers = join_all((0..50).map(|_| cache.get(&7, owner.square(7)))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == Some(49)));
    assert_eq!(owner.asked(), 2);
}

#[tokio::test]
async fn what_is_not_there_is_remembered_too() {
    let (cache, owner) = (Cache::<Square>::new(None), Owner::default());
    for _ in 0..3 {
        assert_eq!(cache.get(&100, owner.square(100)).await.unwrap(), None);
    }
    assert_eq!(owner.asked(), 1);
    cache.forget(&100).await;
    assert_eq!(cache.get(&100, owner.square(100)).await.unwrap(), None);
    assert_eq!(owner.asked(), 2);
}

#[tokio::test]
async fn many_keys_are_one_question_for_those_that_are_not_known() {
    let cache = Cache::<Square>::new(None);
    let asked = std::sync::Mutex::new(Vec::new());
    let squares = async |keys: Vec<u32>| {
        asked.lock().unwrap().push(keys.clone());
        Ok::<_, Away>(
            keys.into_iter()
                .filter(|key| *key < 100)
                .map(|key| (key, key * key))
                .collect(),
        )
    };
    let found = cache.get_many(vec![3, 4, 100], &squares).await.unwrap();
    assert_eq!(found, HashMap::from([(3, 9), (4, 16)]));
    let found = cache.get_many(vec![4, 5, 100], &squares).await.unwrap();
    assert_eq!(found, HashMap::from([(4, 16), (5, 25)]));
    assert_eq!(cache.get_many(vec![3, 100], &squares).await.unwrap().len(), 1);
    assert_eq!(*asked.lock().unwrap(), [vec![3, 4, 100], vec![5]]);
    let fails = cache.get_many(vec![6], async |_| Err(Away)).await;
    assert_eq!(fails, Err(Away));
    assert_eq!(cache.peek(&6).await, None);
}

#[test]
fn an_answer_lasts_about_a_minute_and_an_unknown_a_moment() {
    assert!((100..200).all(|key| life::<Square>(&key, None) == Square::PASSING));
    let lives = || (0..100).map(|key| life::<Square>(&key, Some(&1)));
    assert!(lives().all(|life| (50..70).contains(&life.as_secs())));
    assert!(lives().max() > lives().min(), "jittered");
    assert!(lives().eq(lives()), "by key");
}
