//! Operators' acts on repair cases.
//!
//! | step | if it stops behind this step |
//! |---|---|
//! | record who wants what and why | the act is on record and moved nothing; it may be repeated |
//! | post from where the money is to where it shall go | the next act hears that the money has moved, and records it |
//! | record what came of it | – |
//!
//! Money leaves escrow under the order's id and suspense under the one id of the second leg, whatever the target. So two
//! acts at once, or a late one, never pay twice: the second hears `ID_REUSED`, looks up where the money went, and that is
//! what is recorded.

use id::{TransferId, UserId};

use super::{Error, Ports, Result};
use crate::{
    domain::{Account, Action, Actor, Case, CaseEvent, CaseState, Movement, Order, Verdict},
    store::{ActEnd, ActStart},
};

/// Where a case's money shall go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To the wallet it belongs to.
    Receiver,
    /// To another user's wallet.
    User(UserId),
    /// Back to who funded the packet.
    Sender,
}

/// What an operator wants done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The case.
    pub case: TransferId,
    /// Who decides.
    pub operator: UserId,
    /// Why, 1 to 200 characters.
    pub reason: String,
    /// Where the money shall go.
    pub target: Target,
}

/// What became of the money.
enum Fate {
    Paid(UserId),
    InSuspense,
    Refused(Verdict),
}

/// Does it, and returns the case after it: resolved if the money is in the target's wallet, else open with the new fact.
///
/// [`Error::CaseResolved`] if the case is decided, also if the money turns out to have gone to somebody else before.
pub async fn act(ports: &Ports, act: &Act) -> Result<Case> {
    let case = ports.store.case(act.case).await?.ok_or(Error::NoCase(act.case))?;
    if case.state == CaseState::Resolved {
        return Err(Error::CaseResolved(act.case));
    }
    let to = payee(ports, act, &case.order).await?;
    let order = match ports.store.begin_act(act.case, event(act, &to, ports)).await? {
        ActStart::NotFound => return Err(Error::NoCase(act.case)),
        ActStart::Resolved => return Err(Error::CaseResolved(act.case)),
        ActStart::Begun(order) => order,
    };
    match attempt(ports, &order, &to).await? {
        Fate::InSuspense => {
            // The order said escrow; the ledger says suspense, where a posting went that was never recorded.
            let words = "the money was found in suspense";
            end(ports, &order, ActEnd::OpenInSuspense, Action::Refused, words).await?;
            let order = ports.store.order(act.case).await?.ok_or(Error::NoCase(act.case))?;
            match attempt(ports, &order, &to).await? {
                Fate::InSuspense => Err(Error::Broken(format!("case {} moves in a circle", act.case))),
                fate => conclude(ports, &order, &to, fate).await,
            }
        }
        fate => conclude(ports, &order, &to, fate).await,
    }
}

async fn conclude(ports: &Ports, order: &Order, to: &UserId, fate: Fate) -> Result<Case> {
    match fate {
        Fate::Paid(user) => {
            let words = format!("paid to {user}");
            let case = end(ports, order, ActEnd::PaidTo(user), Action::Resolved, words).await?;
            if case.order.paid_to.as_ref() == Some(to) {
                Ok(case)
            } else {
                Err(Error::CaseResolved(order.id))
            }
        }
        Fate::Refused(verdict) => {
            let words = format!("to {to}: {}", verdict.name());
            end(ports, order, ActEnd::Open, Action::Refused, words).await
        }
        Fate::InSuspense => Err(Error::Broken(format!("case {} cannot be concluded", order.id))),
    }
}

async fn end(ports: &Ports, order: &Order, end: ActEnd, action: Action, words: impl Into<String>) -> Result<Case> {
    let event = CaseEvent::by_system(ports.clock.now(), action, words);
    Ok(ports.store.end_act(order.id, end, event).await?)
}

/// Whose wallet the money shall go to.
async fn payee(ports: &Ports, act: &Act, order: &Order) -> Result<UserId> {
    let unpayable = || Error::CaseUnpayable(act.case);
    let to = match &act.target {
        Target::Receiver => order.user.clone().ok_or_else(unpayable)?,
        Target::User(user) => user.clone(),
        Target::Sender => {
            let packet = order.packet.ok_or_else(unpayable)?;
            let fund = ports.store.order(TransferId::fund(packet)).await?;
            fund.and_then(|fund| fund.user).ok_or(Error::NotFunded(packet))?
        }
    };
    order.repair(&to).map(|_| to).ok_or_else(unpayable)
}

fn event(act: &Act, to: &UserId, ports: &Ports) -> CaseEvent {
    let (action, reason) = match act.target {
        Target::Receiver => (Action::Retried, act.reason.clone()),
        Target::User(_) => (Action::Redirected, format!("to {to}: {}", act.reason)),
        Target::Sender => (Action::Returned, format!("to {to}: {}", act.reason)),
    };
    CaseEvent {
        at: ports.clock.now(),
        actor: Actor::Operator(act.operator.clone()),
        action,
        reason,
    }
}

/// Posts, and finds out where the money is if it has moved before.
async fn attempt(ports: &Ports, order: &Order, to: &UserId) -> Result<Fate> {
    let movement = order.repair(to).ok_or(Error::CaseUnpayable(order.id))?;
    let answers = ports.ledger.post(std::slice::from_ref(&movement)).await?;
    let verdict = answers.first().map(|answer| answer.verdict);
    match verdict.ok_or_else(|| Error::Broken(format!("case {}: no verdict", order.id)))? {
        verdict if verdict.is_posted() => Ok(Fate::Paid(to.clone())),
        Verdict::IdReused => {
            let posted = ports
                .ledger
                .posted(&[movement.id])
                .await?
                .remove(&movement.id)
                .flatten();
            Ok(posted.map_or(Fate::Refused(Verdict::IdReused), |posted| {
                whereabouts(&movement, posted)
            }))
        }
        verdict => Ok(Fate::Refused(verdict)),
    }
}

/// Where the money of `wanted` is, seen that `posted` was applied under its id.
fn whereabouts(wanted: &Movement, posted: Movement) -> Fate {
    if (&wanted.debit, wanted.amount_fen) != (&posted.debit, posted.amount_fen) {
        return Fate::Refused(Verdict::IdReused);
    }
    match posted.credit {
        Account::Wallet(user) => Fate::Paid(user),
        Account::Suspense(_) => Fate::InSuspense,
        Account::Escrow(_) => Fate::Refused(Verdict::IdReused),
    }
}
