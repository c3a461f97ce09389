//! Rows ⇄ domain. A row that says what no packet can say is [`sql::Error::Inconsistent`].

use std::{fmt::Display, str::FromStr};

use ::sql::{Error, Result};
use clock::Timestamp;
use id::PacketId;
use passphrase::PassphraseDigest;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};
use split::{Kind, Seed};

use super::entity::{packets, send_requests};
use crate::domain::{Audience, Closed, Packet, Phase, Rejection, Reservation, State, Terms};

/// The number of a phase in SQL: that of `hongbao.packet.v1.State`.
pub fn phase_code(phase: Phase) -> i16 {
    match phase {
        Phase::Funding => 1,
        Phase::Active => 2,
        Phase::Rejected => 3,
        Phase::Closing => 4,
        Phase::Completed => 5,
    }
}

fn name<T: FromStr<Err: Display>>(text: &str) -> Result<T> {
    text.parse()
        .map_err(|fault| Error::inconsistent(format_args!("`{text}` {fault}")))
}

fn exactly<const N: usize>(bytes: &[u8], what: &str) -> Result<[u8; N]> {
    bytes
        .try_into()
        .map_err(|_| Error::inconsistent(format_args!("{what} of {} bytes", bytes.len())))
}

fn count(value: i32) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::inconsistent(format_args!("a count of {value}")))
}

/// A count for SQL. Counts are at most `split::MAX_SHARE_COUNT`, a million.
pub fn count_code(value: u32) -> Result<i32> {
    i32::try_from(value).map_err(|_| Error::inconsistent(format_args!("a count of {value}")))
}

pub fn packet(row: packets::Model) -> Result<Packet> {
    let id = row.packet_id;
    read(row).map_err(|fault| Error::inconsistent(format_args!("packet {id}: {fault}")))
}

fn read(row: packets::Model) -> Result<Packet> {
    let state = state(&row)?;
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| i16::from(kind.code()) == row.kind)
        .ok_or_else(|| Error::inconsistent(format_args!("kind {}", row.kind)))?;
    let audience = match (&row.group_id, &row.receiver_id) {
        (Some(group), None) => Audience::Group(name(group)?),
        (None, Some(user)) => Audience::User(name(user)?),
        (None, None) => Audience::Anyone,
        (Some(_), Some(_)) => return Err(Error::inconsistent("two audiences")),
    };
    let passphrase = row
        .passphrase_digest
        .map(|bytes| PassphraseDigest::from_bytes(&bytes).ok_or_else(|| Error::inconsistent("a passphrase digest")))
        .transpose()?;
    Ok(Packet {
        terms: Terms {
            packet_id: PacketId::from(row.packet_id),
            sender_id: name(&row.sender_id)?,
            kind,
            total_fen: row.total_fen,
            share_count: count(row.share_count)?,
            share_cap_fen: row.share_cap_fen,
            audience,
            start_time: clock::from_micros(row.start_us),
            expire_time: clock::from_micros(row.expire_us),
            greeting: row.greeting,
            cover: row.cover,
        },
        seed: Seed::from_bytes(exactly(&row.seed, "a seed")?),
        commitment: exactly(&row.commitment, "a commitment")?,
        passphrase,
        create_time: clock::from_micros(row.create_us),
        state,
    })
}

fn state(row: &packets::Model) -> Result<State> {
    let missing = || Error::inconsistent(format_args!("state {} with columns missing", row.state));
    let closed = match (row.opened_count, row.opened_fen, row.close_us) {
        (None, None, None) => None,
        (Some(opened_count), Some(opened_fen), Some(close_us)) => Some(Closed {
            opened_count: count(opened_count)?,
            opened_fen,
            close_time: clock::from_micros(close_us),
        }),
        _ => return Err(missing()),
    };
    Ok(match row.state {
        1 => State::Funding,
        2 => State::Active,
        3 => State::Rejected(Rejection {
            reason: row.reject_reason.clone().ok_or_else(missing)?,
            balance_fen: row.reject_balance_fen,
        }),
        4 => State::Closing(closed),
        5 => State::Completed {
            closed: closed.ok_or_else(missing)?,
            refunded_fen: row.refunded_fen.ok_or_else(missing)?,
        },
        other => return Err(Error::inconsistent(format_args!("state {other}"))),
    })
}

/// The row of a packet that was just drawn.
pub fn packet_row(packet: &Packet, due: Timestamp) -> Result<packets::ActiveModel> {
    let Packet { terms, .. } = packet;
    let (group_id, receiver_id) = match &terms.audience {
        Audience::Group(group) => (Some(group.clone().into()), None),
        Audience::User(user) => (None, Some(user.clone().into())),
        Audience::Anyone => (None, None),
    };
    let mut row = packets::Model {
        packet_id: terms.packet_id.as_uuid(),
        sender_id: terms.sender_id.clone().into(),
        kind: terms.kind.code().into(),
        total_fen: terms.total_fen,
        share_count: count_code(terms.share_count)?,
        share_cap_fen: terms.share_cap_fen,
        group_id,
        receiver_id,
        start_us: terms.start_time.as_microsecond(),
        expire_us: terms.expire_time.as_microsecond(),
        greeting: terms.greeting.clone(),
        cover: terms.cover.clone(),
        seed: packet.seed.as_bytes().to_vec(),
        commitment: packet.commitment.to_vec(),
        passphrase_digest: packet.passphrase.map(|digest| digest.as_bytes().to_vec()),
        create_us: packet.create_time.as_microsecond(),
        state: 0,
        reject_reason: None,
        reject_balance_fen: None,
        close_us: None,
        opened_count: None,
        opened_fen: None,
        refunded_fen: None,
        due_us: Some(due.as_microsecond()),
        attempts: 0,
    }
    .into_active_model()
    .reset_all();
    set_state(&mut row, &packet.state)?;
    Ok(row)
}

/// Sets the columns that `state` is about.
pub fn set_state(row: &mut packets::ActiveModel, state: &State) -> Result<()> {
    row.state = Set(phase_code(state.phase()));
    if let Some(closed) = state.closed() {
        row.opened_count = Set(Some(count_code(closed.opened_count)?));
        row.opened_fen = Set(Some(closed.opened_fen));
        row.close_us = Set(Some(closed.close_time.as_microsecond()));
    }
    match state {
        State::Rejected(rejection) => {
            row.reject_reason = Set(Some(rejection.reason.clone()));
            row.reject_balance_fen = Set(rejection.balance_fen);
        }
        State::Completed { refunded_fen, .. } => row.refunded_fen = Set(Some(*refunded_fen)),
        State::Funding | State::Active | State::Closing(_) => {}
    }
    Ok(())
}

pub fn reservation(row: &send_requests::Model) -> Result<Reservation> {
    Ok(Reservation {
        packet_id: PacketId::from(row.packet_id),
        sender_id: name(&row.sender_id)?,
        request_id: name(&row.request_id)?,
        fingerprint: exactly(&row.fingerprint, "a fingerprint")?.into(),
        total_fen: row.total_fen,
        share_cap_fen: row.share_cap_fen,
        create_time: clock::from_micros(row.create_us),
        start_time: clock::from_micros(row.start_us),
        expire_time: clock::from_micros(row.expire_us),
        day: row.day,
    })
}

/// The row of a reservation that counts in its day.
pub fn reservation_row(reserved: &Reservation) -> send_requests::ActiveModel {
    send_requests::Model {
        sender_id: reserved.sender_id.clone().into(),
        request_id: reserved.request_id.clone().into(),
        packet_id: reserved.packet_id.as_uuid(),
        fingerprint: reserved.fingerprint.as_bytes().to_vec(),
        total_fen: reserved.total_fen,
        share_cap_fen: reserved.share_cap_fen,
        create_us: reserved.create_time.as_microsecond(),
        start_us: reserved.start_time.as_microsecond(),
        expire_us: reserved.expire_time.as_microsecond(),
        day: reserved.day,
        counted: true,
    }
    .into_active_model()
    .reset_all()
}
