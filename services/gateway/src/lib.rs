//! The client-facing API: who calls, what they may see, and which service answers.
//!
//! The gateway owns nothing durable and has no store. It decides who calls (no request names its own caller), passes
//! requests on with that identity in them, and composes views that no single service could answer. What it keeps:
//!
//! - The identity of a request is decided once, before its message is read, and never comes from a field.
//! - A service's error reaches the client as it was said; what no service said (a broken connection, a foreign server)
//!   becomes `UNAVAILABLE` with `RetryInfo`, and its text stays in the log.
//! - It adds no retries: requests that move money carry the client's `request_id` (ID-1), and the client repeats them.
//! - It never computes or changes an amount (CLAIM-2), and shows a seed only once grab has revealed it (SEED-1).
//! - It validates only what it decides by itself; the services validate the rest, under the same field names.
//!
//! Health: the gateway is `SERVING` while all four services behind it say `SERVING`; otherwise the log names those that do
//! not.
//!
//! In reading order:
//!
//! - [`identity`]: who calls, from what, and the guard in front of every client-facing service.
//! - [`audience`]: who may look at a packet.
//! - [`peer`]: the services behind the gateway, and the one place where their errors become ours.
//! - [`view`]: answers composed of several services' answers.
//! - [`rpc`]: the client-facing services, one file each.
//! - `config` and `app`: settings and the composition root.

mod app;
pub mod audience;
mod config;
pub mod identity;
pub mod peer;
pub mod rpc;
pub mod view;

pub use app::Gateway;
pub use config::{Config, Settings};
