//! The commands that work on keys: which there are, and what each does.
//!
//! Only those that somebody here sends. Errors say what Redis 7.0 says.

mod bits;
mod hash;
mod keys;
mod set;

use crate::{keyspace::Keyspace, number, reply::Reply};

/// What a command does with its words, the first of which is its name.
type Run = fn(&mut Keyspace, &[&[u8]]) -> Result<Reply, Reply>;

/// A command.
pub struct Command {
    /// In capitals.
    pub name: &'static str,
    /// So many words, its name among them; if negative, so many at least.
    arity: i8,
    /// Whether a replica refuses it.
    pub writes: bool,
    /// Whether a full memory refuses it.
    pub grows: bool,
    run: Run,
}

const fn reads(name: &'static str, arity: i8, run: Run) -> Command {
    Command {
        name,
        arity,
        writes: false,
        grows: false,
        run,
    }
}

const fn frees(name: &'static str, arity: i8, run: Run) -> Command {
    Command {
        writes: true,
        ..reads(name, arity, run)
    }
}

const fn grows(name: &'static str, arity: i8, run: Run) -> Command {
    Command {
        grows: true,
        ..frees(name, arity, run)
    }
}

static COMMANDS: [Command; 25] = [
    reads("HMGET", -3, hash::get_many),
    grows("HSET", -4, hash::set),
    frees("PEXPIRE", 3, keys::expire),
    grows("SETBIT", 4, bits::set),
    reads("GETBIT", 3, bits::get),
    reads("BITPOS", -3, bits::position),
    reads("STRLEN", 2, bits::length),
    grows("SETRANGE", 4, bits::set_range),
    grows("ZADD", -4, set::add),
    reads("ZRANGE", -4, set::range),
    frees("ZREM", -3, set::remove),
    reads("ZCARD", 2, set::count),
    reads("HGET", 3, hash::get),
    frees("HDEL", -3, hash::remove),
    grows("HINCRBY", 4, hash::add),
    reads("HGETALL", 2, hash::all),
    reads("EXISTS", -2, keys::exist),
    frees("DEL", -2, keys::remove),
    reads("GET", 2, keys::get),
    grows("SET", -3, keys::set),
    reads("PTTL", 2, keys::left),
    reads("TYPE", 2, keys::kind),
    reads("KEYS", 2, keys::list),
    reads("DBSIZE", 1, keys::size),
    grows("INCRBY", 3, keys::add),
];

/// The command with this name, in whatever case.
pub fn find(name: &[u8]) -> Option<&'static Command> {
    COMMANDS
        .iter()
        .find(|command| command.name.as_bytes().eq_ignore_ascii_case(name))
}

impl Command {
    /// Whether it can have this many words.
    pub fn takes(&self, words: usize) -> bool {
        let arity = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { words >= arity } else { words == arity }
    }

    /// Does it.
    pub fn run(&self, keyspace: &mut Keyspace, words: &[&[u8]]) -> Reply {
        (self.run)(keyspace, words).unwrap_or_else(|error| error)
    }
}

/// What is said of too few or too many words.
pub fn wrong_number(name: &str) -> Reply {
    Reply::error(format!(
        "ERR wrong number of arguments for '{}' command",
        name.to_ascii_lowercase()
    ))
}

/// What is said of an option that nobody here has needed so far, too.
fn syntax() -> Reply {
    Reply::error("ERR syntax error")
}

fn integer(word: &[u8]) -> Result<i64, Reply> {
    number::integer(word).ok_or_else(|| Reply::error("ERR value is not an integer or out of range"))
}

fn overflow() -> Reply {
    Reply::error("ERR increment or decrement would overflow")
}

/// Positions from `start` to `end` of `len`, both included, where negative ones count from the end; `None` if there are none.
fn span(start: i64, end: i64, len: usize) -> Option<std::ops::RangeInclusive<usize>> {
    let len = i64::try_from(len).ok()?;
    let from_end = |at: i64| if at < 0 { at + len } else { at };
    let (start, end) = (from_end(start).max(0), from_end(end).min(len - 1));
    (start <= end)
        .then(|| Some(usize::try_from(start).ok()?..=usize::try_from(end).ok()?))
        .flatten()
}
