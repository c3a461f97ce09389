//! A story and books that are sound.

use std::collections::HashSet;

use super::super::{
    books::{Books, Case, Claim, Order, OrderKind, OrderState, Packet, PacketState},
    history::{Asked, Heard, NoShare, Record, Told},
};

pub const START_FEN: i64 = 1_000;
/// When everything is over.
pub const READ_US: i64 = 1_000_000;

/// A packet of two shares from alice: bob opened one for 30 of 100 fen, the other expired; and one of which carol has the
/// only share, which is in suspense because her wallet was frozen.
pub struct World {
    pub records: Vec<Record>,
    pub books: Books,
    pub frozen: HashSet<String>,
}

pub fn record(user: &str, asked: Asked, heard: Heard) -> Record {
    Record {
        began_us: 600_000,
        ended_us: 600_010,
        user: user.to_owned(),
        asked,
        heard,
    }
}

pub fn sent(packet_id: &str, total_fen: i64, share_count: u32) -> Record {
    let asked = Asked::Send {
        request_id: format!("send-{packet_id}"),
        total_fen,
        share_count,
    };
    let packet_id = packet_id.to_owned();
    record("alice", asked, Heard::Sent { packet_id })
}

pub fn told(user: &str, packet_id: &str, share_no: u32, amount_fen: i64) -> Told {
    Told {
        user: user.to_owned(),
        packet_id: packet_id.to_owned(),
        share_no,
        amount_fen,
    }
}

pub fn grab(packet_id: &str) -> Asked {
    Asked::Grab {
        packet_id: packet_id.to_owned(),
        open: true,
    }
}

pub fn claim(user: &str, packet_id: &str, share_no: u32, amount_fen: i64, seq: i64) -> Claim {
    Claim {
        packet_id: packet_id.to_owned(),
        share_no,
        user: user.to_owned(),
        amount_fen,
        partition: 3,
        seq,
    }
}

pub fn order(kind: OrderKind, user: &str, packet_id: &str, share_no: u32, amount_fen: i64) -> Order {
    Order {
        id: format!("{kind:?} {packet_id} {user}"),
        kind,
        state: OrderState::Moved,
        packet_id: packet_id.to_owned(),
        user: user.to_owned(),
        share_no,
        amount_fen,
        updated_us: 700_000,
    }
}

pub fn packet(total_fen: i64, share_count: u32, state: PacketState, expire_us: i64, refunded_fen: i64) -> Packet {
    Packet {
        sender: "alice".to_owned(),
        total_fen,
        share_count,
        state,
        expire_us,
        refunded_fen,
    }
}

pub fn sound() -> World {
    let mut suspended = order(OrderKind::Settle, "carol", "lives", 0, 7);
    suspended.state = OrderState::Suspended;
    let case = Case {
        id: suspended.id.clone(),
        user: "carol".to_owned(),
        open: true,
    };
    let balances = |of: &[(&str, i64)]| of.iter().map(|(owner, fen)| ((*owner).to_owned(), *fen)).collect();
    let books = Books {
        packets: [
            ("ended".to_owned(), packet(100, 2, PacketState::Completed, 500_000, 70)),
            ("lives".to_owned(), packet(9, 2, PacketState::Active, 2_000_000, 0)),
        ]
        .into(),
        claims: vec![claim("bob", "ended", 1, 30, 1), claim("carol", "lives", 0, 7, 2)],
        orders: vec![
            order(OrderKind::Fund, "alice", "ended", 0, 100),
            order(OrderKind::Fund, "alice", "lives", 0, 9),
            order(OrderKind::Settle, "bob", "ended", 1, 30),
            order(OrderKind::Refund, "alice", "ended", 0, 70),
            suspended,
        ],
        cases: vec![case],
        escrows: balances(&[("ended", 0), ("lives", 2)]),
        wallets: balances(&[
            ("alice", START_FEN - 100 + 70 - 9),
            ("bob", START_FEN + 30),
            ("carol", START_FEN),
        ]),
        ..Books::default()
    };
    World {
        records: vec![
            sent("ended", 100, 2),
            sent("lives", 9, 2),
            record("bob", grab("ended"), Heard::Opened(told("bob", "ended", 1, 30))),
            record("dave", grab("ended"), Heard::NoShare(NoShare::Expired)),
            record(
                "dave",
                Asked::Look("claims"),
                Heard::Seen(vec![told("carol", "lives", 0, 7)]),
            ),
        ],
        books,
        frozen: HashSet::from(["carol".to_owned()]),
    }
}
