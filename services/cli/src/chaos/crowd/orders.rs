//! What people send: packets of all kinds, most of which expire while the drill still goes on.

use std::time::Duration;

use clock::{Clock as _, System};
use proto::{
    gateway::v1::SendPacketRequest,
    terms::v1::{Anyone, Audience, Kind, audience::Who},
};
use rand::{RngExt, rngs::StdRng};

use super::{GROUP, is_member, name};

/// The shortest life that a packet may have (packet.proto) …
const SHORT: Duration = Duration::from_secs(1);
/// … and the longest of those that are to expire during the drill.
const LONG: Duration = Duration::from_secs(6);
/// How long the others live: longer than any drill.
const STAYS: Duration = Duration::from_hours(24);
/// What is asked for where something is.
const WORDS: &str = "恭喜发财";

/// A packet from the `n`-th of `people`.
pub fn order(rng: &mut StdRng, n: usize, people: usize, request_id: String) -> SendPacketRequest {
    let (who, share_count) = match rng.random_range(0..20) {
        0..3 => (
            Who::UserId(name((n + rng.random_range(1..people.max(2))) % people.max(1))),
            1,
        ),
        // Who is not in the group may not send to it.
        3..7 if is_member(n) => (Who::GroupId(GROUP.to_owned()), rng.random_range(2..30)),
        _ => (Who::Anyone(Anyone {}), rng.random_range(1..60)),
    };
    let kinds = [Kind::DoubleMean, Kind::Gaussian, Kind::LineCut, Kind::Equal];
    let lifetime = if rng.random_bool(0.7) {
        rng.random_range(SHORT..LONG)
    } else {
        STAYS
    };
    let later = rng.random_bool(0.05).then(|| clock::after(System.now(), SHORT));
    SendPacketRequest {
        request_id,
        kind: kinds[rng.random_range(0..kinds.len())].into(),
        // Down to one fen a share.
        total_fen: i64::from(share_count) * rng.random_range(1..500),
        share_count,
        audience: Some(Audience { who: Some(who) }),
        passphrase: if rng.random_bool(0.15) {
            WORDS.to_owned()
        } else {
            String::new()
        },
        start_time: later.map(clock::to_proto),
        lifetime: prost_types::Duration::try_from(lifetime).ok(),
        ..Default::default()
    }
}
