//! Sorted sets.

use std::ops::Bound;

use super::{Keyspace, Reply, integer, span, syntax};
use crate::number;

/// `ZADD key score member …`
pub fn add(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let (pairs, rest) = words[2..].as_chunks::<2>();
    if !rest.is_empty() {
        return Err(syntax());
    }
    let mut scores = Vec::with_capacity(pairs.len());
    for [score, _] in pairs {
        scores.push(number::float(score).ok_or_else(|| Reply::error("ERR value is not a valid float"))?);
    }
    let set = keyspace.sorted_set_or_new(words[1])?;
    let before = set.len();
    for ([_, member], score) in pairs.iter().zip(scores) {
        set.insert(member, score);
    }
    Ok((set.len() - before).into())
}

/// `ZREM key member …`
pub fn remove(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let Some(set) = keyspace.sorted_set(words[1])? else {
        return Ok(Reply::Int(0));
    };
    let removed = words[2..].iter().filter(|member| set.remove(member)).count();
    if set.len() == 0 {
        keyspace.remove(words[1]);
    }
    Ok(removed.into())
}

/// `ZCARD key`
pub fn count(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    Ok(keyspace.sorted_set(words[1])?.map_or(0, |set| set.len()).into())
}

/// `ZRANGE key first last [BYSCORE] [LIMIT offset count] [WITHSCORES]`
pub fn range(keyspace: &mut Keyspace, words: &[&[u8]]) -> Result<Reply, Reply> {
    let options = Options::of(&words[4..])?;
    let range = if options.by_score {
        Range::Scores(bound(words[2])?, bound(words[3])?)
    } else {
        Range::Places(integer(words[2])?, integer(words[3])?)
    };
    let Some(set) = keyspace.sorted_set(words[1])? else {
        return Ok(Reply::Array(Vec::new()));
    };
    let mut replies = Vec::new();
    let mut say = |(score, member): (f64, &[u8])| {
        replies.push(member.to_vec().into());
        if options.with_scores {
            replies.push(number::written(score).into());
        }
    };
    match range {
        Range::Places(first, last) => {
            if let Some(span) = span(first, last, set.len()) {
                set.iter()
                    .skip(*span.start())
                    .take(span.end() - span.start() + 1)
                    .for_each(&mut say);
            }
        }
        Range::Scores(first, last) => {
            let (offset, count) = options.limit;
            // A negative offset is beyond everything, a negative count no limit.
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            set.iter()
                .filter(|(score, _)| is_from(*score, first) && is_until(*score, last))
                .skip(offset)
                .take(count)
                .for_each(&mut say);
        }
    }
    Ok(Reply::Array(replies))
}

enum Range {
    Places(i64, i64),
    Scores(Bound<f64>, Bound<f64>),
}

struct Options {
    by_score: bool,
    with_scores: bool,
    limit: (i64, i64),
}

impl Options {
    fn of(mut words: &[&[u8]]) -> Result<Self, Reply> {
        let mut options = Self {
            by_score: false,
            with_scores: false,
            limit: (0, -1),
        };
        while let Some((word, rest)) = words.split_first() {
            words = rest;
            if word.eq_ignore_ascii_case(b"BYSCORE") {
                options.by_score = true;
            } else if word.eq_ignore_ascii_case(b"WITHSCORES") {
                options.with_scores = true;
            } else if let (true, [offset, count, rest @ ..]) = (word.eq_ignore_ascii_case(b"LIMIT"), rest) {
                options.limit = (integer(offset)?, integer(count)?);
                words = rest;
            } else {
                return Err(syntax());
            }
        }
        // Whether there is a limit is told by the count alone.
        if options.limit.1 != -1 && !options.by_score {
            return Err(Reply::error(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        Ok(options)
    }
}

fn bound(word: &[u8]) -> Result<Bound<f64>, Reply> {
    let (excluded, number) = match word.strip_prefix(b"(") {
        Some(number) => (true, number),
        None => (false, word),
    };
    // Less strict than a score: nothing is zero, and blanks may come before it.
    let score = match number {
        [] => Some(0.0),
        number => number::float(number.trim_ascii_start()),
    };
    let score = score.ok_or_else(|| Reply::error("ERR min or max is not a float"))?;
    Ok(if excluded {
        Bound::Excluded(score)
    } else {
        Bound::Included(score)
    })
}

fn is_from(score: f64, bound: Bound<f64>) -> bool {
    match bound {
        Bound::Included(first) => score >= first,
        Bound::Excluded(first) => score > first,
        Bound::Unbounded => true,
    }
}

fn is_until(score: f64, bound: Bound<f64>) -> bool {
    match bound {
        Bound::Included(last) => score <= last,
        Bound::Excluded(last) => score < last,
        Bound::Unbounded => true,
    }
}
