//! The identifiers of the system: who, which packet, which account, which transfer, which slice of packet space.
//!
//! Three families:
//!
//! - **Names** given by the embedding product or the caller: [`UserId`], [`GroupId`], [`RequestId`]. Opaque, 1 to 64 of
//!   `A-Z a-z 0-9 _ -`.
//! - **Packet ids**: [`PacketId`], a `UUIDv7`, so that newer packets sort after older ones.
//! - **Derived ids**: [`AccountId`] and [`TransferId`], `UUIDv5` of the facts they stand for, so that doing a thing twice
//!   is the same thing (MONEY-3).
//!
//! [`Partition`] maps a packet to the slice of packet space that orders its claims.

mod derived;
mod name;
mod packet;

pub use derived::{AccountId, DerivedIdError, TransferId};
pub use name::{GroupId, NameError, RequestId, UserId};
pub use packet::{PacketId, PacketIdError, Partition};
