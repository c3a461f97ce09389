//! What the ledger says of a posting, and what follows from it.

/// The ledger's verdict on one movement, in the ledger's order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The transfer id is malformed.
    InvalidId,
    /// An account, the packet or the reason is malformed.
    InvalidField,
    /// The amount is not above zero.
    InvalidAmount,
    /// Debit and credit are the same account.
    SameAccount,
    /// The id was applied before with another payload (MONEY-3).
    IdReused,
    /// The id was applied before with this payload.
    AlreadyPosted,
    /// The reason does not go with these accounts.
    WrongAccounts,
    /// The account to debit does not exist.
    DebitNotFound,
    /// The account to credit does not exist.
    CreditNotFound,
    /// The account to debit is frozen.
    DebitFrozen,
    /// The account to credit is frozen.
    CreditFrozen,
    /// The debit would go below zero (MONEY-2).
    InsufficientFunds,
    /// A balance would no longer fit 64 bits.
    BalanceOverflow,
    /// Applied now.
    Posted,
}

/// What a verdict means for wallet → escrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFund {
    /// The packet is funded.
    Funded,
    /// Refused for good: the packet's sender cannot pay.
    Refused,
    /// Nothing that a well-formed order can meet: the books need a person.
    Broken,
}

/// What a verdict means for escrow → wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnWallet {
    /// The money is in the wallet.
    Paid,
    /// The wallet cannot take it, or the order's id was applied another way: try suspense under the same id.
    TrySuspense,
    /// The escrow cannot give it: suspense would be refused as well.
    Stuck,
}

/// What a verdict means for escrow → suspense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSuspense {
    /// The money is in suspense.
    Suspended,
    /// The order's id was applied some other way: ask the ledger which.
    AskLedger,
    /// The money stays in escrow.
    Stuck,
}

impl Verdict {
    /// All verdicts in order of precedence.
    pub const ALL: [Self; 14] = [
        Self::InvalidId,
        Self::InvalidField,
        Self::InvalidAmount,
        Self::SameAccount,
        Self::IdReused,
        Self::AlreadyPosted,
        Self::WrongAccounts,
        Self::DebitNotFound,
        Self::CreditNotFound,
        Self::DebitFrozen,
        Self::CreditFrozen,
        Self::InsufficientFunds,
        Self::BalanceOverflow,
        Self::Posted,
    ];

    /// The verdict's name, as the ledger's contract has it without its prefix.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidId => "INVALID_ID",
            Self::InvalidField => "INVALID_FIELD",
            Self::InvalidAmount => "INVALID_AMOUNT",
            Self::SameAccount => "SAME_ACCOUNT",
            Self::IdReused => "ID_REUSED",
            Self::AlreadyPosted => "ALREADY_POSTED",
            Self::WrongAccounts => "WRONG_ACCOUNTS",
            Self::DebitNotFound => "DEBIT_NOT_FOUND",
            Self::CreditNotFound => "CREDIT_NOT_FOUND",
            Self::DebitFrozen => "DEBIT_FROZEN",
            Self::CreditFrozen => "CREDIT_FROZEN",
            Self::InsufficientFunds => "INSUFFICIENT_FUNDS",
            Self::BalanceOverflow => "BALANCE_OVERFLOW",
            Self::Posted => "POSTED",
        }
    }

    /// The verdict of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }

    /// Whether the movement is in the ledger, now or from before.
    pub const fn is_posted(self) -> bool {
        matches!(self, Self::Posted | Self::AlreadyPosted)
    }

    /// What it means for wallet → escrow.
    pub const fn on_fund(self) -> OnFund {
        match self {
            Self::AlreadyPosted | Self::Posted => OnFund::Funded,
            Self::DebitNotFound
            | Self::CreditNotFound
            | Self::DebitFrozen
            | Self::CreditFrozen
            | Self::InsufficientFunds
            | Self::BalanceOverflow => OnFund::Refused,
            Self::InvalidId
            | Self::InvalidField
            | Self::InvalidAmount
            | Self::SameAccount
            | Self::IdReused
            | Self::WrongAccounts => OnFund::Broken,
        }
    }

    /// What it means for escrow → wallet.
    pub const fn on_wallet(self) -> OnWallet {
        match self {
            Self::AlreadyPosted | Self::Posted => OnWallet::Paid,
            Self::IdReused | Self::CreditNotFound | Self::CreditFrozen | Self::BalanceOverflow => OnWallet::TrySuspense,
            Self::InvalidId
            | Self::InvalidField
            | Self::InvalidAmount
            | Self::SameAccount
            | Self::WrongAccounts
            | Self::DebitNotFound
            | Self::DebitFrozen
            | Self::InsufficientFunds => OnWallet::Stuck,
        }
    }

    /// What it means for escrow → suspense.
    pub const fn on_suspense(self) -> OnSuspense {
        match self {
            Self::AlreadyPosted | Self::Posted => OnSuspense::Suspended,
            Self::IdReused => OnSuspense::AskLedger,
            _ => OnSuspense::Stuck,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row a verdict, in order of precedence.
    #[test]
    fn what_follows_from_each_verdict() {
        use {OnFund as F, OnSuspense as S, OnWallet as W};
        let table = [
            (Verdict::InvalidId, F::Broken, W::Stuck, S::Stuck),
            (Verdict::InvalidField, F::Broken, W::Stuck, S::Stuck),
            (Verdict::InvalidAmount, F::Broken, W::Stuck, S::Stuck),
            (Verdict::SameAccount, F::Broken, W::Stuck, S::Stuck),
            (Verdict::IdReused, F::Broken, W::TrySuspense, S::AskLedger),
            (Verdict::AlreadyPosted, F::Funded, W::Paid, S::Suspended),
            (Verdict::WrongAccounts, F::Broken, W::Stuck, S::Stuck),
            (Verdict::DebitNotFound, F::Refused, W::Stuck, S::Stuck),
            (Verdict::CreditNotFound, F::Refused, W::TrySuspense, S::Stuck),
            (Verdict::DebitFrozen, F::Refused, W::Stuck, S::Stuck),
            (Verdict::CreditFrozen, F::Refused, W::TrySuspense, S::Stuck),
            (Verdict::InsufficientFunds, F::Refused, W::Stuck, S::Stuck),
            (Verdict::BalanceOverflow, F::Refused, W::TrySuspense, S::Stuck),
            (Verdict::Posted, F::Funded, W::Paid, S::Suspended),
        ];
        assert_eq!(table.map(|row| row.0), Verdict::ALL);
        for (verdict, fund, wallet, suspense) in table {
            assert_eq!(verdict.on_fund(), fund, "{verdict:?}");
            assert_eq!(verdict.on_wallet(), wallet, "{verdict:?}");
            assert_eq!(verdict.on_suspense(), suspense, "{verdict:?}");
            assert_eq!(verdict.is_posted(), fund == F::Funded, "{verdict:?}");
            assert_eq!(Verdict::from_name(verdict.name()), Some(verdict));
        }
    }
}
