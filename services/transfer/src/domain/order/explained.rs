//! What the ledger must show for an order in each state.

use id::TransferId;

use super::{Order, State};
use crate::domain::{Account, Difference, DifferenceKind, Movement, Payee};

/// What the ledger shows under an id: nothing, a movement of ours, or something that this service never posts.
pub type Shown<'a> = Option<&'a Option<Movement>>;

impl Order {
    /// The ids to look up in the ledger for [`Order::explained`].
    pub fn ledger_ids(&self) -> impl Iterator<Item = TransferId> {
        let id = matches!(
            self.state,
            State::Posted | State::Suspended | State::Repaired | State::Rejected
        )
        .then_some(self.id);
        let repaired = self.state == State::Repaired || (self.state == State::Rejected && self.paid_to.is_some());
        let repair = repaired.then(|| self.repair_id());
        id.into_iter().chain(repair)
    }

    /// The difference between this order and what the ledger shows, if there is one.
    pub fn explained<'a>(&self, shown: impl Fn(TransferId) -> Shown<'a>) -> Option<Difference> {
        let found = shown(self.id);
        let holds = match self.state {
            State::Pending | State::Stuck => true,
            State::Rejected => {
                let second = shown(self.repair_id()).and_then(Option::as_ref);
                let undone = second.is_some_and(|second| self.undone_by(second));
                return found.filter(|_| !undone).map(|_| {
                    let text = "a REJECTED order is posted in the ledger";
                    self.differs(DifferenceKind::RejectedButPosted, text, self.amount_fen)
                });
            }
            State::Posted => found.is_some_and(|found| *found == self.movement()),
            State::Suspended => found.is_some_and(|found| *found == self.to_suspense()),
            State::Repaired => {
                let second = shown(self.repair_id()).and_then(Option::as_ref);
                found
                    .and_then(Option::as_ref)
                    .is_some_and(|first| self.repaired_by(first, second))
            }
        };
        if holds {
            return None;
        }
        Some(match found {
            None => self.differs(
                DifferenceKind::TransferNotInLedger,
                "the ledger has no transfer with this id",
                self.amount_fen,
            ),
            Some(found) => {
                let shown_fen = found.as_ref().map_or(0, |movement| movement.amount_fen);
                let text = "the ledger's transfers under this id are not what the order says";
                self.differs(
                    DifferenceKind::TransferNotInLedger,
                    text,
                    self.amount_fen.saturating_sub(shown_fen),
                )
            }
        })
    }

    /// Whether the money went from escrow straight to the payee on record, or there by way of suspense.
    fn repaired_by(&self, first: &Movement, second: Option<&Movement>) -> bool {
        let straight = self.is_out_of_escrow(first) && self.is_to_payee(first);
        let by_suspense = Some(first) == self.to_suspense().as_ref()
            && second.is_some_and(|second| second.debit == first.credit && self.is_to_payee(second));
        straight || by_suspense
    }

    /// Whether `second` took what should not have been posted to the payee on record.
    fn undone_by(&self, second: &Movement) -> bool {
        self.is_out_of_escrow(second) && self.is_to_payee(second)
    }

    fn is_out_of_escrow(&self, movement: &Movement) -> bool {
        self.packet.map(Account::Escrow).as_ref() == Some(&movement.debit)
    }

    fn is_to_payee(&self, movement: &Movement) -> bool {
        let payee = self.paid_to.as_ref().map(Payee::account);
        payee.as_ref() == Some(&movement.credit) && movement.amount_fen == self.amount_fen
    }

    /// A difference about this order.
    pub fn differs(&self, kind: DifferenceKind, text: &str, difference_fen: i64) -> Difference {
        Difference {
            kind,
            description: text.to_owned(),
            subject: format!("transfer {}", self.id),
            packet: self.packet,
            transfer: Some(self.id.to_string()),
            difference_fen,
            case: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Reason;
    use clock::Timestamp;

    #[test]
    fn what_each_state_needs_in_the_ledger() {
        let alice: id::UserId = "alice".parse().unwrap();
        let mut order = Order::refund(id::PacketId::new(1, &[0; 10]), alice.clone(), 5, Timestamp::UNIX_EPOCH);
        let wallet = order.movement();
        let suspense = order.to_suspense();
        let mut other = order.movement();
        if let Some(other) = &mut other {
            other.amount_fen = 4;
        }
        let direct = order.movement().map(|movement| Movement {
            reason: Reason::Repair,
            ..movement
        });
        order.state = State::Suspended;
        let payee = Payee::Wallet(alice);
        let second = order.repair(&payee);
        order.paid_to = Some(payee);
        let (no, none) = (None, None);
        let missing = Some(DifferenceKind::TransferNotInLedger);
        let table = [
            (State::Pending, &none, &no, None),
            (State::Stuck, &none, &no, None),
            (State::Rejected, &none, &no, None),
            (State::Rejected, &wallet, &no, Some(DifferenceKind::RejectedButPosted)),
            (
                State::Rejected,
                &wallet,
                &second,
                Some(DifferenceKind::RejectedButPosted),
            ),
            (State::Rejected, &wallet, &direct, None),
            (State::Posted, &none, &no, missing),
            (State::Posted, &wallet, &no, None),
            (State::Posted, &suspense, &no, missing),
            (State::Posted, &other, &no, missing),
            (State::Suspended, &none, &no, missing),
            (State::Suspended, &wallet, &no, missing),
            (State::Suspended, &suspense, &no, None),
            (State::Repaired, &none, &no, missing),
            (State::Repaired, &wallet, &no, None),
            (State::Repaired, &direct, &no, None),
            (State::Repaired, &suspense, &no, missing),
            (State::Repaired, &suspense, &second, None),
            (State::Repaired, &suspense, &direct, missing),
            (State::Repaired, &other, &no, missing),
        ];
        for (state, first, then, expected) in table {
            order.state = state;
            let shown = |id| {
                let movement = if id == order.id { first } else { then };
                movement.as_ref().map(|_| movement)
            };
            let found = order.explained(shown).map(|difference| difference.kind);
            assert_eq!(found, expected, "{state:?} {first:?} {then:?}");
        }
    }
}
