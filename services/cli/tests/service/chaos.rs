//! `hongbao chaos` as a program: it survives its own drill, tells what it did, and leaves nothing behind.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::mesh::{left, signal};

fn chaos(data: &Path, more: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_hongbao"))
        .args(["chaos", "--people", "12", "--log", "warn", "--data-dir"])
        .arg(data)
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a drill printed, and its exit code.
fn told(drill: Child) -> (String, Option<i32>) {
    let output = drill.wait_with_output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    (String::from_utf8(told).unwrap(), output.status.code())
}

/// How often a number stands before `what`.
fn count(told: &str, what: &str) -> u64 {
    let before = told.split(what).next().unwrap();
    let digits: String = before
        .chars()
        .rev()
        .skip_while(|c| *c == ' ')
        .take_while(char::is_ascii_digit)
        .collect();
    digits.chars().rev().collect::<String>().parse().unwrap()
}

#[test]
fn a_short_drill_loses_nothing_and_leaves_nothing() {
    let dir = testkit::Dir::new();
    let (told, code) = told(chaos(dir.path(), &["--duration", "14s", "--seed", "4"]));
    assert_eq!(code, Some(0), "{told}");
    for part in [
        "seed 4, 14 s on redis,postgres",
        "kill -9 gateway",
        "kill -9 packet",
        "kill -9 account",
        "kill -9 grab-1",
        "kill -9 grab-2",
        "kill -9 transfer-1",
        "kill -9 transfer-2",
        "all of it",
        "verdict: nothing was lost, doubled or made up",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    for what in [
        " packets sent",
        " grabs granted",
        " shares shown",
        " settled",
        " refunds",
    ] {
        assert!(count(&told, what) > 0, "{what} in {told}");
    }
    assert_eq!(left(dir.path()), Vec::<String>::new());
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "a good drill keeps nothing"
    );
}

#[test]
fn an_interrupted_drill_checks_and_leaves_nothing() {
    let dir = testkit::Dir::new();
    let mut drill = chaos(dir.path(), &["--duration", "1h", "--seed", "5", "--keep"]);
    let mut errors = BufReader::new(drill.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("over: ") {
        line.clear();
        assert!(errors.read_line(&mut line).unwrap() > 0, "it ended early");
    }
    signal("INT", drill.id().into());
    let drain = std::thread::spawn(move || {
        let mut rest = String::new();
        errors.read_to_string(&mut rest).map(|_| rest)
    });
    let (told, code) = told(drill);
    let rest = drain.join().unwrap().unwrap();
    assert_eq!(code, Some(0), "{told}{rest}");
    assert!(told.contains("verdict: nothing was lost"), "{told}");
    assert_eq!(left(dir.path()), Vec::<String>::new());
    let kept = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    for file in ["history.jsonl", "books.json", "violations.json"] {
        assert!(kept.join(file).metadata().unwrap().len() > 0, "{file}");
    }
}
