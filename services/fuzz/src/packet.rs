//! Requests of the packet service that are understood.

use std::time::Duration;

use clock::Timestamp;
use packet::{
    domain::{DailyLimits, Limits, UtcOffset},
    rpc::convert,
    store::Of,
};
use proto::packet::v1 as pb;

use crate::requests::{self, Parsers, is_name, is_page, is_text, is_uuid};

/// Limits as by default, but for those of a day, which no parser asks for.
fn limits() -> Limits {
    Limits {
        max_share_fen: 20_000,
        max_share_count: 1_000,
        default_lifetime: Duration::from_hours(24),
        daily: DailyLimits {
            count: u32::MAX,
            total_fen: i64::MAX,
        },
        utc_offset: UtcOffset::UTC,
    }
}

/// By message.
pub const PARSERS: Parsers = &[
    ("hongbao.packet.v1.CreatePacketRequest", |name, bytes| {
        let now = Timestamp::UNIX_EPOCH;
        let read = |request: pb::CreatePacketRequest| convert::order(request, &limits(), now);
        requests::parse(name, bytes, read, |request, order| {
            assert!(is_name(order.sender_id.as_str()));
            assert!(is_text(&order.greeting, 100) && is_text(&request.passphrase, 32));
            assert!(order.cover.is_empty() || is_name(&order.cover));
            assert_eq!(order.passphrase.is_none(), request.passphrase.is_empty());
            // What the limits let through can be split.
            if limits().faults(&order.shape(), now).is_empty() {
                let count = i64::from(order.share_count);
                assert!((1..=1_000).contains(&count));
                assert!((count..=count * 20_000).contains(&order.total_fen));
                let cap = order.share_cap_fen;
                assert!(cap == 0 || (cap > 0 && cap.saturating_mul(count) >= order.total_fen));
                let lifetime = order.lifetime.unwrap_or(Duration::from_secs(1));
                assert!((Duration::from_secs(1)..=Duration::from_hours(7 * 24)).contains(&lifetime));
            }
        })
    }),
    ("hongbao.packet.v1.GetPacketRequest", |name, bytes| {
        let read = |request: pb::GetPacketRequest| convert::packet_id(&request);
        requests::parse(name, bytes, read, |request, _| assert!(is_uuid(&request.packet_id)))
    }),
    ("hongbao.packet.v1.BatchGetPacketsRequest", |name, bytes| {
        let read = |request: pb::BatchGetPacketsRequest| convert::packet_ids(&request);
        requests::parse(name, bytes, read, |request, ids| {
            assert!((1..=100).contains(&ids.len()) && ids.len() == request.packet_ids.len());
        })
    }),
    ("hongbao.packet.v1.ListPacketsRequest", |name, bytes| {
        let read = |request: pb::ListPacketsRequest| convert::list(&request);
        requests::parse(name, bytes, read, |request, (of, page)| {
            assert!(is_page(request.page_size, &page, 20, 100));
            match of {
                Of::Sender(user) => assert!(is_name(user.as_str())),
                Of::Group(group) => assert!(is_name(group.as_str())),
            }
        })
    }),
];

/// One request.
pub fn packet(bytes: &[u8]) {
    requests::try_one(PARSERS, bytes);
}
