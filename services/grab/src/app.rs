//! The composition root: the only file that names concrete stores, gates and clients. [`compose`] is all of it that does not
//! depend on what stands behind the ports.

use std::{net::SocketAddr, sync::Arc};

use cache::Shared;
use clock::SharedClock;
use proto::grab::v1::grab_service_server::GrabServiceServer;
use resp::Redis;
use runtime::{Faults, Metrics, Process, Server, client, config::ServerConfig};
use tokio::sync::watch;

use crate::{
    config::{Config, Settings},
    domain::claim::Head,
    gate::{
        self, Gate, Timing,
        breaker::{Breaker, Outage},
        degraded::DegradedGate,
        local::LocalGate,
        memory::Memory,
        redis::RedisGate,
    },
    heads::{self, Heads},
    ops::{Feed, Race, Records, feed::Room},
    packets::Packets,
    peer::{account::Account, cached::Cached, directory::Directory},
    rpc::Rpc,
    store::{ClaimStore, LogStore, PacketStore, sql::SqlStore},
    writer::{self, Writer},
};

/// Streams that may follow one partition, on average: two instances that hand it over, a reconciliation of each, and as many
/// again that a lost connection keeps a while.
const TAILS_PER_PARTITION: usize = 8;

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
        let gate = match &config.redis {
            None => local_gate(store.clone(), clock.clone(), config.timing),
            Some(redis) => {
                let redis = Redis::open(redis)?;
                redis.begin().await?;
                let (claims, name) = (store.clone(), rand::random());
                redis_gate(redis, claims, clock.clone(), &found, name, &config, process)
            }
        };
        let account = Account::new(client::channel(&config.account));
        let parts = Parts {
            store: store.clone(),
            heads: found,
            gate: gate.port,
            directory: Arc::new(Cached::new(account, shared.as_ref())),
            clock,
        };
        let mut server = server.add(compose(parts, &config, process));
        if let Some(outage) = gate.outage {
            watch_gate(process.metrics(), outage.clone());
            server = server.part(REDIS_PART, outage, |outage| outage.away == 0);
        }
        server.spawn(process, move || {
            let store = store.clone();
            async move { store.ping().await.map_err(|fault| fault.to_string()) }
        })?;
        Ok(address)
    }
}

/// Tells at every scrape how much of the gate's Redis is away.
fn watch_gate(metrics: &Metrics, outage: watch::Receiver<Outage>) {
    let cut = metrics.meter().u64_gauge("hongbao.grab.gate.partitions_cut");
    let cut = cut
        .with_description("Partitions whose grabs are decided without Redis, because it does not serve them")
        .build();
    metrics.before_scrape("gate", move || {
        cut.record(outage.borrow().away as u64, &[]);
        std::future::ready(Ok(()))
    });
}

/// What the service is put together from.
pub struct Parts<S> {
    /// What it remembers.
    pub store: Arc<S>,
    /// The heads of all partitions, in order, as the store has them.
    pub heads: Vec<Head>,
    /// The gate.
    pub gate: Arc<dyn Gate>,
    /// Who exists and who belongs where.
    pub directory: Arc<dyn Directory>,
    /// The hour.
    pub clock: SharedClock,
}

/// The service, ready to be served; its loops run as tasks of `process`.
pub fn compose<S>(parts: Parts<S>, config: &Config, process: &Process) -> GrabServiceServer<Rpc>
where
    S: PacketStore + ClaimStore + LogStore + 'static,
{
    let Parts { store, clock, .. } = parts;
    let log: Arc<dyn LogStore> = store.clone();
    let heads = Arc::new(Heads::new(parts.heads));
    heads::start_polling(&heads, &log, config.tail_poll, process);

    let packets = Arc::new(Packets::new(store.clone(), config.partitions));
    let behind = writer::Ports {
        store: log.clone(),
        gate: parts.gate.clone(),
        heads: heads.clone(),
        clock: clock.clone(),
    };
    let race = Race {
        packets: packets.clone(),
        directory: parts.directory,
        gate: parts.gate,
        writer: Writer::start(config.width, &behind, process),
        keys: config.keys.clone(),
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
        claims: store,
        log,
        heads,
        process: process.clone(),
        room: Room::new(
            config.max_watchers.get(),
            usize::from(config.partitions.get()) * TAILS_PER_PARTITION,
        ),
    };
    GrabServiceServer::new(Rpc { race, records, feed })
        .max_decoding_message_size(client::MAX_MESSAGE_BYTES)
        .max_encoding_message_size(client::MAX_MESSAGE_BYTES)
}

/// A gate, and how much of its Redis is away, if it has one.
pub struct Gated {
    /// The gate.
    pub port: Arc<dyn Gate>,
    /// The outage of its Redis.
    pub outage: Option<watch::Receiver<Outage>>,
}

/// The gate of a single process, in memory.
pub fn local_gate(claims: Arc<dyn ClaimStore>, clock: SharedClock, timing: Timing) -> Gated {
    Gated {
        port: Arc::new(LocalGate::new(claims, clock, timing)),
        outage: None,
    }
}

/// The gate in Redis behind a breaker. `heads` are those of all partitions, in order; `name` is random and sets this process
/// apart.
pub fn redis_gate(
    redis: Redis,
    claims: Arc<dyn ClaimStore>,
    clock: SharedClock,
    heads: &[Head],
    name: u64,
    config: &Config,
    process: &Process,
) -> Gated {
    let timing = config.timing;
    let memory = Arc::new(Memory::new(claims));
    let degraded = DegradedGate::new(memory.clone(), clock.clone(), timing);
    let parts = gate::redis::Parts {
        redis,
        memory,
        clock,
        timing,
    };
    let redis = RedisGate::new(parts, heads, name);
    let breaker = Arc::new(Breaker::new(redis, degraded, config.partitions));
    let outage = Some(breaker.outage());
    process.spawn("gate watch", breaker.clone().watch(process.clone()));
    Gated { port: breaker, outage }
}
