//! Keys, what is under them, and when they go.
//!
//! Everything is in order of its bytes, so that nothing depends on a hash seed.

use std::collections::{BTreeMap, BTreeSet};

use crate::reply::Reply;

/// A hash: values by field.
pub type Hash = BTreeMap<Vec<u8>, Vec<u8>>;

/// A score, in the order of numbers; never NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score(pub f64);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // As numbers, where 0 and -0 are the same.
        self.0.partial_cmp(&other.0).unwrap_or(std::cmp::Ordering::Equal)
    }
}

/// A sorted set: members by score, and then by their bytes.
#[derive(Clone, Debug, Default)]
pub struct SortedSet {
    scores: BTreeMap<Vec<u8>, Score>,
    order: BTreeSet<(Score, Vec<u8>)>,
}

impl SortedSet {
    /// Sets a member's score; whether it is new.
    pub fn insert(&mut self, member: &[u8], score: f64) -> bool {
        let before = self.scores.insert(member.to_vec(), Score(score));
        if let Some(before) = before {
            self.order.remove(&(before, member.to_vec()));
        }
        self.order.insert((Score(score), member.to_vec()));
        before.is_none()
    }

    /// Removes a member; whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let score = self.scores.remove(member);
        score.is_some_and(|score| self.order.remove(&(score, member.to_vec())))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// All members in order.
    pub fn iter(&self) -> impl Iterator<Item = (f64, &[u8])> {
        self.order.iter().map(|(score, member)| (score.0, member.as_slice()))
    }
}

/// What is under a key.
#[derive(Clone, Debug)]
pub enum Value {
    /// Bytes.
    Text(Vec<u8>),
    /// Values by field.
    Hash(Hash),
    /// Members by score.
    SortedSet(SortedSet),
}

impl Value {
    /// As `TYPE` says.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Hash(_) => "hash",
            Self::SortedSet(_) => "zset",
        }
    }
}

#[derive(Clone, Debug)]
struct Entry {
    value: Value,
    end_ms: Option<i64>,
}

/// All keys.
#[derive(Clone, Debug, Default)]
pub struct Keyspace {
    entries: BTreeMap<Vec<u8>, Entry>,
    now_ms: i64,
}

/// What a command on one kind says to a key of another.
fn wrong_type() -> Reply {
    Reply::error("WRONGTYPE Operation against a key holding the wrong kind of value")
}

macro_rules! of_kind {
    ($(#[$doc:meta])* $name:ident, $make:ident, $variant:ident, $type:ty) => {
        $(#[$doc])*
        pub fn $name(&mut self, key: &[u8]) -> Result<Option<&mut $type>, Reply> {
            match self.get(key) {
                None => Ok(None),
                Some(Value::$variant(value)) => Ok(Some(value)),
                Some(_) => Err(wrong_type()),
            }
        }

        /// The same; an empty one where there is nothing. It must not stay empty.
        pub fn $make(&mut self, key: &[u8]) -> Result<&mut $type, Reply> {
            self.drop_if_over(key);
            let entry = self.entries.entry(key.to_vec()).or_insert_with(|| Entry {
                value: Value::$variant(<$type>::default()),
                end_ms: None,
            });
            match &mut entry.value {
                Value::$variant(value) => Ok(value),
                _ => Err(wrong_type()),
            }
        }
    };
}

impl Keyspace {
    /// Sets the time: it stands still while a command or a script runs.
    pub fn set_now(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
    }

    /// What is under a key.
    pub fn get(&mut self, key: &[u8]) -> Option<&mut Value> {
        self.drop_if_over(key);
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    of_kind!(
        /// The bytes under a key.
        text, text_or_new, Text, Vec<u8>
    );
    of_kind!(
        /// The hash under a key.
        hash, hash_or_new, Hash, Hash
    );
    of_kind!(
        /// The sorted set under a key.
        sorted_set, sorted_set_or_new, SortedSet, SortedSet
    );

    /// Puts bytes under a key, whatever was there before and however long it would have stayed.
    pub fn put(&mut self, key: &[u8], text: Vec<u8>) {
        let (value, end_ms) = (Value::Text(text), None);
        self.entries.insert(key.to_vec(), Entry { value, end_ms });
    }

    /// Removes a key; whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        self.drop_if_over(key);
        self.entries.remove(key).is_some()
    }

    /// Lets a key go in so many milliseconds; whether it is there.
    pub fn expire(&mut self, key: &[u8], after_ms: i64) -> bool {
        self.drop_if_over(key);
        let Some(entry) = self.entries.get_mut(key) else {
            return false;
        };
        if after_ms > 0 {
            entry.end_ms = Some(self.now_ms.saturating_add(after_ms));
        } else {
            self.entries.remove(key);
        }
        true
    }

    /// How long a key stays, as `PTTL` says: -1 for ever, -2 it is not there.
    pub fn left_ms(&mut self, key: &[u8]) -> i64 {
        self.drop_if_over(key);
        match self.entries.get(key) {
            None => -2,
            Some(Entry { end_ms: None, .. }) => -1,
            Some(Entry { end_ms: Some(end), .. }) => end - self.now_ms,
        }
    }

    /// All keys that are there.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let there = self.entries.iter().filter(|(_, entry)| !self.is_over(entry));
        there.map(|(key, _)| key.as_slice())
    }

    fn is_over(&self, entry: &Entry) -> bool {
        entry.end_ms.is_some_and(|end_ms| end_ms < self.now_ms)
    }

    fn drop_if_over(&mut self, key: &[u8]) {
        if self.entries.get(key).is_some_and(|entry| self.is_over(entry)) {
            self.entries.remove(key);
        }
    }
}
