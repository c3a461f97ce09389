//! Ids derived from facts: the same fact always has the same id.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::{PacketId, Partition, RequestId, UserId};

/// Namespace of all derived ids: `UUIDv5(DNS, "hongbao")`. Changing it would give every past fact a second id.
const NAMESPACE: Uuid = Uuid::from_bytes([
    0xb4, 0xc0, 0xbe, 0x48, 0xad, 0x6e, 0x57, 0x82, 0xad, 0xed, 0xc5, 0x12, 0x88, 0x88, 0xe5, 0xd2,
]);

/// The text is no such id. One id has one text but for the case of its letters: the braces, the URN and the form without
/// hyphens that UUIDs may have are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID of 36 characters")]
pub struct DerivedIdError;

/// `fact` as text, part by part; `:` cannot occur inside a name, so no two facts share a text.
fn derive(parts: &[&str]) -> Uuid {
    Uuid::new_v5(&NAMESPACE, parts.join(":").as_bytes())
}

macro_rules! derived_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The id as a UUID, for SQL.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = DerivedIdError;

            fn from_str(text: &str) -> Result<Self, DerivedIdError> {
                if text.len() != uuid::fmt::Hyphenated::LENGTH {
                    return Err(DerivedIdError);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| DerivedIdError)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

derived_id! {
    /// One account of the ledger.
    AccountId
}

impl AccountId {
    /// The wallet of a user.
    pub fn wallet(user: &UserId) -> Self {
        Self(derive(&["account", "wallet", user.as_str()]))
    }

    /// The escrow of a packet: holds the money between send and claim or refund.
    pub fn escrow(packet: PacketId) -> Self {
        Self(derive(&["account", "escrow", &packet.to_string()]))
    }

    /// The suspense account of a user: holds what could not be paid to the wallet.
    pub fn suspense(user: &UserId) -> Self {
        Self(derive(&["account", "suspense", user.as_str()]))
    }

    /// The world outside, the only account that may go below zero (MONEY-2).
    pub fn external() -> Self {
        Self(derive(&["account", "external"]))
    }
}

derived_id! {
    /// One transfer: one debit, one credit, one amount (MONEY-1), applied at most once (MONEY-3).
    TransferId
}

impl TransferId {
    /// Money from the world outside into a user's wallet, asked for under `request`.
    pub fn deposit(user: &UserId, request: &RequestId) -> Self {
        Self(derive(&["transfer", "deposit", user.as_str(), request.as_str()]))
    }

    /// A packet's whole total, sender → escrow.
    pub fn fund(packet: PacketId) -> Self {
        Self(derive(&["transfer", "fund", &packet.to_string()]))
    }

    /// One claim, escrow → receiver.
    pub fn settle(packet: PacketId, share_no: u32) -> Self {
        Self(derive(&[
            "transfer",
            "settle",
            &packet.to_string(),
            &share_no.to_string(),
        ]))
    }

    /// Stands for a claim that cannot be paid under its own id, because it cannot be read or contradicts an earlier one.
    pub fn unpayable(partition: Partition, seq: i64) -> Self {
        let (partition, seq) = (partition.index().to_string(), seq.to_string());
        Self(derive(&["transfer", "unpayable", &partition, &seq]))
    }

    /// Stands for something that reconciliation found and that is about no transfer: `kind` of difference, `subject` of it.
    pub fn finding(kind: &str, subject: &str) -> Self {
        Self(derive(&["transfer", "finding", kind, subject]))
    }

    /// What nobody took, escrow → sender (CLOSE-1).
    pub fn refund(packet: PacketId) -> Self {
        Self(derive(&["transfer", "refund", &packet.to_string()]))
    }

    /// The second leg of `original`, whose money waits in suspense: on to a wallet, by an operator's decision. One id for
    /// all attempts and targets, so that the ledger lets at most one of them through (MONEY-3). The first leg, out of
    /// escrow, has the id of `original` itself, whichever way it goes.
    pub fn repair(original: Self) -> Self {
        Self(derive(&["transfer", "repair", &original.to_string()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_same_fact_is_the_same_id_and_no_other() {
        let (user, request): (UserId, RequestId) = ("a".parse().unwrap(), "a".parse().unwrap());
        let packet = PacketId::new(1, &[0; 10]);
        let fund = TransferId::fund(packet);
        assert_eq!(fund, TransferId::fund(packet));
        let all = [
            AccountId::wallet(&user).as_uuid(),
            AccountId::suspense(&user).as_uuid(),
            AccountId::escrow(packet).as_uuid(),
            AccountId::external().as_uuid(),
            TransferId::deposit(&user, &request).as_uuid(),
            fund.as_uuid(),
            TransferId::refund(packet).as_uuid(),
            TransferId::settle(packet, 1).as_uuid(),
            TransferId::settle(packet, 11).as_uuid(),
            TransferId::unpayable(packet.partition(Partition::DEFAULT_COUNT), 1).as_uuid(),
            TransferId::repair(fund).as_uuid(),
        ];
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }

    /// Stored rows carry these ids: the derivation may never change.
    #[test]
    fn the_derivation_is_fixed() {
        assert_eq!(NAMESPACE, Uuid::new_v5(&Uuid::NAMESPACE_DNS, b"hongbao"));
        assert_eq!(
            AccountId::external().to_string(),
            "c25f7dc9-4036-5a55-ba8e-ddd8cc9b2035"
        );
    }
}
