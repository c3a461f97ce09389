//! ID-1, CLOSE-1: what becomes of each packet, and that a request becomes one.

use std::collections::BTreeMap;

use id::{PacketId, RequestId, UserId};
use packet::{
    domain::{Closed, Packet, Phase, State},
    store::memory::Snapshot,
};

use super::{Book, claims, ledger};

/// Packets as the auditor has them.
#[derive(Default)]
pub struct Picture {
    sent: BTreeMap<PacketId, Sent>,
    requests: BTreeMap<(UserId, RequestId), PacketId>,
}

/// A packet that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// By whom.
    pub sender: UserId,
    /// What it should hold.
    pub total_fen: i64,
    /// Whether it will never be funded.
    pub rejected: bool,
    state: State,
    seed: Vec<u8>,
}

impl Picture {
    /// A packet that was sent.
    pub fn sent(&self, packet: PacketId) -> Option<&Sent> {
        self.sent.get(&packet)
    }

    /// All that were sent.
    pub fn all(&self) -> impl Iterator<Item = (PacketId, &Sent)> {
        self.sent.iter().map(|(packet, sent)| (*packet, sent))
    }

    /// The packet of a request.
    pub fn of_request(&self, sender: &UserId, request: &RequestId) -> Option<PacketId> {
        self.requests.get(&(sender.clone(), request.clone())).copied()
    }

    pub fn look(&mut self, rows: &Snapshot, claims: &claims::Picture, ledger: &ledger::Picture, book: &Book<'_>) {
        for row in &rows.requests {
            let request = (row.reserved.sender_id.clone(), row.reserved.request_id.clone());
            let packet = row.reserved.packet_id;
            let first = *self.requests.entry(request).or_insert(packet);
            book.hold("ID-1", first == packet, || {
                format!("request {} became {first} and {packet}", row.reserved.request_id)
            });
        }
        for row in &rows.packets {
            let (packet, id) = (&row.packet, row.packet.id());
            let before = self.sent.get(&id);
            if let Some(before) = before {
                let same = before.seed == packet.seed.as_bytes()
                    && before.sender == packet.terms.sender_id
                    && before.total_fen == packet.terms.total_fen;
                book.hold("SEED-1", same, || format!("what was promised of {id} was changed"));
            }
            if before.is_some_and(|before| before.state == packet.state) {
                continue;
            }
            let from = before.map(|before| before.state.clone());
            check_step(id, from.as_ref(), packet, claims, ledger, book);
            let sent = Sent {
                sender: packet.terms.sender_id.clone(),
                total_fen: packet.terms.total_fen,
                rejected: matches!(packet.state, State::Rejected(_)),
                state: packet.state.clone(),
                seed: packet.seed.as_bytes().to_vec(),
            };
            self.sent.insert(id, sent);
        }
        book.hold("ID-1", rows.packets.len() == self.sent.len(), || {
            "a packet is gone".to_owned()
        });
    }
}

impl Sent {
    /// Where it is in its life.
    pub fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// Whether nothing more happens to it.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Completed { .. } | State::Rejected(_))
    }
}

/// A packet came to a new state: the ways there are, and what must be true there.
fn check_step(
    id: PacketId,
    from: Option<&State>,
    packet: &Packet,
    claims: &claims::Picture,
    ledger: &ledger::Picture,
    book: &Book<'_>,
) {
    let to = &packet.state;
    let way = match (from, to) {
        (None, State::Funding)
        | (Some(State::Funding), State::Active | State::Rejected(_))
        | (Some(State::Active), State::Closing(None))
        | (Some(State::Closing(None)), State::Closing(Some(_))) => true,
        (Some(State::Closing(Some(before))), State::Completed { closed, .. }) => before == closed,
        _ => false,
    };
    book.hold("CLOSE-1", way, || format!("{id} went from {from:?} to {to:?}"));
    match to {
        State::Funding | State::Closing(None) => {}
        State::Rejected(_) => book.hold("ID-1", !ledger.is_funded(id), || {
            format!("{id} is rejected, and was funded")
        }),
        State::Active => {
            book.hold("MONEY-1", ledger.is_funded(id), || {
                format!("{id} is ACTIVE and was not funded")
            });
            let known = claims.total_fen(id) == Some(packet.terms.total_fen);
            book.hold("CLAIM-2", known, || format!("{id} is ACTIVE and grab does not know it"));
        }
        State::Closing(Some(closed)) => check_sums(id, closed, claims, book),
        State::Completed { closed, refunded_fen } => {
            check_sums(id, closed, claims, book);
            let left_fen = packet.terms.total_fen - closed.opened_fen;
            book.hold("CLOSE-1", *refunded_fen == left_fen, || {
                format!("{id} refunds {refunded_fen} of the {left_fen} that are left")
            });
        }
    }
}

fn check_sums(id: PacketId, closed: &Closed, claims: &claims::Picture, book: &Book<'_>) {
    let sums = claims::Sums {
        count: closed.opened_count,
        fen: closed.opened_fen,
    };
    let found = claims.closed(id);
    book.hold("CLOSE-1", found == Some(sums), || {
        format!("{id} counts with {sums:?}, its close found {found:?}")
    });
}
