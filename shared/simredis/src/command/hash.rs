//! Hashes.

use super::{Keyspace, Reply, integer, overflow, wrong_number};
use crate::number;

/// `HGET key field`
pub fn get(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let hash = keyspace.hash(words[1])?;
    Ok(hash.and_then(|hash| hash.get(words[2])).cloned().into())
}

/// `HMGET key field …`
pub fn get_many(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let hash = keyspace.hash(words[1])?;
    let values = words[2..]
        .iter()
        .map(|field| hash.as_ref().and_then(|hash| hash.get(*field)).cloned().into());
    Ok(Reply::Array(values.collect()))
}

/// `HGETALL key`
pub fn all(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let hash = keyspace.hash(words[1])?;
    let pairs = hash.into_iter().flatten();
    let flat = pairs.flat_map(|(field, value)| [field.clone().into(), value.clone().into()]);
    Ok(Reply::Array(flat.collect()))
}

/// `HSET key field value …`
pub fn set(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let (pairs, rest) = words[2..].as_chunks::<2>();
    if !rest.is_empty() {
        return Err(wrong_number("HSET"));
    }
    let hash = keyspace.hash_or_new(words[1])?;
    let before = hash.len();
    for [field, value] in pairs {
        hash.insert(field.to_vec(), value.to_vec());
    }
    Ok((hash.len() - before).into())
}

/// `HDEL key field …`
pub fn remove(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let Some(hash) = keyspace.hash(words[1])? else {
        return Ok(Reply::Int(0));
    };
    let before = hash.len();
    for field in &words[2..] {
        hash.remove(*field);
    }
    let after = hash.len();
    if after == 0 {
        keyspace.remove(words[1]);
    }
    Ok((before - after).into())
}

/// `HINCRBY key field increment`
pub fn add(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let by = integer(words[3])?;
    let before = match keyspace.hash(words[1])?.and_then(|hash| hash.get(words[2])) {
        None => 0,
        Some(text) => number::integer(text).ok_or_else(|| Reply::error("ERR hash value is not an integer"))?,
    };
    let after = before.checked_add(by).ok_or_else(overflow)?;
    let hash = keyspace.hash_or_new(words[1])?;
    hash.insert(words[2].to_vec(), after.to_string().into_bytes());
    Ok(Reply::Int(after))
}
