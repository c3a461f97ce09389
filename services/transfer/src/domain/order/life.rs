//! How an order goes from one state to the next.

use clock::Timestamp;
use id::TransferId;

use super::{Failure, Kind, Order, State};
use crate::domain::Verdict;

/// What became of an order's money when it was sent from the escrow on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is in the wallet.
    Paid,
    /// The wallet could not take it, as the verdict says; it is in suspense.
    Suspended(Verdict),
    /// It stays in escrow: the wallet's verdict, and suspense's if that was tried.
    Stuck(Verdict, Option<Verdict>),
    /// The order's id moved other money: two facts contradict each other.
    Contradicted,
}

impl State {
    /// Whether an order of `kind` may go from this state to `next`. REPAIRED and REJECTED are final; POSTED is but for a
    /// case that reconciliation opened, because the ledger does not show the posting.
    pub const fn may_become(self, next: Self, kind: Kind) -> bool {
        match (self, next) {
            (Self::Pending, Self::Posted) => true,
            (Self::Pending, Self::Rejected) => matches!(kind, Kind::Fund),
            (Self::Pending, Self::Suspended | Self::Stuck)
            | (Self::Stuck, Self::Suspended | Self::Repaired)
            | (Self::Suspended | Self::Posted, Self::Repaired) => !matches!(kind, Kind::Fund),
            _ => false,
        }
    }
}

impl Order {
    /// The order after its money was sent on its way, and for a repair case the words it opens with.
    #[must_use]
    pub fn concluded(mut self, delivery: Delivery, now: Timestamp) -> (Self, Option<String>) {
        let (state, failure, opening) = match delivery {
            Delivery::Paid => (State::Posted, None, None),
            Delivery::Suspended(wallet) => {
                let opening = format!("wallet: {}; the money is in suspense", wallet.name());
                (State::Suspended, Some(wallet), Some(opening))
            }
            Delivery::Stuck(wallet, suspense) => {
                let tried = suspense.map_or(String::new(), |verdict| format!("; suspense: {}", verdict.name()));
                let opening = format!("wallet: {}{tried}; the money is in escrow", wallet.name());
                (State::Stuck, Some(suspense.unwrap_or(wallet)), Some(opening))
            }
            Delivery::Contradicted => {
                // Two claims to one share cannot both keep the share's id: this one's order stands for itself.
                if let Some(claim) = self.claim {
                    self.id = TransferId::unpayable(claim.partition, claim.seq);
                }
                let opening = "the ledger holds another transfer under this fact's id".to_owned();
                (State::Stuck, Some(Verdict::IdReused), Some(opening))
            }
        };
        self.state = state;
        self.failure = failure.map(Failure::Refused);
        self.updated = now;
        (self, opening)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Pending, Posted, Rejected, Repaired, Stuck, Suspended};

    #[test]
    fn every_step_of_an_order_s_life() {
        let all = [Pending, Posted, Rejected, Suspended, Stuck, Repaired];
        let fund = [(Pending, Posted), (Pending, Rejected)];
        let from_escrow = [
            (Pending, Posted),
            (Pending, Suspended),
            (Pending, Stuck),
            (Posted, Repaired),
            (Suspended, Repaired),
            (Stuck, Suspended),
            (Stuck, Repaired),
        ];
        for kind in [Kind::Fund, Kind::Settle, Kind::Refund] {
            for from in all {
                for to in all {
                    let allowed = match kind {
                        Kind::Fund => fund.contains(&(from, to)),
                        Kind::Settle | Kind::Refund => from_escrow.contains(&(from, to)),
                    };
                    assert_eq!(from.may_become(to, kind), allowed, "{kind:?}: {from:?} to {to:?}");
                }
            }
        }
    }

    #[test]
    fn what_each_delivery_makes_of_an_order() {
        let refund = Order::refund(
            id::PacketId::new(1, &[0; 10]),
            "a".parse().unwrap(),
            5,
            Timestamp::UNIX_EPOCH,
        );
        let (frozen, short) = (Verdict::CreditFrozen, Verdict::InsufficientFunds);
        let table = [
            (Delivery::Paid, Posted, None),
            (Delivery::Suspended(frozen), Suspended, Some(frozen)),
            (Delivery::Stuck(short, None), Stuck, Some(short)),
            (Delivery::Stuck(frozen, Some(short)), Stuck, Some(short)),
            (Delivery::Contradicted, Stuck, Some(Verdict::IdReused)),
        ];
        for (delivery, state, failure) in table {
            let (order, opening) = refund.clone().concluded(delivery, Timestamp::UNIX_EPOCH);
            assert_eq!(order.state, state, "{delivery:?}");
            assert_eq!(order.failure, failure.map(Failure::Refused), "{delivery:?}");
            assert_eq!(opening.is_some(), state != Posted, "{delivery:?}");
            assert!(Pending.may_become(state, Kind::Refund));
        }
    }
}
