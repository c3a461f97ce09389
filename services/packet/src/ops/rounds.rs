//! The loop behind recovery and sweep: lease what is due, drive it, several at a time; postpone what fails. Each database
//! has a loop of its own.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use clock::{SharedClock, Timestamp};
use futures::{StreamExt, stream};
use rand::RngExt;
use runtime::Process;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Error, SharedRng};
use crate::{
    domain::{Packet, Phase},
    store::{Agenda, Leased},
};

/// How many packets one round leases and drives at once. All are driven from the moment they are leased, so that no lease
/// runs out in a queue.
const WIDTH: u64 = 32;
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
    /// What is due, in one database.
    pub agenda: Arc<dyn Agenda>,
    /// The longest pause between two rounds.
    pub interval: Duration,
    /// How long a leased packet is kept from other instances. It is driven for three quarters of that at most.
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
        let (mut leasing_fails, mut driving_fails) = (false, false);
        let mut backoff = retry::PEER.alone();
        while !process.is_stopping() {
            let mut in_vain = false;
            let pause = match self.round().await {
                Ok(round) => {
                    self.note(&mut leasing_fails, None);
                    if round.leased > 0 {
                        let passing = round.failures.iter().find(|fault| fault.is_passing());
                        self.note(&mut driving_fails, passing);
                        // Whatever they need is away: a sweep through everything that is due would only hammer it.
                        in_vain = round.failures.iter().filter(|fault| fault.is_passing()).count() == round.leased;
                    }
                    self.pause_after(&round).await
                }
                Err(fault) => {
                    self.note(&mut leasing_fails, Some(&fault));
                    self.interval
                }
            };
            if !process.pause(pause).await {
                return;
            }
            if !in_vain {
                backoff.reset();
                continue;
            }
            tokio::select! {
                biased;
                () = process.stopping() => return,
                () = backoff.wait() => {}
            }
        }
    }

    /// Leases what is due, up to a bound, and drives it.
    pub async fn round(&self) -> Result<Round, Error> {
        let (now, began) = (self.clock.now(), Instant::now());
        let until = clock::after(now, self.lease);
        let leased = self.agenda.lease(D::PHASES, now, until, WIDTH);
        // A database that takes the question and never answers must not hold up the loop for longer than one that is away.
        let leased = timeout_at(began + self.lease, leased).await;
        let leased = leased.map_err(|_| Error::Overtime)??;
        let count = leased.len();
        let failures = stream::iter(leased)
            .map(|leased| self.drive_one(leased, began))
            .buffer_unordered(count.max(1))
            .filter_map(async |failure| failure)
            .collect()
            .await;
        Ok(Round {
            leased: count,
            failures,
        })
    }

    /// Drives a packet, and lets go of it some time before the lease runs out, when others may take it.
    async fn drive_one(&self, leased: Leased, began: Instant) -> Option<Error> {
        let driven = timeout_at(began + self.lease * 3 / 4, self.drive.drive(leased.packet.clone()));
        let fault = driven.await.unwrap_or(Err(Error::Overtime)).err()?;
        // What does not pass by itself needs someone: told at once, and again ever more rarely.
        if !fault.is_passing() && (leased.attempts == 0 || leased.attempts.is_power_of_two()) {
            tracing::error!(packet = %leased.packet.id(), %fault, during = D::NAME, "a packet is stuck");
        }
        let due = clock::after(self.clock.now(), self.backoff(leased.attempts));
        let postponed = timeout_at(began + self.lease, self.agenda.postpone(&leased, due)).await;
        if !matches!(postponed, Ok(Ok(()))) {
            tracing::debug!(packet = %leased.packet.id(), ?postponed, "the lease runs out by itself");
        }
        Some(fault)
    }

    /// Full jitter, so that packets that failed together do not return together.
    fn backoff(&self, attempts: u32) -> Duration {
        let ceiling = retry::WORK.ceiling(attempts);
        self.rng.with(|rng| rng.random_range(Duration::ZERO..=ceiling))
    }

    async fn pause_after(&self, round: &Round) -> Duration {
        if round.leased as u64 == WIDTH {
            return Duration::ZERO; // more may be due
        }
        let next = timeout(self.lease, self.agenda.next_due(D::PHASES)).await;
        let next = next.ok().and_then(Result::ok).flatten().unwrap_or(Timestamp::MAX);
        clock::until(self.clock.now(), next).min(self.interval).max(MIN_PAUSE)
    }

    /// Tells when it begins to fail and when it works again, not each retry.
    fn note(&self, failing: &mut bool, fault: Option<&Error>) {
        let place = self.agenda.place();
        match fault {
            Some(fault) if !*failing => {
                tracing::warn!(%fault, during = D::NAME, place, "failing; retrying until it works");
            }
            None if *failing => tracing::info!(during = D::NAME, place, "works again"),
            _ => {}
        }
        *failing = fault.is_some();
    }
}
