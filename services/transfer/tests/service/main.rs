//! The transfer service over a real server and client, with a ledger and a claim log of its own.
#![cfg(test)]

mod backlog;
mod bank;
mod books;
mod claims;
mod contract;
mod doubting;
mod engine;
mod engines;
mod funding;
mod input;
mod mesh;
mod poison;
mod recovering;
mod refunding;
mod repairing;
mod runs;
mod scraping;
mod settling;
mod takeover;
