//! The order of every program's life: configuration → log → start → wait → drain with a deadline.

use std::{env, net::SocketAddr, process::ExitCode, time::Instant};

use clap::{Args, Command, FromArgMatches};
use tokio::signal::unix::{SignalKind, signal};

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

    /// Starts everything as tasks of `process`; returns the address when it serves.
    fn start(config: Self::Config, process: &Process) -> impl Future<Output = anyhow::Result<SocketAddr>> + Send;
}

/// Runs a service until SIGTERM or SIGINT. Exit code 0 after a clean stop, 2 for a bad configuration, 1 for everything
/// else.
pub fn run<S: Service>() -> ExitCode {
    let command = Command::new(S::NAME).about(S::ABOUT).version(env!("CARGO_PKG_VERSION"));
    let mut faults = Faults::default();
    let settings: S::Settings = match config::load(command, S::LISTEN, env::args_os(), &mut faults) {
        Ok(settings) => settings,
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
        let process = Process::new();
        match S::start(config, &process).await {
            Ok(address) => tracing::info!(%address, "serving"),
            Err(fault) => return fail(S::NAME, &fault),
        }
        let asked = wait_for_stop(&process).await;
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

/// Waits for SIGTERM or SIGINT (`true`), or for the process to stop by itself (`false`).
pub async fn wait_for_stop(process: &Process) -> bool {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("cannot listen for signals");
        return false;
    };
    tokio::select! {
        _ = terminate.recv() => true,
        _ = interrupt.recv() => true,
        () = process.stopping() => false,
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
