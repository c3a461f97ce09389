//! What a verification finds.

use std::fmt;

use id::{AccountId, TransferId};
use money::Fen;

/// Something that does not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What is wrong.
    pub finding: Finding,
    /// What it is about.
    pub subject: Subject,
    /// How much too much (or, below zero, too little); zero where the amounts are right and something else is not.
    pub excess: Fen,
}

/// Where a difference lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One account.
    Account(AccountId),
    /// One transfer.
    Transfer(TransferId),
    /// One transfer under a seal.
    Sealed(TransferId, i64),
    /// One seal.
    Seal(i64),
}

/// What is wrong, in the order in which it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// An account's id is not that of its kind and owner.
    Name,
    /// An account other than the external one is below zero (MONEY-2).
    BelowZero,
    /// The balance is not the sum of the account's entries.
    Balance,
    /// The account counts `counted` entries and has `found`, or they are not numbered 1 to `found`.
    EntryCount {
        /// What the account says.
        counted: i64,
        /// What is there.
        found: i64,
    },
    /// The balance noted by entry `entry_no` is not the one before it plus its own change.
    RunningBalance {
        /// Which entry.
        entry_no: i64,
    },
    /// Entries of an account that does not exist.
    NoSuchAccount,
    /// A transfer without exactly one entry for each of its two accounts, of its amount (MONEY-1).
    Entries {
        /// How many entries it has.
        found: i64,
    },
    /// Entries of a transfer that does not exist.
    NoSuchTransfer,
    /// A transfer that is neither sealed nor waits to be: no posting made it.
    NotSealed,
    /// A transfer is not what was posted under its id.
    TransferChanged,
    /// A transfer that was posted is no more.
    TransferRemoved,
    /// The seal is not the one over the seal before it and its members.
    SealBroken,
    /// The chain has no seal of this number.
    SealMissing,
    /// The head on record is not the last seal.
    HeadMoved,
    /// The seal's hash is not the one that was noted.
    HeadUnknown,
}

impl Finding {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::BelowZero => "BELOW_ZERO",
            Self::Balance => "BALANCE",
            Self::EntryCount { .. } => "ENTRY_COUNT",
            Self::RunningBalance { .. } => "RUNNING_BALANCE",
            Self::NoSuchAccount => "NO_SUCH_ACCOUNT",
            Self::Entries { .. } => "ENTRIES",
            Self::NoSuchTransfer => "NO_SUCH_TRANSFER",
            Self::NotSealed => "NOT_SEALED",
            Self::TransferChanged => "TRANSFER_CHANGED",
            Self::TransferRemoved => "TRANSFER_REMOVED",
            Self::SealBroken => "SEAL_BROKEN",
            Self::SealMissing => "SEAL_MISSING",
            Self::HeadMoved => "HEAD_MOVED",
            Self::HeadUnknown => "HEAD_UNKNOWN",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::Name => "the account's id is not that of its kind and owner",
            Self::BelowZero => "the balance is below zero",
            Self::Balance => "the balance is not the sum of the account's entries",
            Self::EntryCount { counted, found } if counted == found => {
                return write!(f, "the account's {found} entries are not numbered from 1 without a gap");
            }
            Self::EntryCount { counted, found } => {
                return write!(f, "the account counts {counted} entries and has {found}");
            }
            Self::RunningBalance { entry_no } => {
                return write!(
                    f,
                    "the balance noted by entry {entry_no} is not the one before it plus its own change"
                );
            }
            Self::NoSuchAccount => "entries of an account that does not exist",
            Self::Entries { found: 2 } => "the two entries are not a debit and a credit of its accounts and amount",
            Self::Entries { found } => return write!(f, "the transfer has {found} entries, not 2"),
            Self::NoSuchTransfer => "entries of a transfer that does not exist",
            Self::NotSealed => "the transfer is neither sealed nor waits to be: no posting made it",
            Self::TransferChanged => "the transfer is not what was posted under its id",
            Self::TransferRemoved => "the transfer was posted and is no more",
            Self::SealBroken => "the seal does not fit the one before it and its members",
            Self::SealMissing => "the chain has no seal of this number",
            Self::HeadMoved => "the head of the chain on record is not its last seal",
            Self::HeadUnknown => "the chain has no seal of this number with the hash that was noted",
        };
        f.write_str(words)
    }
}
