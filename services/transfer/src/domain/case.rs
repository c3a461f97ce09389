//! Repair cases: transfers that automation could not complete.

use clock::Timestamp;
use id::UserId;

use super::Order;

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
    /// Why, in the operator's words or the ledger's verdict.
    pub reason: String,
}

/// A transfer that automation could not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The order it is about; the case has the order's id.
    pub order: Order,
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
    pub const ALL: [Self; 6] = [
        Self::Opened,
        Self::Retried,
        Self::Redirected,
        Self::Returned,
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
            Self::Refused => "REFUSED",
            Self::Resolved => "RESOLVED",
        }
    }
}

impl CaseEvent {
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
            reason: reason.into(),
        }
    }
}
