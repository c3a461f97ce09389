//! Domain values as they are on the wire, for those who ask (rpc) and those who are asked (peer) alike.

use proto::terms::v1::{self as terms_v1, audience::Who};
use split::Kind;

use crate::domain::{Audience, Packet};

/// A packet's terms.
pub fn terms(packet: &Packet) -> terms_v1::Terms {
    let terms = &packet.terms;
    terms_v1::Terms {
        packet_id: terms.packet_id.to_string(),
        sender_id: terms.sender_id.clone().into(),
        kind: kind(terms.kind).into(),
        total_fen: terms.total_fen,
        share_count: terms.share_count,
        share_cap_fen: terms.share_cap_fen.unwrap_or(0),
        audience: Some(terms_v1::Audience {
            who: Some(match &terms.audience {
                Audience::Group(group) => Who::GroupId(group.clone().into()),
                Audience::User(user) => Who::UserId(user.clone().into()),
                Audience::Anyone => Who::Anyone(terms_v1::Anyone {}),
            }),
        }),
        has_passphrase: packet.passphrase.is_some(),
        start_time: Some(clock::to_proto(terms.start_time)),
        expire_time: Some(clock::to_proto(terms.expire_time)),
        greeting: terms.greeting.clone(),
        cover: terms.cover.clone(),
    }
}

fn kind(kind: Kind) -> terms_v1::Kind {
    match kind {
        Kind::DoubleMean => terms_v1::Kind::DoubleMean,
        Kind::Gaussian => terms_v1::Kind::Gaussian,
        Kind::LineCut => terms_v1::Kind::LineCut,
        Kind::Equal => terms_v1::Kind::Equal,
    }
}
