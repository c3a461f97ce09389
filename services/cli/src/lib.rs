//! `hongbao`: the whole mesh in one process or in many, and a client for it.
//!
//! Owns nothing durable itself: [`up`] starts the five services on the embedded default, each on its own loopback port
//! and talking real gRPC to the others; every other command is a client of the gateway. This is the one crate that may
//! depend on the service crates, and only [`up`] does.
//!
//! In reading order:
//!
//! - [`cli`]: the command line.
//! - [`client`]: the gateway's services as a caller with an identity.
//! - [`command`]: one file per group of commands; each calls, then hands what it got to [`show`].
//! - [`show`]: what commands print; one structure is both the table and the JSON document.
//! - [`failure`]: everything that ends a command early, in one line.
//! - [`up`]: [`up::Mesh`] (start, stop) and the command around it.
//! - [`mesh`]: every service as a process of its own, on real engines.
//! - [`demo`]: what `hongbao demo` plays.
//! - [`chaos`]: faults on a mesh of processes under load, and the check that nothing was lost.

pub mod chaos;
pub mod cli;
pub mod client;
pub mod command;
pub mod demo;
pub mod failure;
pub mod mesh;
pub mod show;
pub mod up;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::{Cli, Command},
    failure::Failure,
};

/// Runs the command line of this process. Exit code 0 when done, 1 when something was refused, failed or did not verify,
/// 2 for a wrong command line.
pub fn main() -> ExitCode {
    let Cli { caller, command } = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => return Failure::from(fault).report(),
    };
    let done = runtime.block_on(async {
        match command {
            Command::Up(options) => Box::pin(up::run(&options)).await,
            Command::Mesh(options) => Box::pin(mesh::run(&options)).await,
            Command::Demo(options) => Box::pin(demo::run(&options)).await,
            Command::Chaos(options) => Box::pin(chaos::run(&options)).await,
            Command::Client(command) => Box::pin(command::run(command, &caller)).await,
        }
    });
    // A second signal, or a blocking call that is under way, must not be waited for.
    runtime.shutdown_background();
    done.unwrap_or_else(|failure| failure.report())
}
