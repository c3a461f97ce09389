//! The composition root: the only file that names concrete stores and clients.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use clock::SharedClock;
use proto::transfer::v1::transfer_service_server::TransferServiceServer;
use runtime::{
    Process, Server,
    config::{Faults, ServerConfig},
};
use uuid::Uuid;

use crate::{
    config::{Config, Settings},
    consumer,
    ops::{Ports, fund::Fund, reconcile::reconcile},
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
        ledger: Arc::new(AccountLedger::new(runtime::client::channel(&config.account))),
        log: Arc::new(GrabLog::new(&config.grab, config.partitions)),
        clock,
    };

    let terms = consumer::Terms {
        owner: random_id(),
        partitions: config.partitions,
        lease_ttl: config.lease_ttl,
    };
    process.spawn("consumer", consumer::run(ports.clone(), terms, process.clone()));
    if let Some(interval) = config.reconcile_interval {
        process.spawn("reconcile", reconcile_often(ports.clone(), interval, process.clone()));
    }

    let fund = Fund::new(ports.clone(), process.clone(), random_id());
    let service = TransferServiceServer::new(TransferRpc::new(ports, fund))
        .max_decoding_message_size(runtime::client::MAX_MESSAGE_BYTES);
    server.add(service).spawn(process, move || {
        let database = database.clone();
        async move { database.ping().await.map_err(|fault| fault.to_string()) }
    })?;
    Ok(address)
}

/// A name that no other process has, from the operating system's randomness.
fn random_id() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

/// Reconciles every `interval` and logs what it finds.
async fn reconcile_often(ports: Ports, interval: Duration, process: Process) {
    while process.pause(interval).await {
        let found = tokio::select! {
            () = process.stopping() => return,
            found = reconcile(&ports) => found,
        };
        match found {
            Ok(report) if report.differences.is_empty() => tracing::info!(
                packets = report.packet_count,
                claims = report.claim_count,
                unsettled = report.unsettled_count,
                open_cases = report.open_case_count,
                "the books are right"
            ),
            Ok(report) => {
                tracing::error!(differences = report.differences.len(), "the books do not agree");
                for difference in &report.differences {
                    let kind = difference.kind.name();
                    let transfer = difference.transfer.as_deref().unwrap_or_default();
                    tracing::error!(
                        kind,
                        transfer,
                        difference.difference_fen,
                        description = difference.description
                    );
                }
            }
            Err(fault) => tracing::warn!(%fault, "could not reconcile"),
        }
    }
}
