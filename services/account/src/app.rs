//! The composition root: the only place that names the concrete store.

use std::{net::SocketAddr, sync::Arc};

use cache::Shared;
use proto::account::v1::{account_service_server::AccountServiceServer, group_service_server::GroupServiceServer};
use runtime::{Faults, Process, Server, config::ServerConfig};
use sql::Database;

use crate::{
    Config, Settings,
    notice::{Nobody, Notice},
    rpc::{AccountRpc, GroupRpc},
    store::sql::{Migrator, SqlStore},
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
        let clock: clock::SharedClock = Arc::new(clock::System);
        let notice: Arc<dyn Notice> = match Shared::open(config.redis.as_ref()).await? {
            None => Arc::new(Nobody),
            Some(caches) => Arc::new(caches),
        };

        let accounts = AccountRpc {
            accounts: store.clone(),
            ledger: store.clone(),
            clock: clock.clone(),
        };
        let groups = GroupRpc {
            accounts: store.clone(),
            groups: store,
            notice,
            clock,
        };
        server
            .add(AccountServiceServer::new(accounts))
            .add(GroupServiceServer::new(groups))
            .spawn(process, move || {
                let database = database.clone();
                async move { database.ping().await.map_err(|fault| fault.to_string()) }
            })?;
        Ok(address)
    }
}
