//! Keys, and strings as a whole.
#![expect(
    clippy::unnecessary_wraps,
    reason = "all commands are functions of one type, though some cannot fail"
)]

use super::{Keyspace, Reply, integer, overflow, syntax};
use crate::number;

/// `GET key`
pub fn get(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    Ok(keyspace.text(words[1])?.cloned().into())
}

/// `SET key value [PX milliseconds]`
pub fn set(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let life_ms = match &words[3..] {
        [] => None,
        [px, life] if px.eq_ignore_ascii_case(b"PX") => Some(integer(life)?),
        _ => return Err(syntax()),
    };
    if life_ms.is_some_and(|life_ms| life_ms <= 0) {
        return Err(Reply::error("ERR invalid expire time in 'set' command"));
    }
    keyspace.put(words[1], words[2].to_vec());
    if let Some(life_ms) = life_ms {
        keyspace.expire(words[1], life_ms);
    }
    Ok(Reply::ok())
}

/// `INCRBY key increment`
pub fn add(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let by = integer(words[2])?;
    let before = keyspace.text(words[1])?.map_or(Ok(0), |text| {
        number::integer(text).ok_or_else(|| Reply::error("ERR value is not an integer or out of range"))
    })?;
    let after = before.checked_add(by).ok_or_else(overflow)?;
    *keyspace.text_or_new(words[1])? = after.to_string().into_bytes();
    Ok(Reply::Int(after))
}

/// `DEL key …`
pub fn remove(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    Ok(words[1..].iter().filter(|key| keyspace.remove(key)).count().into())
}

/// `EXISTS key …`
pub fn exist(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    Ok(words[1..]
        .iter()
        .filter(|key| keyspace.get(key).is_some())
        .count()
        .into())
}

/// `PEXPIRE key milliseconds`
pub fn expire(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let after_ms = integer(words[2])?;
    Ok(Reply::Int(keyspace.expire(words[1], after_ms).into()))
}

/// `PTTL key`
pub fn left(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    Ok(Reply::Int(keyspace.left_ms(words[1])))
}

/// `TYPE key`
pub fn kind(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let kind = keyspace.get(words[1]).map_or("none", |value| value.kind());
    Ok(Reply::Status(kind.to_owned()))
}

/// `KEYS *`
pub fn list(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    if words[1] != b"*" {
        return Err(syntax());
    }
    Ok(Reply::Array(keyspace.keys().map(|key| key.to_vec().into()).collect()))
}

/// `DBSIZE`
pub fn size(keyspace: &mut Keyspace, _: &[&[u8]]) -> Result<Reply, Reply> {
    Ok(keyspace.keys().count().into())
}
