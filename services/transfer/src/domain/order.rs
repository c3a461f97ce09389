//! Transfer orders: what the service answers for, and how an order's life goes.

mod explained;
mod life;

use clock::Timestamp;
use guard::Guard;
use id::{PacketId, Partition, TransferId, UserId};

use super::{Account, Damage, Difference, LoggedClaim, Movement, Payee, Reason, Verdict};

pub use life::Delivery;

/// Why an order exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sender → escrow.
    Fund,
    /// Escrow → receiver, for one claim.
    Settle,
    /// Escrow → sender.
    Refund,
    /// Moves nothing: stands for a difference that is about no other order, so that it has a repair case.
    Finding,
}

/// Where an order is. See [`State::may_become`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Recorded, not yet known to be posted.
    Pending,
    /// Posted.
    Posted,
    /// Refused for good, no money moved. Only a FUND can be.
    Rejected,
    /// The money is in suspense; a repair case is open.
    Suspended,
    /// The money is still in escrow; a repair case is open.
    Stuck,
    /// An operator's decision moved the money on.
    Repaired,
}

/// Why an order is REJECTED, SUSPENDED or STUCK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The ledger refused it.
    Refused(Verdict),
    /// The claim behind it cannot be understood.
    UnreadableClaim,
    /// Reconciliation found the claim behind it without an order.
    ClaimWithoutTransfer,
    /// The ledger has no verdict on it, while it has on others: it answers with an error of its own.
    NoVerdict,
}

/// The claim behind a SETTLE order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimRef {
    /// The partition whose log it is in.
    pub partition: Partition,
    /// Its position there.
    pub seq: i64,
    /// When it was made, if that could be read.
    pub at: Option<Timestamp>,
}

/// One movement of money that the service answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Under which the money leaves or enters the escrow: derived from the fact behind the order.
    pub id: TransferId,
    /// Why it exists.
    pub kind: Kind,
    /// Where it is.
    pub state: State,
    /// The packet; `None` only where an unreadable claim names none.
    pub packet: Option<PacketId>,
    /// Whose wallet is on the other side of the escrow; `None` only where an unreadable claim names nobody.
    pub user: Option<UserId>,
    /// How much, in fen. Above zero but for unreadable claims.
    pub amount_fen: i64,
    /// The share, for SETTLE; 0 otherwise.
    pub share_no: u32,
    /// The claim behind it, for SETTLE.
    pub claim: Option<ClaimRef>,
    /// Why it is REJECTED, SUSPENDED or STUCK.
    pub failure: Option<Failure>,
    /// For a REJECTED one, the balance that fell short; 0 otherwise.
    pub balance_fen: i64,
    /// Where an operator's decision moved the money: for a REPAIRED one, and for a REJECTED one that was posted all the same.
    pub paid_to: Option<Payee>,
    /// When it was recorded.
    pub created: Timestamp,
    /// When it came to its present state.
    pub updated: Timestamp,
}

impl Failure {
    /// Its name: the ledger's verdict or our own word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused(verdict) => verdict.name(),
            Self::UnreadableClaim => "UNREADABLE_CLAIM",
            Self::ClaimWithoutTransfer => "CLAIM_WITHOUT_TRANSFER",
            Self::NoVerdict => "NO_VERDICT",
        }
    }

    /// The failure of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "UNREADABLE_CLAIM" => Some(Self::UnreadableClaim),
            "CLAIM_WITHOUT_TRANSFER" => Some(Self::ClaimWithoutTransfer),
            "NO_VERDICT" => Some(Self::NoVerdict),
            name => Verdict::from_name(name).map(Self::Refused),
        }
    }
}

impl Order {
    /// `sender` pays `amount_fen` into the packet's escrow.
    pub fn fund(packet: PacketId, sender: UserId, amount_fen: i64, now: Timestamp) -> Self {
        Self::pending(TransferId::fund(packet), Kind::Fund, packet, sender, amount_fen, now)
    }

    /// The packet's escrow gives `amount_fen` back to `sender`.
    pub fn refund(packet: PacketId, sender: UserId, amount_fen: i64, now: Timestamp) -> Self {
        Self::pending(
            TransferId::refund(packet),
            Kind::Refund,
            packet,
            sender,
            amount_fen,
            now,
        )
    }

    /// What a claim asks for: a PENDING order, or a STUCK one if the claim cannot be understood. An unreadable claim's
    /// order has an id of its own, so that it can never stand in the way of a readable claim to the same share.
    pub fn for_claim(claim: &LoggedClaim, now: Timestamp) -> Self {
        let packet: Option<PacketId> = claim.packet_id.parse().ok();
        let user: Option<UserId> = claim.user_id.parse().ok();
        let unpayable = TransferId::unpayable(claim.partition, claim.seq);
        let (id, state, failure) = match (packet, &user) {
            (Some(packet), Some(_)) if claim.amount_fen > 0 => {
                (TransferId::settle(packet, claim.share_no), State::Pending, None)
            }
            _ => (unpayable, State::Stuck, Some(Failure::UnreadableClaim)),
        };
        Self {
            id,
            kind: Kind::Settle,
            state,
            packet,
            user,
            amount_fen: claim.amount_fen,
            share_no: claim.share_no,
            claim: Some(ClaimRef {
                partition: claim.partition,
                seq: claim.seq,
                at: claim.at,
            }),
            failure,
            balance_fen: 0,
            paid_to: None,
            created: now,
            updated: now,
        }
    }

    /// What stands for a position of the log of which no more is known than where it is. Its case's first event tells what
    /// was read ([`super::CaseEvent::with_detail`]).
    pub fn unreadable(partition: Partition, seq: i64, now: Timestamp) -> Self {
        let damage = Damage {
            missing: false,
            facts: String::new(),
        };
        Self::for_claim(&LoggedClaim::damaged(partition, seq, damage), now)
    }

    /// What stands for `difference`: the same for the same kind and subject, however often it is found.
    pub fn finding(difference: &Difference, now: Timestamp) -> Self {
        Self {
            id: TransferId::finding(difference.kind.name(), &difference.subject),
            kind: Kind::Finding,
            state: State::Stuck,
            packet: difference.packet,
            user: None,
            amount_fen: difference.difference_fen.saturating_abs(),
            share_no: 0,
            claim: None,
            failure: None,
            balance_fen: 0,
            paid_to: None,
            created: now,
            updated: now,
        }
    }

    fn pending(id: TransferId, kind: Kind, packet: PacketId, user: UserId, amount_fen: i64, now: Timestamp) -> Self {
        Self {
            id,
            kind,
            state: State::Pending,
            packet: Some(packet),
            user: Some(user),
            amount_fen,
            share_no: 0,
            claim: None,
            failure: None,
            balance_fen: 0,
            paid_to: None,
            created: now,
            updated: now,
        }
    }

    /// Whether both ask for the same: kind, packet, share, user and amount.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        let facts = |order: &Self| {
            (
                order.kind,
                order.packet,
                order.share_no,
                order.user.clone(),
                order.amount_fen,
            )
        };
        facts(self) == facts(other)
    }

    /// The movement that the order is for, if its claim could be read.
    pub fn movement(&self) -> Option<Movement> {
        let (wallet, escrow) = (Account::Wallet(self.user.clone()?), Account::Escrow(self.packet?));
        let (debit, credit, reason) = match self.kind {
            Kind::Fund => (wallet, escrow, Reason::Fund),
            Kind::Settle => (escrow, wallet, Reason::Settle),
            Kind::Refund => (escrow, wallet, Reason::Refund),
            Kind::Finding => return None,
        };
        self.moving(self.id, debit, credit, reason)
    }

    /// The stand-in where the wallet cannot take the money: the same id, to suspense.
    pub fn to_suspense(&self) -> Option<Movement> {
        let (escrow, suspense) = (Account::Escrow(self.packet?), Account::Suspense(self.user.clone()?));
        let id = if guard::stands(Guard::SuspenseId) {
            self.id
        } else {
            self.repair_id()
        };
        self.moving(id, escrow, suspense, Reason::Suspense)
    }

    /// An operator's decision: from where the money is to `payee`. From escrow under the order's own id; from suspense, and
    /// from the escrow of a funding that should not have been posted, whose own id that posting has, under the one id there
    /// is for its second leg.
    pub fn repair(&self, payee: &Payee) -> Option<Movement> {
        let (id, debit) = match self.state {
            State::Suspended => (self.repair_id(), Account::Suspense(self.user.clone()?)),
            State::Rejected => (self.repair_id(), Account::Escrow(self.packet?)),
            _ => (self.id, Account::Escrow(self.packet?)),
        };
        self.moving(id, debit, payee.account(), Reason::Repair)
    }

    /// The id of the second leg, such as suspense → wallet. There is one for all attempts, so that the ledger lets at most one of
    /// them through, whoever made it and however late it arrives.
    pub fn repair_id(&self) -> TransferId {
        TransferId::repair(self.id)
    }

    fn moving(&self, id: TransferId, debit: Account, credit: Account, reason: Reason) -> Option<Movement> {
        if self.kind == Kind::Finding {
            return None;
        }
        Some(Movement {
            id,
            debit,
            credit,
            amount_fen: Some(self.amount_fen).filter(|fen| *fen > 0)?,
            reason,
            packet: self.packet?,
        })
    }
}
