//! `hongbao mesh`: every service as a process of its own, on real engines, until a signal.
//!
//! - [`layout`]: which engines, where everything is kept and listens.
//! - [`engine`]: the servers of SQL and Redis.
//! - [`member`]: one instance of a service.
//! - [`network`]: what lies between instances and engines where connections are to fail on demand.
//! - [`fleet`]: starts and stops all of them; what tests and the demo use.
//! - [`harm`]: what can be done to the processes of a running mesh.
//! - [`table`]: what runs where.

pub mod engine;
pub mod fleet;
pub mod harm;
pub mod layout;
pub mod member;
pub mod network;
pub mod table;

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use crate::{
    client::Client,
    failure::Failure,
    show,
    up::{INTERRUPTED, Signals, people, write_ready},
};

pub use engine::Choice;
pub use fleet::{Death, Mesh};
pub use layout::Layout;

/// What `hongbao mesh` is told.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// How the mesh is laid out.
    #[command(flatten)]
    pub layout: Layout,
    /// Open accounts for alice, bob, carol and dave with 1000.00 yuan each, and the group `friends`; repeating it gives nobody more
    #[arg(long)]
    pub demo_users: bool,
    /// Write what runs where to this file, as JSON, once everything serves
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Engines are named with commas between them: at most one of redis and redis-cluster, and one of postgres, mysql and sqlite.
Without Redis the gate is in memory, so there is one grab; on SQLite there is one of everything.

Examples:
  hongbao mesh --demo-users
  hongbao mesh --engines redis-cluster,mysql --gateway-port 9080
  hongbao mesh --engines postgres --shards 2 --set packet.sweep_interval=1s

The services' programs (hongbao-account and so on) must lie beside this one: `cargo build --release --bins` builds all.
Ctrl-C or SIGTERM stops everything in order; a second signal ends it at once. Exit codes: 0 stopped as asked; 1 could
not start, or something died on the way or had to be killed; 130 a second signal.";

/// Runs the mesh until a signal; says what dies on the way.
pub async fn run(options: &Options) -> Result<ExitCode, Failure> {
    // From here on, so that an early Ctrl-C is seen.
    let mut signals = Signals::new()?;
    let mut mesh = tokio::select! {
        started = serve(options) => started?,
        () = signals.next() => return Ok(INTERRUPTED.into()),
    };
    let mut whole = true;
    loop {
        tokio::select! {
            () = signals.next() => break,
            death = mesh.death() => {
                whole = false;
                eprintln!("hongbao: {}", death.told);
            }
        }
    }
    eprintln!("stopping; another signal ends it at once");
    let stopped = tokio::select! {
        stopped = mesh.stop() => stopped,
        () = signals.next() => return Ok(INTERRUPTED.into()),
    };
    Ok(if whole && stopped {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Starts everything that was asked for and says so.
async fn serve(options: &Options) -> Result<Mesh, Failure> {
    let mesh = Mesh::start(&options.layout).await?;
    let url = mesh.gateway_url();
    if options.demo_users {
        people::arrive(&Client::new(&url)?).await?;
    }
    if let Some(path) = &options.ready_file {
        write_ready(path, &table::Ready::of(&mesh))
            .map_err(|fault| Failure::new(format!("cannot write {}: {fault}", path.display())))?;
    }
    show::line(&table::greeting(&mesh, options.demo_users))?;
    Ok(mesh)
}
