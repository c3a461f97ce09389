//! The servers of SQL and Redis.

use std::{fmt, net::SocketAddr, path::Path, str::FromStr};

use engines::{Fault, MariaDb, Options, Postgres, Process, Proxy, Redis, RedisCluster};

use super::{Death, Layout};
use crate::up::data::DataDir;

/// Masters of a Redis Cluster, the fewest that can agree on the loss of one …
const MASTERS: usize = 3;
/// … and replicas of each.
const REPLICAS: usize = 1;
/// Connections that a SQL server takes: every instance's pool of every shard.
const CONNECTIONS: &str = "500";

/// Where packets, claims and money are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// A file for each service.
    Sqlite,
    /// `PostgreSQL`.
    Postgres,
    /// `MariaDB`.
    MariaDb,
}

/// Where the gate and the caches are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// In memory.
    None,
    /// One Redis.
    Redis,
    /// A Redis Cluster.
    RedisCluster,
}

/// The engines of a mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Where packets, claims and money are kept.
    pub store: Store,
    /// Where the gate and the caches are.
    pub cache: Cache,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            store: Store::Postgres,
            cache: Cache::Redis,
        }
    }
}

impl Choice {
    /// How many instances a service has: SQLite takes one process, the gate in memory one grab.
    pub(super) fn instances(self, service: &str) -> u16 {
        match service {
            _ if self.store == Store::Sqlite => 1,
            "grab" if self.cache == Cache::None => 1,
            "grab" | "transfer" => 2,
            _ => 1,
        }
    }
}

impl FromStr for Choice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "name one of postgres, mysql and sqlite, and at most one of redis and redis-cluster";
        let (mut store, mut cache) = (None, None);
        for word in text.split(',') {
            let (kept, cached) = match word.trim() {
                "sqlite" => (Some(Store::Sqlite), None),
                "postgres" | "postgresql" => (Some(Store::Postgres), None),
                "mysql" | "mariadb" => (Some(Store::MariaDb), None),
                "redis" => (None, Some(Cache::Redis)),
                "redis-cluster" => (None, Some(Cache::RedisCluster)),
                _ => return Err(FORM),
            };
            if kept.is_some() && store.is_some() || cached.is_some() && cache.is_some() {
                return Err(FORM);
            }
            (store, cache) = (store.or(kept), cache.or(cached));
        }
        Ok(Self {
            store: store.ok_or(FORM)?,
            cache: cache.unwrap_or(Cache::None),
        })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.cache {
            Cache::None => "",
            Cache::Redis => "redis,",
            Cache::RedisCluster => "redis-cluster,",
        })?;
        f.write_str(match self.store {
            Store::Sqlite => "sqlite",
            Store::Postgres => "postgres",
            Store::MariaDb => "mysql",
        })
    }
}

/// A server that runs, or a cluster of them.
#[derive(Debug)]
pub enum Engine {
    /// `PostgreSQL`.
    Postgres(Box<Postgres>),
    /// `MariaDB`.
    MariaDb(Box<MariaDb>),
    /// One Redis.
    Redis(Box<Redis>),
    /// A Redis Cluster.
    RedisCluster(Box<RedisCluster>),
}

impl Engine {
    /// What it is called in the mesh.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgres",
            Self::MariaDb(_) => "mariadb",
            Self::Redis(_) => "redis",
            Self::RedisCluster(_) => "redis-cluster",
        }
    }

    /// What its URLs begin with.
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgres",
            Self::MariaDb(_) => "mysql",
            Self::Redis(_) | Self::RedisCluster(_) => "redis",
        }
    }

    /// Its processes and where they listen.
    pub fn processes(&self) -> Vec<(&Process, SocketAddr)> {
        match self {
            Self::Postgres(server) => vec![(server.process(), server.address())],
            Self::MariaDb(server) => vec![(server.process(), server.address())],
            Self::Redis(server) => vec![(server.process(), server.address())],
            Self::RedisCluster(cluster) => {
                let nodes = cluster.nodes().iter();
                nodes.map(|node| (node.process(), node.address())).collect()
            }
        }
    }

    /// A fault if a process of it has ended.
    fn expect_running(&mut self) -> Result<(), Fault> {
        match self {
            Self::Postgres(server) => server.expect_running(),
            Self::MariaDb(server) => server.expect_running(),
            Self::Redis(server) => server.expect_running(),
            Self::RedisCluster(cluster) => cluster.expect_running(),
        }
    }

    /// SIGKILL; of a cluster, to all nodes.
    pub async fn kill(&mut self) {
        match self {
            Self::Postgres(server) => server.kill().await,
            Self::MariaDb(server) => server.kill().await,
            Self::Redis(server) => server.kill().await,
            Self::RedisCluster(cluster) => {
                for node in cluster.nodes_mut() {
                    node.kill().await;
                }
            }
        }
    }

    /// Starts it again on the same ports and data.
    pub async fn restart(&mut self) -> Result<(), Fault> {
        match self {
            Self::Postgres(server) => server.restart().await,
            Self::MariaDb(server) => server.restart().await,
            Self::Redis(server) => server.restart().await,
            Self::RedisCluster(cluster) => cluster.restart().await,
        }
    }

    /// The quickest stop that it has, without tidying up: `immediate` of `PostgreSQL`, SIGKILL of the others.
    pub async fn stop_immediately(&mut self) {
        match self {
            Self::Postgres(server) => server.stop_immediately().await,
            Self::MariaDb(_) | Self::Redis(_) | Self::RedisCluster(_) => self.kill().await,
        }
    }

    /// Forgets everything that a cache holds; nothing where money is kept.
    pub async fn flush(&self) -> Result<(), Fault> {
        match self {
            Self::Postgres(_) | Self::MariaDb(_) => {}
            Self::Redis(server) => {
                server.command(&["FLUSHALL"]).await?;
            }
            Self::RedisCluster(cluster) => {
                for node in cluster.nodes() {
                    // A replica refuses, and follows its master.
                    node.command(&["FLUSHALL"]).await.ok();
                }
            }
        }
        Ok(())
    }

    /// A line to it that fails on demand; none to a cluster, whose nodes tell clients their own addresses.
    pub(super) async fn line(&self) -> Option<Result<Proxy, Fault>> {
        Some(match self {
            Self::Postgres(server) => server.proxy().await,
            Self::MariaDb(server) => server.proxy().await,
            Self::Redis(server) => server.proxy().await,
            Self::RedisCluster(_) => return None,
        })
    }

    /// Whether it keeps money, and so commits.
    pub fn is_sql(&self) -> bool {
        matches!(self, Self::Postgres(_) | Self::MariaDb(_))
    }

    async fn stop(&mut self) {
        match self {
            Self::Postgres(server) => server.stop().await,
            Self::MariaDb(server) => server.stop().await,
            Self::Redis(server) => server.stop().await,
            Self::RedisCluster(cluster) => cluster.stop().await,
        }
    }
}

/// The engines of a mesh, running.
#[derive(Debug)]
pub struct Engines {
    running: Vec<Engine>,
    /// Those whose death was told.
    mourned: Vec<&'static str>,
    /// URL of the cache; empty for none.
    redis_url: String,
}

impl Engines {
    /// Starts what the layout asks for.
    pub(super) async fn start(layout: &Layout, data: &DataDir) -> anyhow::Result<Self> {
        let password = data.engine_password()?;
        let options = |name: &str, port: u16| {
            let options = Options::default().dir(data.path().join(name)).password(&*password);
            if port == 0 { options } else { options.port(port) }
        };
        let cache = async {
            let options = options("redis", layout.redis_port);
            Ok::<_, Fault>(match layout.engines.cache {
                Cache::None => None,
                Cache::Redis => {
                    let redis = Redis::start_with(options).await?;
                    let url = redis.url();
                    Some((Engine::Redis(Box::new(redis)), url))
                }
                Cache::RedisCluster => {
                    let cluster = RedisCluster::start_with(MASTERS, REPLICAS, options).await?;
                    let url = cluster.url();
                    Some((Engine::RedisCluster(Box::new(cluster)), url))
                }
            })
        };
        let store = async {
            Ok::<_, Fault>(match layout.engines.store {
                Store::Sqlite => None,
                Store::Postgres => {
                    let options = options("postgres", layout.sql_port).set("max_connections", CONNECTIONS);
                    Some(Engine::Postgres(Box::new(Postgres::start_with(options).await?)))
                }
                Store::MariaDb => {
                    let options = options("mariadb", layout.sql_port).set("max-connections", CONNECTIONS);
                    Some(Engine::MariaDb(Box::new(MariaDb::start_with(options).await?)))
                }
            })
        };
        let (cache, store) = tokio::try_join!(cache, store)?;
        let (cache, redis_url) = cache.unzip();
        Ok(Self {
            running: cache.into_iter().chain(store).collect(),
            mourned: Vec::new(),
            redis_url: redis_url.unwrap_or_default(),
        })
    }

    /// URL of the cache; empty for none.
    pub(super) fn redis_url(&self) -> &str {
        &self.redis_url
    }

    /// URLs of a service's `shards` databases, with commas between them; they are made where they are missing.
    pub(super) async fn databases(&self, service: &str, shards: u16, data: &Path) -> Result<String, Fault> {
        let mut urls = Vec::new();
        for shard in 0..shards {
            let name = match shard {
                0 => service.to_owned(),
                more => format!("{service}_{more}"),
            };
            let mut url = format!("sqlite://{}", data.join(&name).with_extension("db").display());
            for engine in &self.running {
                match engine {
                    Engine::Postgres(server) => url = server.database(&name).await?,
                    Engine::MariaDb(server) => url = server.database(&name).await?,
                    Engine::Redis(_) | Engine::RedisCluster(_) => {}
                }
            }
            urls.push(url);
        }
        Ok(urls.join(","))
    }

    /// How one of them died, told once for each.
    pub(super) fn death(&mut self) -> Option<Death> {
        let mourned = &mut self.mourned;
        let mut rest = self
            .running
            .iter_mut()
            .filter(|engine| !mourned.contains(&engine.name()));
        let (name, fault) = rest.find_map(|engine| Some((engine.name(), engine.expect_running().err()?)))?;
        mourned.push(name);
        Some(Death {
            name: name.to_owned(),
            told: fault.to_string(),
        })
    }

    /// Whether the end of one of them is told from now on.
    pub(super) fn wonder_at(&mut self, name: &'static str, told: bool) {
        self.mourned.retain(|mourned| *mourned != name);
        if !told {
            self.mourned.push(name);
        }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Engine> {
        self.running.iter()
    }

    /// Each of them, to kill and restart it.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Engine> {
        self.running.iter_mut()
    }

    /// Stops all at once, each in its orderly way.
    pub(super) async fn stop(&mut self) {
        futures::future::join_all(self.running.iter_mut().map(Engine::stop)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_store_and_at_most_one_cache() {
        for (text, shown) in [
            ("redis,postgres", "redis,postgres"),
            ("postgresql, redis", "redis,postgres"),
            ("redis-cluster,mysql", "redis-cluster,mysql"),
            ("mariadb", "mysql"),
            ("sqlite", "sqlite"),
        ] {
            assert_eq!(text.parse::<Choice>().unwrap().to_string(), shown);
        }
        for wrong in [
            "",
            "redis",
            "postgres,mysql",
            "redis,redis-cluster,mysql",
            "oracle",
            "redis,,mysql",
        ] {
            assert!(wrong.parse::<Choice>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_shared_has_one_process() {
        let instances = |text: &str| {
            let choice: Choice = text.parse().unwrap();
            ["account", "grab", "transfer"].map(|service| choice.instances(service))
        };
        assert_eq!(instances("redis,postgres"), [1, 2, 2]);
        assert_eq!(instances("mysql"), [1, 1, 2]);
        assert_eq!(instances("redis,sqlite"), [1, 1, 1]);
    }
}
