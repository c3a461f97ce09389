//! The transfer service: the money flow behind the claims.
//!
//! It owns transfer orders, the cursors into the claim log, repair cases and reconciliation. It holds no money: the
//! account service's ledger does, and is the arbiter of what has moved.
//!
//! # What it keeps true
//!
//! - **One order, one id, one way out of the escrow.** Whatever way an order's money leaves the escrow, to the wallet, to
//!   suspense or where an operator sends it, it leaves under the order's own transfer id. MONEY-3 (an id is applied at
//!   most once) then makes *paid twice* impossible, however many crashes, instances and late packets are involved; a
//!   repeat that meets `ID_REUSED` asks the ledger which way it was. The second leg, suspense to wallet, has one id of
//!   its own for the same reason.
//! - **A shown claim is paid or is a visible repair case** (CLAIM-3). Orders, cases and the cursor past their claims
//!   commit together; the cursor is the fence between instances (LOG-1).
//! - **A rejected FUND never posts** (ID-1). See [`ops::fund`].
//! - **Every act of an operator is on record before it moves money.** See [`ops::repair`].
//!
//! # Reading order
//!
//! - [`domain`]: orders and their states, verdicts and what follows from them, claims, cases, shares of the partitions.
//! - [`ops`]: fund, deliver, settle, refund, repair, reconcile: one file each.
//! - [`consumer`]: leases, feeds and the settle loop that drives [`ops::settle`].
//! - [`store`], [`peer`]: the ports, and their implementations on SQL and gRPC; `store::memory` for simulations.
//! - [`metrics`]: what is counted and measured.
//! - [`rpc`]: the service on the wire.
//! - [`app`]: the composition root.

pub mod app;
pub mod config;
pub mod consumer;
pub mod domain;
pub mod metrics;
pub mod ops;
pub mod peer;
pub mod rpc;
pub mod store;

pub use app::Transfer;
pub use config::{Config, Settings};
