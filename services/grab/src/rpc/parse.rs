//! Requests from the wire. Everything wrong with one is said at once.

use std::num::NonZeroU16;

use clock::Timestamp;
use id::{PacketId, Partition, UserId};
use money::Fen;
use paging::{Limits, Page};
use passphrase::PassphraseDigest;
use proto::{
    grab::v1 as pb,
    terms::v1::{self as terms_pb, audience::Who},
};
use split::{Kind, Seed};
use status::{Violations, check_count, check_text};
use tonic::Status;

use crate::{
    domain::terms::{Audience, Promise, Terms},
    ops::{feed::Tail, grab, open},
    store::ByTime,
};

/// Items of a batch, at most (the proto says so).
const MAX_BATCH: usize = 1_000;
/// Packets of a `BatchGetProgress`, at most (the proto says so).
const MAX_PROGRESS: usize = 100;
/// The longest passphrase, in characters (the proto of `CreatePacket` says so).
const MAX_PASSPHRASE: usize = 32;
/// The longest greeting, in characters (the proto of `CreatePacket` says so).
const MAX_GREETING: usize = 100;
/// The longest name of a cover, in characters (the proto of `CreatePacket` says so).
const MAX_COVER: usize = 64;
/// Sizes of the pages of a packet's claims.
const CLAIMS: Limits = Limits {
    default: 100,
    max: 1_000,
};
/// Sizes of the pages of a user's claims.
const USER_CLAIMS: Limits = Limits {
    default: 50,
    max: 1_000,
};
/// Claims in one message of `TailClaims` unless asked otherwise, and at most.
const TAIL: Limits = Limits {
    default: 500,
    max: 1_000,
};

pub fn batch<T>(items: Vec<T>) -> Result<Vec<T>, Status> {
    let mut violations = Violations::default();
    check_count(&mut violations, "requests", items.len(), MAX_BATCH);
    violations.finish().map(|()| items)
}

fn packet(violations: &mut Violations, packet_id: &str) -> Option<PacketId> {
    violations.parse("packet_id", packet_id)
}

fn user(violations: &mut Violations, user_id: &str) -> Option<UserId> {
    violations.parse("user_id", user_id)
}

pub fn grab(request: pb::GrabRequest) -> Result<grab::Request, Status> {
    let mut violations = Violations::default();
    let packet_id = packet(&mut violations, &request.packet_id);
    let user_id = user(&mut violations, &request.user_id);
    check_text(&mut violations, "passphrase", &request.passphrase, MAX_PASSPHRASE);
    violations.finish_with(packet_id.zip(user_id).map(|(packet_id, user_id)| grab::Request {
        packet_id,
        user_id,
        passphrase: request.passphrase,
        open: request.open,
    }))
}

pub fn open(request: pb::OpenRequest) -> Result<open::Request, Status> {
    let mut violations = Violations::default();
    let packet_id = packet(&mut violations, &request.packet_id);
    let user_id = user(&mut violations, &request.user_id);
    violations.check(!request.voucher.is_empty(), "voucher", "must be what Grab returned");
    violations.finish_with(packet_id.zip(user_id).map(|(packet_id, user_id)| open::Request {
        packet_id,
        user_id,
        voucher: request.voucher,
    }))
}

pub fn list_claims(request: &pb::ListClaimsRequest) -> Result<(PacketId, Page<i64>), Status> {
    let mut violations = Violations::default();
    let packet_id = packet(&mut violations, &request.packet_id);
    let page = Page::parse(&mut violations, request.page_size, &request.page_token, CLAIMS);
    violations.finish_with(packet_id.zip(page))
}

pub fn progress(request: &pb::BatchGetProgressRequest) -> Result<Vec<PacketId>, Status> {
    let mut violations = Violations::default();
    check_count(&mut violations, "packet_ids", request.packet_ids.len(), MAX_PROGRESS);
    let ids = request.packet_ids.iter().take(MAX_PROGRESS).enumerate();
    let ids: Option<Vec<PacketId>> = ids
        .map(|(n, packet_id)| violations.parse(&format!("packet_ids[{n}]"), packet_id))
        .collect();
    violations.finish_with(ids)
}

pub fn list_user_claims(request: &pb::ListUserClaimsRequest) -> Result<(UserId, Page<ByTime>), Status> {
    let mut violations = Violations::default();
    let user_id = user(&mut violations, &request.user_id);
    let page = Page::parse(&mut violations, request.page_size, &request.page_token, USER_CLAIMS);
    violations.finish_with(user_id.zip(page))
}

pub fn summarize(request: &pb::SummarizeUserRequest) -> Result<(UserId, i16), Status> {
    let mut violations = Violations::default();
    let user_id = user(&mut violations, &request.user_id);
    let year = i16::try_from(request.year)
        .ok()
        .filter(|year| (2000..=9999).contains(year));
    violations.check(year.is_some(), "year", "must be 2000 to 9999");
    violations.finish_with(user_id.zip(year))
}

pub fn watch(request: &pb::WatchPacketRequest) -> Result<PacketId, Status> {
    let mut violations = Violations::default();
    let packet_id = packet(&mut violations, &request.packet_id);
    violations.finish_with(packet_id)
}

pub fn close(request: &pb::ClosePacketRequest) -> Result<PacketId, Status> {
    let mut violations = Violations::default();
    let packet_id = packet(&mut violations, &request.packet_id);
    violations.finish_with(packet_id)
}

pub fn tail(request: &pb::TailClaimsRequest, partitions: NonZeroU16) -> Result<Tail, Status> {
    let mut violations = Violations::default();
    let partition = Partition::new(request.partition, partitions);
    violations.check(partition.is_some(), "partition", format!("must be below {partitions}"));
    violations.check(
        request.partition_count == 0 || request.partition_count == u32::from(partitions.get()),
        "partition_count",
        format!("must be {partitions}, the number of partitions of this log"),
    );
    violations.check(request.after_seq >= 0, "after_seq", "must not be below 0");
    let max_batch = match usize::try_from(request.max_batch) {
        Ok(0) => Some(TAIL.default),
        Ok(max_batch) if max_batch <= TAIL.max => Some(max_batch),
        _ => None,
    };
    let sizes = format!("must be 0 (for {}) to {}", TAIL.default, TAIL.max);
    violations.check(max_batch.is_some(), "max_batch", sizes);
    violations.finish_with(partition.zip(max_batch).map(|(partition, max_batch)| Tail {
        partition,
        after_seq: request.after_seq,
        follow: request.follow,
        max_batch: max_batch as u64,
    }))
}

pub fn preload(request: pb::PreloadRequest) -> Result<Promise, Status> {
    let mut violations = Violations::default();
    let seed: Option<[u8; 32]> = request.seed.try_into().ok();
    violations.check(seed.is_some(), "seed", "must be 32 bytes");
    let digest = request.passphrase_digest;
    let passphrase = PassphraseDigest::from_bytes(&digest);
    let length = format!("must be empty or {} bytes", passphrase::LEN);
    violations.check(digest.is_empty() || passphrase.is_some(), "passphrase_digest", length);
    let terms = violations.require("terms", request.terms).and_then(|terms| {
        let agrees = terms.has_passphrase != digest.is_empty();
        violations.check(
            agrees,
            "terms.has_passphrase",
            "must say whether there is a passphrase_digest",
        );
        self::terms(&mut violations, terms)
    });
    violations.finish_with(terms.zip(seed).map(|(terms, seed)| Promise {
        terms,
        seed: Seed::from_bytes(seed),
        passphrase,
    }))
}

fn terms(violations: &mut Violations, terms: terms_pb::Terms) -> Option<Terms> {
    let packet_id = violations.parse("terms.packet_id", &terms.packet_id);
    let sender_id = violations.parse("terms.sender_id", &terms.sender_id);
    let kind = match terms.kind() {
        terms_pb::Kind::Unspecified => None,
        terms_pb::Kind::DoubleMean => Some(Kind::DoubleMean),
        terms_pb::Kind::Gaussian => Some(Kind::Gaussian),
        terms_pb::Kind::LineCut => Some(Kind::LineCut),
        terms_pb::Kind::Equal => Some(Kind::Equal),
    };
    violations.check(kind.is_some(), "terms.kind", "must be one of the kinds there are");
    let shares = 1..=split::MAX_SHARE_COUNT;
    violations.check(
        shares.contains(&terms.share_count),
        "terms.share_count",
        format!("must be 1 to {}", split::MAX_SHARE_COUNT),
    );
    let total = i64::from(terms.share_count)..=split::MAX_TOTAL_FEN;
    violations.check(
        total.contains(&terms.total_fen),
        "terms.total_fen",
        format!("must be at least share_count and at most {}", split::MAX_TOTAL_FEN),
    );
    let cap = terms.share_cap_fen;
    let holds_total = cap
        .checked_mul(terms.share_count.into())
        .is_none_or(|most| most >= terms.total_fen);
    violations.check(
        cap == 0 || (cap > 0 && holds_total),
        "terms.share_cap_fen",
        "must be 0 (for none), or large enough for all shares together to hold the total",
    );
    let who = violations.require("terms.audience", terms.audience.and_then(|audience| audience.who));
    let audience = who.and_then(|who| match who {
        Who::GroupId(group_id) => violations
            .parse("terms.audience.group_id", &group_id)
            .map(Audience::Group),
        Who::UserId(user_id) => violations.parse("terms.audience.user_id", &user_id).map(Audience::User),
        Who::Anyone(_) => Some(Audience::Anyone),
    });
    let start_time = time(violations, "terms.start_time", terms.start_time);
    let expire_time = time(violations, "terms.expire_time", terms.expire_time);
    let in_order = start_time.zip(expire_time).is_none_or(|(start, expire)| start < expire);
    violations.check(in_order, "terms.expire_time", "must be after start_time");
    check_text(violations, "terms.greeting", &terms.greeting, MAX_GREETING);
    check_text(violations, "terms.cover", &terms.cover, MAX_COVER);
    Some(Terms {
        packet_id: packet_id?,
        sender_id: sender_id?,
        kind: kind?,
        total_fen: Fen::new(terms.total_fen),
        share_count: terms.share_count,
        share_cap_fen: (cap != 0).then_some(Fen::new(cap)),
        audience: audience?,
        start_time: start_time?,
        expire_time: expire_time?,
        greeting: terms.greeting,
        cover: terms.cover,
    })
}

fn time(violations: &mut Violations, field: &str, at: Option<prost_types::Timestamp>) -> Option<Timestamp> {
    let at = violations.require(field, at)?;
    let time = clock::from_proto(&at);
    violations.check(time.is_some(), field, "must be in the years 1 to 9999");
    time
}
