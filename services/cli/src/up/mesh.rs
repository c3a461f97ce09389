//! The five services in one process, each on its own loopback port.
//!
//! They know each other by address only and talk real gRPC: what holds here holds between machines. They start in the
//! order in which they need each other (account, grab, transfer, packet, gateway), each serving before the next one
//! starts, and stop in the opposite order, so that whatever a service still does has its peers.

use std::{net::SocketAddr, path::Path, time::Duration};

use account::Account;
use anyhow::Context;
use futures::future::select_all;
use gateway::Gateway;
use grab::Grab;
use packet::Packet;
use runtime::{Faults, Process, Service, config::defaults};
use serde::Serialize;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use transfer::Transfer;

use super::{data::DataDir, layout::MeshOptions};

/// A service that does not serve after this long will not.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two looks at a service that starts.
const START_PAUSE: Duration = Duration::from_millis(5);
/// How long a partition's settlement stays with a mesh that was killed. The lock on the data directory says that nobody
/// else is at work, so that a lease need not outlive its holder for long.
const PARTITION_LEASE: &str = "1s";
/// How long a packet that is being closed or recovered stays with a mesh that was killed; longer than driving it takes.
const PACKET_LEASE: &str = "5s";

/// Where the services of a mesh listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// The gateway: the only one that clients need.
    pub gateway: SocketAddr,
    /// The account service.
    pub account: SocketAddr,
    /// The packet service.
    pub packet: SocketAddr,
    /// The grab service.
    pub grab: SocketAddr,
    /// The transfer service.
    pub transfer: SocketAddr,
}

impl Addresses {
    /// The gateway as clients name it.
    pub fn gateway_url(&self) -> String {
        url(self.gateway)
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// A mesh that serves. Dropping it without [`Mesh::stop`] stops its services too, but waits for nothing.
pub struct Mesh {
    addresses: Addresses,
    members: Members,
    data_dir: DataDir,
}

impl Mesh {
    /// Starts all five services; returns when every one of them serves. Whatever fails, nothing is left running.
    pub async fn start(options: &MeshOptions) -> anyhow::Result<Self> {
        let data_dir = DataDir::take(&options.data_dir)?;
        options.ports.check()?;
        let mut members = Members::default();
        match start_all(options, &data_dir, &mut members).await {
            Ok(addresses) => Ok(Self {
                addresses,
                members,
                data_dir,
            }),
            Err(fault) => {
                members.stop().await;
                Err(fault)
            }
        }
    }

    /// Where the services listen.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Where the stores are.
    pub fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    /// Waits until a service stops by itself, as after a panic in one of its tasks, and names it.
    pub async fn failed(&self) -> &'static str {
        self.members.failed().await
    }

    /// Stops gateway, packet, transfer, grab and account, in this order, each with its own time to finish what runs;
    /// `false` if one of them did not. The data directory is free afterwards.
    pub async fn stop(mut self) -> bool {
        self.members.stop().await
    }
}

async fn start_all(options: &MeshOptions, data_dir: &DataDir, members: &mut Members) -> anyhow::Result<Addresses> {
    let ports = options.ports;
    let voucher_keys = data_dir.voucher_key()?;
    let account = members
        .add::<Account>("account", |settings| {
            settings.server = options.server(ports.account_port);
            settings.database_url = data_dir.store("account");
        })
        .await?;
    let grab = members
        .add::<Grab>("grab", |settings| {
            settings.server = options.server(ports.grab_port);
            settings.database_url = data_dir.store("grab");
            settings.account_url = url(account);
            settings.voucher_keys = voucher_keys;
        })
        .await?;
    let transfer = members
        .add::<Transfer>("transfer", |settings| {
            settings.server = options.server(ports.transfer_port);
            settings.database_url = data_dir.store("transfer");
            settings.account_url = url(account);
            settings.grab_url = url(grab);
            PARTITION_LEASE.clone_into(&mut settings.lease_ttl);
        })
        .await?;
    let packet = members
        .add::<Packet>("packet", |settings| {
            settings.server = options.server(ports.packet_port);
            settings.database_url = data_dir.store("packet");
            settings.account_url = url(account);
            settings.grab_url = url(grab);
            settings.transfer_url = url(transfer);
            settings.sweep_interval.clone_from(&options.sweep_interval);
            PACKET_LEASE.clone_into(&mut settings.lease);
        })
        .await?;
    let gateway = members
        .add::<Gateway>("gateway", |settings| {
            settings.server = options.server(ports.gateway_port);
            settings.account_url = url(account);
            settings.packet_url = url(packet);
            settings.grab_url = url(grab);
            settings.transfer_url = url(transfer);
            "true".clone_into(&mut settings.development);
        })
        .await?;
    Ok(Addresses {
        gateway,
        account,
        packet,
        grab,
        transfer,
    })
}

/// The services that were started, in order of start.
#[derive(Default)]
struct Members(Vec<Member>);

struct Member {
    name: &'static str,
    process: Process,
    drain_timeout: Duration,
}

impl Members {
    /// Starts one service, with its default settings but for what `set` changes, and waits until it serves.
    async fn add<S: Service>(
        &mut self,
        name: &'static str,
        set: impl FnOnce(&mut S::Settings),
    ) -> anyhow::Result<SocketAddr> {
        let mut settings = defaults();
        set(&mut settings);
        let mut faults = Faults::default();
        let config = S::check(&settings, &mut faults);
        let config = faults.finish(config)?;
        let process = Process::new();
        self.0.push(Member {
            name,
            process: process.clone(),
            drain_timeout: S::server(&config).drain_timeout,
        });
        // On the heap: a store's start is deep, and the compiler bounds how deep one future may be.
        let address = Box::pin(S::start(config, &process))
            .await
            .with_context(|| format!("the {name} service cannot start"))?;
        tokio::time::timeout(START_TIMEOUT, serving(address))
            .await
            .with_context(|| format!("the {name} service on {address} does not come to serve; its log says why"))?;
        tracing::info!(service = name, %address, "serving");
        Ok(address)
    }

    async fn failed(&self) -> &'static str {
        let stopping = self.0.iter().map(|member| Box::pin(member.process.stopping()));
        let ((), index, _) = select_all(stopping).await;
        self.0[index].name
    }

    /// Stops them, last started first; `false` if one was still at work when its time was up.
    async fn stop(&mut self) -> bool {
        let mut drained = true;
        while let Some(member) = self.0.pop() {
            let done = member.process.stop(member.drain_timeout).await;
            tracing::info!(service = member.name, done, "stopped");
            drained &= done;
        }
        drained
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        for member in &self.0 {
            member.process.begin_stop();
        }
    }
}

/// Resolves when the server at `address` says that it serves.
async fn serving(address: SocketAddr) {
    let mut faults = Faults::default();
    let Some(endpoint) = faults.endpoints("address", &url(address)) else {
        return;
    };
    let mut health = HealthClient::new(runtime::client::channel(&endpoint));
    loop {
        let answer = health.check(HealthCheckRequest::default()).await;
        if answer.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving) {
            return;
        }
        tokio::time::sleep(START_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::{
        Server,
        config::{ServerConfig, ServerSettings},
    };

    /// A service that does nothing.
    struct Idle;

    impl Service for Idle {
        const NAME: &'static str = "idle";
        const ABOUT: &'static str = "Does nothing";
        const LISTEN: &'static str = "127.0.0.1:0";
        type Settings = ServerSettings;
        type Config = ServerConfig;

        fn check(settings: &ServerSettings, faults: &mut Faults) -> Option<ServerConfig> {
            settings.check(faults)
        }

        fn server(config: &ServerConfig) -> &ServerConfig {
            config
        }

        async fn migrate(_: ServerConfig) -> anyhow::Result<()> {
            Ok(())
        }

        async fn start(config: ServerConfig, process: &Process) -> anyhow::Result<SocketAddr> {
            let server = Server::bind(&config).await?;
            let address = server.local_addr()?;
            server.spawn(process, || async { Ok(()) })?;
            Ok(address)
        }
    }

    #[tokio::test]
    async fn a_service_that_stops_by_itself_is_named() {
        let options = MeshOptions::free(Path::new("unused"), "1s");
        let mut members = Members::default();
        for name in ["sound", "broken"] {
            members
                .add::<Idle>(name, |settings| *settings = options.server(0))
                .await
                .unwrap();
        }
        members.0[1]
            .process
            .spawn("broken task", async { panic!("as planned") });
        assert_eq!(members.failed().await, "broken");
        assert!(members.stop().await);
    }
}
