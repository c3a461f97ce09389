//! A server: its memory, its moods, and what it does with a request.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use clock::SharedClock;
use deadpool_redis::redis;
use tokio::sync::Notify;

use crate::{
    Link, Weather, command,
    keyspace::Keyspace,
    lua::{self, Denial, Script},
    number,
    reply::Reply,
};

/// How a server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mood {
    /// It does what it is asked.
    #[default]
    Well,
    /// It takes connections and requests, and answers when it is well again.
    Hung,
    /// Nothing listens there.
    Down,
    /// A replica: it takes no writes.
    ReadOnly,
    /// Its memory is full: it takes no writes that could need more.
    Full,
}

/// What a server had in its memory at some moment.
#[derive(Clone, Debug)]
pub struct Snapshot(Keyspace);

/// What connections look at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Condition {
    pub mood: Mood,
    /// Grows when all connections are cut.
    pub life: u64,
}

#[derive(Default)]
struct Memory {
    keyspace: Keyspace,
    /// By their SHA-1.
    scripts: BTreeMap<String, Script>,
    misunderstood: BTreeSet<String>,
}

struct Inner {
    memory: Mutex<Memory>,
    condition: Mutex<Condition>,
    /// Wakes in the order of waiting, so that a run of the whole can be repeated.
    changed: Notify,
    clock: SharedClock,
}

/// A server. Clones are the same one.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

impl Server {
    /// An empty one that is well. Its keys expire by `clock`.
    pub fn new(clock: SharedClock) -> Self {
        Self(Arc::new(Inner {
            memory: Mutex::default(),
            condition: Mutex::default(),
            changed: Notify::new(),
            clock,
        }))
    }

    /// A client's way to it.
    pub fn link(&self, weather: Arc<dyn Weather>) -> Link {
        Link::new(self.clone(), weather)
    }

    /// How it is.
    pub fn mood(&self) -> Mood {
        self.condition().mood
    }

    /// Changes how it is. [`Mood::Down`] cuts all connections; its memory stays.
    pub fn set_mood(&self, mood: Mood) {
        self.change(|condition| {
            condition.mood = mood;
            condition.life += u64::from(mood == Mood::Down);
        });
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        self.change(|condition| condition.life += 1);
    }

    /// What it has in its memory.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.memory().keyspace.clone())
    }

    /// Starts again, well, with what it had at some moment; with nothing if there is no such. All connections are cut and all
    /// scripts forgotten.
    pub fn restart(&self, with: Option<&Snapshot>) {
        {
            let mut memory = self.memory();
            memory.keyspace = with.map_or_else(Keyspace::default, |snapshot| snapshot.0.clone());
            memory.scripts.clear();
        }
        self.change(|condition| {
            condition.mood = Mood::Well;
            condition.life += 1;
        });
    }

    /// Loses all keys, while connections and scripts stay.
    pub fn flush(&self) {
        self.memory().keyspace = Keyspace::default();
    }

    /// Requests that it did not know what to do with, which a real one might.
    pub fn misunderstood(&self) -> Vec<String> {
        self.memory().misunderstood.iter().cloned().collect()
    }

    /// Does what it is asked, now, whatever its mood is but for full and read-only.
    pub fn execute(&self, words: &[&[u8]]) -> Reply {
        let denial = match self.mood() {
            Mood::ReadOnly => Denial {
                read_only: true,
                full: false,
            },
            Mood::Full => Denial {
                read_only: false,
                full: true,
            },
            Mood::Well | Mood::Hung | Mood::Down => Denial::default(),
        };
        let now_ms = self.0.clock.now().as_millisecond();
        let mut memory = self.memory();
        memory.keyspace.set_now(now_ms);
        let reply = memory.execute(words, denial);
        if let Reply::Error(text) = &reply
            && !text.ends_with("CLIENT HELP.")
            && ["nknown", "syntax error", "nonexistent global"]
                .iter()
                .any(|sign| text.contains(sign))
        {
            let request = words
                .first()
                .map_or_else(String::new, |name| name.escape_ascii().to_string());
            memory.misunderstood.insert(format!("{request}: {text}"));
        }
        reply
    }

    pub(crate) fn condition(&self) -> Condition {
        *self.0.condition.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Condition)) {
        change(&mut self.0.condition.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.changed.notify_waiters();
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, so: impl Fn(Condition) -> bool) {
        loop {
            let changed = self.0.changed.notified();
            if so(self.condition()) {
                return;
            }
            changed.await;
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.mood()).finish()
    }
}

impl Memory {
    fn execute(&mut self, words: &[&[u8]], denial: Denial) -> Reply {
        let Some((name, args)) = words.split_first() else {
            return Reply::error("ERR no command");
        };
        match name.to_ascii_uppercase().as_slice() {
            b"PING" => Reply::Status("PONG".to_owned()),
            b"INFO" => info(denial).into(),
            // As 7.0 says to what drivers tell it about themselves.
            b"CLIENT" => Reply::error("ERR Unknown subcommand or wrong number of arguments. Try CLIENT HELP."),
            b"FLUSHALL" => {
                self.keyspace = Keyspace::default();
                Reply::ok()
            }
            b"SCRIPT" if args.first().is_some_and(|what| what.eq_ignore_ascii_case(b"FLUSH")) => {
                self.scripts.clear();
                Reply::ok()
            }
            b"EVAL" => self.eval(args, denial),
            b"EVALSHA" => self.eval_known(args, denial),
            _ => self.command(name, words, denial),
        }
    }

    fn command(&mut self, name: &[u8], words: &[&[u8]], denial: Denial) -> Reply {
        let Some(command) = command::find(name) else {
            return Reply::error(format!("ERR unknown command '{}'", name.escape_ascii()));
        };
        if !command.takes(words.len()) {
            return command::wrong_number(command.name);
        }
        let denied = denial.of(command, false);
        denied.unwrap_or_else(|| command.run(&mut self.keyspace, words))
    }

    fn eval(&mut self, args: &[&[u8]], denial: Denial) -> Reply {
        let [text, count, rest @ ..] = args else {
            return command::wrong_number("EVAL");
        };
        let name = redis::Script::new(&String::from_utf8_lossy(text)).get_hash().to_owned();
        let script = self.scripts.entry(name.clone()).or_insert_with(|| Script {
            name,
            text: text.to_vec(),
        });
        run(script, count, rest, &mut self.keyspace, denial)
    }

    fn eval_known(&mut self, args: &[&[u8]], denial: Denial) -> Reply {
        let [name, count, rest @ ..] = args else {
            return command::wrong_number("EVALSHA");
        };
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        match self.scripts.get(&name) {
            Some(script) => run(script, count, rest, &mut self.keyspace, denial),
            None => Reply::error("NOSCRIPT No matching script. Please use EVAL."),
        }
    }
}

fn run(script: &Script, count: &[u8], rest: &[&[u8]], keyspace: &mut Keyspace, denial: Denial) -> Reply {
    let Some(count) = number::integer(count) else {
        return Reply::error("ERR value is not an integer or out of range");
    };
    let Ok(count) = usize::try_from(count) else {
        return Reply::error("ERR Number of keys can't be negative");
    };
    let Some((keys, argv)) = rest.split_at_checked(count) else {
        return Reply::error("ERR Number of keys can't be greater than number of args");
    };
    lua::run(script, keys, argv, keyspace, denial)
}

/// The lines that somebody looks at.
fn info(denial: Denial) -> String {
    let role = if denial.read_only { "slave" } else { "master" };
    format!("redis_version:7.0.15\r\nrole:{role}\r\nmaxmemory_policy:noeviction\r\ncluster_enabled:0\r\n")
}
