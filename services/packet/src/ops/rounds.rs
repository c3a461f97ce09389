//! The loop behind recovery and sweep: lease what is due, drive it, several at a time; postpone what fails.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use clock::{SharedClock, Timestamp};
use futures::{StreamExt, stream};
use rand::RngExt;
use runtime::Process;

use super::{Error, SharedRng};
use crate::{
    domain::{Packet, Phase},
    store::{Leased, Packets},
};

/// How many packets one round leases and drives at once. All are driven from the moment they are leased, so that no lease
/// runs out in a queue.
const WIDTH: u64 = 32;
/// Pause after a first failure; it doubles with each further one.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
/// Longest pause between two attempts on one packet: a peer that is back is noticed within a minute.
const MAX_BACKOFF: Duration = Duration::from_mins(1);
/// Shortest pause between two rounds, where a packet is due but held by another instance.
const MIN_PAUSE: Duration = Duration::from_millis(5);

/// What is done with a packet that is due.
#[async_trait]
pub trait Drive: Send + Sync + 'static {
    /// Its name in logs.
    const NAME: &'static str;
    /// Where the packets are that it drives.
    const PHASES: &'static [Phase];

    /// Brings the packet as far as it can. Must be idempotent, also when run twice at once.
    async fn drive(&self, packet: Packet) -> Result<(), Error>;
}

/// Rounds of one [`Drive`].
pub struct Rounds<D> {
    /// What is done.
    pub drive: D,
    /// The packets.
    pub packets: Arc<dyn Packets>,
    /// The longest pause between two rounds.
    pub interval: Duration,
    /// How long a leased packet is kept from other instances. Longer than driving it takes.
    pub lease: Duration,
    /// The hour.
    pub clock: SharedClock,
    /// For jitter.
    pub rng: SharedRng,
}

/// What one round came to.
#[derive(Debug, Default)]
pub struct Round {
    /// How many packets were leased.
    pub leased: usize,
    /// The failures among them.
    pub failures: Vec<Error>,
}

impl<D: Drive> Rounds<D> {
    /// Round after round until the process stops. A round that has begun is finished.
    pub async fn run(self, process: Process) {
        let mut trouble = Trouble::default();
        while !process.is_stopping() {
            let pause = match self.round().await {
                Ok(round) if round.leased == 0 => self.pause_after(&round).await,
                Ok(round) => {
                    trouble.note(D::NAME, round.failures.iter().find(|fault| fault.is_passing()));
                    self.pause_after(&round).await
                }
                Err(fault) => {
                    trouble.note(D::NAME, Some(&fault.into()));
                    self.interval
                }
            };
            if !process.pause(pause).await {
                return;
            }
        }
    }

    /// Leases what is due, up to a bound, and drives it.
    pub async fn round(&self) -> sql::Result<Round> {
        let now = self.clock.now();
        let until = clock::after(now, self.lease);
        let leased = self.packets.lease(D::PHASES, now, until, WIDTH).await?;
        let count = leased.len();
        let failures = stream::iter(leased)
            .map(|leased| self.drive_one(leased))
            .buffer_unordered(count.max(1))
            .filter_map(async |failure| failure)
            .collect()
            .await;
        Ok(Round {
            leased: count,
            failures,
        })
    }

    async fn drive_one(&self, leased: Leased) -> Option<Error> {
        let fault = self.drive.drive(leased.packet.clone()).await.err()?;
        // What does not pass by itself needs someone: told at once, and again ever more rarely.
        if !fault.is_passing() && (leased.attempts == 0 || leased.attempts.is_power_of_two()) {
            tracing::error!(packet = %leased.packet.id(), %fault, during = D::NAME, "a packet is stuck");
        }
        let due = clock::after(self.clock.now(), self.backoff(leased.attempts));
        if let Err(unwritten) = self.packets.postpone(&leased, due).await {
            tracing::debug!(packet = %leased.packet.id(), %unwritten, "the lease runs out by itself");
        }
        Some(fault)
    }

    /// Half of it fixed, half of it at random, so that packets that failed together do not return together.
    fn backoff(&self, attempts: u32) -> Duration {
        let full = FIRST_BACKOFF
            .saturating_mul(2_u32.saturating_pow(attempts))
            .min(MAX_BACKOFF);
        full / 2 + self.rng.with(|rng| rng.random_range(Duration::ZERO..=full / 2))
    }

    async fn pause_after(&self, round: &Round) -> Duration {
        if round.leased as u64 == WIDTH {
            return Duration::ZERO; // more may be due
        }
        let next = self
            .packets
            .next_due(D::PHASES)
            .await
            .ok()
            .flatten()
            .unwrap_or(Timestamp::MAX);
        clock::until(self.clock.now(), next).min(self.interval).max(MIN_PAUSE)
    }
}

/// Whether peers or store failed last, so that the log tells the change and not each retry.
#[derive(Debug, Default)]
struct Trouble(bool);

impl Trouble {
    fn note(&mut self, name: &'static str, fault: Option<&Error>) {
        match fault {
            Some(fault) if !self.0 => tracing::warn!(%fault, during = name, "failing; retrying until it works"),
            None if self.0 => tracing::info!(during = name, "works again"),
            _ => {}
        }
        self.0 = fault.is_some();
    }
}
