//! The auditor: what must hold, written from the invariants (`ARCHITECTURE.md`) and not from the code.
//!
//! It trusts no query and no rule of any service. After every transaction it reads the raw rows, holds them against what it
//! saw before and against a picture of its own: balances that it computes from the list of transfers, amounts that it splits
//! itself, logs that it numbers itself. And it remembers what clients were told.
//!
//! - [`ledger`]: MONEY-1, MONEY-2, MONEY-3; that every movement stands for a fact.
//! - [`claims`]: CLAIM-1, CLAIM-2, LOG-1, CLOSE-1.
//! - [`packets`]: ID-1, CLOSE-1, the states of packets.
//! - [`orders`]: LOG-1, CLAIM-3, ID-1: no cursor goes back, no claim is passed over, no answer is taken back.
//! - [`answers`]: CLAIM-3, SEED-1, ID-1, as clients see them.
//! - [`rest`]: what must be true in the end.

mod answers;
mod claims;
mod ledger;
mod orders;
mod packets;
mod rest;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use id::{PacketId, TransferId, UserId};

use crate::{mesh::Disks, world::World};

pub use answers::Told;
pub use rest::Sums;

/// Whose rows changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Books {
    /// The account service's.
    Account,
    /// The packet service's.
    Packet,
    /// The grab service's.
    Grab,
    /// The transfer service's.
    Transfer,
}

/// Looks at everything, changes nothing.
pub struct Auditor {
    world: Arc<World>,
    disks: Disks,
    picture: Mutex<Picture>,
}

/// What the auditor knows by itself.
#[derive(Default)]
struct Picture {
    ledger: ledger::Picture,
    claims: claims::Picture,
    packets: packets::Picture,
    orders: orders::Picture,
    answers: answers::Picture,
}

/// A claim as the auditor keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fact {
    packet: PacketId,
    share_no: u32,
    user: UserId,
    amount_fen: i64,
    seq: i64,
}

/// Where broken invariants go.
struct Book<'a> {
    world: &'a World,
}

impl Book<'_> {
    /// Notes `what` unless it holds.
    fn hold(&self, invariant: &'static str, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.world.violated(invariant, what());
        }
    }
}

impl Auditor {
    /// An auditor of these disks.
    pub fn new(world: &Arc<World>, disks: &Disks) -> Arc<Self> {
        Arc::new(Self {
            world: world.clone(),
            disks: disks.clone(),
            picture: Mutex::default(),
        })
    }

    fn picture(&self) -> MutexGuard<'_, Picture> {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn book(&self) -> Book<'_> {
        Book { world: &self.world }
    }

    /// After a transaction on these books.
    pub fn look(&self, books: Books) {
        if self.world.violation().is_some() {
            return; // what follows from the first is no news
        }
        let (picture, book) = (&mut *self.picture(), self.book());
        match books {
            Books::Account => {
                let rows = self.disks.account.read(account::store::memory::Tables::snapshot);
                picture.ledger.look(&rows, &book);
                picture.check_movements(&book);
            }
            Books::Grab => picture.claims.look(&self.disks.grab.snapshot(), &book),
            Books::Packet => {
                let rows = self.disks.packet.read(packet::store::memory::Tables::snapshot);
                picture.packets.look(&rows, &picture.claims, &picture.ledger, &book);
            }
            Books::Transfer => {
                let rows = self.disks.transfer.snapshot();
                picture.orders.look(&rows, &picture.claims, &picture.ledger, &book);
            }
        }
    }
}

/// Transfers by what they stand for.
type ByTransfer<T> = BTreeMap<TransferId, T>;
