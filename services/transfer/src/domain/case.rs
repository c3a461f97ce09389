//! Repair cases: transfers that automation could not complete.

use clock::Timestamp;
use id::{RequestId, TransferId, UserId};

use super::{Failure, Kind, Order};

/// Whether a case still needs someone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseState {
    /// Waits for an operator.
    Open,
    /// Settled, with who and why on record. Final.
    Resolved,
}

/// What was done to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The case was opened.
    Opened,
    /// An operator asked to try again.
    Retried,
    /// An operator sent the money to another user.
    Redirected,
    /// An operator sent the money back to the packet's sender.
    Returned,
    /// An operator wrote the money off.
    WrittenOff,
    /// What was asked waits for the ledger, which gives no answer just now. It is tried on without anybody's doing.
    Delayed,
    /// The money is not where the order says.
    Found,
    /// The ledger refused what was asked.
    Refused,
    /// The money is where it was sent.
    Resolved,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The service itself.
    System,
    /// A person.
    Operator(UserId),
}

/// Something that happened to a case. Never changed or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseEvent {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// Why, in the operator's words or in the service's own. At most [`CaseEvent::MAX_REASON`] characters.
    pub reason: String,
    /// The operator's request that it belongs to.
    pub request: Option<RequestId>,
    /// What stands behind it: the ledger's verdict, an error, what was read of a claim. Empty where there is nothing to
    /// add. At most [`CaseEvent::MAX_DETAIL`] characters.
    pub detail: String,
}

/// What a case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaseKind {
    /// Money could not be delivered: it waits in suspense or in escrow.
    Undelivered,
    /// A record of the claim log cannot be understood. The order has its partition and position, the first event's detail
    /// what was read of it.
    UnreadableClaim,
    /// A funding that was refused for good is posted in the ledger.
    RejectedButPosted,
    /// Reconciliation found the order and another record to differ.
    BooksDiffer,
    /// The order it is about is not in the store: a restore has lost it. Reconciliation puts back what has a claim.
    OrderMissing,
}

/// A transfer that automation could not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The id of the order it is about.
    pub id: TransferId,
    /// The order it is about; `None` if the store has lost it.
    pub order: Option<Order>,
    /// Whether it still needs someone.
    pub state: CaseState,
    /// What happened, oldest first.
    pub events: Vec<CaseEvent>,
    /// When it was opened.
    pub created: Timestamp,
}

impl Actor {
    /// The name under which the service itself acts; no operator may have it.
    pub const SYSTEM: &str = "system";

    /// The name on record.
    pub fn name(&self) -> &str {
        match self {
            Self::System => Self::SYSTEM,
            Self::Operator(name) => name.as_str(),
        }
    }
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 9] = [
        Self::Opened,
        Self::Retried,
        Self::Redirected,
        Self::Returned,
        Self::WrittenOff,
        Self::Delayed,
        Self::Found,
        Self::Refused,
        Self::Resolved,
    ];

    /// The action's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "OPENED",
            Self::Retried => "RETRIED",
            Self::Redirected => "REDIRECTED",
            Self::Returned => "RETURNED",
            Self::WrittenOff => "WRITTEN_OFF",
            Self::Delayed => "DELAYED",
            Self::Found => "FOUND",
            Self::Refused => "REFUSED",
            Self::Resolved => "RESOLVED",
        }
    }
}

impl CaseKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Undelivered,
        Self::UnreadableClaim,
        Self::RejectedButPosted,
        Self::BooksDiffer,
        Self::OrderMissing,
    ];

    /// The kind of a case about an order of `kind` that failed so, or about one that is missing.
    pub const fn of(order: Option<(Kind, Option<Failure>)>) -> Self {
        match order {
            None => Self::OrderMissing,
            Some((Kind::Fund, _)) => Self::RejectedButPosted,
            Some((Kind::Finding, _) | (_, None)) => Self::BooksDiffer,
            Some((_, Some(Failure::UnreadableClaim))) => Self::UnreadableClaim,
            Some((_, Some(_))) => Self::Undelivered,
        }
    }

    /// The kind's name on the wire and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Undelivered => "UNDELIVERED",
            Self::UnreadableClaim => "UNREADABLE_CLAIM",
            Self::RejectedButPosted => "REJECTED_BUT_POSTED",
            Self::BooksDiffer => "BOOKS_DIFFER",
            Self::OrderMissing => "ORDER_MISSING",
        }
    }
}

impl Case {
    /// What it is about.
    pub fn kind(&self) -> CaseKind {
        CaseKind::of(self.order.as_ref().map(|order| (order.kind, order.failure)))
    }
}

impl CaseEvent {
    /// Longest reason: an operator's 200 characters or a sentence of ours. What the column holds.
    pub const MAX_REASON: usize = 400;
    /// Longest detail: a record of the claim log with the longest names, and room. What the column holds.
    pub const MAX_DETAIL: usize = 1_000;

    /// The service itself opened a case.
    pub fn opened(at: Timestamp, reason: impl Into<String>) -> Self {
        Self::by_system(at, Action::Opened, reason)
    }

    /// The service itself did something.
    pub fn by_system(at: Timestamp, action: Action, reason: impl Into<String>) -> Self {
        Self {
            at,
            actor: Actor::System,
            action,
            reason: bounded(reason.into(), Self::MAX_REASON),
            request: None,
            detail: String::new(),
        }
    }

    /// The same with what stands behind it. A text that is too long is cut: an event must fit, whatever others send.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = bounded(detail.into(), Self::MAX_DETAIL);
        self
    }

    /// The same, belonging to an operator's request.
    #[must_use]
    pub fn within(mut self, request: &RequestId) -> Self {
        self.request = Some(request.clone());
        self
    }
}

/// The first `max` characters of `text`, without the control characters that a column may refuse.
fn bounded(text: String, max: usize) -> String {
    if text.chars().count() <= max && !text.contains(char::is_control) {
        return text;
    }
    text.chars()
        .take(max)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_fits_whatever_it_tells_of() {
        let event =
            CaseEvent::opened(Timestamp::UNIX_EPOCH, "红".repeat(500)).with_detail(format!("\0{}", "包".repeat(2_000)));
        assert_eq!(event.reason, "红".repeat(CaseEvent::MAX_REASON));
        assert_eq!(
            event.detail,
            format!("\u{fffd}{}", "包".repeat(CaseEvent::MAX_DETAIL - 1))
        );
        let plain = CaseEvent::opened(Timestamp::UNIX_EPOCH, "why").with_detail("what");
        assert_eq!((plain.reason.as_str(), plain.detail.as_str()), ("why", "what"));
    }

    #[test]
    fn actions_fit_their_column() {
        for action in Action::ALL {
            assert!(action.name().len() <= 16, "{action:?}");
        }
    }
}
