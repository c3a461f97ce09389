//! Packets for tests.

use std::time::Duration;

use clock::Timestamp;
use id::PacketId;
use rand::{SeedableRng, rngs::StdRng};
use split::Kind;

use super::{Audience, DailyLimits, Limits, Order, Packet, UtcOffset};

/// When fixtures are sent.
pub fn noon() -> Timestamp {
    "2026-02-16T12:00:00Z".parse().unwrap()
}

/// Limits that fixtures keep.
pub fn limits() -> Limits {
    Limits {
        max_share_fen: 20_000,
        max_share_count: 100,
        default_lifetime: Duration::from_hours(24),
        daily: DailyLimits {
            count: 3,
            total_fen: 250,
        },
        utc_offset: UtcOffset::UTC,
    }
}

/// 100 fen in 5 shares from `sender` to anyone.
pub fn order(sender: &str, request: &str) -> Order {
    Order {
        request_id: request.parse().unwrap(),
        sender_id: sender.parse().unwrap(),
        kind: Kind::DoubleMean,
        total_fen: 100,
        share_count: 5,
        share_cap_fen: 0,
        audience: Audience::Anyone,
        passphrase: None,
        start_time: None,
        lifetime: None,
        greeting: "恭喜发财".to_owned(),
        cover: "dragon".to_owned(),
    }
}

/// The packet number `number` of an order, as drawn.
pub fn packet_of(order: &Order, number: u8) -> Packet {
    let at = noon();
    let id = PacketId::new(at.as_millisecond().unsigned_abs(), &[number; 10]);
    let reserved = limits().decide(order, id, at);
    Packet::draw(order, &reserved, &mut StdRng::seed_from_u64(u64::from(number)))
}

/// A packet as it begins: 100 fen in 5 shares.
pub fn packet() -> Packet {
    packet_of(&order("alice", "r1"), 1)
}
