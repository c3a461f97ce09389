//! How an order goes from one state to the next.

use clock::Timestamp;
use id::TransferId;

use super::{Failure, Kind, Order, State};
use crate::domain::{Account, Movement, Payee, Reason, Verdict};

/// What became of an order's money when it was sent from the escrow on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is in the wallet.
    Paid,
    /// The wallet could not take it, as the verdict says; it is in suspense.
    Suspended(Verdict),
    /// It stays in escrow: the wallet's verdict, and suspense's if that was tried.
    Stuck(Verdict, Option<Verdict>),
    /// It is where an operator's decision sent it, in a past that our records have lost.
    Repaired(Payee),
    /// The order's id moved other money: two facts contradict each other.
    Contradicted,
}

impl State {
    /// Whether an order of `kind` may go from this state to `next`. REPAIRED and REJECTED are final; POSTED is but for a
    /// case that reconciliation opened, because the ledger does not show the posting. PENDING is REPAIRED at once where our
    /// records have lost what the ledger still shows.
    pub const fn may_become(self, next: Self, kind: Kind) -> bool {
        match (self, next) {
            (Self::Pending, Self::Posted) => true,
            (Self::Pending, Self::Rejected) => matches!(kind, Kind::Fund),
            (Self::Pending, Self::Suspended | Self::Stuck | Self::Repaired)
            | (Self::Stuck, Self::Suspended | Self::Repaired)
            | (Self::Suspended | Self::Posted, Self::Repaired) => matches!(kind, Kind::Settle | Kind::Refund),
            _ => false,
        }
    }
}

impl Order {
    /// What became of the money, seen that the ledger has `posted` under the order's own id. Whatever took this order's money
    /// out of its escrow and to its user is this order, under whatever reason; by an operator's decision it may have gone
    /// to anybody. Everything else is another fact.
    pub fn went_by(&self, posted: &Movement) -> Delivery {
        let ours = self.movement().is_some_and(|wanted| {
            (&wanted.debit, wanted.amount_fen, wanted.packet) == (&posted.debit, posted.amount_fen, posted.packet)
        });
        if !ours {
            return Delivery::Contradicted;
        }
        let user = self.user.as_ref();
        match (&posted.credit, posted.reason) {
            (Account::Wallet(paid), _) if Some(paid) == user => Delivery::Paid,
            // What the wallet said then is lost; that the id was used is why we know.
            (Account::Suspense(owner), _) if Some(owner) == user => Delivery::Suspended(Verdict::IdReused),
            (credit, Reason::Repair) => Payee::of_account(credit).map_or(Delivery::Contradicted, Delivery::Repaired),
            _ => Delivery::Contradicted,
        }
    }

    /// The order after an operator's act found or put its money elsewhere; `None` if that is not for it to say. A REJECTED
    /// one stays so, whatever became of what should not have been posted.
    pub fn moved_to(self, state: State, payee: Option<&Payee>, now: Timestamp) -> Option<Self> {
        let state = match (self.state, payee) {
            (State::Rejected, Some(_)) => State::Rejected,
            _ => Some(state).filter(|next| self.state.may_become(*next, self.kind))?,
        };
        Some(Self {
            state,
            paid_to: payee.cloned(),
            updated: now,
            ..self
        })
    }

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
            Delivery::Repaired(payee) => {
                self.paid_to = Some(payee);
                (State::Repaired, None, None)
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
            (Pending, Repaired),
            (Posted, Repaired),
            (Suspended, Repaired),
            (Stuck, Suspended),
            (Stuck, Repaired),
        ];
        for kind in [Kind::Fund, Kind::Settle, Kind::Refund, Kind::Finding] {
            for from in all {
                for to in all {
                    let allowed = match kind {
                        Kind::Fund => fund.contains(&(from, to)),
                        Kind::Settle | Kind::Refund => from_escrow.contains(&(from, to)),
                        Kind::Finding => (from, to) == (Pending, Posted),
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
            (Delivery::Repaired(Payee::WriteOff), Repaired, None),
            (Delivery::Contradicted, Stuck, Some(Verdict::IdReused)),
        ];
        for (delivery, state, failure) in table {
            let (order, opening) = refund.clone().concluded(delivery.clone(), Timestamp::UNIX_EPOCH);
            assert_eq!(order.state, state, "{delivery:?}");
            assert_eq!(order.failure, failure.map(Failure::Refused), "{delivery:?}");
            assert_eq!(opening.is_some(), !matches!(state, Posted | Repaired), "{delivery:?}");
            assert_eq!(order.paid_to, (state == Repaired).then_some(Payee::WriteOff));
            assert!(Pending.may_become(state, Kind::Refund));
        }
    }

    /// Our records are from before the ledger's: each way the money may have gone since.
    #[test]
    fn what_the_ledger_shows_under_an_order_s_id() {
        let user = |name: &str| name.parse::<id::UserId>().unwrap();
        let (packet, other) = (id::PacketId::new(1, &[0; 10]), id::PacketId::new(2, &[0; 10]));
        let order = Order::refund(packet, user("a"), 5, Timestamp::UNIX_EPOCH);
        let posted = |debit, credit, amount_fen, reason| Movement {
            id: order.id,
            debit,
            credit,
            amount_fen,
            reason,
            packet,
        };
        let escrow = || Account::Escrow(packet);
        let wallet = |name| Account::Wallet(user(name));
        let table = [
            (posted(escrow(), wallet("a"), 5, Reason::Refund), Delivery::Paid),
            (posted(escrow(), wallet("a"), 5, Reason::Repair), Delivery::Paid),
            (
                posted(escrow(), Account::Suspense(user("a")), 5, Reason::Repair),
                Delivery::Suspended(Verdict::IdReused),
            ),
            (
                posted(escrow(), wallet("b"), 5, Reason::Repair),
                Delivery::Repaired(Payee::Wallet(user("b"))),
            ),
            (
                posted(escrow(), Account::External, 5, Reason::Repair),
                Delivery::Repaired(Payee::WriteOff),
            ),
            (posted(escrow(), wallet("b"), 5, Reason::Settle), Delivery::Contradicted),
            (
                posted(escrow(), Account::Suspense(user("b")), 5, Reason::Suspense),
                Delivery::Contradicted,
            ),
            (posted(escrow(), wallet("a"), 4, Reason::Repair), Delivery::Contradicted),
            (
                posted(Account::Escrow(other), wallet("a"), 5, Reason::Repair),
                Delivery::Contradicted,
            ),
            (
                Movement {
                    packet: other,
                    ..posted(escrow(), wallet("a"), 5, Reason::Repair)
                },
                Delivery::Contradicted,
            ),
        ];
        for (movement, expected) in table {
            assert_eq!(order.went_by(&movement), expected, "{movement:?}");
        }
    }
}
