//! The composition root: the only place that names concrete stores and clients. [`compose`] is all of it that does not depend
//! on what stands behind the ports.

use std::{net::SocketAddr, sync::Arc};

use clock::SharedClock;
use proto::packet::v1::packet_service_server::PacketServiceServer;
use runtime::{Faults, Process, Server, client, config::ServerConfig};

use crate::{
    config::{Config, Settings},
    metrics::watch_agendas,
    ops::{SharedRng, advance::Advance, query::Query, recover::Recover, rounds::Rounds, send::Send, sweep::Sweep},
    peer::{
        gate::{Gate, GateClient},
        people::{People, PeopleClient},
        treasury::{Treasury, TreasuryClient},
    },
    rpc::Rpc,
    store::{Agenda, Packets, Requests, sql::SqlStore},
};

/// The packet service.
#[derive(Clone, Copy, Debug)]
pub struct Packet;

impl runtime::Service for Packet {
    const NAME: &'static str = "hongbao-packet";
    const ABOUT: &'static str = "Packet orders of the red-packet mesh: send, recover, expire, refund";
    const LISTEN: &'static str = "127.0.0.1:50052";
    type Settings = Settings;
    type Config = Config;

    fn check(settings: &Settings, faults: &mut Faults) -> Option<Config> {
        settings.check(faults)
    }

    fn server(config: &Config) -> &ServerConfig {
        &config.server
    }

    async fn migrate(config: Config) -> anyhow::Result<()> {
        Ok(SqlStore::migrate(&config.database_urls).await?)
    }

    async fn start(config: Config, process: &Process) -> anyhow::Result<SocketAddr> {
        Self::start_at(config, Arc::new(clock::System), process).await
    }
}

impl Packet {
    /// [`runtime::Service::start`] with the hour as an argument.
    pub async fn start_at(config: Config, clock: SharedClock, process: &Process) -> anyhow::Result<SocketAddr> {
        let server = Server::bind(&config.server).await?;
        let address = server.local_addr()?;
        let sql = SqlStore::open(&config.database_urls, config.pool, config.partitions).await?;
        process.on_stopped(sql.clone().close());

        let ports = Ports {
            requests: Arc::new(sql.clone()),
            packets: Arc::new(sql.clone()),
            agendas: sql.agendas().into_iter().map(|agenda| Arc::new(agenda) as _).collect(),
            people: Arc::new(PeopleClient::new(client::channel(&config.account))),
            gate: Arc::new(GateClient::new(client::channel(&config.grab))),
            treasury: Arc::new(TreasuryClient::new(client::channel(&config.transfer))),
            clock,
            rng: SharedRng::new(rand::make_rng()),
        };
        let service = compose(ports, &config, process);
        server.add(service).spawn(process, move || {
            let sql = sql.clone();
            async move { sql.ping().await.map_err(|fault| fault.to_string()) }
        })?;
        Ok(address)
    }
}

/// What the service stands on.
pub struct Ports {
    /// The senders' requests.
    pub requests: Arc<dyn Requests>,
    /// The packets.
    pub packets: Arc<dyn Packets>,
    /// What is due, for each database by itself.
    pub agendas: Vec<Arc<dyn Agenda>>,
    /// Who is who.
    pub people: Arc<dyn People>,
    /// The gate.
    pub gate: Arc<dyn Gate>,
    /// The money.
    pub treasury: Arc<dyn Treasury>,
    /// The hour.
    pub clock: SharedClock,
    /// Where ids, seeds, salts and jitter come from.
    pub rng: SharedRng,
}

/// The service over its ports, ready to be served; its loops run as tasks of `process`.
pub fn compose(ports: Ports, config: &Config, process: &Process) -> PacketServiceServer<Rpc> {
    let advance = Arc::new(Advance {
        requests: ports.requests.clone(),
        packets: ports.packets.clone(),
        treasury: ports.treasury.clone(),
        gate: ports.gate.clone(),
    });
    let sweep = Sweep {
        packets: ports.packets.clone(),
        gate: ports.gate,
        treasury: ports.treasury,
        clock: ports.clock.clone(),
    };
    let horizon = config.lease.max(retry::WORK.ceiling(u32::MAX));
    watch_agendas(process.metrics(), ports.agendas.clone(), ports.clock.clone(), horizon);
    for agenda in ports.agendas {
        let recover = Rounds {
            drive: Recover(advance.clone()),
            agenda: agenda.clone(),
            interval: config.recover_after,
            lease: config.lease,
            clock: ports.clock.clone(),
            rng: ports.rng.clone(),
        };
        let sweep = Rounds {
            drive: sweep.clone(),
            agenda,
            interval: config.sweep_interval,
            lease: config.lease,
            clock: ports.clock.clone(),
            rng: ports.rng.clone(),
        };
        process.spawn("recovery", recover.run(process.clone()));
        process.spawn("sweep", sweep.run(process.clone()));
    }
    PacketServiceServer::new(Rpc {
        send: Send {
            requests: ports.requests,
            packets: ports.packets.clone(),
            people: ports.people,
            advance,
            limits: config.limits,
            recover_after: config.recover_after,
            clock: ports.clock.clone(),
            rng: ports.rng,
        },
        query: Query { packets: ports.packets },
        limits: config.limits,
        clock: ports.clock,
    })
}
