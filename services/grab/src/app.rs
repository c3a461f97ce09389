//! The composition root: the only file that names concrete stores, gates and clients.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, ensure};
use proto::grab::v1::grab_service_server::GrabServiceServer;
use runtime::{Faults, Process, Server, client, config::ServerConfig};
use secrecy::ExposeSecret;

use crate::{
    config::{Config, Settings},
    gate::{Gate, local::LocalGate},
    heads::{self, Heads},
    ops::{Feed, Race, Records},
    packets::Packets,
    peer::{account::Account, cached::Cached},
    rpc::Rpc,
    store::{LogStore, PacketStore, sql::SqlStore},
    writer::{self, Writer},
};

/// The grab service.
#[derive(Clone, Copy, Debug)]
pub struct Grab;

impl runtime::Service for Grab {
    const NAME: &'static str = "hongbao-grab";
    const ABOUT: &'static str = "The race for red packets: the gate, vouchers, claims and the claim log";
    const LISTEN: &'static str = "127.0.0.1:50053";
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
        let clock: clock::SharedClock = Arc::new(clock::System);

        let store = Arc::new(SqlStore::open(config.database_url.expose_secret()).await?);
        let partitions = store
            .fix_partitions(config.partitions)
            .await
            .context("reading the partitions")?;
        ensure!(
            partitions == config.partitions,
            "the store was made with {partitions} partitions, which can never change: set partitions to {partitions}"
        );
        let heads = Arc::new(Heads::new(store.heads().await?));
        let polling = heads::poll(heads.clone(), store.clone(), config.tail_poll, process.clone());
        process.spawn("claim log poll", polling);

        let packets = Arc::new(Packets::new(store.clone(), partitions));
        let gate: Arc<dyn Gate> = Arc::new(LocalGate::new(store.clone(), clock.clone(), config.timing));
        let ports = writer::Ports {
            store: store.clone(),
            gate: gate.clone(),
            heads: heads.clone(),
            clock: clock.clone(),
        };
        let race = Race {
            packets: packets.clone(),
            directory: Arc::new(Cached::new(Account::new(client::channel(&config.account)))),
            gate,
            writer: Writer::start(config.width, &ports, process),
            keys: config.keys,
            promises: store.clone(),
            claims: store.clone(),
            clock,
        };
        let records = Records {
            claims: store.clone(),
            utc_offset: config.utc_offset,
        };
        let feed = Feed {
            packets,
            claims: store.clone(),
            log: store.clone(),
            heads,
            process: process.clone(),
        };

        let rpc = GrabServiceServer::new(Rpc { race, records, feed })
            .max_decoding_message_size(client::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(client::MAX_MESSAGE_BYTES);
        server.add(rpc).spawn(process, move || {
            let store = store.clone();
            async move { store.ping().await.map_err(|fault| fault.to_string()) }
        })?;
        Ok(address)
    }
}
