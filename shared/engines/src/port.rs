//! Free ports.

use std::{
    collections::BTreeSet,
    fs, io,
    net::{SocketAddr, TcpListener},
    ops::Range,
    sync::{Mutex, PoisonError},
};

use crate::{Fault, fault::Doing as _};

/// Ports that servers may have. They end where Linux by default begins to take ports for outgoing connections, so that
/// a server that was stopped finds its port free when it starts again.
const PORTS: Range<u16> = 20_000..32_768;
/// How often a port is tried.
const TRIES: u32 = 200;

/// What this process was given. A port that is meant for somebody is free until they have started.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// The address of a port on loopback.
pub fn on_loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A port of 127.0.0.1 that nobody has now, and that this process was not given before.
pub fn free_port() -> Result<u16, Fault> {
    free_port_in(PORTS)
}

/// A port of 127.0.0.1 in `range` that nobody has now, and that this process was not given before.
pub fn free_port_in(range: Range<u16>) -> Result<u16, Fault> {
    let end = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .filter(|first: &u16| *first > range.start + 1_000)
        .map_or(range.end, |first| first.min(range.end));
    for _ in 0..TRIES {
        let port = rand::random_range(range.start..end);
        if is_free(port) && GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
            return Ok(port);
        }
    }
    Err(io::Error::from(io::ErrorKind::AddrInUse)).doing("cannot find a free port")
}

/// Whether nobody listens on a port of 127.0.0.1 now.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind(on_loopback(port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody has started on any of them yet, and still each is given once.
    #[test]
    fn no_port_is_given_twice() {
        let range = 19_000..19_003;
        let given: Vec<u16> = (0..4).map_while(|_| free_port_in(range.clone()).ok()).collect();
        let different: BTreeSet<u16> = given.iter().copied().collect();
        assert_eq!(given.len(), different.len(), "{given:?}");
        assert!(given.len() <= range.len(), "{given:?}");
    }
}
