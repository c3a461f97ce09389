//! The composition root: the only file that names concrete peers and the way callers are known.

use std::{net::SocketAddr, sync::Arc};

use cache::Shared;
use proto::gateway::v1::{
    group_service_server::GroupServiceServer, operation_service_server::OperationServiceServer,
    record_service_server::RecordServiceServer, red_packet_service_server::RedPacketServiceServer,
    wallet_service_server::WalletServiceServer,
};
use runtime::{Faults, Process, Server, client, config::ServerConfig};
use tonic::service::interceptor::InterceptedService;

use crate::{
    Config, Settings,
    identity::{Authenticate, Closed, Guard, Plain, Role},
    peer::{Accounts, Grabs, Health, Packets, Peers, Transfers},
    rpc::{Groups, MAX_REQUEST_BYTES, Operations, Records, RedPackets, Wallets},
};

/// The gateway service.
pub struct Gateway;

impl runtime::Service for Gateway {
    const NAME: &'static str = "hongbao-gateway";
    const ABOUT: &'static str = "The client-facing API: identity, routing, composed views";
    const LISTEN: &'static str = "127.0.0.1:8080";
    type Settings = Settings;
    type Config = Config;

    fn check(settings: &Settings, faults: &mut Faults) -> Option<Config> {
        settings.check(faults)
    }

    fn server(config: &Config) -> &ServerConfig {
        &config.server
    }

    const HAS_STORE: bool = false;

    async fn migrate(_: Config) -> anyhow::Result<()> {
        Ok(()) // there is nothing to migrate
    }

    async fn start(config: Config, process: &Process) -> anyhow::Result<SocketAddr> {
        let server = Server::bind(&config.server).await?;
        let address = server.local_addr()?;

        let [account, packet, grab, transfer] =
            [&config.account, &config.packet, &config.grab, &config.transfer].map(client::channel);
        let health = Health::new([
            ("account", account.clone()),
            ("packet", packet.clone()),
            ("grab", grab.clone()),
            ("transfer", transfer.clone()),
        ]);
        let shared = Shared::open(config.redis.as_ref()).await?;
        let peers = Peers {
            account: Accounts::new(account, shared.as_ref()),
            packet: Packets::new(packet, shared.as_ref()),
            grab: Grabs::new(grab),
            transfer: Transfers::new(transfer),
        };

        let authenticate = authenticate(config.development, address);
        let users = Guard::new(authenticate.clone(), Role::User);
        let operators = Guard::new(authenticate, Role::Operator);
        let wallets = WalletServiceServer::new(Wallets::new(peers.clone()));
        let red_packets =
            RedPacketServiceServer::new(RedPackets::new(peers.clone(), process.clone(), config.max_watchers));
        let records = RecordServiceServer::new(Records::new(peers.clone()));
        let groups = GroupServiceServer::new(Groups::new(peers.clone()));
        let operations = OperationServiceServer::new(Operations::new(peers));
        server
            .add(InterceptedService::new(
                wallets.max_decoding_message_size(MAX_REQUEST_BYTES),
                users.clone(),
            ))
            .add(InterceptedService::new(
                red_packets.max_decoding_message_size(MAX_REQUEST_BYTES),
                users.clone(),
            ))
            .add(InterceptedService::new(
                records.max_decoding_message_size(MAX_REQUEST_BYTES),
                users.clone(),
            ))
            .add(InterceptedService::new(
                groups.max_decoding_message_size(MAX_REQUEST_BYTES),
                users,
            ))
            .add(InterceptedService::new(
                operations.max_decoding_message_size(MAX_REQUEST_BYTES),
                operators,
            ))
            .spawn(process, move || {
                let health = health.clone();
                async move { health.check().await }
            })?;
        Ok(address)
    }
}

/// How callers are known.
fn authenticate(development: bool, address: SocketAddr) -> Arc<dyn Authenticate> {
    if !development {
        return Arc::new(Closed);
    }
    tracing::warn!(
        %address,
        "DEVELOPMENT MODE: every caller is believed to be who it says it is, operators included. Anyone who can connect \
         to this address can move anyone's money."
    );
    Arc::new(Plain)
}
