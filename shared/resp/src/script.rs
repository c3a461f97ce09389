//! Lua scripts and calls of them.

use std::{fmt, sync::OnceLock};

use deadpool_redis::redis::{self, Arg, Cmd, ToRedisArgs};

/// A Lua script. Make it a `static` from a file of its own:
///
/// ```
/// static ADD: resp::Script = resp::Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
/// let call = ADD.call(&["counter"]).arg(5);
/// ```
///
/// A script may run twice for one call, since a connection that breaks takes the answer with it: it must not mind.
pub struct Script {
    text: &'static str,
    known_as: OnceLock<String>,
}

impl Script {
    /// The script `text`.
    pub const fn new(text: &'static str) -> Self {
        Self {
            text,
            known_as: OnceLock::new(),
        }
    }

    /// The script's text.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// A call with these keys; on a cluster they must all be of one slot. Every key that the script touches must be among
    /// them, since they say which node runs it.
    pub fn call<K: ToRedisArgs>(&'static self, keys: &[K]) -> Call {
        let known_as = self
            .known_as
            .get_or_init(|| redis::Script::new(self.text).get_hash().to_owned());
        let mut command = redis::cmd("EVALSHA");
        command.arg(known_as.as_str()).arg(keys.len());
        for key in keys {
            command.arg(key);
        }
        Call { script: self, command }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Script").field(&self.text.lines().next()).finish()
    }
}

/// A script with its keys and arguments.
#[derive(Clone, Debug)]
pub struct Call {
    script: &'static Script,
    command: Cmd,
}

impl Call {
    /// One more of `ARGV`; several, if the value is a list.
    #[must_use]
    pub fn arg(mut self, value: impl ToRedisArgs) -> Self {
        self.push(value);
        self
    }

    /// [`Call::arg`], for loops.
    pub fn push(&mut self, value: impl ToRedisArgs) {
        self.command.arg(value);
    }

    /// The call by the script's name, which a server knows that has met the script before.
    pub(crate) fn by_name(&self) -> &Cmd {
        &self.command
    }

    /// The call with the script's text, after which the server knows its name.
    pub(crate) fn by_text(&self) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(self.script.text);
        for arg in self.command.args_iter().skip(2) {
            if let Arg::Simple(bytes) = arg {
                command.arg(bytes);
            }
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static ADD: Script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");

    #[test]
    fn a_call_by_text_says_the_same_as_by_name() {
        let mut call = ADD.call(&["a", "b"]).arg(5).arg(vec!["x", "y"]);
        call.push("z");
        let texts = |command: &Cmd| -> Vec<String> {
            let args = command.args_iter();
            args.map(|arg| match arg {
                Arg::Simple(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                _ => unreachable!(),
            })
            .collect()
        };
        let (by_name, by_text) = (texts(call.by_name()), texts(&call.by_text()));
        assert_eq!(by_name[0], "EVALSHA");
        assert_eq!(by_name[1].len(), 40);
        assert_eq!(by_text[..2], ["EVAL".to_owned(), ADD.text().to_owned()]);
        assert_eq!(by_name[2..], ["2", "a", "b", "5", "x", "y", "z"].map(str::to_owned));
        assert_eq!(by_name[2..], by_text[2..]);
    }
}
