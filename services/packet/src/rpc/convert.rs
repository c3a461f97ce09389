//! Requests → domain, with every violation at once; domain → responses.

use std::time::Duration;

use clock::Timestamp;
use id::PacketId;
use paging::Page;
use proto::{
    packet::v1::{
        self as packet_v1, BatchGetPacketsRequest, CreatePacketRequest, GetPacketRequest, ListPacketsRequest,
        list_packets_request,
    },
    terms::v1::{self as terms_v1, audience::Who},
};
use secrecy::SecretString;
use split::Kind;
use status::{Violations, check_count, check_text};
use tonic::Status;

use crate::{
    domain::{Audience, Limits, Order, Packet, Phase, Shape, State},
    store::Of,
    wire,
};

/// Longest greeting, in characters (packet.proto).
const MAX_GREETING: usize = 100;
/// Longest passphrase, in characters (packet.proto).
const MAX_PASSPHRASE: usize = 32;
/// Longest name of a cover (packet.proto).
const MAX_COVER: usize = 64;
/// Most packets in one `BatchGetPackets` (packet.proto).
const MAX_BATCH: usize = 100;
/// Sizes of a page of `ListPackets` (packet.proto).
const PAGE: paging::Limits = paging::Limits { default: 20, max: 100 };

/// A well-formed order. If it is malformed, what breaks the limits is told along with it; a well-formed order is held
/// against them later, because a repeated one is not.
pub fn order(request: CreatePacketRequest, limits: &Limits, now: Timestamp) -> Result<Order, Status> {
    let mut violations = Violations::default();
    let request_id = violations.parse("request_id", &request.request_id);
    let sender_id = violations.parse("sender_id", &request.sender_id);
    let kind = kind(&mut violations, request.kind);
    let audience = audience(&mut violations, request.audience.as_ref());
    check_text(&mut violations, "passphrase", &request.passphrase, MAX_PASSPHRASE);
    let start_time = optional(request.start_time.as_ref(), clock::from_proto);
    let start_time = start_time.unwrap_or_else(|| {
        violations.add("start_time", "must be a valid timestamp");
        None
    });
    let lifetime = optional(request.lifetime.as_ref(), duration);
    let lifetime = lifetime.unwrap_or_else(|| {
        violations.add("lifetime", "must be a valid duration of 1 second to 7 days");
        None
    });
    check_text(&mut violations, "greeting", &request.greeting, MAX_GREETING);
    let cover_fits = request.cover.len() <= MAX_COVER
        && request
            .cover
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    violations.check(cover_fits, "cover", "must be empty or 1 to 64 of A-Z a-z 0-9 _ -");

    if !violations.is_empty() {
        let shape = Shape {
            total_fen: request.total_fen,
            share_count: request.share_count,
            share_cap_fen: request.share_cap_fen,
            exclusive: matches!(audience, Some(Audience::User(_))),
            start_time,
            lifetime,
        };
        for fault in limits.faults(&shape, now) {
            violations.add(fault.field, fault.why);
        }
    }
    violations.finish_with(request_id.zip(sender_id).zip(kind).zip(audience).map(
        |(((request_id, sender_id), kind), audience)| {
            Order {
                request_id,
                sender_id,
                kind,
                total_fen: request.total_fen,
                share_count: request.share_count,
                share_cap_fen: request.share_cap_fen,
                audience,
                passphrase: Some(request.passphrase)
                    .filter(|words| !words.is_empty())
                    .map(SecretString::from),
                start_time,
                lifetime,
                greeting: request.greeting,
                cover: request.cover,
            }
        },
    ))
}

/// What is not given is `Some(None)`, what is malformed `None`.
#[expect(clippy::option_option, reason = "the two absences differ")]
fn optional<P, T>(given: Option<&P>, read: impl Fn(&P) -> Option<T>) -> Option<Option<T>> {
    match given {
        Some(given) => read(given).map(Some),
        None => Some(None),
    }
}

/// A span that is not negative, cut to microseconds.
fn duration(span: &prost_types::Duration) -> Option<Duration> {
    let nanos = u32::try_from(span.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(span.seconds).ok()?, nanos / 1_000 * 1_000))
}

fn kind(violations: &mut Violations, kind: i32) -> Option<Kind> {
    match terms_v1::Kind::try_from(kind) {
        Ok(terms_v1::Kind::Unspecified | terms_v1::Kind::DoubleMean) => Some(Kind::DoubleMean),
        Ok(terms_v1::Kind::Gaussian) => Some(Kind::Gaussian),
        Ok(terms_v1::Kind::LineCut) => Some(Kind::LineCut),
        Ok(terms_v1::Kind::Equal) => Some(Kind::Equal),
        Err(_) => {
            violations.add("kind", "must be one of the kinds of hongbao.terms.v1.Kind");
            None
        }
    }
}

fn audience(violations: &mut Violations, audience: Option<&terms_v1::Audience>) -> Option<Audience> {
    match violations.require("audience", audience.and_then(|audience| audience.who.as_ref()))? {
        Who::GroupId(group) => violations.parse("audience.group_id", group).map(Audience::Group),
        Who::UserId(user) => violations.parse("audience.user_id", user).map(Audience::User),
        Who::Anyone(_) => Some(Audience::Anyone),
    }
}

/// The packet asked for.
pub fn packet_id(request: &GetPacketRequest) -> Result<PacketId, Status> {
    let mut violations = Violations::default();
    let id = violations.parse("packet_id", &request.packet_id);
    violations.finish_with(id)
}

/// The packets asked for.
pub fn packet_ids(request: &BatchGetPacketsRequest) -> Result<Vec<PacketId>, Status> {
    let mut violations = Violations::default();
    check_count(&mut violations, "packet_ids", request.packet_ids.len(), MAX_BATCH);
    // A list that is too long is refused as a whole, not item by item.
    let ids = request.packet_ids.iter().take(MAX_BATCH).enumerate();
    let ids = ids
        .filter_map(|(at, id)| violations.parse(&format!("packet_ids[{at}]"), id))
        .collect();
    violations.finish_with(Some(ids))
}

/// Whose packets, and which page of them.
pub fn list(request: &ListPacketsRequest) -> Result<(Of, Page<PacketId>), Status> {
    let mut violations = Violations::default();
    let of = match &request.of {
        Some(list_packets_request::Of::SenderId(user)) => violations.parse("sender_id", user).map(Of::Sender),
        Some(list_packets_request::Of::GroupId(group)) => violations.parse("group_id", group).map(Of::Group),
        None => {
            violations.add("of", "exactly one of sender_id and group_id must be set");
            None
        }
    };
    let page = Page::parse(&mut violations, request.page_size, &request.page_token, PAGE);
    violations.finish_with(of.zip(page))
}

/// The packet as it may be shown.
pub fn packet(packet: &Packet) -> packet_v1::Packet {
    let closed = packet.state.closed();
    packet_v1::Packet {
        terms: Some(wire::terms(packet)),
        state: state(packet.state.phase()).into(),
        commitment: packet.commitment.to_vec(),
        seed: packet
            .revealed_seed()
            .map(|seed| seed.as_bytes().to_vec())
            .unwrap_or_default(),
        reject_reason: match &packet.state {
            State::Rejected(rejection) => rejection.reason.clone(),
            _ => String::new(),
        },
        create_time: Some(clock::to_proto(packet.create_time)),
        close_time: closed.map(|closed| clock::to_proto(closed.close_time)),
        opened_count: closed.map_or(0, |closed| closed.opened_count),
        opened_fen: closed.map_or(0, |closed| closed.opened_fen),
        refunded_fen: match packet.state {
            State::Completed { refunded_fen, .. } => refunded_fen,
            _ => 0,
        },
    }
}

fn state(phase: Phase) -> packet_v1::State {
    match phase {
        Phase::Funding => packet_v1::State::Funding,
        Phase::Active => packet_v1::State::Active,
        Phase::Rejected => packet_v1::State::Rejected,
        Phase::Closing => packet_v1::State::Closing,
        Phase::Completed => packet_v1::State::Completed,
    }
}
