//! `hongbao demo`: a mesh of its own in a temporary directory, five packets, and the proof that the books are right.
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

use std::{process::ExitCode, time::Duration};

use clap::Args;
use runtime::telemetry::Format;
use tokio::time::Instant;

use crate::{
    client::Client,
    failure::Failure,
    show::{self, View, line},
    up::{self, Mesh, MeshOptions},
};

use cast::Cast;

/// What `hongbao demo` is told.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Its last line is `reconciled: 0 differences` (exit code 0), or it says what differs (exit code 1)."
)]
pub struct Options {
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
    let began = Instant::now();
    let mesh = Mesh::start(&MeshOptions::free(dir.path(), SWEEP_INTERVAL)).await?;
    line(&format!(
        "five services on SQLite in {}, up in {} ms; the gateway is at {}",
        dir.path().display(),
        began.elapsed().as_millis(),
        mesh.addresses().gateway
    ))?;

    let client = Client::new(&mesh.addresses().gateway_url())?;
    let played = tokio::select! {
        played = play(&client) => played,
        service = mesh.failed() => Err(Failure::new(format!("the {service} service stopped by itself"))),
    };
    let drained = mesh.stop().await;
    let books = played?;
    if !drained {
        return Err(Failure::new("the mesh did not stop in time"));
    }
    line(&books.human())?;
    Ok(if books.differences.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The acts, then the proof; gives what reconciliation found.
async fn play(client: &Client) -> Result<show::operation::Reconciled, Failure> {
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
