//! What a sender may ask for.

use std::time::Duration;

use clock::Timestamp;
use id::PacketId;

use super::{DailyLimits, Order, Reservation, UtcOffset};

/// How far ahead a packet may start (packet.proto, `start_time`).
const MAX_AHEAD: Duration = Duration::from_hours(30 * 24);
/// The shortest life of a packet (packet.proto, `lifetime`).
pub const MIN_LIFETIME: Duration = Duration::from_secs(1);
/// The longest life of a packet (packet.proto, `lifetime`).
pub const MAX_LIFETIME: Duration = Duration::from_hours(7 * 24);

/// The configured limits of a send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most a single share may hold, in fen.
    pub max_share_fen: i64,
    /// The most shares a packet may have.
    pub max_share_count: u32,
    /// How long a packet lives if its sender does not say.
    pub default_lifetime: Duration,
    /// What one sender may send in one day.
    pub daily: DailyLimits,
    /// Whose midnight ends a day.
    pub utc_offset: UtcOffset,
}

/// The part of an order that the limits are about.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// See [`Order::total_fen`].
    pub total_fen: i64,
    /// See [`Order::share_count`].
    pub share_count: u32,
    /// See [`Order::share_cap_fen`].
    pub share_cap_fen: i64,
    /// Whether it is for one person.
    pub exclusive: bool,
    /// See [`Order::start_time`].
    pub start_time: Option<Timestamp>,
    /// See [`Order::lifetime`].
    pub lifetime: Option<Duration>,
}

/// One field that breaks a limit, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field of `CreatePacketRequest`.
    pub field: &'static str,
    /// What would be right.
    pub why: String,
}

impl Limits {
    /// Everything in `shape` that breaks a limit, in the order of the fields; empty if nothing does.
    pub fn faults(&self, shape: &Shape, now: Timestamp) -> Vec<Fault> {
        let faults = [
            ("total_fen", self.total_fault(shape)),
            ("share_count", self.count_fault(shape)),
            ("share_cap_fen", self.cap_fault(shape)),
            ("start_time", start_fault(shape, now)),
            ("lifetime", lifetime_fault(shape)),
        ];
        faults
            .into_iter()
            .filter_map(|(field, why)| why.map(|why| Fault { field, why }))
            .collect()
    }

    fn total_fault(&self, shape: &Shape) -> Option<String> {
        // A count out of bounds is a fault of its own; the total is then held against the nearest count that is not.
        let count = i64::from(shape.share_count.clamp(1, self.max_share_count));
        let most = self.max_share_fen.saturating_mul(count);
        (!(count..=most).contains(&shape.total_fen)).then(|| {
            format!(
                "must be {count} to {most} for {count} shares: 1 to {} fen a share",
                self.max_share_fen
            )
        })
    }

    fn count_fault(&self, shape: &Shape) -> Option<String> {
        if !(1..=self.max_share_count).contains(&shape.share_count) {
            Some(format!("must be 1 to {}", self.max_share_count))
        } else if shape.exclusive && shape.share_count != 1 {
            Some("must be 1 for an exclusive packet".to_owned())
        } else {
            None
        }
    }

    fn cap_fault(&self, shape: &Shape) -> Option<String> {
        let (cap_fen, count) = (shape.share_cap_fen, i64::from(shape.share_count));
        if !(0..=self.max_share_fen).contains(&cap_fen) {
            Some(format!("must be 0 to {}", self.max_share_fen))
        } else if cap_fen > 0 && cap_fen.saturating_mul(count) < shape.total_fen {
            Some(format!(
                "{count} shares of at most {cap_fen} fen cannot hold {} fen",
                shape.total_fen
            ))
        } else {
            None
        }
    }

    /// The cap that goes into the terms: what the sender wants or else what is allowed, and `None` where no share could
    /// reach it anyway.
    fn effective_cap(&self, shape: &Shape) -> Option<i64> {
        let cap_fen = match shape.share_cap_fen {
            0 => self.max_share_fen,
            cap_fen => cap_fen,
        };
        (cap_fen < shape.total_fen).then_some(cap_fen)
    }

    /// Decides, once and for all repeats, what the order leaves open. The order must have no [`Limits::faults`].
    pub fn decide(&self, order: &Order, packet_id: PacketId, now: Timestamp) -> Reservation {
        let start_time = order.start_time.map_or(now, |start| start.max(now));
        Reservation {
            packet_id,
            sender_id: order.sender_id.clone(),
            request_id: order.request_id.clone(),
            fingerprint: order.fingerprint(),
            total_fen: order.total_fen,
            share_cap_fen: self.effective_cap(&order.shape()),
            create_time: now,
            start_time,
            expire_time: clock::after(start_time, order.lifetime.unwrap_or(self.default_lifetime)),
            day: self.utc_offset.day(now),
        }
    }
}

fn start_fault(shape: &Shape, now: Timestamp) -> Option<String> {
    let late = shape
        .start_time
        .is_some_and(|start| start > clock::after(now, MAX_AHEAD));
    late.then(|| "must be at most 30 days ahead".to_owned())
}

fn lifetime_fault(shape: &Shape) -> Option<String> {
    let bad = shape
        .lifetime
        .is_some_and(|span| !(MIN_LIFETIME..=MAX_LIFETIME).contains(&span));
    bad.then(|| "must be 1 second to 7 days".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use split::{Kind, Seed};

    const LIMITS: Limits = Limits {
        max_share_fen: 50,
        max_share_count: 10,
        default_lifetime: Duration::from_hours(24),
        daily: DailyLimits {
            count: 5,
            total_fen: 1000,
        },
        utc_offset: UtcOffset::UTC,
    };
    const FINE: Shape = Shape {
        total_fen: 100,
        share_count: 5,
        share_cap_fen: 0,
        exclusive: false,
        start_time: None,
        lifetime: None,
    };

    fn fields(shape: Shape) -> Vec<&'static str> {
        LIMITS
            .faults(&shape, clock::from_micros(0))
            .iter()
            .map(|fault| fault.field)
            .collect()
    }

    fn with(change: fn(&mut Shape)) -> Shape {
        let mut shape = FINE;
        change(&mut shape);
        shape
    }

    /// A change that breaks a limit, and the nearest one that does not.
    type Edge = (&'static str, fn(&mut Shape), fn(&mut Shape));

    const EDGES: [Edge; 11] = [
        ("total_fen", |s| s.total_fen = 4, |s| s.total_fen = 5),
        ("total_fen", |s| s.total_fen = 251, |s| s.total_fen = 250),
        (
            "share_count",
            |s| (s.share_count, s.total_fen) = (0, 1),
            |s| (s.share_count, s.total_fen) = (1, 1),
        ),
        ("share_count", |s| s.share_count = 11, |s| s.share_count = 10),
        (
            "share_count",
            |s| (s.exclusive, s.share_count, s.total_fen) = (true, 2, 9),
            |s| (s.exclusive, s.share_count, s.total_fen) = (true, 1, 9),
        ),
        ("share_cap_fen", |s| s.share_cap_fen = -1, |s| s.share_cap_fen = 0),
        ("share_cap_fen", |s| s.share_cap_fen = 51, |s| s.share_cap_fen = 50),
        ("share_cap_fen", |s| s.share_cap_fen = 19, |s| s.share_cap_fen = 20),
        (
            "start_time",
            |s| s.start_time = Some(clock::from_micros(2_592_000_000_001)),
            |s| s.start_time = Some(clock::from_micros(2_592_000_000_000)),
        ),
        (
            "lifetime",
            |s| s.lifetime = Some(Duration::from_micros(999_999)),
            |s| s.lifetime = Some(Duration::from_secs(1)),
        ),
        (
            "lifetime",
            |s| s.lifetime = Some(MAX_LIFETIME + Duration::from_micros(1)),
            |s| s.lifetime = Some(MAX_LIFETIME),
        ),
    ];

    #[test]
    fn each_limit_is_exact() {
        for (field, wrong, right) in EDGES {
            assert_eq!(fields(with(wrong)), [field], "{:?}", with(wrong));
            assert_eq!(fields(with(right)), [""; 0], "{:?}", with(right));
        }
    }

    #[test]
    fn all_faults_come_at_once() {
        let shape = Shape {
            total_fen: i64::MIN,
            share_count: u32::MAX,
            share_cap_fen: i64::MAX,
            exclusive: true,
            start_time: Some(Timestamp::MAX),
            lifetime: Some(Duration::MAX),
        };
        assert_eq!(
            fields(shape),
            ["total_fen", "share_count", "share_cap_fen", "start_time", "lifetime"]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        /// What passes can be split, whatever the kind, and no share is above what is allowed; what the split refuses
        /// did not pass.
        #[test]
        fn what_passes_can_be_split(
            total_fen in -2..600_i64,
            share_count in 0..13_u32,
            share_cap_fen in prop_oneof![Just(0), -1..60_i64],
            kind in prop::sample::select(&Kind::ALL[..]),
        ) {
            let shape = Shape { total_fen, share_count, share_cap_fen, ..FINE };
            let passes = fields(shape).is_empty();
            let wanted = if share_cap_fen == 0 { LIMITS.max_share_fen } else { share_cap_fen };
            let count = i64::from(share_count);
            let sound = (1..=10).contains(&share_count)
                && (count..=50 * count).contains(&total_fen)
                && (share_cap_fen == 0 || (1..=50).contains(&share_cap_fen))
                && wanted * count >= total_fen;
            prop_assert_eq!(passes, sound);
            if passes {
                let cap_fen = LIMITS.effective_cap(&shape);
                prop_assert_eq!(cap_fen.is_some(), wanted < total_fen);
                let shares = split::split(kind, &Seed::from_bytes([7; 32]), total_fen, share_count, cap_fen).unwrap();
                prop_assert!(shares.iter().all(|share| (1..=wanted).contains(share)), "{:?}", shares);
            }
        }
    }
}
