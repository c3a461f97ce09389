//! Where a setting's value comes from, and what is said of bad ones.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should stop at once")]

use std::{ffi::OsString, fs};

use clap::{Args, Command};
use runtime::{
    Faults,
    config::{ServerSettings, defaults, load, parse_duration},
};

#[derive(Debug, Args)]
struct Settings {
    #[command(flatten)]
    server: ServerSettings,
    /// How many
    #[arg(long, default_value = "7")]
    batch_size: String,
}

/// The settings, and everything wrong with the file.
fn read(args: &[&str]) -> (Settings, String) {
    let args = ["test"].iter().chain(args).map(OsString::from);
    let mut faults = Faults::default();
    let (settings, _) = load(Command::new("test"), "127.0.0.1:50099", args, &mut faults).unwrap();
    (settings, faults.to_string())
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("settings.toml");
    fs::write(&path, text).unwrap();
    (dir, path.display().to_string())
}

#[test]
fn a_flag_beats_the_file_and_the_file_beats_the_default() {
    let (_dir, path) = file("batch_size = 9\nlisten = \"127.0.0.1:1\"\n");
    let settings = read(&["--config", &path]).0;
    assert_eq!(
        (settings.batch_size.as_str(), settings.server.listen.as_str()),
        ("9", "127.0.0.1:1")
    );
    let settings = read(&["--config", &path, "--batch-size", "11"]).0;
    assert_eq!(settings.batch_size, "11");
    let settings = read(&[]).0;
    assert_eq!(
        (settings.batch_size.as_str(), settings.server.listen.as_str()),
        ("7", "127.0.0.1:50099")
    );
    assert_eq!(defaults::<Settings>().batch_size, "7");
}

#[test]
fn settings_may_stand_on_both_sides_of_a_subcommand() {
    let read = |args: &[&str]| {
        let command = Command::new("test").subcommand(Command::new("migrate"));
        let args = ["test"].iter().chain(args).map(OsString::from);
        load::<Settings>(command, "127.0.0.1:50099", args, &mut Faults::default()).unwrap()
    };
    let (_dir, path) = file("batch_size = 9\n");
    for args in [
        &["migrate", "--batch-size", "8", "--log", "debug"][..],
        &["--batch-size", "8", "migrate", "--log", "debug"],
        &["--batch-size", "8", "--log", "debug", "migrate", "--config", &path],
    ] {
        let (settings, task) = read(args);
        assert_eq!(
            (settings.batch_size.as_str(), settings.server.log.as_str()),
            ("8", "debug"),
            "{args:?}"
        );
        assert_eq!(task.as_deref(), Some("migrate"));
    }
    let (settings, task) = read(&["migrate", "--config", &path]);
    assert_eq!((settings.batch_size.as_str(), task.as_deref()), ("9", Some("migrate")));
    assert_eq!(read(&[]).1, None);
}

#[test]
fn help_names_every_setting_and_its_variable() {
    let args = ["test", "--help"].map(OsString::from);
    let help = load::<Settings>(Command::new("test"), "127.0.0.1:50099", args, &mut Faults::default());
    let help = help.unwrap_err().to_string();
    for needle in [
        "--batch-size",
        "HONGBAO_BATCH_SIZE",
        "--drain-timeout",
        "HONGBAO_LISTEN",
        "--config",
        "50099",
    ] {
        assert!(help.contains(needle), "{needle} is missing in:\n{help}");
    }
}

#[test]
fn everything_wrong_in_a_file_is_said_at_once_beside_the_values() {
    let (_dir, path) = file("bath_size = 9\nlisten = [1]\nconfig = \"x\"\n");
    let (settings, faults) = read(&["--config", &path, "--listen", "127.0.0.1:7"]);
    assert_eq!(settings.server.listen, "127.0.0.1:7", "the flags are read all the same");
    for needle in ["3 fault(s)", "bath_size", "listen", "config", "no such setting"] {
        assert!(faults.contains(needle), "{needle} is missing in:\n{faults}");
    }
    let (_dir, malformed) = file("= 1");
    for path in ["/nonexistent.toml", &malformed] {
        assert!(read(&["--config", path]).1.contains("1 fault(s)"), "{path}");
    }
}

/// The log of a service is read by more people than its settings.
#[test]
fn a_file_that_is_no_toml_is_not_shown() {
    let (_dir, path) = file("batch_size = \"9\"\nlisten = \"hush-hush\nlog = \"info\"\n");
    let faults = read(&["--config", &path]).1;
    assert!(faults.contains("line 2") && !faults.contains("hush"), "{faults}");
}

#[test]
fn everything_wrong_with_the_values_is_said_at_once() {
    let mut settings = defaults::<Settings>();
    settings.server.listen = "here".into();
    settings.server.log_format = "xml".into();
    settings.server.drain_timeout = "5 parsecs".into();
    settings.server.log = "a=b=c".into();
    let mut faults = Faults::default();
    assert!(settings.server.check(&mut faults).is_none());
    faults.endpoints("grab_url", "http://127.0.0.1:1,ftp://x");
    assert!(
        faults
            .endpoints("grab_url", "http://127.0.0.1:1, http://127.0.0.1:2")
            .is_some()
    );
    let text = faults.finish::<()>(None).unwrap_err().to_string();
    for needle in [
        "5 fault(s)",
        "listen: ",
        "log-format: ",
        "drain-timeout: ",
        "log: ",
        "grab-url: ",
    ] {
        assert!(text.contains(needle), "{needle} is missing in:\n{text}");
    }
}

#[test]
fn spans_of_time() {
    for (text, ms) in [
        ("500ms", 500),
        ("5s", 5_000),
        ("2m", 120_000),
        ("24h", 86_400_000),
        ("7d", 604_800_000),
    ] {
        assert_eq!(parse_duration(text).map(|span| span.as_millis()), Some(ms), "{text}");
    }
    for text in [
        "",
        "5",
        "s",
        "-1s",
        "1.5s",
        "99999999999999999999s",
        "18446744073709551615d",
    ] {
        assert_eq!(parse_duration(text), None, "{text}");
    }
}
