//! The order of every program's life: configuration → log → start → wait → drain with a deadline.

use std::{env, io, net::SocketAddr, process::ExitCode, time::Instant};

use clap::{Args, Command, FromArgMatches};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    Faults, Process,
    config::{self, ServerConfig},
    telemetry,
};

/// A service as a program: how it is configured and how it starts.
pub trait Service {
    /// The program's name, such as `hongbao-account`.
    const NAME: &'static str;
    /// What `--help` says of it.
    const ABOUT: &'static str;
    /// The address it serves on unless told otherwise.
    const LISTEN: &'static str;
    /// Its settings as text.
    type Settings: Args + FromArgMatches;
    /// Its settings, understood.
    type Config: Send;

    /// Understands the settings; notes every fault.
    fn check(settings: &Self::Settings, faults: &mut Faults) -> Option<Self::Config>;

    /// What every server is told.
    fn server(config: &Self::Config) -> &ServerConfig;

    /// Whether it keeps a store, so that there is something to migrate.
    const HAS_STORE: bool = true;

    /// Brings its store up to date: the `migrate` command. Safe to repeat and to race.
    fn migrate(config: Self::Config) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Starts everything as tasks of `process`; returns the address when it serves.
    fn start(config: Self::Config, process: &Process) -> impl Future<Output = anyhow::Result<SocketAddr>> + Send;
}

/// The command that brings a store up to date.
const MIGRATE: &str = "migrate";

/// Runs a service until SIGTERM or SIGINT, or its `migrate` command. Exit code 0 after a clean stop, 2 for a bad
/// configuration, 1 for everything else.
pub fn run<S: Service>() -> ExitCode {
    let mut command = Command::new(S::NAME).about(S::ABOUT).version(env!("CARGO_PKG_VERSION"));
    if S::HAS_STORE {
        let migrate = "Bring the store up to date and exit; a SQLite file is brought up to date at every start";
        command = command.subcommand(Command::new(MIGRATE).about(migrate));
    }
    let mut faults = Faults::default();
    let (settings, task): (S::Settings, _) = match config::load(command, S::LISTEN, env::args_os(), &mut faults) {
        Ok(loaded) => loaded,
        Err(fault) => fault.exit(),
    };
    let config = S::check(&settings, &mut faults);
    let config = match faults.finish(config) {
        Ok(config) => config,
        Err(faults) => return refuse(S::NAME, &faults),
    };
    let server = S::server(&config).clone();
    telemetry::init(server.log.parse().unwrap_or_default(), server.log_format);

    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => return fail(S::NAME, &fault.into()),
    };
    runtime.block_on(async {
        if task.as_deref() == Some(MIGRATE) {
            return match S::migrate(config).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(fault) => fail(S::NAME, &fault),
            };
        }
        let process = Process::new();
        // Listened for before anything starts: who sees the service serve may stop it in order.
        let mut signals = match StopSignals::listen() {
            Ok(signals) => signals,
            Err(fault) => return fail(S::NAME, &fault.into()),
        };
        let asked = tokio::select! {
            () = signals.wait() => true,
            stopped = serve::<S>(config, &process) => match stopped {
                Ok(()) => false,
                Err(fault) => return fail(S::NAME, &fault),
            },
        };
        let began = Instant::now();
        let drained = process.stop(server.drain_timeout).await;
        tracing::info!(drained, took_ms = began.elapsed().as_millis(), "stopped");
        if asked && drained {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    })
}

/// Starts, and serves until the process stops by itself.
async fn serve<S: Service>(config: S::Config, process: &Process) -> anyhow::Result<()> {
    let address = S::start(config, process).await?;
    tracing::info!(%address, "serving");
    process.stopping().await;
    Ok(())
}

/// SIGTERM and SIGINT.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn refuse(name: &str, faults: &Faults) -> ExitCode {
    eprintln!("{name}: {faults}");
    ExitCode::from(2)
}

fn fail(name: &str, fault: &anyhow::Error) -> ExitCode {
    tracing::error!(fault = format!("{fault:#}"), "cannot start");
    eprintln!("{name}: {fault:#}");
    ExitCode::FAILURE
}
