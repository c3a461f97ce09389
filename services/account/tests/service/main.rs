//! The service over a real tonic server and client.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop at once")]

mod accounts;
mod concurrency;
mod durability;
mod engines;
mod groups;
mod ledger;
mod mesh;
mod notice;
