//! What was promised when the packet was sent.

use clock::Timestamp;
use id::{GroupId, PacketId, UserId};
use money::Fen;
use passphrase::PassphraseDigest;
use split::{Kind, Seed};

/// Who may grab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The members of a group.
    Group(GroupId),
    /// One person: an exclusive packet.
    User(UserId),
    /// Everyone who has the link.
    Anyone,
}

/// The public terms of a packet. They never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The packet.
    pub packet_id: PacketId,
    /// Who sent it.
    pub sender_id: UserId,
    /// How the total is split.
    pub kind: Kind,
    /// The sum of all shares.
    pub total_fen: Fen,
    /// How many shares there are.
    pub share_count: u32,
    /// The most one share may hold, if that is limited.
    pub share_cap_fen: Option<Fen>,
    /// Who may grab.
    pub audience: Audience,
    /// From when it may be grabbed.
    pub start_time: Timestamp,
    /// Until when (exclusive) it may be grabbed.
    pub expire_time: Timestamp,
    /// What the sender wrote on it.
    pub greeting: String,
    /// The design of its cover.
    pub cover: String,
}

/// The terms with the secrets that came with them. Two promises of one packet are either equal or a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// What everyone may know.
    pub terms: Terms,
    /// What decides the split; secret until the packet ends (SEED-1).
    pub seed: Seed,
    /// The digest of the passphrase, if one is needed to grab.
    pub passphrase: Option<PassphraseDigest>,
}
