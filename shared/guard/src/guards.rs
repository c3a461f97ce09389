//! The list.

macro_rules! guards {
    ($($(#[doc = $doc:literal])+ $name:ident keeps $invariant:literal,)+) => {
        /// A line of code or a key of a store, or both, that keeps an invariant. Those that no numbered invariant is about
        /// keep the protocol: `keeps` says which invariant falls with them in the end.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Guard {
            $($(#[doc = $doc])+ #[doc = concat!("\n\nKeeps ", $invariant, ".")] $name,)+
        }

        impl Guard {
            /// All of them, in the order of the invariants.
            pub const ALL: [Self; [$(Self::$name),+].len()] = [$(Self::$name),+];

            /// The number of the invariant that falls without it.
            pub const fn keeps(self) -> &'static str {
                match self {
                    $(Self::$name => $invariant,)+
                }
            }
        }
    };
}

guards! {
    /// No transfer debits and credits the same account: the later of its two sides would overwrite the earlier.
    SameAccount keeps "MONEY-1",
    /// The accounts that a batch decides on stay locked until its commit, and each entry has a number of its own.
    LedgerLock keeps "MONEY-1",
    /// A debit leaves nothing below zero but the external account.
    Funds keeps "MONEY-2",
    /// A transfer id is posted once.
    TransferOnce keeps "MONEY-3",
    /// A transfer id that comes again with another payload is told so.
    TransferPayload keeps "MONEY-3",
    /// Money that cannot reach a wallet goes to suspense under the id that it would have reached the wallet under.
    SuspenseId keeps "MONEY-3",
    /// A share is claimed once.
    ShareOnce keeps "CLAIM-1",
    /// A user claims one share of a packet.
    UserOnce keeps "CLAIM-1",
    /// A claim's amount follows from the packet's seed, and not from what was asked for.
    AmountFromSeed keeps "CLAIM-2",
    /// An amount is told after the commit of its claim, and not before.
    CommitFirst keeps "CLAIM-3",
    /// A packet is opened to grabs only when its money is in escrow.
    FundFirst keeps "CLAIM-3",
    /// What cannot be settled becomes a repair case in the transaction that moves the cursor past it.
    CaseOpened keeps "CLAIM-3",
    /// A writer whose picture of a partition is not of the version that it locked reads what others wrote.
    WriterFence keeps "CLOSE-1",
    /// The head of a partition stays locked while claims are numbered, and each number has one claim.
    LogOrder keeps "LOG-1",
    /// A reader of the log refuses to go on behind a gap.
    LogGap keeps "LOG-1",
    /// A cursor moves only where its claims were settled from, and only by who holds it.
    CursorFence keeps "LOG-1",
    /// No claim is made in a closed packet.
    CloseFirst keeps "CLOSE-1",
    /// A refund is what was not opened.
    RefundRest keeps "CLOSE-1",
    /// A packet moves on only from the state that it was judged in, and the first sums of its close stay.
    StateFence keeps "CLOSE-1",
    /// A funding that was refused is never posted: the ledger remembers it, and nobody records a refusal while another try may
    /// take effect.
    RefusalLasts keeps "ID-1",
    /// A packet's seed is decided once.
    SeedOnce keeps "SEED-1",
    /// The seed is told only after the packet has ended.
    SeedLast keeps "SEED-1",
    /// A sender's request becomes one packet.
    RequestOnce keeps "ID-1",
    /// A request that comes again with other contents is refused.
    RequestPayload keeps "ID-1",
}
