//! `hongbao up`: the whole mesh in one process, until a signal.
//!
//! - [`layout`]: where a mesh keeps its stores and listens.
//! - [`mesh`]: starts and stops the five services; what tests and the demo use.
//! - [`data`]: the directory they keep their stores in, its lock and its key.
//! - [`people`]: the demo users.
//! - [`greeting`]: what is printed once everything serves.

pub mod data;
pub mod greeting;
pub mod layout;
pub mod mesh;
pub mod people;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use runtime::telemetry::{self, Format};
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{client::Client, failure::Failure, show};

pub use layout::{MeshOptions, Ports};
pub use mesh::{Addresses, Mesh};

/// What `hongbao up` is told.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// How the mesh is laid out.
    #[command(flatten)]
    pub mesh: MeshOptions,
    /// Open accounts for alice, bob, carol and dave with 1000.00 yuan each, and the group `friends`; repeating it gives nobody more
    #[arg(long, visible_alias = "seed-demo-users")]
    pub demo_users: bool,
    /// Write the addresses to this file, as JSON, once everything serves
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
    /// What to log, in the syntax of `RUST_LOG`
    #[arg(long, env = "HONGBAO_LOG", value_name = "FILTER", default_value = "warn")]
    pub log: String,
    /// How log lines look: text or json
    #[arg(long, env = "HONGBAO_LOG_FORMAT", value_name = "FORMAT", default_value = "text", value_parser = format)]
    pub log_format: Format,
}

const EXAMPLES: &str = "\
Examples:
  hongbao up --demo-users
  hongbao up --data-dir /tmp/mesh --gateway-port 9080 --log info
  hongbao up --gateway-port 0 --account-port 0 --packet-port 0 --grab-port 0 --transfer-port 0 --ready-file ready.json

Ctrl-C or SIGTERM stops it: running requests finish, batches are flushed. A second signal ends it at once; that loses
nothing either. Exit codes: 0 stopped as asked; 1 could not start, or a service stopped by itself; 130 a second signal.";

fn format(text: &str) -> Result<Format, &'static str> {
    text.parse()
}

/// Starts logging to standard error.
pub(crate) fn log(filter: &str, format: Format) -> Result<(), Failure> {
    let filter: tracing_subscriber::EnvFilter = filter
        .parse()
        .map_err(|fault| Failure::Usage(format!("--log `{filter}`: {fault}")))?;
    telemetry::init(filter, format);
    Ok(())
}

/// Runs the mesh until a signal, or until one of its services stops by itself.
pub async fn run(options: &Options) -> Result<ExitCode, Failure> {
    log(&options.log, options.log_format)?;
    // From here on, so that an early Ctrl-C is seen.
    let mut signals = Signals::new()?;
    let mesh = tokio::select! {
        started = serve(options) => started?,
        () = signals.next() => return Ok(INTERRUPTED.into()),
    };
    let asked = tokio::select! {
        () = signals.next() => true,
        service = mesh.failed() => {
            eprintln!("hongbao: the {service} service stopped by itself; its log says why");
            false
        }
    };
    if asked {
        eprintln!("stopping; another signal ends it at once");
    }
    let drained = tokio::select! {
        drained = mesh.stop() => drained,
        () = signals.next() => return Ok(INTERRUPTED.into()),
    };
    if !drained {
        eprintln!("hongbao: stopped with work still running; it is taken up at the next start");
    }
    Ok(if asked && drained {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Exit code of a program that a signal ended, by the shells' convention: 128 and SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Starts everything that was asked for and says so.
async fn serve(options: &Options) -> Result<Mesh, Failure> {
    let mesh = Mesh::start(&options.mesh).await?;
    let addresses = mesh.addresses();
    if options.demo_users {
        people::arrive(&Client::new(&addresses.gateway_url())?).await?;
    }
    if let Some(path) = &options.ready_file {
        write_ready(path, &addresses)
            .map_err(|fault| Failure::new(format!("cannot write {}: {fault}", path.display())))?;
    }
    show::line(&greeting::of(&addresses, mesh.data_dir(), options.demo_users))?;
    Ok(mesh)
}

/// Whole or not at all: who waits for the file may read it at any moment.
pub(crate) fn write_ready(path: &Path, ready: &impl Serialize) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    fs::write(&unfinished, serde_json::to_vec(ready)?)?;
    fs::rename(&unfinished, path)
}

/// SIGINT and SIGTERM.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From here on, none ends the process by itself.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Resolves at the next of them.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
