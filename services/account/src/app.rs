//! The composition root: the only place that names the concrete store.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use proto::account::v1::{account_service_server::AccountServiceServer, group_service_server::GroupServiceServer};
use runtime::{Faults, Process, Server, config::ServerConfig};
use secrecy::ExposeSecret;
use sql::Database;

use crate::{
    Config, Settings,
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

    async fn start(config: Config, process: &Process) -> anyhow::Result<SocketAddr> {
        let server = Server::bind(&config.server).await?;
        let address = server.local_addr()?;

        let database = Database::connect(config.database_url.expose_secret())
            .await
            .context("the store of accounts")?;
        database.migrate::<Migrator>().await.context("the store of accounts")?;
        let store = Arc::new(SqlStore::new(database.clone()));
        let clock: clock::SharedClock = Arc::new(clock::System);

        let accounts = AccountRpc {
            accounts: store.clone(),
            ledger: store.clone(),
            clock: clock.clone(),
        };
        let groups = GroupRpc {
            accounts: store.clone(),
            groups: store,
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
