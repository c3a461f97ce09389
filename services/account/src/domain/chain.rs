//! The hash chain over the ledger's transfers, byte for byte as `docs/ledger-chain.md` has it.
//!
//! A posting leaves the digests of its transfers; a seal covers the next of them, up to [`MAX_MEMBERS`], and the seal before
//! it. Who notes the chain's [`Head`] outside of the database can tell later whether anything before it was edited, removed,
//! added or moved.

use clock::Timestamp;
use id::TransferId;
use sha2::{Digest, Sha256};

use super::{
    ledger::MAX_BATCH,
    transfer::{Payload, Transfer},
};

/// Most transfers under one seal: a whole batch always fits.
pub const MAX_MEMBERS: usize = MAX_BATCH;
/// What sets the digest of a transfer apart from everything else that is hashed.
const TRANSFER_TAG: &[u8] = b"hongbao/ledger/v1/transfer";
/// What sets the hash of a seal apart.
const SEAL_TAG: &[u8] = b"hongbao/ledger/v1/seal";

/// A SHA-256.
pub type Hash = [u8; 32];

/// A transfer's place in the chain: its id and the digest of everything that was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which transfer.
    pub transfer: TransferId,
    /// See [`digest`].
    pub digest: Hash,
}

/// One link of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Its number, from 1, gapless.
    pub seal_no: i64,
    /// The position of its first member in the whole chain, from 1, gapless.
    pub first_position: i64,
    /// How many members it has.
    pub member_count: i64,
    /// Over the seal before it and its members, in order.
    pub hash: Hash,
}

/// The end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The newest seal; 0 before the first.
    pub seal_no: i64,
    /// How many transfers are sealed.
    pub transfer_count: i64,
    /// The newest seal's hash; zeros before the first.
    pub hash: Hash,
}

/// What a sealing came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// This many transfers are under a new seal.
    Sealed(i64),
    /// Nothing waits for one.
    Idle,
    /// Another instance is at it.
    Elsewhere,
}

impl Member {
    /// How many bytes [`pack`] needs for one.
    pub const BYTES: usize = 48;

    /// The member that a transfer posted at `at` is.
    pub fn of(transfer: &Transfer, at: Timestamp) -> Self {
        Self {
            transfer: transfer.id,
            digest: digest(transfer.id, &transfer.payload(), at),
        }
    }
}

/// Everything that was posted, in 32 bytes.
pub fn digest(id: TransferId, payload: &Payload, at: Timestamp) -> Hash {
    let packet = payload.packet.map(|packet| packet.as_uuid());
    Sha256::new()
        .chain_update(TRANSFER_TAG)
        .chain_update(id.as_uuid().as_bytes())
        .chain_update(payload.debit.as_uuid().as_bytes())
        .chain_update(payload.credit.as_uuid().as_bytes())
        .chain_update(payload.amount.get().to_be_bytes())
        .chain_update([payload.reason.code()])
        .chain_update(packet.unwrap_or_default().as_bytes())
        .chain_update(at.as_microsecond().to_be_bytes())
        .finalize()
        .into()
}

impl Head {
    /// The beginning of every chain.
    pub const GENESIS: Self = Self {
        seal_no: 0,
        transfer_count: 0,
        hash: [0; 32],
    };

    /// The seal that puts `members` behind this head.
    pub fn seal<'a>(&self, members: impl IntoIterator<Item = &'a Member>) -> Seal {
        let (seal_no, first_position) = (self.seal_no.saturating_add(1), self.transfer_count.saturating_add(1));
        let mut digests = Sha256::new()
            .chain_update(SEAL_TAG)
            .chain_update(self.hash)
            .chain_update(seal_no.to_be_bytes())
            .chain_update(first_position.to_be_bytes());
        let mut member_count: i64 = 0;
        for member in members {
            digests.update(member.digest);
            member_count = member_count.saturating_add(1);
        }
        Seal {
            seal_no,
            first_position,
            member_count,
            hash: digests.finalize().into(),
        }
    }

    /// The head that `seal` is.
    pub fn of(seal: &Seal) -> Self {
        Self {
            seal_no: seal.seal_no,
            transfer_count: seal.first_position.saturating_add(seal.member_count).saturating_sub(1),
            hash: seal.hash,
        }
    }
}

/// Members as bytes: for each its id, then its digest.
pub fn pack(members: &[Member]) -> Vec<u8> {
    members
        .iter()
        .flat_map(|member| [member.transfer.as_uuid().as_bytes(), &member.digest[..]].concat())
        .collect()
}

/// The members in `bytes`; `None` if it is not whole ones.
pub fn unpack(bytes: &[u8]) -> Option<Vec<Member>> {
    let (members, rest) = bytes.as_chunks::<{ Member::BYTES }>();
    if !rest.is_empty() {
        return None;
    }
    let member = |bytes: &[u8; Member::BYTES]| {
        let (id, digest) = bytes.split_first_chunk::<16>()?;
        Some(Member {
            transfer: uuid::Uuid::from_bytes(*id).into(),
            digest: digest.try_into().ok()?,
        })
    };
    members.iter().map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{account::AccountRef, transfer::Reason};
    use clock::from_micros;
    use id::PacketId;
    use money::Fen;

    const PAGE: &str = include_str!("../../../../docs/ledger-chain.md");

    /// The value of the line `name = value` on the page.
    fn vector(name: &str) -> String {
        let line = PAGE
            .lines()
            .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(" = "));
        line.unwrap_or_else(|| panic!("the page has no {name}")).to_owned()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    fn transfers() -> [Transfer; 2] {
        let packet: PacketId = "018bcfe5-6800-7a01-8101-010101010101".parse().unwrap();
        let wallet = |name: &str| AccountRef::Wallet(name.parse().unwrap());
        [
            Transfer {
                id: TransferId::deposit(&"alice".parse().unwrap(), &"r-1".parse().unwrap()),
                debit: AccountRef::External,
                credit: wallet("alice"),
                amount: Fen::new(10_000),
                reason: Reason::Deposit,
                packet: None,
            },
            Transfer {
                id: TransferId::fund(packet),
                debit: wallet("alice"),
                credit: AccountRef::Escrow(packet),
                amount: Fen::new(500),
                reason: Reason::Fund,
                packet: Some(packet),
            },
        ]
    }

    #[test]
    fn the_page_tells_what_is_computed() {
        let at = from_micros(1_700_000_000_000_000);
        let [deposit, fund] = transfers().map(|transfer| Member::of(&transfer, at));
        let first = Head::GENESIS.seal(&[deposit]);
        let second = Head::of(&first).seal(&[fund]);
        let both = Head::GENESIS.seal(&[deposit, fund]);
        for (name, id) in [("deposit id", deposit), ("fund id", fund)] {
            assert_eq!(vector(name), id.transfer.to_string(), "{name}");
        }
        for (name, found) in [
            ("deposit digest", deposit.digest),
            ("fund digest", fund.digest),
            ("seal 1 hash", first.hash),
            ("seal 2 hash", second.hash),
            ("seal of both hash", both.hash),
        ] {
            assert_eq!(vector(name), hex(&found), "{name}");
        }
        assert_eq!((second.seal_no, second.first_position, second.member_count), (2, 2, 1));
        assert_eq!((both.seal_no, both.first_position, both.member_count), (1, 1, 2));
        assert_eq!(Head::of(&both).transfer_count, 2);
    }

    #[test]
    fn every_fact_of_a_transfer_counts() {
        let at = from_micros(1_700_000_000_000_000);
        let [_, fund] = transfers();
        let member = Member::of(&fund, at);
        let other = AccountRef::Suspense("bob".parse().unwrap());
        let changed = [
            Transfer {
                id: TransferId::refund(fund.packet.unwrap()),
                ..fund.clone()
            },
            Transfer {
                debit: other.clone(),
                ..fund.clone()
            },
            Transfer {
                credit: other,
                ..fund.clone()
            },
            Transfer {
                amount: Fen::new(501),
                ..fund.clone()
            },
            Transfer {
                reason: Reason::Settle,
                ..fund.clone()
            },
            Transfer {
                packet: None,
                ..fund.clone()
            },
        ];
        for changed in changed {
            assert_ne!(Member::of(&changed, at).digest, member.digest, "{changed:?}");
        }
        assert_ne!(
            Member::of(&fund, from_micros(1_700_000_000_000_001)).digest,
            member.digest
        );
    }

    #[test]
    fn the_order_of_members_and_what_was_before_count() {
        let at = from_micros(1);
        let [a, b] = transfers().map(|transfer| Member::of(&transfer, at));
        let seal = Head::GENESIS.seal(&[a, b]);
        assert_ne!(Head::GENESIS.seal(&[b, a]).hash, seal.hash);
        let elsewhere = Head {
            hash: [1; 32],
            ..Head::GENESIS
        };
        assert_ne!(elsewhere.seal(&[a, b]).hash, seal.hash);
        let later = Head {
            transfer_count: 1,
            ..Head::GENESIS
        };
        assert_ne!(later.seal(&[a, b]).hash, seal.hash);
    }

    #[test]
    fn members_come_back_from_bytes() {
        let members = transfers().map(|transfer| Member::of(&transfer, from_micros(1)));
        let bytes = pack(&members);
        assert_eq!(unpack(&bytes).unwrap(), members);
        assert_eq!(unpack(&[]), Some(Vec::new()));
        assert_eq!(unpack(&bytes[1..]), None);
    }
}
