//! The composition root: the only file that names concrete stores and clients. [`compose`] is all of it that does not depend
//! on what stands behind the ports.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use clock::SharedClock;
use proto::transfer::v1::transfer_service_server::TransferServiceServer;
use runtime::{
    Process, Server,
    client::channel,
    config::{Faults, ServerConfig},
};
use uuid::Uuid;

use crate::{
    config::{Config, Settings},
    consumer,
    metrics::watch_cases,
    ops::{
        Ports,
        fund::Fund,
        reconcile::run::reconcile_often,
        repair::{Repairs, recover},
    },
    peer::{account::AccountLedger, grab::GrabLog},
    rpc::TransferRpc,
    store::{Cursors, Migrator, SqlStore},
};

/// The transfer service.
pub struct Transfer;

impl runtime::Service for Transfer {
    const NAME: &'static str = "hongbao-transfer";
    const ABOUT: &'static str = "The money flow behind red packets: funds, settles, refunds, repairs, reconciles";
    const LISTEN: &'static str = "127.0.0.1:50054";
    type Settings = Settings;
    type Config = Config;

    fn check(settings: &Settings, faults: &mut Faults) -> Option<Config> {
        settings.check(faults)
    }

    fn server(config: &Config) -> &ServerConfig {
        &config.server
    }

    async fn migrate(config: Config) -> anyhow::Result<()> {
        Ok(sql::Database::migrate::<Migrator>(&config.database_url).await?)
    }

    async fn start(config: Config, process: &Process) -> anyhow::Result<SocketAddr> {
        start_at(config, Arc::new(clock::System), process).await
    }
}

/// Starts the service with its own hour; [`Transfer`] has the machine's.
pub async fn start_at(config: Config, clock: SharedClock, process: &Process) -> anyhow::Result<SocketAddr> {
    let server = Server::bind(&config.server).await?;
    let address = server.local_addr()?;

    let database = sql::Database::open::<Migrator>(&config.database_url, config.pool).await?;
    process.on_stopped(database.clone().close());
    let store = SqlStore::new(database.clone());
    store.prepare(config.partitions).await.context("partitions")?;
    let ports = Ports {
        store: Arc::new(store),
        ledger: Arc::new(AccountLedger::new(channel(&config.account))),
        log: Arc::new(GrabLog::new(|| channel(&config.grab), config.partitions)),
        clock,
    };
    let service = compose(ports, Names::draw(), &config, process);
    server.add(service).spawn(process, move || {
        let database = database.clone();
        async move { database.ping().await.map_err(|fault| fault.to_string()) }
    })?;
    Ok(address)
}

/// Names that no other process has.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// As who it holds partitions.
    pub owner: Uuid,
    /// From which it counts its tries at funding.
    pub first_try: Uuid,
}

impl Names {
    /// From the operating system's randomness.
    fn draw() -> Self {
        let draw = || uuid::Builder::from_random_bytes(rand::random()).into_uuid();
        Self {
            owner: draw(),
            first_try: draw(),
        }
    }
}

/// The service over its ports, ready to be served; its loops run as tasks of `process`.
pub fn compose(ports: Ports, names: Names, config: &Config, process: &Process) -> TransferServiceServer<TransferRpc> {
    let terms = consumer::Terms {
        owner: names.owner,
        partitions: config.partitions,
        lease_ttl: config.lease_ttl,
    };
    process.spawn("consumer", consumer::run(ports.clone(), terms, process.clone()));
    if let Some(interval) = config.reconcile_interval {
        process.spawn(
            "reconcile",
            reconcile_often(ports.clone(), names.owner, interval, process.clone()),
        );
    }
    let fund = Fund::new(ports.clone(), process.clone(), names.first_try);
    let repairs = Repairs::new(ports.clone(), names.first_try, process.metrics());
    watch_cases(process.metrics(), ports.store.clone(), ports.clock.clone());
    process.spawn("repairs", recover(repairs.clone(), process.clone()));
    TransferServiceServer::new(TransferRpc::new(ports, fund, repairs))
        .max_decoding_message_size(runtime::client::MAX_MESSAGE_BYTES)
}
