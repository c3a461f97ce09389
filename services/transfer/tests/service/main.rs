//! The transfer service over a real server and client, with a ledger and a claim log of its own.
#![cfg(test)]

mod bank;
mod books;
mod claims;
mod contract;
mod engine;
mod engines;
mod funding;
mod input;
mod mesh;
mod refunding;
mod repairing;
mod settling;
mod takeover;
