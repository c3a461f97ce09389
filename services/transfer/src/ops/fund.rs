//! Sender → escrow, synchronously.
//!
//! The order row decides who is answered what, the ledger decides what moved; the danger lies between them. A call that
//! was refused for lack of funds and is about to record REJECTED must not meet another call for the same packet that
//! posts, because a deposit came in between. So a try is on record before it posts, with the time until which its posting
//! may still take effect. Only the try on record may record a refusal, and only if no other one may still take effect.
//!
//! - Several instances: the try is in the shared order row, so they exclude each other like two calls in one.
//! - The caller goes away: the try is a task of its own and ends by itself, closing its window.
//! - The instance dies, or the answer of the ledger is lost: the window stays open until [`WINDOW`] has passed, more than
//!   the ledger may take for a posting ([`POST_TIMEOUT`], which it is told and enforces). The next call waits for a while,
//!   then takes over the record and posts again; it hears `ALREADY_POSTED` if the lost one came through. What it may
//!   not do before the window has passed is refuse, because the lost one may yet come through.
//!
//! What the ledger refused it refuses for ever, unless there was no account to refuse for: so a refusal that is recorded here
//! and a posting exclude each other whatever comes late. For the sender without an account, the window above assumes that
//! instances' clocks differ by less than `WINDOW - POST_TIMEOUT`; if they ever do not, reconciliation reports
//! `REJECTED_BUT_POSTED`, with a case whose acts give the money back.

use clock::Timestamp;
use guard::Guard;
use id::{PacketId, UserId};
use runtime::{Process, deadline};
use tokio::{sync::oneshot, time::Instant};
use uuid::Uuid;

use super::{
    Error, Ports, Result,
    attempts::{Attempts, PATIENCE, POLL, POST_TIMEOUT, WINDOW},
};
use crate::{
    domain::{Order, State, verdict::OnFund},
    store::{Attempt, FundEnd, FundStart},
};

/// Funds packets.
#[derive(Clone)]
pub struct Fund {
    ports: Ports,
    process: Process,
    attempts: Attempts,
}

impl Fund {
    /// Funds packets with tries named from the random `start` on.
    pub fn new(ports: Ports, process: Process, start: Uuid) -> Self {
        Self {
            ports,
            process,
            attempts: Attempts::new(start),
        }
    }

    /// `sender` pays `amount_fen` for `packet`. Returns the POSTED order.
    ///
    /// [`Error::FundRejected`] is final, [`Error::OtherFacts`] too; after anything else the call may be repeated, and the
    /// same order comes out.
    pub async fn fund(&self, packet: PacketId, sender: UserId, amount_fen: i64) -> Result<Order> {
        let draft = Order::fund(packet, sender, amount_fen, self.ports.clock.now());
        let patience = Instant::now() + PATIENCE;
        loop {
            let now = self.ports.clock.now();
            let attempt = self.attempts.next(now);
            let start = if guard::stands(Guard::RefusalLasts) && Instant::now() < patience {
                self.ports.store.begin_fund(&draft, attempt, now).await?
            } else {
                self.ports.store.take_over_fund(&draft, attempt, now).await?
            };
            match start {
                FundStart::Begun { order, doubt } => return self.see_through(order, attempt, doubt).await,
                FundStart::Known(order) if !order.asks_the_same(&draft) => return Err(Error::OtherFacts(packet)),
                FundStart::Known(order) => return answer(order),
                FundStart::Held(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Runs the try as a task of its own, so that it ends properly even if this caller goes away.
    async fn see_through(&self, order: Order, attempt: Attempt, doubt: Option<Timestamp>) -> Result<Order> {
        let (done, outcome) = oneshot::channel();
        let ports = self.ports.clone();
        self.process.spawn("fund", async move {
            // Nobody may be waiting any more; then the order says what came of it.
            let _ = done.send(post(&ports, &order, attempt, doubt).await);
        });
        outcome.await.unwrap_or(Err(Error::Busy(WINDOW)))
    }
}

/// Posts, and records what came of it. With a `doubt` somebody else's posting may still come through, until then.
async fn post(ports: &Ports, order: &Order, attempt: Attempt, doubt: Option<Timestamp>) -> Result<Order> {
    let incomplete = || Error::Broken(format!("FUND order {} is incomplete", order.id));
    let movements = [order.movement().ok_or_else(incomplete)?];
    let posting = ports.ledger.post(&movements);
    let end = match deadline::scope(Instant::now() + POST_TIMEOUT, posting).await {
        Err(fault) if fault.in_flight => return Err(fault.into()),
        Err(fault) => Err(fault.into()),
        Ok(answers) => match answers.first() {
            None => Err(incomplete()),
            Some(answer) => match answer.verdict.on_fund() {
                OnFund::Funded => Ok(FundEnd::Funded),
                OnFund::Refused
                    if guard::stands(Guard::RefusalLasts)
                        && let Some(until) = doubt =>
                {
                    Err(Error::Busy(clock::until(ports.clock.now(), until)))
                }
                OnFund::Refused => Ok(FundEnd::Refused(answer.verdict, answer.balance_fen)),
                OnFund::Broken => Err(Error::Broken(format!(
                    "FUND {}: the ledger says {}",
                    order.id,
                    answer.verdict.name()
                ))),
            },
        },
    };
    let now = ports.clock.now();
    let (end, fault) = match end {
        Ok(end) => (end, None),
        Err(fault) => (FundEnd::Undecided(doubt), Some(fault)),
    };
    let order = ports.store.end_fund(order.id, attempt, end, now).await?;
    match fault {
        Some(fault) if order.state == State::Pending => Err(fault),
        _ => answer(order),
    }
}

fn answer(order: Order) -> Result<Order> {
    match order.state {
        State::Posted => Ok(order),
        State::Rejected => Err(Error::FundRejected(Box::new(order))),
        State::Pending => Err(Error::Busy(POLL)),
        State::Suspended | State::Stuck | State::Repaired => Err(Error::Broken(format!(
            "FUND order {} in state {:?}",
            order.id, order.state
        ))),
    }
}
