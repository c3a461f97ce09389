//! What was promised when a packet was sent.

use clock::Timestamp;
use guard::Guard;
use id::{GroupId, PacketId, RequestId, UserId};
use passphrase::PassphraseDigest;
use rand::CryptoRng;
use secrecy::ExposeSecret;
use split::{Kind, Seed};

use super::{Fingerprint, Order, State};

/// Who may grab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The members of a group.
    Group(GroupId),
    /// One person: an exclusive packet.
    User(UserId),
    /// Anyone who has the link.
    Anyone,
}

/// What was promised. Never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The packet.
    pub packet_id: PacketId,
    /// Who sent it and gets back what nobody took.
    pub sender_id: UserId,
    /// How the total is split.
    pub kind: Kind,
    /// The sum of all shares, in fen.
    pub total_fen: i64,
    /// How many shares there are.
    pub share_count: u32,
    /// The most a single share may hold, in fen; `None` where no share could reach a cap.
    pub share_cap_fen: Option<i64>,
    /// Who may grab.
    pub audience: Audience,
    /// From when it may be grabbed.
    pub start_time: Timestamp,
    /// Until when it may be grabbed.
    pub expire_time: Timestamp,
    /// What the sender wrote on it.
    pub greeting: String,
    /// The design of its cover.
    pub cover: String,
}

/// What the first attempt of a send decided beyond what the request says, so that every repeat is the same packet (ID-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The packet that the request became.
    pub packet_id: PacketId,
    /// Who sends.
    pub sender_id: UserId,
    /// The client's name for the send.
    pub request_id: RequestId,
    /// What was asked for.
    pub fingerprint: Fingerprint,
    /// What it counts against the day's sum, in fen.
    pub total_fen: i64,
    /// See [`Terms::share_cap_fen`]; depends on the limits of the hour.
    pub share_cap_fen: Option<i64>,
    /// When it was sent.
    pub create_time: Timestamp,
    /// See [`Terms::start_time`].
    pub start_time: Timestamp,
    /// See [`Terms::expire_time`].
    pub expire_time: Timestamp,
    /// The calendar day it counts for.
    pub day: i64,
}

/// One packet: what was promised, its secrets, and where it is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What was promised.
    pub terms: Terms,
    /// Decides the split; secret until the packet is completed (SEED-1).
    pub seed: Seed,
    /// What binds the sender's side to the seed from the start (SEED-1).
    pub commitment: [u8; 32],
    /// What must be said to grab, as a digest.
    pub passphrase: Option<PassphraseDigest>,
    /// When it was sent.
    pub create_time: Timestamp,
    /// Where it is in its life.
    pub state: State,
}

impl Packet {
    /// A packet as it begins: what was asked for and decided, with a fresh seed.
    pub fn draw(order: &Order, reserved: &Reservation, rng: &mut impl CryptoRng) -> Self {
        let terms = Terms {
            packet_id: reserved.packet_id,
            sender_id: order.sender_id.clone(),
            kind: order.kind,
            total_fen: order.total_fen,
            share_count: order.share_count,
            share_cap_fen: reserved.share_cap_fen,
            audience: order.audience.clone(),
            start_time: reserved.start_time,
            expire_time: reserved.expire_time,
            greeting: order.greeting.clone(),
            cover: order.cover.clone(),
        };
        let seed = Seed::generate(rng);
        let mut salt = [0; passphrase::SALT_LEN];
        rng.fill_bytes(&mut salt);
        Self {
            commitment: terms.commitment(&seed),
            passphrase: order
                .passphrase
                .as_ref()
                .map(|words| PassphraseDigest::new(words.expose_secret(), &salt)),
            create_time: reserved.create_time,
            state: State::Funding,
            terms,
            seed,
        }
    }

    /// The packet's id.
    pub fn id(&self) -> PacketId {
        self.terms.packet_id
    }

    /// The seed, once anyone may know it: at the end (SEED-1).
    pub fn revealed_seed(&self) -> Option<&Seed> {
        let ended = matches!(self.state, State::Completed { .. });
        (ended || !guard::stands(Guard::SeedLast)).then_some(&self.seed)
    }
}

impl Terms {
    /// What is published at once about the split under `seed` (docs/split.md).
    pub fn commitment(&self, seed: &Seed) -> [u8; 32] {
        let packet_id = self.packet_id.as_bytes();
        split::commitment(
            packet_id,
            self.kind,
            self.total_fen,
            self.share_count,
            self.share_cap_fen,
            seed,
        )
    }
}
