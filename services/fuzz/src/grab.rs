//! Requests of the grab service that are understood.

use std::num::NonZeroU16;

use grab::{domain::terms::Audience, rpc::parse};
use proto::grab::v1 as pb;

use crate::requests::{self, Parsers, is_name, is_page, is_text, is_uuid};

/// As by default.
const PARTITIONS: NonZeroU16 = id::Partition::DEFAULT_COUNT;

/// By message.
pub const PARSERS: Parsers = &[
    ("hongbao.grab.v1.GrabRequest", |name, bytes| {
        requests::parse(name, bytes, parse::grab, |request: &pb::GrabRequest, parsed| {
            assert!(is_uuid(&request.packet_id) && is_name(&request.user_id));
            assert!(is_text(&request.passphrase, 32));
            assert!(parsed.packet_id.to_string().eq_ignore_ascii_case(&request.packet_id));
            assert_eq!(
                (parsed.user_id.as_str(), parsed.open),
                (request.user_id.as_str(), request.open)
            );
        })
    }),
    ("hongbao.grab.v1.OpenRequest", |name, bytes| {
        requests::parse(name, bytes, parse::open, |request: &pb::OpenRequest, parsed| {
            assert!(is_uuid(&request.packet_id) && is_name(&request.user_id) && !request.voucher.is_empty());
            assert_eq!(parsed.voucher, request.voucher);
        })
    }),
    ("hongbao.grab.v1.BatchGrabRequest", |name, bytes| {
        let read = |request: pb::BatchGrabRequest| parse::batch(request.requests);
        requests::parse(name, bytes, read, |_, items| {
            assert!((1..=1_000).contains(&items.len()));
        })
    }),
    ("hongbao.grab.v1.BatchOpenRequest", |name, bytes| {
        let read = |request: pb::BatchOpenRequest| parse::batch(request.requests);
        requests::parse(name, bytes, read, |_, items| {
            assert!((1..=1_000).contains(&items.len()));
        })
    }),
    ("hongbao.grab.v1.ListClaimsRequest", |name, bytes| {
        let read = |request: pb::ListClaimsRequest| parse::list_claims(&request);
        requests::parse(name, bytes, read, |request, (_, page)| {
            assert!(is_uuid(&request.packet_id) && is_page(request.page_size, &page, 100, 1_000));
        })
    }),
    ("hongbao.grab.v1.BatchGetProgressRequest", |name, bytes| {
        let read = |request: pb::BatchGetProgressRequest| parse::progress(&request);
        requests::parse(name, bytes, read, |request, ids| {
            assert!((1..=100).contains(&ids.len()) && ids.len() == request.packet_ids.len());
        })
    }),
    ("hongbao.grab.v1.ListUserClaimsRequest", |name, bytes| {
        let read = |request: pb::ListUserClaimsRequest| parse::list_user_claims(&request);
        requests::parse(name, bytes, read, |request, (_, page)| {
            assert!(is_name(&request.user_id) && is_page(request.page_size, &page, 50, 1_000));
        })
    }),
    ("hongbao.grab.v1.SummarizeUserRequest", |name, bytes| {
        let read = |request: pb::SummarizeUserRequest| parse::summarize(&request);
        requests::parse(name, bytes, read, |request, (_, year)| {
            assert!((2000..=9999).contains(&year) && i64::from(year) == i64::from(request.year));
        })
    }),
    ("hongbao.grab.v1.WatchPacketRequest", |name, bytes| {
        let read = |request: pb::WatchPacketRequest| parse::watch(&request);
        requests::parse(name, bytes, read, |request, _| assert!(is_uuid(&request.packet_id)))
    }),
    ("hongbao.grab.v1.ClosePacketRequest", |name, bytes| {
        let read = |request: pb::ClosePacketRequest| parse::close(&request);
        requests::parse(name, bytes, read, |request, _| assert!(is_uuid(&request.packet_id)))
    }),
    ("hongbao.grab.v1.TailClaimsRequest", |name, bytes| {
        let read = |request: pb::TailClaimsRequest| parse::tail(&request, PARTITIONS);
        requests::parse(name, bytes, read, |request, tail| {
            assert!(request.partition < 64 && [0, 64].contains(&request.partition_count));
            assert!(tail.after_seq >= 0 && (1..=1_000).contains(&tail.max_batch));
        })
    }),
    ("hongbao.grab.v1.PreloadRequest", |name, bytes| {
        requests::parse(name, bytes, parse::preload, |request: &pb::PreloadRequest, promise| {
            let terms = &promise.terms;
            let (total, count) = (terms.total_fen.get(), i64::from(terms.share_count));
            assert!((1..=i64::from(split::MAX_SHARE_COUNT)).contains(&count));
            assert!((count..=split::MAX_TOTAL_FEN).contains(&total));
            if let Some(cap) = terms.share_cap_fen {
                assert!(cap.get() >= 1 && cap.get().saturating_mul(count) >= total);
            }
            assert!(terms.start_time < terms.expire_time);
            assert!(is_text(&terms.greeting, 100) && is_text(&terms.cover, 64));
            assert!(is_name(terms.sender_id.as_str()));
            match &terms.audience {
                Audience::Group(group) => assert!(is_name(group.as_str())),
                Audience::User(user) => assert!(is_name(user.as_str())),
                Audience::Anyone => {}
            }
            assert_eq!(request.passphrase_digest.is_empty(), promise.passphrase.is_none());
            // What is promised can be kept (SEED-1): the packet has all its shares, and they are the total.
            if count <= 100 {
                let packet = grab::domain::packet::Packet::new(promise, PARTITIONS);
                let packet = packet.unwrap_or_else(|fault| panic!("a promise that cannot be kept: {fault}"));
                let shares =
                    (0..packet.share_count()).map(|share_no| packet.amount_fen(share_no).map_or(0, money::Fen::get));
                assert_eq!(shares.sum::<i64>(), total);
            }
        })
    }),
];

/// One request.
pub fn grab(bytes: &[u8]) {
    requests::try_one(PARSERS, bytes);
}
