//! What operators decide about repair cases.

use clock::Timestamp;
use id::{RequestId, TransferId, UserId};

use super::{Account, Action, Actor, CaseEvent};

/// Where a case's money goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Payee {
    /// To this user's wallet.
    Wallet(UserId),
    /// Out of the books, to the world outside: what is owed is paid by other means or not at all. The ledger's external
    /// account takes it, so that all balances still sum to zero (MONEY-1).
    WriteOff,
}

/// What an operator decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// To try once more to pay whom it belongs to.
    Retry,
    /// To pay somebody else.
    Redirect,
    /// To give it back to who funded the packet.
    Return,
    /// To write it off.
    WriteOff,
}

/// A decision, as it goes on record before any money moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The operator's name for it (ID-1): the same gives the first answer.
    pub request: RequestId,
    /// The case.
    pub case: TransferId,
    /// Who decides.
    pub operator: UserId,
    /// What is decided.
    pub decision: Decision,
    /// Where the money goes by that.
    pub payee: Payee,
    /// Why, 1 to 200 characters.
    pub reason: String,
    /// When it was asked for first.
    pub at: Timestamp,
}

/// What came of an act. Once known it never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The money is where the act sent it; the case is resolved. Nothing has moved where there was nothing to move.
    Done,
    /// The ledger refused it, with this verdict; the case is open.
    Refused(String),
    /// The money had gone there before; the case is resolved, but not as the act asked.
    Late(Payee),
}

/// An act on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedAct {
    /// What is asked.
    pub act: Act,
    /// What came of it; `None` while that is not known.
    pub outcome: Option<Outcome>,
    /// When it came to that; before that when it was asked for.
    pub updated: Timestamp,
}

impl Payee {
    /// The name on record of a write-off. No user can have it.
    pub const WRITE_OFF: &str = "(written off)";

    /// The name on record.
    pub fn name(&self) -> &str {
        match self {
            Self::Wallet(user) => user.as_str(),
            Self::WriteOff => Self::WRITE_OFF,
        }
    }

    /// The payee of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            Self::WRITE_OFF => Some(Self::WriteOff),
            user => user.parse().ok().map(Self::Wallet),
        }
    }

    /// The account that takes the money.
    pub fn account(&self) -> Account {
        match self {
            Self::Wallet(user) => Account::Wallet(user.clone()),
            Self::WriteOff => Account::External,
        }
    }

    /// The payee whose account that is, if it is one's.
    pub fn of_account(account: &Account) -> Option<Self> {
        match account {
            Account::Wallet(user) => Some(Self::Wallet(user.clone())),
            Account::External => Some(Self::WriteOff),
            Account::Escrow(_) | Account::Suspense(_) => None,
        }
    }

    /// Whose wallet it is, if it is one.
    pub fn user(&self) -> Option<&UserId> {
        match self {
            Self::Wallet(user) => Some(user),
            Self::WriteOff => None,
        }
    }
}

impl Decision {
    /// All decisions.
    pub const ALL: [Self; 4] = [Self::Retry, Self::Redirect, Self::Return, Self::WriteOff];

    /// How it stands in a case's history.
    pub const fn action(self) -> Action {
        match self {
            Self::Retry => Action::Retried,
            Self::Redirect => Action::Redirected,
            Self::Return => Action::Returned,
            Self::WriteOff => Action::WrittenOff,
        }
    }
}

impl Act {
    /// Whether both are one request: everything but the hour is the same.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        let at = self.at;
        *self == Self { at, ..other.clone() }
    }

    /// What came of it, seen that the money is `payee`'s.
    pub fn outcome_of(&self, payee: &Payee) -> Outcome {
        if *payee == self.payee {
            Outcome::Done
        } else {
            Outcome::Late(payee.clone())
        }
    }

    /// What its case's history says when it goes on record.
    pub fn event(&self) -> CaseEvent {
        let reason = match (self.decision, &self.payee) {
            (Decision::Redirect | Decision::Return, Payee::Wallet(user)) => format!("to {user}: {}", self.reason),
            _ => self.reason.clone(),
        };
        CaseEvent {
            at: self.at,
            actor: Actor::Operator(self.operator.clone()),
            action: self.decision.action(),
            reason,
            request: Some(self.request.clone()),
            detail: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_the_same_but_for_the_hour() {
        let act = Act {
            request: "r".parse().unwrap(),
            case: TransferId::refund(id::PacketId::new(1, &[0; 10])),
            operator: "olga".parse().unwrap(),
            decision: Decision::Retry,
            payee: Payee::Wallet("bob".parse().unwrap()),
            reason: "why".to_owned(),
            at: Timestamp::UNIX_EPOCH,
        };
        let later = Act {
            at: clock::from_micros(1),
            ..act.clone()
        };
        assert!(act.asks_the_same(&later));
        let others = [
            Act {
                case: TransferId::repair(act.case),
                ..act.clone()
            },
            Act {
                operator: "olaf".parse().unwrap(),
                ..act.clone()
            },
            Act {
                decision: Decision::Redirect,
                ..act.clone()
            },
            Act {
                payee: Payee::WriteOff,
                ..act.clone()
            },
            Act {
                reason: "another".to_owned(),
                ..act.clone()
            },
        ];
        for other in others {
            assert!(!act.asks_the_same(&other), "{other:?}");
        }
    }

    #[test]
    fn a_payee_is_found_by_its_name() {
        for payee in [Payee::Wallet("bob".parse().unwrap()), Payee::WriteOff] {
            assert_eq!(Payee::from_name(payee.name()), Some(payee));
        }
        assert_eq!(Payee::from_name("a b"), None);
        assert!(Payee::WRITE_OFF.parse::<UserId>().is_err(), "no user is called so");
    }
}
