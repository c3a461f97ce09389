//! What reconciliation finds: two records that should agree and do not.

use id::{PacketId, TransferId};

/// What does not agree with what. In the order in which reconciliation looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DifferenceKind {
    /// The ledger does not add up in itself.
    Ledger,
    /// The log has lost a claim (LOG-1).
    ClaimMissing,
    /// A claim the cursor has passed has no order.
    ClaimWithoutTransfer,
    /// A SETTLE order has no claim.
    TransferWithoutClaim,
    /// A claim and its order differ in packet, share, user or amount.
    ClaimTransferMismatch,
    /// A cursor stands where the log has not come yet.
    CursorBeyondLog,
    /// An order says that money moved; the ledger does not show it, or shows something else.
    TransferNotInLedger,
    /// A FUND that was refused for good is posted in the ledger.
    RejectedButPosted,
    /// A packet that has paid out was never funded, by the orders.
    FundMissing,
    /// `funded = settled + suspense + refunded + still in escrow` does not hold for a packet.
    EscrowMismatch,
    /// An order whose money waits for an operator has no repair case.
    CaseMissing,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What does not agree with what.
    pub kind: DifferenceKind,
    /// What is wrong, in words.
    pub description: String,
    /// What it is about, as `transfer.proto` names it.
    pub subject: String,
    /// The packet concerned.
    pub packet: Option<PacketId>,
    /// The transfer concerned, as text.
    pub transfer: Option<String>,
    /// How many fen apart.
    pub difference_fen: i64,
    /// The repair case it has.
    pub case: Option<TransferId>,
}

impl DifferenceKind {
    /// The kind's name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ledger => "LEDGER",
            Self::ClaimMissing => "CLAIM_MISSING",
            Self::ClaimWithoutTransfer => "CLAIM_WITHOUT_TRANSFER",
            Self::TransferWithoutClaim => "TRANSFER_WITHOUT_CLAIM",
            Self::ClaimTransferMismatch => "CLAIM_TRANSFER_MISMATCH",
            Self::CursorBeyondLog => "CURSOR_BEYOND_LOG",
            Self::TransferNotInLedger => "TRANSFER_NOT_IN_LEDGER",
            Self::RejectedButPosted => "REJECTED_BUT_POSTED",
            Self::FundMissing => "FUND_MISSING",
            Self::EscrowMismatch => "ESCROW_MISMATCH",
            Self::CaseMissing => "CASE_MISSING",
        }
    }
}
