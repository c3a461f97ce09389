//! What can be wrong.

use std::fmt;

use serde::Serialize;

use crate::chaos::{
    books::{Claim, Order, Packet},
    history::{NoShare, Record, Told},
};

/// Something that must never be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Violation {
    /// Somebody was told what is in a share, and no such claim is in the log.
    OpenLost(Told),
    /// Somebody was told of another share or amount than is in the log.
    OpenDiffers {
        /// What was told.
        told: Told,
        /// What is in the log.
        claim: Claim,
    },
    /// Two answers about one person's share of one packet.
    ToldTwice {
        /// The first one heard.
        first: Told,
        /// Another.
        then: Told,
    },
    /// An acknowledged send of which the packet service knows nothing.
    SendLost(Record),
    /// An acknowledged send whose packet is something else, or never held money.
    SendDiffers {
        /// The send.
        sent: Record,
        /// The packet.
        packet: Packet,
    },
    /// One request for a packet, two packets.
    SentTwice {
        /// The request.
        request_id: String,
        /// Whose.
        user: String,
        /// The packets.
        packets: [String; 2],
    },
    /// A final answer that was not true: shares were left, or it was not over yet.
    Misled {
        /// Which packet.
        packet_id: String,
        /// Who.
        user: String,
        /// What was told.
        told: NoShare,
    },
    /// Two claims of one share.
    ShareTwice([Claim; 2]),
    /// Two shares of one packet for one person.
    PersonTwice([Claim; 2]),
    /// A claim of a share that does not exist, or of a packet that does not exist or never held money.
    ClaimOfNothing(Claim),
    /// More in a packet's claims than in the packet.
    Overdrawn {
        /// Which packet.
        packet_id: String,
        /// What it holds.
        total_fen: i64,
        /// What its claims sum to.
        claimed_fen: i64,
    },
    /// A partition's log does not count 1, 2, 3 … .
    LogGap {
        /// Which partition.
        partition: u32,
        /// What was expected.
        expected: i64,
        /// What is there.
        found: i64,
    },
    /// A claim whose money has not moved and that is no open repair case.
    Unsettled(Claim),
    /// An order that settles something else than its claim, or the same twice, or nothing.
    OrderDiffers(Order),
    /// A packet whose time is up and that is not completed, or a send that never came to an end.
    Unfinished {
        /// Which packet.
        packet_id: String,
        /// How it stands.
        packet: Packet,
    },
    /// A completed packet that gave back another sum than what nobody took.
    RefundDiffers {
        /// Which packet.
        packet_id: String,
        /// What it gave back.
        refunded_fen: i64,
        /// What nobody took.
        left_fen: i64,
    },
    /// An escrow that holds another sum than what has not left it.
    EscrowDiffers {
        /// Whose escrow.
        packet_id: String,
        /// What it holds.
        balance_fen: i64,
        /// What it should hold.
        expected_fen: i64,
    },
    /// A wallet that holds another sum than follows from what its owner sent and opened.
    WalletDiffers {
        /// Whose.
        user: String,
        /// What it holds.
        balance_fen: i64,
        /// What it should hold.
        expected_fen: i64,
    },
    /// An open repair case of somebody whose wallet was never frozen, or whose wallet is thawed and the case retried.
    StrayCase {
        /// Which case.
        case_id: String,
        /// Whose.
        user: String,
    },
    /// The balances do not sum to zero.
    LedgerSum(i64),
    /// The ledger's own check found something.
    Ledger(String),
    /// Reconciliation found something.
    Difference(String),
    /// Claims that reconciliation still calls unsettled.
    StillUnsettled(i64),
    /// An error that no fault explains.
    Unexplained(Record),
    /// A process that ended though nobody ended it.
    Died(String),
    /// Something did not come back, or could not be read.
    NotBack(String),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenLost(told) => write!(f, "an answered open is not in the claim log: {told:?}"),
            Self::OpenDiffers { told, claim } => {
                write!(f, "an answered open is another claim: {told:?}, but {claim:?}")
            }
            Self::ToldTwice { first, then } => write!(f, "told two things of one share: {first:?}, then {then:?}"),
            Self::SendLost(sent) => write!(f, "an answered send left no packet: {sent:?}"),
            Self::SendDiffers { sent, packet } => write!(f, "an answered send is another packet: {sent:?}, {packet:?}"),
            Self::SentTwice {
                request_id,
                user,
                packets: [one, other],
            } => write!(f, "{user}'s send {request_id} became two packets: {one} and {other}"),
            Self::Misled { packet_id, user, told } => {
                write!(
                    f,
                    "{user} was told {told:?} of {packet_id}, which is final and was not true"
                )
            }
            Self::ShareTwice([one, other]) => write!(f, "one share was claimed twice: {one:?} and {other:?}"),
            Self::PersonTwice([one, other]) => write!(f, "one person has two shares: {one:?} and {other:?}"),
            Self::ClaimOfNothing(claim) => write!(f, "a claim of what is not there: {claim:?}"),
            Self::Overdrawn {
                packet_id,
                total_fen,
                claimed_fen,
            } => write!(
                f,
                "{packet_id} holds {total_fen} fen, and its claims sum to {claimed_fen}"
            ),
            Self::LogGap {
                partition,
                expected,
                found,
            } => write!(
                f,
                "the log of partition {partition} has {found} where {expected} should be"
            ),
            Self::Unsettled(claim) => write!(f, "a claim was neither settled nor became a case: {claim:?}"),
            Self::OrderDiffers(order) => write!(f, "an order is not its claim's: {order:?}"),
            Self::Unfinished { packet_id, packet } => write!(f, "{packet_id} never came to its end: {packet:?}"),
            Self::RefundDiffers {
                packet_id,
                refunded_fen,
                left_fen,
            } => write!(f, "{packet_id} gave back {refunded_fen} fen of {left_fen}"),
            Self::EscrowDiffers {
                packet_id,
                balance_fen,
                expected_fen,
            } => write!(
                f,
                "the escrow of {packet_id} holds {balance_fen} fen, not {expected_fen}"
            ),
            Self::WalletDiffers {
                user,
                balance_fen,
                expected_fen,
            } => write!(f, "{user}'s wallet holds {balance_fen} fen, not {expected_fen}"),
            Self::StrayCase { case_id, user } => write!(f, "repair case {case_id} of {user} is open for no reason"),
            Self::LedgerSum(sum) => write!(f, "the balances sum to {sum} fen"),
            Self::Ledger(told) => write!(f, "the ledger does not add up: {told}"),
            Self::Difference(told) => write!(f, "reconciliation: {told}"),
            Self::StillUnsettled(count) => write!(f, "{count} claims are not settled"),
            Self::Unexplained(record) => write!(f, "an error that no fault explains: {record:?}"),
            Self::Died(told) => write!(f, "nobody killed it: {told}"),
            Self::NotBack(told) => f.write_str(told),
        }
    }
}
