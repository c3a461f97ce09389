//! One value from flag, environment or file; all faults at once.
//!
//! A service's settings are a `clap::Args` struct whose fields are text. For a field `drain_timeout` the value is looked
//! for in `--drain-timeout`, then `HONGBAO_DRAIN_TIMEOUT`, then `drain_timeout` in the TOML file named by `--config`,
//! then the default that `--help` shows. The service turns the texts into its typed configuration and notes each fault
//! in [`Faults`], so that an operator mends a bad configuration once and not fault by fault.

use std::{ffi::OsString, fmt, fs, net::SocketAddr, num::NonZeroUsize, path::Path, str::FromStr, time::Duration};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, builder::Resettable};
use tracing_subscriber::EnvFilter;

use crate::{client::Endpoints, telemetry::Format};

/// Prefix of the environment variable of every setting.
pub const ENV_PREFIX: &str = "HONGBAO_";

/// Everything wrong with a configuration.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<String>);

impl Faults {
    /// Notes that `setting` is wrong; `why` says what would be right.
    pub fn add(&mut self, setting: &str, why: impl fmt::Display) {
        self.0.push(format!("{}: {why}", setting.replace('_', "-")));
    }

    /// Reads `text` as a `T`, or notes why it is none.
    pub fn parse<T: FromStr<Err: fmt::Display>>(&mut self, setting: &str, text: &str) -> Option<T> {
        text.parse()
            .map_err(|fault| self.add(setting, format!("`{text}`: {fault}")))
            .ok()
    }

    /// Reads a span of time such as `1500ms`, `5s`, `2m`, `24h`, `7d`.
    pub fn duration(&mut self, setting: &str, text: &str) -> Option<Duration> {
        let span = parse_duration(text);
        if span.is_none() {
            self.add(
                setting,
                format!("`{text}`: must be a span of time such as 500ms, 5s, 2m, 24h or 7d"),
            );
        }
        span
    }

    /// Reads where the instances of another service are: one address such as `http://127.0.0.1:50051`, or several with
    /// commas between them.
    pub fn endpoints(&mut self, setting: &str, text: &str) -> Option<Endpoints> {
        let endpoints = Endpoints::parse(text);
        if endpoints.is_none() {
            self.add(
                setting,
                format!(
                    "`{text}`: must be an address such as http://127.0.0.1:50051, or several with commas between them"
                ),
            );
        }
        endpoints
    }

    /// The configuration, if nothing was noted.
    pub fn finish<T>(self, config: Option<T>) -> Result<T, Self> {
        match config {
            Some(config) if self.0.is_empty() => Ok(config),
            _ => Err(self),
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} fault(s):", self.0.len())?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for Faults {}

/// Reads `1500ms`, `5s`, `2m`, `24h`, `7d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (value, unit) = text.split_at(digits);
    let value: u64 = value.parse().ok()?;
    let ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(value.checked_mul(ms)?))
}

/// What every server is told.
#[derive(Clone, Debug, Args)]
pub struct ServerSettings {
    /// Address to serve gRPC on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: String,
    /// What to log, in the syntax of `RUST_LOG`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,
    /// How log lines look: text or json
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    pub log_format: String,
    /// Longest time any request may take
    #[arg(long, value_name = "SPAN", default_value = "10s")]
    pub request_timeout: String,
    /// Most requests that are worked on at once; more are refused with `RESOURCE_EXHAUSTED`
    #[arg(long, value_name = "N", default_value = "10000")]
    pub max_requests: String,
    /// How long a stop waits for running requests and batches
    #[arg(long, value_name = "SPAN", default_value = "10s")]
    pub drain_timeout: String,
    /// Address to serve metrics on, at /metrics, for Prometheus; empty for none
    #[arg(long, value_name = "ADDR", default_value = "")]
    pub metrics_listen: String,
}

/// [`ServerSettings`], understood.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Address to serve gRPC on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What to log.
    pub log: String,
    /// How log lines look.
    pub log_format: Format,
    /// Longest time any request may take.
    pub request_timeout: Duration,
    /// Most requests that are worked on at once.
    pub max_requests: NonZeroUsize,
    /// How long a stop waits for running requests and batches.
    pub drain_timeout: Duration,
    /// Address to serve metrics on; port 0 takes a free one.
    pub metrics_listen: Option<SocketAddr>,
}

impl ServerSettings {
    /// The settings, understood.
    pub fn check(&self, faults: &mut Faults) -> Option<ServerConfig> {
        let listen = faults.parse("listen", &self.listen);
        let log = faults.parse::<EnvFilter>("log", &self.log).map(|_| self.log.clone());
        let log_format = faults.parse("log_format", &self.log_format);
        let request_timeout = faults.duration("request_timeout", &self.request_timeout);
        let max_requests = faults.parse("max_requests", &self.max_requests);
        let drain_timeout = faults.duration("drain_timeout", &self.drain_timeout);
        let metrics_listen = match self.metrics_listen.as_str() {
            "" => Some(None),
            address => faults.parse("metrics_listen", address).map(Some),
        };
        Some(ServerConfig {
            listen: listen?,
            log: log?,
            log_format: log_format?,
            request_timeout: request_timeout?,
            max_requests: max_requests?,
            drain_timeout: drain_timeout?,
            metrics_listen: metrics_listen?,
        })
    }
}

/// The settings of type `S` as they are when nobody says anything: no flag, no environment, no file.
///
/// # Panics
///
/// If a setting has no default, which is a fault of the program.
pub fn defaults<S: Args + FromArgMatches>() -> S {
    let command = S::augment_args(Command::new("defaults").no_binary_name(true));
    let settings = command
        .try_get_matches_from([""; 0])
        .and_then(|matches| S::from_arg_matches(&matches));
    #[expect(
        clippy::expect_used,
        reason = "a setting without a default is a fault of the program, found by any test"
    )]
    settings.expect("every setting has a default")
}

/// Reads settings of type `S` from `args` (the program's name first), the environment and the file named by `--config`;
/// `listen` is the default of the setting of that name. What is wrong with the file goes to `faults`, beside what will be
/// found wrong with the values; an error is clap's: the command line is wrong, or asks for help. Beside the settings stands
/// the subcommand that was named, if `command` has any: settings may stand before and behind it.
pub fn load<S: Args + FromArgMatches>(
    mut command: Command,
    listen: &'static str,
    args: impl IntoIterator<Item = OsString>,
    faults: &mut Faults,
) -> Result<(S, Option<String>), clap::Error> {
    // clap would take the doc comment of `S` for a description of the program.
    let about = command.get_about().cloned().unwrap_or_default();
    command = S::augment_args(command)
        .about(about)
        .long_about(Resettable::Reset)
        .mut_arg("listen", |arg| arg.default_value(listen))
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .help("TOML file with settings, named as the flags with _ for -"),
        )
        .mut_args(|arg| match arg.get_id().as_str() {
            "help" | "version" => arg,
            id => {
                let variable = format!("{ENV_PREFIX}{}", id.to_uppercase());
                arg.env(variable).global(true)
            }
        })
        .disable_help_subcommand(true);
    let args: Vec<OsString> = args.into_iter().collect();
    let matches = command.clone().try_get_matches_from(&args)?;
    let Some(path) = matches.get_one::<String>("config") else {
        return understood(&matches);
    };
    // What the file says becomes the defaults of a second reading, so that flags and environment keep precedence.
    let command = with_defaults_from(command, Path::new(path), faults);
    understood(&command.try_get_matches_from(&args)?)
}

fn understood<S: FromArgMatches>(matches: &ArgMatches) -> Result<(S, Option<String>), clap::Error> {
    Ok((
        S::from_arg_matches(matches)?,
        matches.subcommand_name().map(str::to_owned),
    ))
}

fn with_defaults_from(mut command: Command, path: &Path, faults: &mut Faults) -> Command {
    let shown = path.display();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(fault) => {
            faults.add("config", format!("cannot read {shown}: {fault}"));
            return command;
        }
    };
    let table = match text.parse::<toml::Table>() {
        Ok(table) => table,
        Err(fault) => {
            // Where and what, but not the line itself, which may hold a secret.
            let before = fault.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            faults.add("config", format!("{shown}: line {line}: {}", fault.message()));
            return command;
        }
    };
    for (key, value) in table {
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            _ => {
                faults.add(
                    "config",
                    format!("{shown}: {key}: must be a text, a whole number or a boolean"),
                );
                continue;
            }
        };
        if command.get_arguments().any(|arg| arg.get_id() == key.as_str()) && key != "config" {
            command = command.mut_arg(&key, |arg| arg.default_value(text));
        } else {
            faults.add("config", format!("{shown}: {key}: there is no such setting"));
        }
    }
    command
}
