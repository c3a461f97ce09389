//! Accounts and what they stand for.

use std::fmt;

use clock::Timestamp;
use id::{AccountId, PacketId, UserId};
use money::Fen;

/// Most characters of the reason that an operator gives for freezing or unfreezing: a few sentences.
pub const MAX_REASON: usize = 200;

/// Names an account by what it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AccountRef {
    /// A user's own money.
    Wallet(UserId),
    /// A packet's money between send and claim or refund.
    Escrow(PacketId),
    /// Money that could not reach a user's wallet.
    Suspense(UserId),
    /// The world outside, the only account that may go below zero (MONEY-2).
    External,
}

impl AccountRef {
    /// The account's id: the same name always has the same.
    pub fn id(&self) -> AccountId {
        match self {
            Self::Wallet(user) => AccountId::wallet(user),
            Self::Escrow(packet) => AccountId::escrow(*packet),
            Self::Suspense(user) => AccountId::suspense(user),
            Self::External => AccountId::external(),
        }
    }

    /// Whether a transfer that credits it may open it. A wallet is opened by its user.
    pub fn opens_when_credited(&self) -> bool {
        !matches!(self, Self::Wallet(_))
    }

    /// Whether its balance may be below zero, and so whether it opens when debited (MONEY-2).
    pub fn may_owe(&self) -> bool {
        matches!(self, Self::External)
    }
}

/// Such as `wallet:alice` or `external`.
impl fmt::Display for AccountRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wallet(user) => write!(f, "wallet:{user}"),
            Self::Escrow(packet) => write!(f, "escrow:{packet}"),
            Self::Suspense(user) => write!(f, "suspense:{user}"),
            Self::External => f.write_str("external"),
        }
    }
}

/// An account and its balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What it stands for.
    pub reference: AccountRef,
    /// What it holds. Below zero only where [`AccountRef::may_owe`].
    pub balance: Fen,
    /// Whether it is kept from taking part in transfers.
    pub frozen: bool,
    /// How many entries it has; the newest has this number.
    pub entry_count: i64,
    /// When it was opened.
    pub create_time: Timestamp,
}

impl Account {
    /// A new, empty account.
    pub fn open(reference: AccountRef, now: Timestamp) -> Self {
        Self {
            reference,
            balance: Fen::ZERO,
            frozen: false,
            entry_count: 0,
            create_time: now,
        }
    }

    /// The account after one more entry of `delta`; `None` where the balance would not fit 64 bits.
    pub fn moved(&self, delta: Fen) -> Option<Self> {
        Some(Self {
            balance: self.balance.checked_add(delta)?,
            entry_count: self.entry_count.checked_add(1)?,
            ..self.clone()
        })
    }
}
