//! The rules of the race, pure and synchronous: no RPC, no SQL, no waiting.
//!
//! In reading order: what was promised ([`terms`], [`packet`]), what a grab returns ([`voucher`]), what an open records
//! ([`claim`]), and the two memories of one packet that decide who gets which share: [`picture`] is exact and decides
//! opens; the gate's live state is fast and decides grabs. Both are built from a [`roll`] of who opened what and a set
//! of [`shares`].

pub mod claim;
pub mod packet;
pub mod picture;
pub mod roll;
pub mod shares;
pub mod terms;
pub mod voucher;
pub mod year;
