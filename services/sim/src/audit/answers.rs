//! What clients were told, held against the rows at that moment: CLAIM-3, SEED-1, ID-1.

use std::collections::{BTreeMap, BTreeSet};

use id::{PacketId, RequestId, TransferId, UserId};
use packet::domain::Phase;

use super::Auditor;

/// What clients were told.
#[derive(Default)]
pub struct Picture {
    /// Share and amount, by packet and user.
    claims: BTreeMap<(PacketId, UserId), (u32, i64)>,
    /// The packet, by sender and request.
    sent: BTreeMap<(UserId, RequestId), PacketId>,
    /// Requests that will never be funded.
    rejected: BTreeSet<(UserId, RequestId)>,
}

/// A claim that somebody was told of.
#[derive(Clone, Debug)]
pub struct Told {
    /// The packet.
    pub packet: PacketId,
    /// Whose it is said to be.
    pub user: UserId,
    /// Which share.
    pub share_no: u32,
    /// How much.
    pub amount_fen: i64,
}

impl Auditor {
    /// Somebody was shown an amount: the claim is durable, and nobody was told another one.
    pub fn told_claim(&self, told: &Told) {
        let (picture, book) = (&mut *self.picture(), self.book());
        let Told {
            packet,
            user,
            share_no,
            amount_fen,
        } = told;
        let claim = picture.claims.by_share(*packet, *share_no);
        let durable = claim.is_some_and(|claim| (&claim.user, claim.amount_fen) == (user, *amount_fen));
        book.hold("CLAIM-3", durable, || {
            format!("{told:?} was shown, the rows say {claim:?}")
        });
        let first = *picture
            .answers
            .claims
            .entry((*packet, user.clone()))
            .or_insert((*share_no, *amount_fen));
        book.hold("CLAIM-3", first == (*share_no, *amount_fen), || {
            format!("{user} was told {first:?} and then {told:?}")
        });
    }

    /// Somebody was told that nothing is left.
    pub fn told_exhausted(&self, packet: PacketId) {
        let (picture, book) = (&*self.picture(), self.book());
        let sums = picture.claims.opened(packet);
        book.hold("CLAIM-1", picture.claims.is_exhausted(packet), || {
            format!("{packet} was said to be exhausted with {sums:?} opened")
        });
    }

    /// A sender was told that the request became this packet.
    pub fn told_sent(&self, sender: &UserId, request: &RequestId, packet: PacketId, total_fen: i64) {
        let (picture, book) = (&mut *self.picture(), self.book());
        let key = (sender.clone(), request.clone());
        book.hold("ID-1", !picture.answers.rejected.contains(&key), || {
            format!("request {request} was refused, and then answered with {packet}")
        });
        let first = *picture.answers.sent.entry(key).or_insert(packet);
        book.hold("ID-1", first == packet, || {
            format!("request {request} was answered with {first} and with {packet}")
        });
        let row = picture.packets.sent(packet);
        let right = row.is_some_and(|row| {
            row.total_fen == total_fen
                && row.sender == *sender
                && !matches!(row.phase(), Phase::Funding | Phase::Rejected)
        });
        book.hold("ID-1", right, || {
            format!("request {request} for {total_fen} was answered with {packet}, the rows say {row:?}")
        });
    }

    /// A sender was told that the request will never be funded.
    pub fn told_rejected(&self, sender: &UserId, request: &RequestId) {
        let (picture, book) = (&mut *self.picture(), self.book());
        let key = (sender.clone(), request.clone());
        let sent = picture.answers.sent.get(&key);
        book.hold("ID-1", sent.is_none(), || {
            format!("request {request} was answered with {sent:?}, and then refused")
        });
        picture.answers.rejected.insert(key);
        let packet = picture.packets.of_request(sender, request);
        let funded = packet.is_some_and(|packet| picture.ledger.is_funded(packet));
        book.hold("ID-1", !funded, || {
            format!("request {request} was refused, and is funded as {packet:?}")
        });
    }

    /// A deposit was acknowledged.
    pub fn told_deposited(&self, user: &UserId, request: &RequestId, amount_fen: i64) {
        let (picture, book) = (&*self.picture(), self.book());
        let posted = picture.ledger.transfer(TransferId::deposit(user, request));
        let durable = posted.is_some_and(|posted| posted.amount.get() == amount_fen);
        book.hold("ID-1", durable, || {
            format!("deposit {request} of {amount_fen} was acknowledged, the rows say {posted:?}")
        });
    }

    /// Somebody was shown the seed of a packet, by grab or (`completed`) by packet.
    pub fn told_seed(&self, packet: PacketId, completed: bool) {
        let (picture, book) = (&*self.picture(), self.book());
        let ended = if completed {
            picture
                .packets
                .sent(packet)
                .is_some_and(|row| row.phase() == Phase::Completed)
        } else {
            picture.claims.closed(packet).is_some() || picture.claims.is_exhausted(packet)
        };
        book.hold("SEED-1", ended, || {
            format!("the seed of {packet} was shown before its end")
        });
    }
}

impl Picture {
    /// How many people were shown an amount.
    pub fn count(&self) -> usize {
        self.claims.len()
    }
}
