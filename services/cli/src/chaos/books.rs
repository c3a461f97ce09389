//! What the mesh has in its books once everything has settled: the other side of the story.

use std::collections::HashMap;

use serde::Serialize;

/// Everything that the services keep about the packets of a drill, in the words of this check.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Books {
    /// Packets by id.
    pub packets: HashMap<String, Packet>,
    /// The claim log, each partition in order.
    pub claims: Vec<Claim>,
    /// Transfer orders.
    pub orders: Vec<Order>,
    /// Repair cases.
    pub cases: Vec<Case>,
    /// Balances of escrows by packet; those without an account are missing.
    pub escrows: HashMap<String, i64>,
    /// Balances of wallets by user.
    pub wallets: HashMap<String, i64>,
    /// The sum of all balances.
    pub ledger_sum_fen: i64,
    /// What the ledger's own check found.
    pub ledger_faults: Vec<String>,
    /// What reconciliation found.
    pub differences: Vec<String>,
    /// Claims that reconciliation calls unsettled.
    pub unsettled: i64,
}

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Packet {
    /// Who sent it.
    pub sender: String,
    /// How much it holds.
    pub total_fen: i64,
    /// In how many shares.
    pub share_count: u32,
    /// Where it is in its life.
    pub state: PacketState,
    /// When it expires.
    pub expire_us: i64,
    /// What went back to its sender.
    pub refunded_fen: i64,
}

/// Where a packet is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum PacketState {
    /// Its money is on its way.
    Funding,
    /// It can be, or could be, grabbed.
    Active,
    /// It is being closed.
    Closing,
    /// Refused: it never held money.
    Rejected,
    /// Closed, and the rest refunded.
    Completed,
}

impl Packet {
    /// Whether its sender paid for it.
    pub fn is_paid(&self) -> bool {
        !matches!(self.state, PacketState::Funding | PacketState::Rejected)
    }
}

/// A claim, from the claim log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Of which packet.
    pub packet_id: String,
    /// Which share.
    pub share_no: u32,
    /// Whose.
    pub user: String,
    /// How much.
    pub amount_fen: i64,
    /// In which partition's log …
    pub partition: u32,
    /// … and where there.
    pub seq: i64,
}

/// A transfer order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Order {
    /// Its id, also of its repair case.
    pub id: String,
    /// What it moves.
    pub kind: OrderKind,
    /// Where its money is.
    pub state: OrderState,
    /// Of which packet.
    pub packet_id: String,
    /// Whose wallet is on the other side of the escrow.
    pub user: String,
    /// Which share; 0 where it is not about one.
    pub share_no: u32,
    /// How much.
    pub amount_fen: i64,
    /// When it came to where it is, in microseconds since 1970.
    pub updated_us: i64,
}

/// What an order moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OrderKind {
    /// Sender to escrow.
    Fund,
    /// Escrow to receiver.
    Settle,
    /// Escrow to sender.
    Refund,
}

/// Where an order's money is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OrderState {
    /// Where it was: not posted yet, or refused for good.
    Unmoved,
    /// Where it belongs.
    Moved,
    /// In suspense.
    Suspended,
    /// Still in escrow, with a repair case.
    Stuck,
}

impl OrderState {
    /// Whether it has left the escrow.
    pub fn has_left_escrow(self) -> bool {
        matches!(self, Self::Moved | Self::Suspended)
    }
}

/// A repair case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// The order's id.
    pub id: String,
    /// Whose wallet it is about.
    pub user: String,
    /// Whether it still needs someone.
    pub open: bool,
}
