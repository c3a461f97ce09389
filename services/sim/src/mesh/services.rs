//! How each service starts on a host: its own composition, over the simulation's ports.

use std::sync::Arc;

use anyhow::Context;
use runtime::{
    Faults, Process,
    client::Way,
    config::{ServerConfig, defaults},
    server::without_socket,
};
use tonic::service::Routes;
use uuid::Uuid;

use super::{Member, Mesh, PARTITIONS, Role};
use crate::{
    audit::Books,
    host::{Host, Up},
    redis::{self, RedisWeather},
};

/// Starts what a host runs.
pub async fn start(mesh: &Mesh, member: &Member) -> anyhow::Result<Up> {
    let process = Process::new();
    match compose(mesh, member, &process).await {
        Ok(way) => Ok(Up { process, way }),
        Err(fault) => {
            process.kill();
            Err(fault)
        }
    }
}

async fn compose(mesh: &Mesh, member: &Member, process: &Process) -> anyhow::Result<Way> {
    let host = &member.host;
    match member.role {
        Role::Account => account(mesh, host),
        Role::Packet => packet(mesh, host, process),
        Role::Grab => grab(mesh, host, process).await,
        Role::Transfer => transfer(mesh, host, process).await,
    }
}

/// The configuration that these settings are.
fn understood<C>(check: impl FnOnce(&mut Faults) -> Option<C>) -> anyhow::Result<C> {
    let mut faults = Faults::default();
    let config = check(&mut faults);
    faults.finish(config).map_err(|faults| anyhow::anyhow!("{faults}"))
}

fn serve(routes: Routes, server: &ServerConfig) -> Way {
    without_socket(routes, server.request_timeout)
}

fn account(mesh: &Mesh, host: &Arc<Host>) -> anyhow::Result<Way> {
    use account::{app, notice::Nobody, store::memory::MemoryStore};
    let config = understood(|faults| defaults::<account::Settings>().check(faults))?;
    let link = mesh.disks.account.link(mesh.weather(host, Books::Account));
    let (accounts, groups) = app::compose(app::Parts {
        store: Arc::new(MemoryStore::new(link)),
        notice: Arc::new(Nobody),
        clock: host.clock.shared(),
        metrics: runtime::Metrics::default(),
    });
    Ok(serve(Routes::new(accounts).add_service(groups), &config.server))
}

fn packet(mesh: &Mesh, host: &Arc<Host>, process: &Process) -> anyhow::Result<Way> {
    use packet::{
        app,
        ops::SharedRng,
        peer::{gate::GateClient, people::PeopleClient, treasury::TreasuryClient},
        store::memory::MemoryStore,
    };
    let settings = packet::Settings {
        partitions: PARTITIONS.to_string(),
        ..defaults()
    };
    let config = understood(|faults| settings.check(faults))?;
    let link = mesh.disks.packet.link(mesh.weather(host, Books::Packet));
    let store = Arc::new(MemoryStore::new(link, "the only one"));
    let ports = app::Ports {
        requests: store.clone(),
        packets: store.clone(),
        agendas: vec![store],
        people: Arc::new(PeopleClient::new(mesh.channel(host, Role::Account))),
        gate: Arc::new(GateClient::new(mesh.channel(host, Role::Grab))),
        treasury: Arc::new(TreasuryClient::new(mesh.channel(host, Role::Transfer))),
        clock: host.clock.shared(),
        rng: SharedRng::new(mesh.dice.rng()),
    };
    let service = app::compose(ports, &config, process);
    Ok(serve(Routes::new(service), &config.server))
}

async fn grab(mesh: &Mesh, host: &Arc<Host>, process: &Process) -> anyhow::Result<Way> {
    use grab::{
        app,
        peer::{account::Account, cached::Cached},
        store::LogStore,
    };
    let settings = grab::Settings {
        partitions: PARTITIONS.to_string(),
        voucher_keys: mesh.voucher_keys.clone(),
        ..defaults()
    };
    let config = understood(|faults| settings.check(faults))?;
    let store = Arc::new(mesh.disks.grab.store(mesh.weather(host, Books::Grab)));
    let heads = store.heads(&store.ranges().concat()).await.context("heads")?;
    let clock = host.clock.shared();
    let gate = match &mesh.redis {
        None => app::local_gate(store.clone(), clock, config.timing),
        Some(server) => {
            let weather = RedisWeather {
                world: mesh.world.clone(),
                host: host.clone(),
            };
            let redis = server.link(Arc::new(weather)).redis(redis::TIMEOUT).context("redis")?;
            redis.begin().await.context("redis")?;
            let name = u64::from_le_bytes(mesh.dice.bytes());
            app::redis_gate(redis, store.clone(), clock, &heads, name, &config, process)
        }
    };
    let parts = app::Parts {
        store,
        heads,
        gate: gate.port,
        directory: Arc::new(Cached::new(Account::new(mesh.channel(host, Role::Account)), None)),
        clock: host.clock.shared(),
    };
    let service = app::compose(parts, &config, process);
    Ok(serve(Routes::new(service), &config.server))
}

async fn transfer(mesh: &Mesh, host: &Arc<Host>, process: &Process) -> anyhow::Result<Way> {
    use transfer::{
        app,
        ops::Ports,
        peer::{account::AccountLedger, grab::GrabLog},
        store::Cursors,
    };
    let settings = transfer::Settings {
        partitions: PARTITIONS.to_string(),
        ..defaults()
    };
    let config = understood(|faults| settings.check(faults))?;
    let store = mesh.disks.transfer.store(mesh.weather(host, Books::Transfer));
    store.prepare(config.partitions).await.context("partitions")?;
    let ports = Ports {
        store: Arc::new(store),
        ledger: Arc::new(AccountLedger::new(mesh.channel(host, Role::Account))),
        log: Arc::new(GrabLog::new(|| mesh.channel(host, Role::Grab), config.partitions)),
        clock: host.clock.shared(),
    };
    let names = app::Names {
        owner: Uuid::from_bytes(mesh.dice.bytes()),
        first_try: Uuid::from_bytes(mesh.dice.bytes()),
    };
    let service = app::compose(ports, names, &config, process);
    Ok(serve(Routes::new(service), &config.server))
}
