//! The account service owns users, groups and their members, accounts, and the double-entry ledger.
//!
//! What holds here, whoever calls:
//!
//! - **MONEY-1** Every transfer has one debit and one credit of the same amount; all balances sum to zero.
//! - **MONEY-2** No account but the external one goes below zero. The rules refuse it and a SQL `CHECK` does so again.
//! - **MONEY-3** A transfer id is applied at most once; the same id with another payload has a verdict of its own.
//! - **ID-1** A deposit's transfer id follows from its user and `request_id`, so that a retry is the same transfer.
//!
//! Entries of an account are numbered from 1 without a gap and each carries the balance after it, so that an account's
//! history can be checked line by line. `VerifyLedger` does so for all of them over one snapshot.
//!
//! In reading order:
//!
//! - `domain`: accounts, transfers, and the ledger's rules (`domain::ledger`) as pure functions; users and groups.
//! - `store`: the ports, `store::sql` behind them, and `store::memory` for simulations.
//! - `notice`: who hears that somebody left a group.
//! - `ops`: one file per use case.
//! - `rpc`: requests in, domain words to `ops`, answers out; errors become statuses in `rpc::error`.
//! - `app`: the composition root, the only place that names the concrete store.

pub mod app;
mod config;
pub mod domain;
pub mod metrics;
pub mod notice;
pub mod ops;
#[doc(hidden)]
pub mod rpc;
pub mod store;

pub use app::Account;
pub use config::{Config, Settings};
