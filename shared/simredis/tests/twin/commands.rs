//! Commands with all kinds of words, sent as they are and by a script.

use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};

use super::*;

/// Gives what the command gives, as a script sees it and gives it back.
const CALL: &[u8] = b"return redis.call(unpack(ARGV))";
/// The same where a failure is a value.
const PCALL: &[u8] = b"local reply = redis.pcall(unpack(ARGV)) return {type(reply), reply}";

/// How a command is sent.
#[derive(Clone, Copy, Debug)]
enum How {
    Plainly,
    By(&'static [u8]),
}

type Words = Vec<Vec<u8>>;

fn key() -> impl Strategy<Value = Vec<u8>> {
    select(vec!["a", "b", "c"]).prop_map(|key| key.as_bytes().to_vec())
}

/// Fields and members.
fn name() -> impl Strategy<Value = Vec<u8>> {
    select(vec!["", "x", "y", "u1", ":low"]).prop_map(|name| name.as_bytes().to_vec())
}

fn integer() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (-3..40_i64).prop_map(|number| number.to_string()),
        1 => select(vec!["", "x", "+1", "01", "1.5", "-0", " 2", "9223372036854775807", "-9223372036854775808"]).prop_map(str::to_owned),
    ]
    .prop_map(String::into_bytes)
}

/// But no `-0`, whose sign a real server forgets in small sets and remembers in large ones.
fn score() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (-3..9_i64).prop_map(|number| number.to_string()),
        2 => select(vec!["0.1", "-2.5", "1e3", "1781234567890123", "-inf", "+inf", "inf", "(2", "(-1"]).prop_map(str::to_owned),
        1 => select(vec!["", "x", "nan", "(", " 1"]).prop_map(str::to_owned),
    ]
    .prop_map(String::into_bytes)
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => integer(),
        1 => select(vec![&b"\0"[..], b"\xff\xff", b"\xff\x00\x01", b"text\r\n", "红".as_bytes()]).prop_map(<[u8]>::to_vec),
    ]
}

fn word(text: &'static str) -> BoxedStrategy<Vec<u8>> {
    Just(text.as_bytes().to_vec()).boxed()
}

fn words(parts: Vec<BoxedStrategy<Vec<u8>>>) -> BoxedStrategy<Words> {
    parts.boxed()
}

/// A name, a key, and then so many times all of these.
fn many(name: &'static str, each: Vec<BoxedStrategy<Vec<u8>>>, times: std::ops::Range<usize>) -> BoxedStrategy<Words> {
    (key(), vec(each, times))
        .prop_map(move |(key, rest)| {
            let mut words = vec![name.as_bytes().to_vec(), key];
            words.extend(rest.into_iter().flatten());
            words
        })
        .boxed()
}

fn command() -> impl Strategy<Value = Words> {
    let key = || key().boxed();
    let (name, integer, score, value) = (
        || self::name().boxed(),
        || self::integer().boxed(),
        || self::score().boxed(),
        || self::value().boxed(),
    );
    let hash = prop_oneof![
        many("HSET", vec![name(), value()], 0..4),
        many("HSET", vec![name()], 3..4),
        words(vec![word("hget"), key(), name()]),
        many("HMGET", vec![name()], 0..5),
        many("HDEL", vec![name()], 0..4),
        words(vec![word("HINCRBY"), key(), name(), integer()]),
        words(vec![word("HGETALL"), key()]),
    ];
    let set = prop_oneof![
        4 => many("ZADD", vec![score(), name()], 0..4),
        1 => many("ZADD", vec![score()], 3..4),
        1 => many("ZREM", vec![name()], 0..4),
        1 => words(vec![word("ZCARD"), key()]),
        2 => words(vec![word("ZRANGE"), key(), integer(), integer()]),
        2 => words(vec![word("ZRANGE"), key(), integer(), integer(), word("WITHSCORES")]),
        1 => words(vec![word("ZRANGE"), key(), integer(), integer(), word("LIMIT"), integer(), integer()]),
        3 => words(vec![word("ZRANGE"), key(), score(), score(), word("byscore")]),
        3 => words(vec![word("ZRANGE"), key(), score(), score(), word("BYSCORE"), word("LIMIT"), integer(), integer(), word("WITHSCORES")]),
    ];
    let bits = prop_oneof![
        words(vec![word("SETBIT"), key(), integer(), integer()]),
        words(vec![word("SETBIT"), key(), integer(), word("1")]),
        words(vec![word("GETBIT"), key(), integer()]),
        words(vec![word("BITPOS"), key(), word("0")]),
        words(vec![word("BITPOS"), key(), word("1")]),
        words(vec![word("BITPOS"), key(), integer(), integer()]),
        words(vec![word("BITPOS"), key(), word("0"), integer(), integer()]),
        words(vec![word("BITPOS"), key(), word("1"), integer(), integer()]),
        words(vec![word("STRLEN"), key()]),
        words(vec![word("SETRANGE"), key(), integer(), value()]),
    ];
    let keys = prop_oneof![
        words(vec![word("GET"), key()]),
        words(vec![word("SET"), key(), value()]),
        words(vec![word("SET"), key(), value(), word("PX"), word("60000")]),
        words(vec![word("SET"), key(), value(), word("PX"), word("-1")]),
        words(vec![word("SET"), key(), value(), word("PX"), word("x")]),
        words(vec![word("INCRBY"), key(), integer()]),
        words(vec![word("DEL"), key(), key()]),
        words(vec![word("DEL"), key()]),
        words(vec![word("EXISTS"), key(), key(), key()]),
        words(vec![word("PEXPIRE"), key(), word("100000")]),
        words(vec![
            word("PEXPIRE"),
            key(),
            select(vec![&b"0"[..], b"-5", b"x"]).prop_map(<[u8]>::to_vec).boxed()
        ]),
        words(vec![word("PTTL"), key()]),
        words(vec![word("TYPE"), key()]),
        words(vec![word("DBSIZE")]),
        words(vec![word("GET")]),
    ];
    prop_oneof![3 => hash, 4 => set, 4 => bits, 3 => keys]
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        3 => Just(How::Plainly),
        2 => Just(How::By(CALL)),
        1 => Just(How::By(PCALL)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn all_kinds_of_commands_say_the_same() {
    let twins = Twins::start().await;
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::with_cases(250)
    });
    let runs = vec((command(), how()), 1..50);
    let outcome = tokio::task::block_in_place(|| {
        runner.run(&runs, |run| {
            let go = async {
                twins.forget().await;
                for (words, how) in &run {
                    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                    match how {
                        How::Plainly => twins.ask(&words).await?,
                        // Asked at two moments by a script, which hides that it is one.
                        How::By(_) if words[0] == b"PTTL" || words[0] == b"HGETALL" => continue,
                        How::By(script) => {
                            twins
                                .ask(&[&[b"EVAL", *script, b"0"], words.as_slice()].concat())
                                .await?
                        }
                    }
                    .ok();
                }
                twins.have_the_same().await
            };
            let handle = tokio::runtime::Handle::current();
            handle.block_on(go).map_err(TestCaseError::fail)
        })
    });
    outcome.unwrap();
}

/// Zeros follow where a string ends, unless it was said where to end.
#[tokio::test]
async fn a_zero_is_found_behind_ones() {
    let twins = Twins::start().await;
    let ones = [&b"SETRANGE"[..], b"b", b"0", b"\xff\xff"];
    twins.ask(&ones).await.unwrap().unwrap();
    let ask = [&b"BITPOS"[..], b"b", b"0", b"1", b"-1"];
    for (words, at) in [(3, 16), (4, 16), (5, -1)] {
        assert_eq!(twins.ask(&ask[..words]).await.unwrap(), Ok(Value::Int(at)));
    }
}

/// What expires does so for both, and is gone then.
#[tokio::test]
async fn what_expires_goes() {
    let twins = Twins::start().await;
    for words in [
        &[&b"HSET"[..], b"h", b"f", b"1"][..],
        &[b"PEXPIRE", b"h", b"40"],
        &[b"SET", b"s", b"1", b"PX", b"40"],
        &[b"SET", b"kept", b"1", b"PX", b"40"],
        &[b"SET", b"kept", b"2"],
        &[b"SET", b"stays", b"1", b"PX", b"40"],
        &[b"PEXPIRE", b"stays", b"60000"],
        &[b"SETBIT", b"stays", b"3", b"1"],
    ] {
        twins.ask(words).await.unwrap().unwrap();
    }
    for redis in [&twins.real, &twins.simulated] {
        while say(redis, &[b"EXISTS", b"h", b"s"]).await != Ok(Value::Int(0)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    twins.have_the_same().await.unwrap();
    assert_eq!(twins.ask(&[b"DBSIZE"]).await.unwrap(), Ok(Value::Int(2)));
    let anew = twins.ask(&[b"HSET", b"h", b"g", b"1"]).await.unwrap();
    assert_eq!(anew, Ok(Value::Int(1)));
    assert_eq!(
        twins.ask(&[b"PTTL", b"h"]).await.unwrap(),
        Ok(Value::Int(-1)),
        "nothing is left of it"
    );
}
