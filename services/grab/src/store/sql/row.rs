//! Rows to the domain and back. A row that says what no row can say is an error, never a guess.

use std::fmt::Display;

use clock::from_micros;
use id::{PacketId, Partition, UserId};
use money::Fen;
use passphrase::PassphraseDigest;
use sea_orm::Set;
use split::{Kind, Seed};
use sql::{Error, Result};

use super::entity::{claim, head, packet, tally};
use crate::domain::{
    claim::{Claim, Head, Tally},
    terms::{Audience, Promise, Terms},
};

const AUDIENCE_GROUP: i32 = 1;
const AUDIENCE_USER: i32 = 2;
const AUDIENCE_ANYONE: i32 = 3;

fn wrong<E: Display>(what: &'static str, packet_id: impl Display) -> impl FnOnce(E) -> Error {
    move |fault| Error::inconsistent(format!("{what} of packet {packet_id}: {fault}"))
}

/// A partition's number as it is stored. Partitions are below 65,536.
pub fn partition_no(partition: Partition) -> i32 {
    partition.index().into()
}

fn partition(number: i32) -> Result<Partition> {
    u32::try_from(number)
        .ok()
        .and_then(|number| Partition::new(number, std::num::NonZeroU16::MAX))
        .ok_or_else(|| Error::inconsistent(format!("there is no partition {number}")))
}

pub fn to_packet(promise: &Promise, partition: Partition) -> packet::ActiveModel {
    let terms = &promise.terms;
    let (audience, audience_id) = match &terms.audience {
        Audience::Group(group) => (AUDIENCE_GROUP, Some(group.to_string())),
        Audience::User(user) => (AUDIENCE_USER, Some(user.to_string())),
        Audience::Anyone => (AUDIENCE_ANYONE, None),
    };
    packet::ActiveModel {
        packet_id: Set(terms.packet_id.as_uuid()),
        partition_no: Set(partition_no(partition)),
        sender_id: Set(terms.sender_id.to_string()),
        kind: Set(terms.kind.code().into()),
        total_fen: Set(terms.total_fen.get()),
        share_count: Set(terms.share_count.into()),
        share_cap_fen: Set(terms.share_cap_fen.map(Fen::get)),
        audience: Set(audience),
        audience_id: Set(audience_id),
        start_time_us: Set(terms.start_time.as_microsecond()),
        expire_time_us: Set(terms.expire_time.as_microsecond()),
        greeting: Set(terms.greeting.clone()),
        cover: Set(terms.cover.clone()),
        seed: Set(promise.seed.as_bytes().to_vec()),
        passphrase_digest: Set(promise.passphrase.map(|digest| digest.as_bytes().to_vec())),
    }
}

pub fn from_packet(row: packet::Model) -> Result<Promise> {
    let id = row.packet_id;
    let audience = match (row.audience, row.audience_id) {
        (AUDIENCE_GROUP, Some(group)) => Audience::Group(group.parse().map_err(wrong("group", id))?),
        (AUDIENCE_USER, Some(user)) => Audience::User(user.parse().map_err(wrong("audience", id))?),
        (AUDIENCE_ANYONE, None) => Audience::Anyone,
        _ => return Err(wrong("audience", id)("no such audience")),
    };
    let kind = Kind::ALL.into_iter().find(|kind| i32::from(kind.code()) == row.kind);
    let passphrase = match row.passphrase_digest {
        Some(bytes) => Some(PassphraseDigest::from_bytes(&bytes).ok_or_else(|| wrong("digest", id)("wrong length"))?),
        None => None,
    };
    Ok(Promise {
        terms: Terms {
            packet_id: id.into(),
            sender_id: row.sender_id.parse().map_err(wrong("sender", id))?,
            kind: kind.ok_or_else(|| wrong("kind", id)("no such kind"))?,
            total_fen: Fen::new(row.total_fen),
            share_count: row.share_count.try_into().map_err(wrong("share count", id))?,
            share_cap_fen: row.share_cap_fen.map(Fen::new),
            audience,
            start_time: from_micros(row.start_time_us),
            expire_time: from_micros(row.expire_time_us),
            greeting: row.greeting,
            cover: row.cover,
        },
        seed: seed(id, row.seed)?,
        passphrase,
    })
}

pub fn seed(packet_id: sea_orm::prelude::Uuid, bytes: Vec<u8>) -> Result<Seed> {
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| wrong("seed", packet_id)("wrong length"))?;
    Ok(Seed::from_bytes(bytes))
}

pub fn to_tally(packet_id: PacketId, tally: &Tally) -> tally::ActiveModel {
    tally::ActiveModel {
        packet_id: Set(packet_id.as_uuid()),
        opened_count: Set(tally.opened_count.into()),
        opened_fen: Set(tally.opened_fen.get()),
        close_time_us: Set(tally.close_time.map(clock::Timestamp::as_microsecond)),
    }
}

pub fn from_tally(row: &tally::Model) -> Result<Tally> {
    Ok(Tally {
        opened_count: row.opened_count.try_into().map_err(wrong("tally", row.packet_id))?,
        opened_fen: Fen::new(row.opened_fen),
        close_time: row.close_time_us.map(from_micros),
    })
}

pub fn to_claim(claim: Claim) -> claim::ActiveModel {
    claim::ActiveModel {
        partition_no: Set(partition_no(claim.partition)),
        seq: Set(claim.seq),
        packet_id: Set(claim.packet_id.as_uuid()),
        share_no: Set(claim.share_no.into()),
        user_id: Set(claim.user_id.into()),
        amount_fen: Set(claim.amount_fen.get()),
        claim_time_us: Set(claim.claim_time.as_microsecond()),
        luckiest: Set(claim.luckiest),
        sender_id: Set(claim.sender_id.into()),
    }
}

pub fn from_claim(row: claim::Model) -> Result<Claim> {
    let id = row.packet_id;
    let user = |what, text: String| text.parse::<UserId>().map_err(wrong(what, id));
    Ok(Claim {
        packet_id: id.into(),
        share_no: row.share_no.try_into().map_err(wrong("share", id))?,
        user_id: user("claimant", row.user_id)?,
        amount_fen: Fen::new(row.amount_fen),
        claim_time: from_micros(row.claim_time_us),
        partition: partition(row.partition_no)?,
        seq: row.seq,
        luckiest: row.luckiest,
        sender_id: user("sender", row.sender_id)?,
    })
}

pub fn to_head(head: &Head) -> head::ActiveModel {
    head::ActiveModel {
        partition_no: Set(partition_no(head.partition)),
        next_seq: Set(head.next_seq),
        version: Set(head.version),
    }
}

pub fn from_head(row: &head::Model) -> Result<Head> {
    Ok(Head {
        partition: partition(row.partition_no)?,
        next_seq: row.next_seq,
        version: row.version,
    })
}
