//! Real servers of SQL and Redis, each a process of its own on a free loopback port with all its data under one directory.
//!
//! Nothing of the system is used but the servers' programs: no configuration, no service, no socket outside the
//! directory. A server dies with its value, and with the process that started it, however that ends.
//!
//! In reading order:
//!
//! - [`Fault`]: why a server is not there;
//! - [`Options`]: where and how a server runs;
//! - [`Process`]: a child that can be stopped, killed, paused and never outlives us;
//! - [`Postgres`], [`MariaDb`], [`Redis`], [`RedisCluster`]: the servers;
//! - [`SmallDisk`]: a disk that is soon full;
//! - [`Proxy`]: a network between a server and its clients that fails on demand.

mod certificate;
mod cluster;
mod disk;
mod fault;
mod home;
mod mariadb;
mod options;
mod port;
mod postgres;
mod process;
mod program;
mod proxy;
mod redis;
mod wire;

pub use cluster::RedisCluster;
pub use disk::SmallDisk;
pub use fault::Fault;
pub use mariadb::MariaDb;
pub use options::Options;
pub use port::free_port;
pub use postgres::Postgres;
pub use process::{End, Process};
pub use proxy::Proxy;
pub use redis::Redis;
