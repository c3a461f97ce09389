//! What the service knows, without tonic, SQL or a clock: accounts and transfers, the ledger's rules, users, groups.

pub mod account;
pub mod audit;
pub mod chain;
pub mod ledger;
pub mod people;
pub mod refusal;
pub mod transfer;
