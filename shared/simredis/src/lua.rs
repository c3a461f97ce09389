//! Scripts: a Lua 5.1 for each thread, as Redis has it, in which every script is compiled once.
//!
//! A script finds the language without what touches the machine, `redis.call` and `redis.pcall`, `KEYS` and `ARGV`. What else
//! Redis has (`cjson`, `bit`, `redis.log` …) is not there: a script that uses it fails.

use std::{cell::RefCell, collections::HashMap, mem, ops::Deref, rc::Rc};

use mlua::{BorrowedBytes, Function, Lua, LuaOptions, MultiValue, StdLib, Table, Value, chunk::ChunkMode};

use crate::{
    command::{self, Command},
    keyspace::Keyspace,
    number,
    reply::Reply,
};

/// A script that a server knows.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its SHA-1 in hex.
    pub name: String,
    /// Its text.
    pub text: Vec<u8>,
}

/// What a server does not do just now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Denial {
    /// It takes no writes.
    pub read_only: bool,
    /// It has no memory left.
    pub full: bool,
}

impl Denial {
    /// What is said of a command that is denied. A script that has written may go on.
    pub fn of(self, command: &Command, has_written: bool) -> Option<Reply> {
        if self.read_only && command.writes {
            return Some(Reply::error("READONLY You can't write against a read only replica."));
        }
        if self.full && command.grows && !has_written {
            return Some(Reply::error("OOM command not allowed when used memory > 'maxmemory'."));
        }
        None
    }
}

thread_local! {
    static ENGINE: RefCell<Option<Engine>> = const { RefCell::new(None) };
}

/// Runs a script over a keyspace.
pub fn run(script: &Script, keys: &[&[u8]], argv: &[&[u8]], keyspace: &mut Keyspace, denial: Denial) -> Reply {
    ENGINE.with_borrow_mut(|engine| {
        let engine = match engine {
            Some(engine) => engine,
            None => match Engine::new() {
                Ok(made) => engine.insert(made),
                Err(fault) => return Reply::error(format!("ERR no Lua: {fault}")),
            },
        };
        mem::swap(&mut engine.stage.borrow_mut().keyspace, keyspace);
        let outcome = engine.run(script, keys, argv, denial);
        mem::swap(&mut engine.stage.borrow_mut().keyspace, keyspace);
        outcome.unwrap_or_else(|fault| Reply::error(format!("ERR Lua: {fault}")))
    })
}

/// What the script that runs works on.
#[derive(Default)]
struct Stage {
    keyspace: Keyspace,
    denial: Denial,
    has_written: bool,
}

struct Engine {
    lua: Lua,
    environment: Table,
    run: Function,
    scripts: HashMap<String, Function>,
    stage: Rc<RefCell<Stage>>,
}

impl Engine {
    fn new() -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let stage = Rc::new(RefCell::new(Stage::default()));
        let there = stage.clone();
        let ask = lua.create_function(move |lua, words: MultiValue| ask(lua, &mut there.borrow_mut(), &words))?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name("=prelude");
        let (environment, run) = prelude.call(ask)?;
        Ok(Self {
            lua,
            environment,
            run,
            scripts: HashMap::new(),
            stage,
        })
    }

    fn run(&mut self, script: &Script, keys: &[&[u8]], argv: &[&[u8]], denial: Denial) -> mlua::Result<Reply> {
        let function = match self.compiled(script) {
            Ok(function) => function,
            Err(fault) => {
                return Ok(Reply::error(format!(
                    "ERR Error compiling script (new function): {}",
                    told_by(&fault)
                )));
            }
        };
        {
            let mut stage = self.stage.borrow_mut();
            stage.denial = denial;
            stage.has_written = false;
        }
        let (keys, argv) = (self.list(keys)?, self.list(argv)?);
        let (went_well, value) = self.run.call::<(bool, Value)>((function, keys, argv))?;
        if went_well {
            return reply(&value);
        }
        Ok(Reply::Error(failure(script, &value)?))
    }

    fn compiled(&mut self, script: &Script) -> mlua::Result<Function> {
        if let Some(function) = self.scripts.get(&script.name) {
            return Ok(function.clone());
        }
        let chunk = self.lua.load(script.text.as_slice()).set_name("@user_script");
        // Text, as in Redis: what is compiled elsewhere could do anything.
        let chunk = chunk
            .set_mode(ChunkMode::Text)
            .set_environment(self.environment.clone());
        let function = chunk.into_function()?;
        self.scripts.insert(script.name.clone(), function.clone());
        Ok(function)
    }

    fn list(&self, words: &[&[u8]]) -> mlua::Result<Table> {
        let table = self.lua.create_table_with_capacity(words.len(), 0)?;
        for word in words {
            table.raw_push(self.lua.create_string(word)?)?;
        }
        Ok(table)
    }
}

/// A word of a command, as a script gives it.
enum Word {
    Text(BorrowedBytes),
    Number(String),
}

impl Deref for Word {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.as_bytes(),
        }
    }
}

fn word(value: &Value) -> Option<Word> {
    match value {
        Value::String(text) => Some(Word::Text(text.as_bytes())),
        // All numbers of Lua 5.1 are doubles.
        #[expect(clippy::cast_precision_loss, reason = "it came from a double")]
        Value::Integer(number) => Some(Word::Number(number::written(*number as f64))),
        Value::Number(number) => Some(Word::Number(number::written(*number))),
        _ => None,
    }
}

/// Does a command for a script.
fn ask(lua: &Lua, stage: &mut Stage, words: &MultiValue) -> mlua::Result<Value> {
    let reply = obey(stage, words);
    if let Reply::Error(text) = &reply {
        let table = lua.create_table()?;
        table.raw_set("err", text.as_str())?;
        // Above this one is what the prelude made of it, and then the script.
        let note = lua.inspect_stack(2, |caller| match caller.current_line() {
            Some(line) => table.raw_set("line", line),
            None => Ok(()),
        });
        note.transpose()?;
        return Ok(Value::Table(table));
    }
    value(lua, reply)
}

fn obey(stage: &mut Stage, words: &MultiValue) -> Reply {
    if words.is_empty() {
        return Reply::error("ERR Please specify at least one argument for this redis lib call");
    }
    let Some(words) = words.iter().map(word).collect::<Option<Vec<_>>>() else {
        return Reply::error("ERR Lua redis lib command arguments must be strings or integers");
    };
    let words: Vec<&[u8]> = words.iter().map(|word| &**word).collect();
    let Some(command) = command::find(words[0]) else {
        return Reply::error("ERR Unknown Redis command called from script");
    };
    if !command.takes(words.len()) {
        return Reply::error("ERR Wrong number of args calling Redis command from script");
    }
    if let Some(denied) = stage.denial.of(command, stage.has_written) {
        return denied;
    }
    stage.has_written |= command.writes;
    command.run(&mut stage.keyspace, &words)
}

/// A reply as a script sees it.
fn value(lua: &Lua, reply: Reply) -> mlua::Result<Value> {
    Ok(match reply {
        Reply::Int(number) => Value::Integer(number),
        Reply::Bulk(text) => Value::String(lua.create_string(text)?),
        Reply::Nil => Value::Boolean(false),
        Reply::Status(word) => field(lua, "ok", &word)?,
        Reply::Error(text) => field(lua, "err", &text)?,
        Reply::Array(replies) => {
            let table = lua.create_table_with_capacity(replies.len(), 0)?;
            for reply in replies {
                table.raw_push(value(lua, reply)?)?;
            }
            Value::Table(table)
        }
    })
}

fn field(lua: &Lua, name: &str, text: &str) -> mlua::Result<Value> {
    let table = lua.create_table()?;
    table.raw_set(name, text)?;
    Ok(Value::Table(table))
}

/// What a script gave, as a reply.
fn reply(value: &Value) -> mlua::Result<Reply> {
    Ok(match value {
        Value::String(text) => Reply::Bulk(text.as_bytes().to_vec()),
        Value::Integer(number) => Reply::Int(*number),
        Value::Number(number) => Reply::Int(truncated(*number)),
        Value::Boolean(true) => Reply::Int(1),
        Value::Table(table) => {
            if let Value::String(text) = table.raw_get("err")? {
                return Ok(Reply::Error(text.to_string_lossy()));
            }
            if let Value::String(word) = table.raw_get("ok")? {
                return Ok(Reply::Status(word.to_string_lossy()));
            }
            let mut replies = Vec::with_capacity(table.raw_len());
            // Up to the first nothing.
            for n in 1.. {
                match table.raw_get(n)? {
                    Value::Nil => break,
                    value => replies.push(reply(&value)?),
                }
            }
            Reply::Array(replies)
        }
        _ => Reply::Nil,
    })
}

/// As C casts.
#[expect(clippy::cast_possible_truncation, reason = "what has no place became the least")]
fn truncated(number: f64) -> i64 {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if (-BEYOND..BEYOND).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// What is said of a script that failed.
fn failure(script: &Script, thrown: &Value) -> mlua::Result<String> {
    let (text, line) = match thrown {
        Value::Table(table) => {
            let line: Option<i64> = table.raw_get("line")?;
            match table.raw_get("err")? {
                Value::String(text) => (text.to_string_lossy(), line),
                _ => ("ERR unknown error".to_owned(), line),
            }
        }
        thrown => {
            let text = thrown.to_string()?;
            let line = text
                .strip_prefix("user_script:")
                .and_then(|rest| rest.split(':').next()?.parse().ok());
            (format!("ERR {text}"), line)
        }
    };
    let place = line.map_or_else(String::new, |line| format!(", on @user_script:{line}"));
    Ok(format!("{text} script: {}{place}.", script.name))
}

fn told_by(fault: &mlua::Error) -> String {
    match fault {
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        fault => fault.to_string(),
    }
}
