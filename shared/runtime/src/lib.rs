//! What every service's process is made of: the same start, the same edge, the same stop.
//!
//! In reading order:
//!
//! - [`program`]: configuration → log → start → wait for SIGTERM → drain with a deadline. A service is a [`Service`].
//! - [`config`]: one value from flag, environment or file, all faults reported at once.
//! - [`process`]: the stop signal and the tasks that a stop waits for.
//! - [`server`]: the one builder that gives every server health, reflection, deadlines, size limits and a panic fence.
//! - [`crowd`]: how many requests a server works on at once.
//! - [`explain`]: words for what the transport refuses by itself.
//! - [`balance`]: one channel over several instances of a service.
//! - [`client`]: lazy channels to other services that pass the caller's deadline on.
//! - [`metrics`]: what the service counts and measures, for Prometheus.
//! - [`deadline`]: how the time a caller grants reaches the next hop.

pub mod balance;
pub mod client;
pub mod config;
pub mod crowd;
pub mod deadline;
pub mod explain;
pub mod metrics;

pub mod process;
pub mod program;
pub mod server;
pub mod telemetry;

pub use client::Channel;
pub use config::Faults;
pub use metrics::Metrics;
pub use process::Process;
pub use program::{Service, run};
pub use server::Server;
