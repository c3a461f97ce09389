//! Transfers and the entries they leave in accounts.

use clock::Timestamp;
use id::{AccountId, PacketId, TransferId};
use money::Fen;

use super::account::AccountRef;

/// Most deposited at once, in fen: 100 billion yuan. Far above any real deposit, and far enough below 64 bits that
/// hundreds of thousands of the largest still fit a balance.
pub const MAX_DEPOSIT_FEN: i64 = 10_000_000_000_000;

/// Why money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// External → wallet.
    Deposit,
    /// Sender's wallet → escrow: a packet was sent.
    Fund,
    /// Escrow → receiver's wallet: a claim was settled.
    Settle,
    /// Escrow → sender's wallet: what nobody took.
    Refund,
    /// Escrow → suspense: the wallet could not be credited.
    Suspense,
    /// Escrow or suspense → wallet or the world outside, by an operator's decision.
    Repair,
}

impl Reason {
    /// All reasons, in the order of their codes.
    pub const ALL: [Self; 6] = [
        Self::Deposit,
        Self::Fund,
        Self::Settle,
        Self::Refund,
        Self::Suspense,
        Self::Repair,
    ];

    /// Its number in rows and in the chain of seals: none may ever change its meaning.
    pub const fn code(self) -> u8 {
        match self {
            Self::Deposit => 1,
            Self::Fund => 2,
            Self::Settle => 3,
            Self::Refund => 4,
            Self::Suspense => 5,
            Self::Repair => 6,
        }
    }
}

/// One movement of money: one debit, one credit, one amount (MONEY-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Derived by the caller from the fact behind the transfer, so that a retry is the same transfer (MONEY-3).
    pub id: TransferId,
    /// The account that gives.
    pub debit: AccountRef,
    /// The account that receives.
    pub credit: AccountRef,
    /// How much. As asked for: only the ledger's rules make sure that it is above zero.
    pub amount: Fen,
    /// Why.
    pub reason: Reason,
    /// The packet it belongs to; none for deposits.
    pub packet: Option<PacketId>,
}

impl Transfer {
    /// Whether money moves between these accounts for this reason: between their kinds, and into and out of the escrow of no
    /// other packet.
    pub fn fits_its_reason(&self) -> bool {
        use AccountRef::{Escrow, External, Suspense, Wallet};
        let of_packet = |escrow| self.packet == Some(escrow);
        match (self.reason, &self.debit, &self.credit) {
            (Reason::Deposit, External, Wallet(_)) | (Reason::Repair, Suspense(_), Wallet(_) | External) => true,
            (Reason::Fund, Wallet(_), Escrow(packet))
            | (Reason::Settle | Reason::Refund, Escrow(packet), Wallet(_))
            | (Reason::Suspense, Escrow(packet), Suspense(_))
            | (Reason::Repair, Escrow(packet), Wallet(_) | External) => of_packet(*packet),
            _ => false,
        }
    }

    /// Everything but the id.
    pub fn payload(&self) -> Payload {
        Payload {
            debit: self.debit.id(),
            credit: self.credit.id(),
            amount: self.amount,
            reason: self.reason,
            packet: self.packet,
        }
    }
}

/// What must be the same for a repeated id to be the same transfer (MONEY-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The account that gives.
    pub debit: AccountId,
    /// The account that receives.
    pub credit: AccountId,
    /// How much.
    pub amount: Fen,
    /// Why.
    pub reason: Reason,
    /// The packet it belongs to.
    pub packet: Option<PacketId>,
}

/// A transfer as posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedTransfer {
    /// What was posted.
    pub transfer: Transfer,
    /// When.
    pub create_time: Timestamp,
}

/// One side of a posted transfer as its account sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Number within the account, from 1, gapless.
    pub entry_no: i64,
    /// The transfer it is a side of.
    pub transfer: TransferId,
    /// What the balance changed by: below zero for a debit.
    pub delta: Fen,
    /// The balance after it.
    pub balance: Fen,
    /// Why money moved.
    pub reason: Reason,
    /// The packet it belongs to; none for deposits.
    pub packet: Option<PacketId>,
    /// The account on the other side.
    pub counterparty: AccountRef,
    /// When it was posted.
    pub create_time: Timestamp,
}
