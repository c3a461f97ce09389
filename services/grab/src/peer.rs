//! The service that grab asks: account, for users and members.

pub mod account;
pub mod cached;
pub mod directory;
