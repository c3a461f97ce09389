//! Strings, bit by bit: bit 0 is the highest of the first byte.

use super::{Keyspace, Reply, integer, span};
use crate::number;

/// The longest string: `proto-max-bulk-len`, as it is by default.
const MAX_BYTES: i64 = 512 * 1024 * 1024;

fn offset(word: &[u8]) -> Result<usize, Reply> {
    number::integer(word)
        .filter(|offset| (0..MAX_BYTES * 8).contains(offset))
        .and_then(|offset| usize::try_from(offset).ok())
        .ok_or_else(|| Reply::error("ERR bit offset is not an integer or out of range"))
}

fn mask(offset: usize) -> u8 {
    1 << (7 - offset % 8)
}

fn bit_at(text: &[u8], offset: usize) -> bool {
    text.get(offset / 8).is_some_and(|byte| byte & mask(offset) != 0)
}

/// `SETBIT key offset 0|1`
pub fn set(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let offset = offset(words[2])?;
    let on = match number::integer(words[3]) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(Reply::error("ERR bit is not an integer or out of range")),
    };
    let text = keyspace.text_or_new(words[1])?;
    if text.len() <= offset / 8 {
        text.resize(offset / 8 + 1, 0);
    }
    let was = bit_at(text, offset);
    if on {
        text[offset / 8] |= mask(offset);
    } else {
        text[offset / 8] &= !mask(offset);
    }
    Ok(Reply::Int(was.into()))
}

/// `GETBIT key offset`
pub fn get(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let offset = offset(words[2])?;
    let on = keyspace.text(words[1])?.is_some_and(|text| bit_at(text, offset));
    Ok(Reply::Int(on.into()))
}

/// `BITPOS key 0|1 [first [last]]`, in bytes
pub fn position(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let wanted = match integer(words[2])? {
        0 => false,
        1 => true,
        _ => return Err(Reply::error("ERR The bit argument must be 1 or 0.")),
    };
    let Some(text) = keyspace.text(words[1])? else {
        return Ok(Reply::Int(if wanted { -1 } else { 0 }));
    };
    let (first, last) = match &words[3..] {
        [] => (0, -1),
        [first] => (integer(first)?, -1),
        [first, last] => (integer(first)?, integer(last)?),
        _ => return Err(super::syntax()),
    };
    // An end before the beginning is the beginning here, unlike in a sorted set.
    let last = if last < 0 { (last + size(text)).max(0) } else { last };
    let Some(bytes) = span(first, last, text.len()) else {
        return Ok(Reply::Int(-1));
    };
    // Whole bytes of the other kind are passed over at once.
    let skipped = if wanted { 0x00 } else { 0xff };
    let found = text[bytes.clone()]
        .iter()
        .position(|byte| *byte != skipped)
        .and_then(|byte| {
            let byte = bytes.start() + byte;
            (byte * 8..byte * 8 + 8).find(|offset| bit_at(text, *offset) == wanted)
        });
    Ok(match found {
        Some(offset) => offset.into(),
        // Beyond the string there are zeros, unless it was said where to end.
        None if !wanted && words.len() < 5 => (text.len() * 8).into(),
        None => Reply::Int(-1),
    })
}

/// `STRLEN key`
pub fn length(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    Ok(keyspace.text(words[1])?.map_or(0, |text| text.len()).into())
}

/// `SETRANGE key offset value`
pub fn set_range(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let (offset, value) = (integer(words[2])?, words[3]);
    let Ok(at) = usize::try_from(offset) else {
        return Err(Reply::error("ERR offset is out of range"));
    };
    if value.is_empty() {
        return length(keyspace, &words[..2]);
    }
    // The type comes before the size.
    keyspace.text(words[1])?;
    let end = at.saturating_add(value.len());
    if i64::try_from(end).is_ok_and(|end| end <= MAX_BYTES) {
        let text = keyspace.text_or_new(words[1])?;
        if text.len() < end {
            text.resize(end, 0);
        }
        text[at..end].copy_from_slice(value);
        Ok(text.len().into())
    } else {
        Err(Reply::error(
            "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
        ))
    }
}

/// How many bytes a text has; never above [`MAX_BYTES`].
fn size(text: &[u8]) -> i64 {
    i64::try_from(text.len()).unwrap_or(MAX_BYTES)
}
