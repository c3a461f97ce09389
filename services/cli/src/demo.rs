//! `hongbao demo`: a mesh of its own in a temporary directory, five packets, and the proof that the books are right.
//!
//! The mesh is one process on SQLite or, with `--engines`, many processes on real engines.
//!
//! Everything goes through the gateway's gRPC API, as the users would. Nothing sleeps for a fixed time: each step waits
//! for what it needs, up to a deadline.
//!
//! - [`cast`]: who plays, and what they own.
//! - [`act`]: the five packets.
//! - [`proof`]: settlement, the split, the books.

pub mod act;
pub mod cast;
pub mod proof;

use std::{path::Path, process::ExitCode, time::Duration};

use clap::Args;
use runtime::telemetry::Format;
use tokio::time::Instant;

use crate::{
    client::Client,
    failure::Failure,
    mesh::{self, Choice, Layout},
    show::{View, books::Reconciled, line},
    up::{self, Mesh, MeshOptions},
};

use cast::Cast;

/// What `hongbao demo` is told.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Its last line is `reconciled: 0 differences` (exit code 0), or it says what differs (exit code 1)."
)]
pub struct Options {
    /// Play on a mesh of processes on these engines instead of one process on SQLite; named as for `hongbao mesh`
    #[arg(long, value_name = "ENGINES")]
    pub engines: Option<Choice>,
    /// What to log, in the syntax of `RUST_LOG`
    #[arg(long, value_name = "FILTER", default_value = "error")]
    pub log: String,
}

/// How often the demo's mesh looks for expired packets: often, because people watch.
const SWEEP_INTERVAL: &str = "200ms";
/// Longest wait for anything. Far more than it takes, so that it tells a hang from a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at what is waited for.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// Plays it.
pub async fn run(options: &Options) -> Result<ExitCode, Failure> {
    up::log(&options.log, Format::Text)?;
    let dir = tempfile::tempdir()?;
    let books = match options.engines {
        None => Box::pin(on_one_process(dir.path())).await?,
        Some(engines) => Box::pin(on_many_processes(engines, dir.path())).await?,
    };
    line(&books.human())?;
    Ok(if books.differences.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn on_one_process(dir: &Path) -> Result<Reconciled, Failure> {
    let began = Instant::now();
    let mesh = Mesh::start(&MeshOptions::free(dir, SWEEP_INTERVAL)).await?;
    line(&format!(
        "five services on SQLite in {}, up in {} ms; the gateway is at {}",
        dir.display(),
        began.elapsed().as_millis(),
        mesh.addresses().gateway
    ))?;
    let client = Client::new(&mesh.addresses().gateway_url())?;
    let played = tokio::select! {
        played = play(&client) => played,
        service = mesh.failed() => Err(Failure::new(format!("the {service} service stopped by itself"))),
    };
    if mesh.stop().await {
        played
    } else {
        played.and(Err(late()))
    }
}

async fn on_many_processes(engines: Choice, dir: &Path) -> Result<Reconciled, Failure> {
    let began = Instant::now();
    let layout = Layout::free(engines, dir).set("packet", "sweep_interval", SWEEP_INTERVAL);
    let mut mesh = mesh::Mesh::start(&layout).await?;
    line(&format!(
        "{} processes of five services on {engines} in {}, up in {} ms; the gateway is at {}",
        mesh.members().len(),
        dir.display(),
        began.elapsed().as_millis(),
        mesh.gateway()
    ))?;
    let client = Client::new(&mesh.gateway_url())?;
    let played = tokio::select! {
        played = play(&client) => played,
        death = mesh.death() => Err(Failure::new(death.told)),
    };
    if mesh.stop().await {
        played
    } else {
        played.and(Err(late()))
    }
}

fn late() -> Failure {
    Failure::new("the mesh did not stop in time")
}

/// The acts, then the proof; gives what reconciliation found.
async fn play(client: &Client) -> Result<Reconciled, Failure> {
    let cast = Cast::gather(client).await?;
    let before = cast.balances().await?;

    let packets = [
        act::lucky(&cast).await?,
        act::equal(&cast).await?,
        act::exclusive(&cast).await?,
        act::passphrase(&cast).await?,
        act::expiring(&cast).await?,
    ];

    title("The money has moved")?;
    for packet in &packets {
        proof::settled(&cast, packet).await?;
    }
    proof::balances(&before, &cast.balances().await?)?;

    title("The splits were fixed before anyone grabbed")?;
    for packet in &packets {
        proof::verified(&cast, packet).await?;
    }

    title("The books")?;
    proof::books(client).await
}

fn title(text: &str) -> Result<(), Failure> {
    line(&format!("\n== {text}"))
}

/// Looks until `look` finds something.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>, Failure>) -> Result<T, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(format!("waited {} s in vain: {what}", PATIENCE.as_secs())));
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}
