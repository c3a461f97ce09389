//! Operators' acts on repair cases.
//!
//! | step | if it stops behind this step |
//! |---|---|
//! | record who wants what and why, and a try at it | the act is on record and moved nothing; [`mod@recover`] goes on with it |
//! | post from where the money is to where it shall go | the next try hears that the money has moved, and records it |
//! | record what came of it | – |
//!
//! Money leaves escrow under the order's id and suspense under the one id of the second leg, whatever the target. So two
//! acts at once, or a late one, never pay twice: the second hears `ID_REUSED`, looks up where the money went, and that is
//! what is recorded.
//!
//! An act has an id of its operator's choice, and one outcome for ever (ID-1). A case has one unfinished act at most: who
//! finds another one there waits for it, or takes it to its end if nobody does, and then hears what it did to the case.
//! A refusal is an outcome only when no earlier try at the act can still take effect, as it is with fundings
//! ([`super::fund`], whose times these are).

mod recover;

use clock::Timestamp;
use id::{RequestId, TransferId, UserId};
use runtime::{Metrics, deadline};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Error, Ports, Result,
    attempts::{Attempts, PATIENCE, POLL, POST_TIMEOUT, WINDOW},
};
use crate::{
    domain::{Account, Act, Action, Case, CaseEvent, Decision, Movement, Order, Outcome, Payee, RecordedAct, Verdict},
    metrics::Acts,
    store::{ActEnd, ActStart, Attempt},
};

pub use recover::recover;

/// Stands for the verdict where the ledger refused the whole call.
const CALL_REFUSED: &str = "CALL_REFUSED";

/// What an operator wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To the wallet it belongs to.
    Receiver,
    /// To another user's wallet.
    User(UserId),
    /// Back to who funded the packet.
    Sender,
    /// Out of the books.
    WriteOff,
}

/// What an operator asks for, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The operator's name for it (ID-1).
    pub request: RequestId,
    /// The case.
    pub case: TransferId,
    /// Who decides.
    pub operator: UserId,
    /// Why, 1 to 200 characters.
    pub reason: String,
    /// Where the money shall go.
    pub target: Target,
}

/// Does what operators decide. Cheap to clone.
#[derive(Clone)]
pub struct Repairs {
    ports: Ports,
    acts: Acts,
    attempts: Attempts,
}

/// What became of the money.
enum Fate {
    Paid(Payee),
    InSuspense,
    Refused(Verdict),
}

impl Repairs {
    /// Acts with tries named from the random `start` on.
    pub fn new(ports: Ports, start: Uuid, metrics: &Metrics) -> Self {
        Self {
            ports,
            acts: Acts::new(metrics),
            attempts: Attempts::new(start),
        }
    }

    /// Does what `wish` asks for. Returns the case as it is now and the act with its outcome, which is the same however often
    /// and whenever it is asked for.
    ///
    /// [`Error::CaseResolved`] if the case is decided by something else, also if the money turns out to have gone elsewhere
    /// before; [`Error::RequestReused`] if the request asked for something else. After [`Error::Peer`], [`Error::Store`] and
    /// [`Error::Busy`] the act may be on record: then it is finished without anybody's doing, and a repeat tells how.
    pub async fn act(&self, wish: &Wish) -> Result<(Case, RecordedAct)> {
        let case = self.case(wish.case).await?;
        let act = self.decide(wish, &case).await?;
        let recorded = self.carry_out(&act).await?;
        let case = self.case(wish.case).await?;
        match recorded.outcome {
            Some(Outcome::Done | Outcome::Refused(_)) => Ok((case, recorded)),
            Some(Outcome::Late(_)) => Err(Error::CaseResolved(Box::new(case))),
            None => Err(Error::Broken(format!("act {} has no outcome", wish.request))),
        }
    }

    async fn case(&self, id: TransferId) -> Result<Case> {
        self.ports.store.case(id).await?.ok_or(Error::NoCase(id))
    }

    /// The act that goes on record: whose wallet it is that the money shall go to.
    async fn decide(&self, wish: &Wish, case: &Case) -> Result<Act> {
        let unpayable = || Error::CaseUnpayable(wish.case);
        let order = case.order.as_ref().ok_or(Error::CaseWithoutOrder(wish.case))?;
        let (decision, payee) = match &wish.target {
            Target::Receiver => (Decision::Retry, order.user.clone().map(Payee::Wallet)),
            Target::User(user) => (Decision::Redirect, Some(Payee::Wallet(user.clone()))),
            Target::Sender => (Decision::Return, Some(Payee::Wallet(self.sender(order).await?))),
            Target::WriteOff => (Decision::WriteOff, Some(Payee::WriteOff)),
        };
        let payee = payee.ok_or_else(unpayable)?;
        // A case that does not say enough to move money can be closed in one way only.
        if decision != Decision::WriteOff && order.repair(&payee).is_none() {
            return Err(unpayable());
        }
        Ok(Act {
            request: wish.request.clone(),
            case: wish.case,
            operator: wish.operator.clone(),
            decision,
            payee,
            reason: wish.reason.clone(),
            at: self.ports.clock.now(),
        })
    }

    /// Who funded the packet of `order`.
    async fn sender(&self, order: &Order) -> Result<UserId> {
        let packet = order.packet.ok_or(Error::CaseUnpayable(order.id))?;
        let fund = self.ports.store.order(TransferId::fund(packet)).await?;
        fund.and_then(|fund| fund.user).ok_or(Error::NotFunded(packet))
    }

    /// Takes `act` to its outcome, and an unfinished one that is in its way before it.
    async fn carry_out(&self, act: &Act) -> Result<RecordedAct> {
        let patience = Instant::now() + PATIENCE;
        let mut current = act.clone();
        loop {
            let now = self.ports.clock.now();
            let attempt = self.attempts.next(now);
            let over = Instant::now() >= patience;
            match self.ports.store.begin_act(&current, attempt, now, over).await? {
                ActStart::NotFound => return Err(Error::NoCase(act.case)),
                ActStart::OrderMissing => return Err(Error::CaseWithoutOrder(act.case)),
                ActStart::Resolved => return Err(Error::CaseResolved(Box::new(self.case(act.case).await?))),
                ActStart::Known(recorded) if recorded.act.request != act.request => current = act.clone(),
                ActStart::Known(recorded) if !recorded.act.asks_the_same(act) => {
                    return Err(Error::RequestReused(act.request.clone()));
                }
                ActStart::Known(recorded) => return Ok(recorded),
                ActStart::Held(_, until) if until > now && !over => tokio::time::sleep(POLL).await,
                ActStart::Held(other, _) => current = other,
                ActStart::Begun { order, doubt } => {
                    let recorded = self.try_once(&current, order, attempt, doubt).await?;
                    if current.request == act.request {
                        return Ok(recorded);
                    }
                    current = act.clone();
                }
            }
        }
    }

    /// One try at an act that is on record. With a `doubt` an earlier one may still take effect, until then.
    async fn try_once(
        &self,
        act: &Act,
        order: Order,
        attempt: Attempt,
        doubt: Option<Timestamp>,
    ) -> Result<RecordedAct> {
        let fate = match self.send(act, &order).await {
            Ok(Some(Fate::InSuspense)) => {
                // The order said escrow; the ledger says suspense, where a posting went that was never recorded.
                let event = self.event(Action::Found, "the money was found in suspense");
                self.end(act, attempt, ActEnd::InSuspense, event).await?;
                let order = self.ports.store.order(act.case).await?;
                let order = order.ok_or(Error::CaseWithoutOrder(act.case))?;
                self.send(act, &order).await
            }
            fate => fate,
        };
        match fate {
            Ok(None) => {
                let event = self.event(Action::Resolved, "there was nothing that could be moved");
                self.end(act, attempt, ActEnd::Closed, event).await
            }
            Ok(Some(Fate::Paid(payee))) => {
                let event = self.event(Action::Resolved, paid_to(&payee));
                self.end(act, attempt, ActEnd::Paid(payee), event).await
            }
            Ok(Some(Fate::Refused(_))) if let Some(until) = doubt => {
                Err(Error::Busy(clock::until(self.ports.clock.now(), until)))
            }
            Ok(Some(Fate::Refused(verdict))) => {
                let words = match &act.payee {
                    Payee::Wallet(user) => format!("to {user}: {}", verdict.name()),
                    Payee::WriteOff => verdict.name().to_owned(),
                };
                let event = self.event(Action::Refused, words).with_detail(verdict.name());
                self.refuse(act, attempt, verdict.name(), event).await
            }
            Ok(Some(Fate::InSuspense)) => Err(Error::Broken(format!("case {} moves in a circle", act.case))),
            Err(Error::Peer(fault)) if fault.refused && doubt.is_none() => {
                // Asked the same again, it would say the same: that is for the operator to know.
                let words = "the ledger refused the call";
                let event = self.event(Action::Refused, words).with_detail(fault.to_string());
                self.refuse(act, attempt, CALL_REFUSED, event).await
            }
            Err(Error::Peer(fault)) => {
                let until = if fault.in_flight {
                    doubt.max(Some(attempt.until))
                } else {
                    doubt
                };
                let words = "the ledger gave no answer; the act is tried on";
                let event = self.event(Action::Delayed, words).with_detail(fault.to_string());
                self.end(act, attempt, ActEnd::Undecided(until), event).await?;
                Err(Error::Peer(fault))
            }
            Err(fault) => Err(fault),
        }
    }

    /// Records a refusal. It is the outcome unless somebody took over meanwhile, who may yet hear something else.
    async fn refuse(&self, act: &Act, attempt: Attempt, why: &str, event: CaseEvent) -> Result<RecordedAct> {
        let refused = ActEnd::Refused(why.to_owned());
        let recorded = self.end(act, attempt, refused, event).await?;
        let decided = recorded.outcome.is_some();
        decided.then_some(recorded).ok_or(Error::Busy(WINDOW))
    }

    fn event(&self, action: Action, words: impl Into<String>) -> CaseEvent {
        CaseEvent::by_system(self.ports.clock.now(), action, words)
    }

    async fn end(&self, act: &Act, attempt: Attempt, end: ActEnd, event: CaseEvent) -> Result<RecordedAct> {
        let event = event.within(&act.request);
        let recorded = self.ports.store.end_act(act, attempt, end, event).await?;
        if let Some(outcome) = &recorded.outcome {
            self.acts.ended(act, outcome);
        }
        Ok(recorded)
    }

    /// Posts, and finds out where the money is if it has moved before; `None` where there is nothing to post.
    async fn send(&self, act: &Act, order: &Order) -> Result<Option<Fate>> {
        let Some(movement) = order.repair(&act.payee) else {
            return Ok(None);
        };
        let posting = self.ports.ledger.post(std::slice::from_ref(&movement));
        let answers = deadline::scope(Instant::now() + POST_TIMEOUT, posting).await?;
        let verdict = answers.first().map(|answer| answer.verdict);
        let fate = match verdict.ok_or_else(|| Error::Broken(format!("case {}: no verdict", order.id)))? {
            verdict if verdict.is_posted() => Fate::Paid(act.payee.clone()),
            Verdict::IdReused => {
                let mut posted = self.ports.ledger.posted(&[movement.id]).await?;
                let posted = posted.remove(&movement.id).flatten();
                posted.map_or(Fate::Refused(Verdict::IdReused), |posted| {
                    whereabouts(&movement, &posted)
                })
            }
            verdict => Fate::Refused(verdict),
        };
        Ok(Some(fate))
    }
}

fn paid_to(payee: &Payee) -> String {
    match payee {
        Payee::Wallet(user) => format!("paid to {user}"),
        Payee::WriteOff => "written off".to_owned(),
    }
}

/// Where the money of `wanted` is, seen that `posted` was applied under its id.
fn whereabouts(wanted: &Movement, posted: &Movement) -> Fate {
    if (&wanted.debit, wanted.amount_fen) != (&posted.debit, posted.amount_fen) {
        return Fate::Refused(Verdict::IdReused);
    }
    match &posted.credit {
        Account::Suspense(_) => Fate::InSuspense,
        credit => Payee::of_account(credit).map_or(Fate::Refused(Verdict::IdReused), Fate::Paid),
    }
}
