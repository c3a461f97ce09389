//! The composition root: the only place that names the concrete store. [`compose`] is all of it that does not depend on what
//! stands behind the ports.

use std::{net::SocketAddr, sync::Arc};

use cache::Shared;
use clock::SharedClock;
use proto::account::v1::{account_service_server::AccountServiceServer, group_service_server::GroupServiceServer};
use runtime::{Faults, Metrics, Process, Server, config::ServerConfig};
use sql::Database;

use crate::{
    Config, Settings,
    metrics::Postings,
    notice::{Nobody, Notice},
    ops::seal::keep_sealing,
    rpc::{AccountRpc, GroupRpc},
    store::{
        Accounts, Audit, Chain, Groups, Ledger,
        sql::{Migrator, SqlStore},
    },
};

/// The account service, for [`runtime::run`] and for whoever runs several services in one process.
#[derive(Clone, Copy, Debug)]
pub struct Account;

impl runtime::Service for Account {
    const NAME: &'static str = "hongbao-account";
    const ABOUT: &'static str = "Users, groups and their members, accounts, the double-entry ledger";
    const LISTEN: &'static str = "127.0.0.1:50051";
    type Settings = Settings;
    type Config = Config;

    fn check(settings: &Settings, faults: &mut Faults) -> Option<Config> {
        settings.check(faults)
    }

    fn server(config: &Config) -> &ServerConfig {
        &config.server
    }

    async fn migrate(config: Config) -> anyhow::Result<()> {
        Ok(Database::migrate::<Migrator>(&config.database_url).await?)
    }

    async fn start(config: Config, process: &Process) -> anyhow::Result<SocketAddr> {
        let server = Server::bind(&config.server).await?;
        let address = server.local_addr()?;

        let database = Database::open::<Migrator>(&config.database_url, config.pool).await?;
        process.on_stopped(database.clone().close());
        let store = Arc::new(SqlStore::new(database.clone()));
        let clock: SharedClock = Arc::new(clock::System);
        let notice: Arc<dyn Notice> = match Shared::open(config.redis.as_ref()).await? {
            None => Arc::new(Nobody),
            Some(caches) => Arc::new(caches),
        };

        if let Some(interval) = config.seal_interval {
            process.spawn(
                "seal",
                keep_sealing(store.clone(), clock.clone(), interval, process.clone()),
            );
        }
        let (accounts, groups) = compose(Parts {
            store,
            notice,
            clock,
            metrics: process.metrics().clone(),
        });
        server.add(accounts).add(groups).spawn(process, move || {
            let database = database.clone();
            async move { database.ping().await.map_err(|fault| fault.to_string()) }
        })?;
        Ok(address)
    }
}

/// What the service is put together from.
pub struct Parts<S> {
    /// What it remembers.
    pub store: Arc<S>,
    /// Who hears that somebody left a group.
    pub notice: Arc<dyn Notice>,
    /// The hour.
    pub clock: SharedClock,
    /// What it counts.
    pub metrics: Metrics,
}

/// The service, ready to be served.
pub fn compose<S>(parts: Parts<S>) -> (AccountServiceServer<AccountRpc>, GroupServiceServer<GroupRpc>)
where
    S: Accounts + Ledger + Audit + Chain + Groups + 'static,
{
    let Parts {
        store,
        notice,
        clock,
        metrics,
    } = parts;
    let accounts = AccountRpc {
        accounts: store.clone(),
        ledger: store.clone(),
        audit: store.clone(),
        chain: store.clone(),
        postings: Postings::new(&metrics),
        clock: clock.clone(),
    };
    let groups = GroupRpc {
        accounts: store.clone(),
        groups: store,
        notice,
        clock,
    };
    (AccountServiceServer::new(accounts), GroupServiceServer::new(groups))
}
