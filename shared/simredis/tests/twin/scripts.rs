//! How values go into scripts and out of them, and how scripts fail.

use super::*;

/// Scripts that end in every way, each with `KEYS` k and `ARGV` 7, text.
const SCRIPTS: &[&str] = &[
    "return 1",
    "return 1.9",
    "return -1.9",
    "return 1e300",
    "return 0/0",
    "return 2^53 + 1",
    "return '1.9'",
    "return nil",
    "return false",
    "return true",
    "return",
    "return {}",
    "return {1, 2, nil, 4}",
    "return {1, false, true, 'x', {2, {3}}, 1.5}",
    "return {nil, 1}",
    "return {ok = 'GOOD'}",
    "return {err = 'BAD thing'}",
    "return {1, {err = 'BAD thing'}}",
    "return {a = 1}",
    "return {KEYS[1], ARGV[1], ARGV[2], KEYS[2]}",
    "return #KEYS .. #ARGV",
    "return ARGV[1] + 1",
    "return redis.call('GET', 'none')",
    "return redis.call('GET', 'none') == false",
    "return redis.call('SET', 'k', 'v')",
    "return redis.call('SET', 'k', 'v').ok",
    "redis.call('SET', 'k', 1781234567890123) return redis.call('GET', 'k')",
    "redis.call('SET', 'k', 2^60) return redis.call('GET', 'k')",
    "redis.call('SET', 'k', 0.1) return redis.call('GET', 'k')",
    "redis.call('SET', 'k', 1e17) return redis.call('GET', 'k')",
    "redis.call('SET', 'k', -3) return redis.call('GET', 'k')",
    "redis.call('SET', 'k', 1/0) return redis.call('GET', 'k')",
    "redis.call('SETRANGE', 'k', 3, '\\0') return redis.call('GET', 'k')",
    "return redis.call('HMGET', 'k', 'a', 'b')",
    "return #redis.call('HMGET', 'k', 'a', 'b')",
    "return {unpack(redis.call('HMGET', 'k', 'a', 'b'), 1, 2)}",
    "redis.call('ZADD', 'k', 1, 'm') return redis.call('ZRANGE', 'k', 0, 0, 'WITHSCORES')[2]",
    "redis.call('ZADD', 'k', 1781234567890123, 'm') return redis.call('ZRANGE', 'k', 0, 0, 'WITHSCORES')",
    "return redis.call('ZRANGE', 'none', 0, 0, 'WITHSCORES')[2]",
    "return redis.call()",
    "return redis.call('GET')",
    "return redis.call('NONSENSE')",
    "return redis.call('GET', nil)",
    "return redis.call('GET', true)",
    "return redis.call('GET', {})",
    "redis.call('SET', 'k', 1) return redis.call('HGET', 'k', 'f')",
    "redis.call('SET', 'k', 1) return redis.pcall('HGET', 'k', 'f').err",
    "redis.call('SET', 'k', 1) local ok, fault = pcall(redis.call, 'HGET', 'k', 'f') return {ok, type(fault), fault.err}",
    "redis.call('SET', 'k', 1) redis.call('HGET', 'k', 'f') redis.call('SET', 'k', 2)",
    "local nothing; return nothing.field",
    "local nothing; return nothing .. 'x'",
    "return 1 +",
    "return ...",
    "error('of mine')",
    "error({err = 'MINE of mine'})",
    "global = 1",
    "KEYS = {}",
    "redis = nil",
    "return global",
    "return print",
    "return type(string.format)",
    "return string.format('%.0f', 1781234567890123)",
    "return string.format('h:%d:%.0f', 7, 1781234567890123)",
    "return {string.match('h:12:345', '^h:(%d+):(%d+)$')}",
    "return tostring(1781234567890123)",
    "return tonumber('0x10')",
    "return tonumber('')",
    "return math.ceil(9 / 8)",
    "return math.floor(-0.5)",
    "return 5 % 3",
    "return select('#', unpack({1, nil, 3}, 1, 3))",
    "local t = {} for i = 1, 300 do t[i] = i end return {unpack(t)}",
    "local n = 0 for _, v in ipairs({1, 2, nil, 4}) do n = n + v end return n",
];

#[tokio::test]
async fn scripts_end_the_same() {
    let twins = Twins::start().await;
    let mut differences = Vec::new();
    for script in SCRIPTS {
        twins.forget().await;
        let words: [&[u8]; 6] = [b"EVAL", script.as_bytes(), b"1", b"k", b"7", b"text"];
        let asked = match twins.ask(&words).await {
            Ok(_) => twins.have_the_same().await,
            Err(difference) => Err(difference),
        };
        differences.extend(asked.err());
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test]
async fn a_script_is_known_by_its_name_until_it_is_forgotten() {
    let twins = Twins::start().await;
    let name = b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db"; // of `return 1`
    for words in [
        &[&b"EVALSHA"[..], name, b"0"][..],
        &[b"EVAL", b"return 1", b"0"],
        &[b"EVALSHA", name, b"0"],
        &[b"EVALSHA", &name.to_ascii_uppercase(), b"0"],
        &[b"EVALSHA", name, b"1"],
        &[b"EVALSHA", name, b"-1"],
        &[b"EVALSHA", name, b"x"],
        &[b"EVALSHA", name],
        &[b"SCRIPT", b"FLUSH"],
        &[b"EVALSHA", name, b"0"],
    ] {
        twins.ask(words).await.unwrap().ok();
    }
}
