//! Redis Cluster.

use std::{
    fs,
    net::SocketAddr,
    ops::{Index, IndexMut},
    path::Path,
    process::{Command, Stdio},
};

use futures::future::try_join_all;

use crate::{
    Fault, Options, Redis,
    home::Home,
    port::{free_port_in, is_free},
    process::output,
    program::find,
    redis,
};

/// A node's bus for the other nodes is its port and this.
const BUS: u16 = 10_000;
/// After how many milliseconds without an answer a node counts as failed. A failover takes one to two times as long.
const NODE_TIMEOUT_MS: &str = "1500";
/// Slots of every cluster.
const SLOTS: u32 = 16_384;

/// A Redis Cluster on loopback: masters that share the slots, each with the same number of replicas. The nodes are
/// [`Redis`] servers, by index; which of them are masters changes with failovers.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Redis>,
    options: Options,
    home: Home,
}

impl RedisCluster {
    /// `masters` masters (three at the least), each with `replicas` replicas, with everything of its own.
    pub async fn start(masters: usize, replicas: usize) -> Result<Self, Fault> {
        Self::start_with(masters, replicas, Options::default()).await
    }

    /// A cluster as `options` say. A given port is the first node's, and the others follow it; each node's directory is
    /// one in the given one. The cluster always begins empty, whatever lies there.
    pub async fn start_with(masters: usize, replicas: usize, options: Options) -> Result<Self, Fault> {
        let home = Home::new(options.dir.as_deref())?;
        let mut nodes: Vec<Redis> = Vec::new();
        for n in 0..masters * (1 + replicas) {
            let dir = home.join(&format!("node-{n}"));
            fs::remove_dir_all(&dir).ok();
            let mut node = options
                .clone()
                .dir(dir)
                .set("cluster-enabled", "yes")
                .set("cluster-config-file", "nodes.conf")
                .set("cluster-node-timeout", NODE_TIMEOUT_MS);
            node.port = match (options.port, u16::try_from(n)) {
                (Some(first), Ok(n)) => Some(first.saturating_add(n)),
                _ => None,
            };
            // One certificate, so that every node trusts every other.
            let certificate = nodes.first().and_then(|first| first.certificate().cloned());
            nodes.push(Redis::begin(node, None, certificate, free_node_port).await?);
        }
        let mut cluster = Self { nodes, options, home };
        cluster.join(replicas).await?;
        cluster.wait_until_ok().await?;
        for node in &mut cluster.nodes {
            let role = node.command(&["ROLE"]).await?;
            if role.starts_with("slave") {
                node.wait_for_master().await?;
            }
        }
        Ok(cluster)
    }

    /// Its URL, which names every node: `redis+cluster://…`, or `rediss+cluster://…` with TLS.
    pub fn url(&self) -> String {
        let addresses: Vec<_> = self.nodes.iter().map(|node| node.address().to_string()).collect();
        redis::url("+cluster", &self.options, &addresses.join(","))
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.home.path()
    }

    /// Where its nodes listen, by index.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Redis::address).collect()
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// The nodes, to stop, kill, pause or restart them.
    pub fn nodes_mut(&mut self) -> &mut [Redis] {
        &mut self.nodes
    }

    /// A fault with its last words if a node has ended.
    pub fn expect_running(&mut self) -> Result<(), Fault> {
        self.nodes.iter_mut().try_for_each(Redis::expect_running)
    }

    /// The node that serves `key` now, as node `told_by` knows it.
    pub async fn owner_of(&self, key: &str, told_by: usize) -> Result<Option<usize>, Fault> {
        let slot = self.nodes[told_by].command(&["CLUSTER", "KEYSLOT", key]).await?;
        let known = self.nodes[told_by].command(&["CLUSTER", "NODES"]).await?;
        let slot: u32 = slot.parse().unwrap_or(SLOTS);
        let owner = known.lines().find(|line| serves(line, slot));
        let address = owner.and_then(|line| line.split([' ', '@']).nth(1)).map(str::to_owned);
        Ok(self
            .nodes
            .iter()
            .position(|node| Some(node.address().to_string()) == address))
    }

    /// Waits until every node that runs finds the whole cluster served.
    pub async fn wait_until_ok(&mut self) -> Result<(), Fault> {
        let marks = ["cluster_state:ok".to_owned(), format!("cluster_slots_ok:{SLOTS}")];
        for node in &mut self.nodes {
            if node.is_running() {
                node.wait_until_told("find the cluster whole", &["CLUSTER", "INFO"], &marks)
                    .await?;
            }
        }
        Ok(())
    }

    /// Stops every node.
    pub async fn stop(&mut self) {
        futures::future::join_all(self.nodes.iter_mut().map(Redis::stop)).await;
    }

    /// SIGSTOP to every node.
    pub fn pause(&mut self) {
        self.nodes.iter_mut().for_each(Redis::pause);
    }

    /// SIGCONT to every node.
    pub fn resume(&mut self) {
        self.nodes.iter_mut().for_each(Redis::resume);
    }

    /// Starts every node again, empty, with the roles and slots it had.
    pub async fn restart(&mut self) -> Result<(), Fault> {
        self.stop().await;
        try_join_all(self.nodes.iter_mut().map(Redis::restart)).await?;
        self.wait_until_ok().await
    }

    async fn join(&self, replicas: usize) -> Result<(), Fault> {
        let mut cli = Command::new(find(&["redis-cli"], "Redis; Debian: redis-tools")?);
        cli.stdin(Stdio::null()).env_remove("REDISCLI_AUTH");
        if let Some(password) = &self.options.password {
            cli.env("REDISCLI_AUTH", password);
        }
        if let Some(authority) = self.nodes.first().and_then(Redis::authority) {
            cli.arg("--tls").arg("--cacert").arg(authority);
        }
        cli.args(["--cluster", "create"])
            .args(self.addresses().iter().map(ToString::to_string))
            .args(["--cluster-replicas", &replicas.to_string(), "--cluster-yes"]);
        output("redis-cli --cluster create", cli).await?;
        Ok(())
    }
}

impl Index<usize> for RedisCluster {
    type Output = Redis;

    fn index(&self, node: usize) -> &Redis {
        &self.nodes[node]
    }
}

impl IndexMut<usize> for RedisCluster {
    fn index_mut(&mut self, node: usize) -> &mut Redis {
        &mut self.nodes[node]
    }
}

/// A port that is free and whose bus is: low enough that the bus, too, is below the ports of outgoing connections.
fn free_node_port() -> Result<u16, Fault> {
    loop {
        let port = free_port_in(11_000..22_000)?;
        if is_free(port + BUS) {
            return Ok(port);
        }
    }
}

/// Whether a line of `CLUSTER NODES` is of a live master with `slot`: id, address, flags, master, ping, pong, epoch, link,
/// then ranges of slots.
fn serves(line: &str, slot: u32) -> bool {
    let mut fields = line.split_whitespace();
    let master = fields
        .nth(2)
        .is_some_and(|flags| flags.contains("master") && !flags.contains("fail"));
    master
        && fields.skip(5).any(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let within = first.parse().ok().zip(last.parse().ok());
            within.is_some_and(|(first, last): (u32, u32)| (first..=last).contains(&slot))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_belongs_to_the_live_master_that_has_it() {
        let line = "5f0c 127.0.0.1:11001@21001 myself,master - 0 1700000000000 1 connected 0-5460 9000";
        assert!(serves(line, 0) && serves(line, 5460) && serves(line, 9000));
        assert!(!serves(line, 5461));
        assert!(!serves(&line.replace("master", "master,fail"), 0));
        assert!(!serves(&line.replace("master", "slave"), 0));
    }

    #[tokio::test]
    async fn three_masters_with_replicas_survive_the_loss_of_one() {
        let mut cluster = RedisCluster::start(3, 1).await.unwrap();
        assert!(cluster.url().starts_with("redis+cluster://127.0.0.1:"));
        assert_eq!(cluster.url().matches(',').count(), 5);
        let owner = cluster.owner_of("a", 0).await.unwrap().unwrap();
        let told = cluster[owner].command(&["SET", "a", "1"]).await.unwrap();
        assert_eq!(told, "OK");
        let other = (0..3).find(|n| *n != owner).unwrap();
        let moved = cluster[other].command(&["GET", "a"]).await.unwrap_err().to_string();
        assert!(moved.contains("MOVED"), "{moved}");
        // WAIT knows only what its own connection wrote.
        let copies = async || {
            let sizes = cluster.nodes().iter().map(|node| node.command(&["DBSIZE"]));
            try_join_all(sizes)
                .await
                .unwrap()
                .iter()
                .filter(|size| *size == "1")
                .count()
        };
        while copies().await < 2 {}

        cluster[owner].kill().await;
        let heir = loop {
            match cluster.owner_of("a", other).await.unwrap() {
                Some(heir) if heir != owner => break heir,
                _ => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        };
        assert_eq!(cluster[heir].command(&["GET", "a"]).await.unwrap(), "1");
        cluster[owner].restart().await.unwrap();
        cluster[owner].wait_for_master().await.unwrap();
        cluster.wait_until_ok().await.unwrap();
        cluster.restart().await.unwrap();
    }

    #[tokio::test]
    async fn password_and_tls_hold_between_the_nodes_as_well() {
        let cluster = RedisCluster::start_with(3, 0, Options::default().password("s3cret").tls())
            .await
            .unwrap();
        assert!(cluster.url().starts_with("rediss+cluster://:s3cret@127.0.0.1:"));
        let owner = cluster.owner_of("a", 2).await.unwrap().unwrap();
        cluster[owner].command(&["SET", "a", "1"]).await.unwrap();
    }
}
