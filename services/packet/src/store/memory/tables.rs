//! The tables.

use std::collections::BTreeMap;

use clock::Timestamp;
use id::{PacketId, UserId};

use crate::domain::{DailyUse, Packet, Reservation};

/// Everything that is on the disk of the packet service.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    pub(super) packets: BTreeMap<PacketId, PacketRow>,
    /// In order of commit. Rows, and not a map: without the guard of its key, a request is there twice.
    pub(super) requests: Vec<RequestRow>,
    pub(super) days: BTreeMap<(UserId, i64), DailyUse>,
}

/// A packet and when it wants attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketRow {
    /// The packet, with its seed.
    pub packet: Packet,
    /// When it wants attention next; `None`: never again.
    pub due: Option<Timestamp>,
    /// How often driving it failed since it last moved.
    pub attempts: u32,
}

/// A reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// What was reserved.
    pub reserved: Reservation,
    /// Whether it counts in its day.
    pub counted: bool,
}

/// The rows as they are, for an auditor who trusts no query.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// In order of id.
    pub packets: Vec<PacketRow>,
    /// In order of commit.
    pub requests: Vec<RequestRow>,
    /// What was sent, by sender and day.
    pub days: Vec<(UserId, i64, DailyUse)>,
}

impl Tables {
    /// All rows.
    pub fn snapshot(&self) -> Snapshot {
        let days = self.days.iter();
        Snapshot {
            packets: self.packets.values().cloned().collect(),
            requests: self.requests.clone(),
            days: days
                .map(|((sender, day), used)| (sender.clone(), *day, *used))
                .collect(),
        }
    }
}
