//! The composition root: the only file that names concrete stores, gates and clients.

use std::{net::SocketAddr, sync::Arc};

use cache::Shared;
use clock::SharedClock;
use proto::grab::v1::grab_service_server::GrabServiceServer;
use resp::Redis;
use runtime::{Faults, Process, Server, client, config::ServerConfig};
use tokio::sync::watch;

use crate::{
    config::{Config, Settings},
    domain::claim::Head,
    gate::{
        Gate,
        breaker::{Breaker, Outage},
        degraded::DegradedGate,
        local::LocalGate,
        memory::Memory,
        redis::{Parts, RedisGate},
    },
    heads::{self, Heads},
    ops::{Feed, Race, Records},
    packets::Packets,
    peer::{account::Account, cached::Cached},
    rpc::Rpc,
    store::{ClaimStore, LogStore, sql::SqlStore},
    writer::{self, Writer},
};

/// The name in `grpc.health.v1` that says whether the gate has all of its Redis. `NOT_SERVING` while grabs of any partition
/// are answered from SQL; the service itself serves on.
const REDIS_PART: &str = "gate/redis";

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

    async fn migrate(config: Config) -> anyhow::Result<()> {
        Ok(SqlStore::migrate(&config.database_urls).await?)
    }

    async fn start(config: Config, process: &Process) -> anyhow::Result<SocketAddr> {
        let server = Server::bind(&config.server).await?;
        let address = server.local_addr()?;
        let clock: SharedClock = Arc::new(clock::System);
        // A connection of its own; whether this Redis can be used, the gate asks.
        let shared = config.redis.as_ref().map(Redis::open).transpose()?.map(Shared::new);

        let store = Arc::new(SqlStore::open(&config.database_urls, config.pool, config.partitions).await?);
        process.on_stopped(SqlStore::clone(&store).close());
        let log: Arc<dyn LogStore> = store.clone();
        let found = log.heads(&log.ranges().concat()).await?;
        let gate = gate(&config, &store, &found, &clock, process).await?;
        let heads = Arc::new(Heads::new(found));
        heads::start_polling(&heads, &log, config.tail_poll, process);

        let packets = Arc::new(Packets::new(store.clone(), config.partitions));
        let ports = writer::Ports {
            store: log.clone(),
            gate: gate.port.clone(),
            heads: heads.clone(),
            clock: clock.clone(),
        };
        let race = Race {
            packets: packets.clone(),
            directory: Arc::new(Cached::new(
                Account::new(client::channel(&config.account)),
                shared.as_ref(),
            )),
            gate: gate.port,
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
            log,
            heads,
            process: process.clone(),
        };

        let rpc = GrabServiceServer::new(Rpc { race, records, feed })
            .max_decoding_message_size(client::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(client::MAX_MESSAGE_BYTES);
        let mut server = server.add(rpc);
        if let Some(outage) = gate.outage {
            server = server.part(REDIS_PART, outage, |outage| outage.away == 0);
        }
        server.spawn(process, move || {
            let store = store.clone();
            async move { store.ping().await.map_err(|fault| fault.to_string()) }
        })?;
        Ok(address)
    }
}

/// The gate, and how much of its Redis is away, if it has one.
struct Gated {
    port: Arc<dyn Gate>,
    outage: Option<watch::Receiver<Outage>>,
}

/// In memory for a single process, or in Redis behind a breaker. `heads` are those of all partitions.
async fn gate(
    config: &Config,
    store: &Arc<SqlStore>,
    heads: &[Head],
    clock: &SharedClock,
    process: &Process,
) -> anyhow::Result<Gated> {
    let (claims, timing): (Arc<dyn ClaimStore>, _) = (store.clone(), config.timing);
    let Some(redis) = &config.redis else {
        return Ok(Gated {
            port: Arc::new(LocalGate::new(claims, clock.clone(), timing)),
            outage: None,
        });
    };
    let redis = Redis::open(redis)?;
    redis.begin().await?;
    let memory = Arc::new(Memory::new(claims));
    let degraded = DegradedGate::new(memory.clone(), clock.clone(), timing);
    let parts = Parts {
        redis,
        memory,
        clock: clock.clone(),
        timing,
    };
    let redis = RedisGate::new(parts, heads, rand::random());
    let breaker = Arc::new(Breaker::new(redis, degraded, config.partitions));
    let outage = Some(breaker.outage());
    process.spawn("gate watch", breaker.clone().watch(process.clone()));
    Ok(Gated { port: breaker, outage })
}
