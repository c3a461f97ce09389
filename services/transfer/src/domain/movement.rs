//! What is posted to the ledger.

use id::{PacketId, TransferId, UserId};

/// An account of the ledger that this service moves money between.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Account {
    /// A user's own money.
    Wallet(UserId),
    /// A packet's money between send and claim or refund.
    Escrow(PacketId),
    /// Money that could not reach a user's wallet.
    Suspense(UserId),
    /// The world outside: where money is written off to.
    External,
}

/// Why money moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Wallet → escrow.
    Fund,
    /// Escrow → receiver's wallet.
    Settle,
    /// Escrow → sender's wallet.
    Refund,
    /// Escrow → suspense.
    Suspense,
    /// Escrow or suspense → wallet or the world outside, by an operator's decision.
    Repair,
}

/// One movement of money: one debit, one credit, one amount (MONEY-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Applied at most once (MONEY-3).
    pub id: TransferId,
    /// The account that gives.
    pub debit: Account,
    /// The account that receives.
    pub credit: Account,
    /// How much, in fen. Above zero.
    pub amount_fen: i64,
    /// Why.
    pub reason: Reason,
    /// The packet it belongs to.
    pub packet: PacketId,
}
