//! How a mesh is laid out: its directory and its ports.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use anyhow::bail;
use clap::Args;
use runtime::config::{ServerSettings, defaults};

/// How a mesh is laid out.
#[derive(Clone, Debug, Args)]
pub struct MeshOptions {
    /// Directory of the stores and the voucher key; made where it is missing. One mesh at a time
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub data_dir: PathBuf,
    /// Where each service listens.
    #[command(flatten)]
    pub ports: Ports,
    /// How often packets whose time is up are looked for
    #[arg(long, value_name = "SPAN", default_value = "5s")]
    pub sweep_interval: String,
    /// How long a stop waits for each service's running requests and batches
    #[arg(long, value_name = "SPAN", default_value = "10s")]
    pub drain_timeout: String,
}

/// Where each service listens, on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct Ports {
    /// Port of the gateway, for clients; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub gateway_port: u16,
    /// Port of the account service; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 50051)]
    pub account_port: u16,
    /// Port of the packet service; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 50052)]
    pub packet_port: u16,
    /// Port of the grab service; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 50053)]
    pub grab_port: u16,
    /// Port of the transfer service; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 50054)]
    pub transfer_port: u16,
}

impl Ports {
    /// A free port for each.
    pub const FREE: Self = Self {
        gateway_port: 0,
        account_port: 0,
        packet_port: 0,
        grab_port: 0,
        transfer_port: 0,
    };

    /// Tells every port that cannot be had, before anything starts, with the flag that chooses another.
    pub(super) fn check(self) -> anyhow::Result<()> {
        let asked = [
            (self.gateway_port, "--gateway-port"),
            (self.account_port, "--account-port"),
            (self.packet_port, "--packet-port"),
            (self.grab_port, "--grab-port"),
            (self.transfer_port, "--transfer-port"),
        ];
        let mut taken = Vec::new();
        let mut free = Vec::new();
        for (port, flag) in asked.into_iter().filter(|(port, _)| *port != 0) {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                // Held until all are looked at, so that no two services get the same.
                Ok(listener) => free.push(listener),
                Err(fault) if fault.kind() == ErrorKind::AddrInUse => {
                    taken.push(format!(
                        "port {port} is taken by another program: choose another with {flag}"
                    ));
                }
                Err(fault) => taken.push(format!(
                    "port {port} cannot be had ({fault}): choose another with {flag}"
                )),
            }
        }
        if taken.is_empty() {
            Ok(())
        } else {
            bail!("{}", taken.join("; "))
        }
    }
}

impl MeshOptions {
    /// A mesh on free ports that keeps its stores in `data_dir` and looks for expired packets every `sweep_interval`,
    /// such as `100ms`: for tests and the demo.
    pub fn free(data_dir: &Path, sweep_interval: &str) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            ports: Ports::FREE,
            sweep_interval: sweep_interval.to_owned(),
            drain_timeout: "10s".to_owned(),
        }
    }

    /// What a service on `port` is told of its server.
    pub(super) fn server(&self, port: u16) -> ServerSettings {
        #[derive(Args)]
        struct Defaults {
            #[command(flatten)]
            server: ServerSettings,
        }
        ServerSettings {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string(),
            drain_timeout: self.drain_timeout.clone(),
            ..defaults::<Defaults>().server
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_taken_port_is_told_with_its_flag() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let ports = Ports {
            gateway_port: port,
            grab_port: port,
            ..Ports::FREE
        };
        let told = ports.check().unwrap_err().to_string();
        for part in [&format!("port {port} "), "--gateway-port", "--grab-port"] {
            assert!(told.contains(part), "{told}");
        }
        assert!(!told.contains("--account-port"), "{told}");
        assert!(Ports::FREE.check().is_ok());
    }
}
