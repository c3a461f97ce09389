//! What a verification of the ledger found.

use std::fmt;

use id::{AccountId, TransferId};
use money::Fen;

/// Most differences named: enough to see a pattern, few enough for one answer.
pub const MAX_DIFFERENCES: usize = 1_000;

/// The result of a verification over one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// How many accounts were recomputed.
    pub account_count: i64,
    /// How many transfers were held against their entries.
    pub transfer_count: i64,
    /// The sum of all balances; zero in a sound ledger (MONEY-1).
    pub balance_sum: Fen,
    /// At most [`MAX_DIFFERENCES`]; empty means the ledger is sound.
    pub differences: Vec<Difference>,
}

/// Something that does not add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What is wrong.
    pub finding: Finding,
    /// The account or transfer concerned.
    pub subject: Subject,
    /// How much too much (or, below zero, too little); zero where the amounts are right and something else is not.
    pub excess: Fen,
}

/// Where a difference lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// All accounts together.
    Ledger,
    /// One account.
    Account(AccountId),
    /// One transfer.
    Transfer(TransferId),
}

/// What is wrong, in the order in which it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// All balances do not sum to zero (MONEY-1).
    SumNotZero,
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
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SumNotZero => f.write_str("all balances together are not zero"),
            Self::BelowZero => f.write_str("the balance is below zero"),
            Self::Balance => f.write_str("the balance is not the sum of the account's entries"),
            Self::EntryCount { counted, found } if counted == found => {
                write!(f, "the account's {found} entries are not numbered from 1 without a gap")
            }
            Self::EntryCount { counted, found } => {
                write!(f, "the account counts {counted} entries and has {found}")
            }
            Self::RunningBalance { entry_no } => write!(
                f,
                "the balance noted by entry {entry_no} is not the one before it plus its own change"
            ),
            Self::NoSuchAccount => f.write_str("entries of an account that does not exist"),
            Self::Entries { found: 2 } => {
                f.write_str("the two entries are not a debit and a credit of its accounts and amount")
            }
            Self::Entries { found } => write!(f, "the transfer has {found} entries, not 2"),
            Self::NoSuchTransfer => f.write_str("entries of a transfer that does not exist"),
        }
    }
}
