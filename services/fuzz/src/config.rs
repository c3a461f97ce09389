//! Configuration files, with the settings of each service.

use std::{
    cell::RefCell,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use clap::Command;
use runtime::{Faults, Service};

/// Settings that may hold a secret.
const SECRETS: [&str; 6] = [
    "database_url",
    "database_urls",
    "redis_url",
    "voucher_keys",
    "passphrase_key",
    "jwt_keys",
];
/// A text at least as long as this does not stand in a fault by chance.
const TELLING: usize = 24;

thread_local! {
    static FILE: RefCell<Option<(tempfile::TempDir, PathBuf)>> = const { RefCell::new(None) };
}

/// The first byte says whose settings the rest are the file of.
///
/// - A file is understood, or there are faults; it is understood in the same way twice.
/// - No fault repeats a secret, nor a line of a file that is not TOML.
pub fn config(bytes: &[u8]) {
    let Some((which, text)) = bytes.split_first() else {
        return;
    };
    match which % 5 {
        0 => of::<account::Account>(text),
        1 => of::<packet::Packet>(text),
        2 => of::<grab::Grab>(text),
        3 => of::<transfer::Transfer>(text),
        _ => of::<gateway::Gateway>(text),
    }
}

fn of<S: Service>(text: &[u8]) {
    FILE.with_borrow_mut(|file| {
        if file.is_none() {
            *file = tempfile::tempdir().ok().map(|dir| {
                let path = dir.path().join("hongbao.toml");
                (dir, path)
            });
        }
        let Some((_, path)) = file else {
            panic!("no directory for a file");
        };
        assert!(fs::write(&*path, text).is_ok(), "a file is written");
        let (first, again) = (load::<S>(path), load::<S>(path));
        assert_eq!(first, again);
        if let Err(faults) = first {
            hides(text, &faults);
        }
    });
}

/// The faults as they are shown.
fn load<S: Service>(path: &Path) -> Result<(), String> {
    let args: [OsString; 3] = [S::NAME.into(), "--config".into(), path.into()];
    let mut faults = Faults::default();
    let (settings, _) = runtime::config::load::<S::Settings>(Command::new(S::NAME), S::LISTEN, args, &mut faults)
        .unwrap_or_else(|fault| panic!("the command line was right: {fault}"));
    let config = S::check(&settings, &mut faults);
    faults.finish(config).map(drop).map_err(|faults| {
        let text = faults.to_string();
        assert!(text.lines().count() > 1, "no fault is told: {text}");
        text
    })
}

fn hides(text: &[u8], faults: &str) {
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    match text.parse::<toml::Table>() {
        Err(_) => {
            let told = text.lines().find(|line| line.len() >= TELLING && faults.contains(line));
            assert_eq!(told, None, "{faults}");
        }
        Ok(settings) => {
            let secrets = SECRETS.iter().filter_map(|name| settings.get(*name)?.as_str());
            for secret in secrets.filter(|secret| secret.len() >= TELLING) {
                let elsewhere = settings.iter().any(|(name, value)| {
                    name.contains(secret)
                        || (!SECRETS.contains(&name.as_str()) && format!("{value:?}").contains(secret))
                });
                assert!(elsewhere || !faults.contains(secret), "{faults}");
            }
        }
    }
}
