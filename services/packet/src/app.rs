//! The composition root: the only place that names concrete stores and clients.

use std::{net::SocketAddr, sync::Arc};

use clock::SharedClock;
use proto::packet::v1::packet_service_server::PacketServiceServer;
use runtime::{Faults, Process, Server, client, config::ServerConfig};

use crate::{
    config::{Config, Settings},
    ops::{SharedRng, advance::Advance, query::Query, recover::Recover, rounds::Rounds, send::Send, sweep::Sweep},
    peer::{gate::GateClient, people::PeopleClient, treasury::TreasuryClient},
    rpc::Rpc,
    store::{Agenda, sql::SqlStore},
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

        let store = Arc::new(sql.clone());
        let people = Arc::new(PeopleClient::new(client::channel(&config.account)));
        let gate = Arc::new(GateClient::new(client::channel(&config.grab)));
        let treasury = Arc::new(TreasuryClient::new(client::channel(&config.transfer)));
        let rng = SharedRng::new(rand::make_rng());

        let advance = Arc::new(Advance {
            requests: store.clone(),
            packets: store.clone(),
            treasury: treasury.clone(),
            gate: gate.clone(),
        });
        let sweep = Sweep {
            packets: store.clone(),
            gate,
            treasury,
            clock: clock.clone(),
        };
        for agenda in sql.agendas() {
            let agenda: Arc<dyn Agenda> = Arc::new(agenda);
            let recover = Rounds {
                drive: Recover(advance.clone()),
                agenda: agenda.clone(),
                interval: config.recover_after,
                lease: config.lease,
                clock: clock.clone(),
                rng: rng.clone(),
            };
            let sweep = Rounds {
                drive: sweep.clone(),
                agenda,
                interval: config.sweep_interval,
                lease: config.lease,
                clock: clock.clone(),
                rng: rng.clone(),
            };
            process.spawn("recovery", recover.run(process.clone()));
            process.spawn("sweep", sweep.run(process.clone()));
        }

        let rpc = Rpc {
            send: Send {
                requests: store.clone(),
                packets: store.clone(),
                people,
                advance,
                limits: config.limits,
                recover_after: config.recover_after,
                clock: clock.clone(),
                rng,
            },
            query: Query { packets: store },
            limits: config.limits,
            clock,
        };
        server.add(PacketServiceServer::new(rpc)).spawn(process, move || {
            let sql = sql.clone();
            async move { sql.ping().await.map_err(|fault| fault.to_string()) }
        })?;
        Ok(address)
    }
}
