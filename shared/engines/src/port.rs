//! Free ports.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    ops::Range,
};

use crate::{Fault, fault::Doing as _};

/// Ports that servers may have. They end where Linux by default begins to take ports for outgoing connections, so that
/// a server that was stopped finds its port free when it starts again.
const PORTS: Range<u16> = 20_000..32_768;
/// How often a port is tried.
const TRIES: u32 = 200;

/// The address of a port on loopback.
pub fn on_loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A port of 127.0.0.1 that nobody has now.
pub fn free_port() -> Result<u16, Fault> {
    free_port_in(PORTS)
}

/// A port of 127.0.0.1 in `range` that nobody has now.
pub fn free_port_in(range: Range<u16>) -> Result<u16, Fault> {
    let end = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .filter(|first: &u16| *first > range.start + 1_000)
        .map_or(range.end, |first| first.min(range.end));
    for _ in 0..TRIES {
        let port = rand::random_range(range.start..end);
        if is_free(port) {
            return Ok(port);
        }
    }
    Err(io::Error::from(io::ErrorKind::AddrInUse)).doing("cannot find a free port")
}

/// Whether nobody listens on a port of 127.0.0.1 now.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind(on_loopback(port)).is_ok()
}
