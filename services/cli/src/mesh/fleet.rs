//! Starts and stops everything.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use anyhow::Context;
use futures::future::{join_all, try_join_all};

use super::{
    Layout,
    engine::{Engine, Engines},
    member::{Member, Programs, Recipe, SERVICES},
    network::Network,
};
use crate::up::data::DataDir;

/// How often the processes are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// The services that keep a store.
const KEEPERS: [&str; 4] = ["account", "packet", "grab", "transfer"];

/// A mesh of processes. Dropping it kills them all.
#[derive(Debug)]
pub struct Mesh {
    // Dropped in this order: who uses the others first.
    pub(super) members: Vec<Member>,
    pub(super) engines: Engines,
    pub(super) programs: Programs,
    network: Network,
    layout: Layout,
    data: DataDir,
}

/// The end of a process that should run.
#[derive(Clone, Debug)]
pub struct Death {
    /// What died, such as `grab-2`.
    pub name: String,
    /// How, for people.
    pub told: String,
}

impl Mesh {
    /// Starts the engines, brings the stores up to date and starts the services; returns when all of them serve. Whatever
    /// fails, nothing is left running.
    pub async fn start(layout: &Layout) -> anyhow::Result<Self> {
        let programs = Programs::find(layout.programs.as_deref())?;
        let data = DataDir::take(&layout.data_dir)?;
        let logs = data.path().join("log");
        fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
        let engines = Engines::start(layout, &data).await?;

        let mut network = Network::default();
        let recipes = recipes(layout, &engines, &mut network, &data, &logs).await?;
        let keepers = KEEPERS.map(|keeper| recipes.iter().find(|recipe| recipe.service == keeper));
        try_join_all(keepers.iter().flatten().map(|recipe| recipe.migrate(&programs))).await?;
        let members: Vec<_> = recipes
            .into_iter()
            .map(|recipe| Member::start(recipe, &programs))
            .collect::<anyhow::Result<_>>()?;
        let mut mesh = Self {
            members,
            engines,
            programs,
            network,
            layout: layout.clone(),
            data,
        };
        try_join_all(mesh.members.iter_mut().map(Member::serves)).await?;
        Ok(mesh)
    }

    /// Where clients call.
    pub fn gateway(&self) -> SocketAddr {
        self.members[0].recipe().address
    }

    /// The gateway as clients name it.
    pub fn gateway_url(&self) -> String {
        format!("http://{}", self.gateway())
    }

    /// How it is laid out.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Where everything is kept.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// The instances of services, the gateway first.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The engines.
    pub fn engines(&self) -> &Engines {
        &self.engines
    }

    /// The lines between instances and engines; none unless the layout asks for them.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Waits until a process that should run has died, and tells which and how, once each.
    pub async fn death(&mut self) -> Death {
        loop {
            let members = self.members.iter_mut().find_map(Member::death);
            if let Some(death) = members.or_else(|| self.engines.death()) {
                return death;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// `kill -9` of an instance such as `grab-2`, or of an engine such as `postgres`.
    pub async fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        if let Some(member) = self.members.iter_mut().find(|member| member.recipe().name == name) {
            member.kill().await;
        } else {
            self.engine(name)?.kill().await;
        }
        Ok(())
    }

    /// `kill -9` of every process, engines included.
    pub async fn kill_all(mut self) {
        join_all(self.members.iter_mut().map(Member::kill)).await;
        join_all(self.engines.iter_mut().map(Engine::kill)).await;
    }

    /// Starts what was killed again, where it was, and waits until it serves.
    pub async fn revive(&mut self, name: &str) -> anyhow::Result<()> {
        if let Some(member) = self.members.iter_mut().find(|member| member.recipe().name == name) {
            member.restart(&self.programs)?;
            member.serves().await
        } else {
            Ok(self.engine(name)?.restart().await?)
        }
    }

    pub(super) fn engine(&mut self, name: &str) -> anyhow::Result<&mut Engine> {
        let mut engines = self.engines.iter_mut();
        let found = engines.find(|engine| engine.name() == name);
        found.with_context(|| format!("nothing in the mesh is called {name}"))
    }

    /// Stops gateway, packet, transfer, grab and account, in this order, each with its own time to finish what runs, and
    /// then the engines; `false` if a service had to be killed. Nothing runs afterwards.
    pub async fn stop(mut self) -> bool {
        let mut stopped = true;
        for service in SERVICES {
            let members = self
                .members
                .iter_mut()
                .filter(|member| member.recipe().service == service);
            stopped &= join_all(members.map(Member::stop))
                .await
                .into_iter()
                .all(|stopped| stopped);
        }
        self.engines.stop().await;
        stopped
    }
}

/// How every instance is started, the gateway first.
async fn recipes(
    layout: &Layout,
    engines: &Engines,
    network: &mut Network,
    data: &DataDir,
    logs: &Path,
) -> anyhow::Result<Vec<Recipe>> {
    let mut places: Vec<(&'static str, String, SocketAddr)> = Vec::new();
    for service in SERVICES {
        let instances = layout.engines.instances(service);
        for n in 1..=instances {
            let name = if instances == 1 {
                service.to_owned()
            } else {
                format!("{service}-{n}")
            };
            let address = if service == "gateway" {
                layout.gateway_address()?
            } else {
                layout.address(u16::try_from(places.len())? - 1)?
            };
            places.push((service, name, address));
        }
    }
    let peer = |of: &str| {
        let urls = places.iter().filter(|(service, ..)| *service == of);
        let urls: Vec<_> = urls.map(|(_, _, address)| format!("http://{address}")).collect();
        (format!("{of}_url"), urls.join(","))
    };
    let peers: Vec<_> = KEEPERS.iter().map(|service| peer(service)).collect();
    let keys = data.voucher_key_file()?;

    let mut recipes = Vec::new();
    for (service, name, address) in &places {
        let mut settings: Vec<(String, String)> = [
            ("listen", address.to_string()),
            ("metrics_listen", layout.metrics_address()?.to_string()),
            ("log", layout.log.clone()),
            ("log_format", "text".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let mut set = |name: &str, value: String| settings.push((name.to_owned(), value));
        let asks = |peer: &str| PEERS.contains(&(*service, peer));
        for (name, urls) in peers.iter().filter(|(name, _)| asks(name.trim_end_matches("_url"))) {
            set(name, urls.clone());
        }
        if KEEPERS.contains(service) {
            let shards = if matches!(*service, "packet" | "grab") {
                layout.shards
            } else {
                1
            };
            let urls = engines.databases(service, shards, data.path()).await?;
            set("database_url", network.route(layout, engines, name, urls).await?);
        }
        if CACHERS.contains(service) {
            let url = engines.redis_url().to_owned();
            set("redis_url", network.route(layout, engines, name, url).await?);
        }
        match *service {
            "grab" => set("voucher_keys_file", keys.display().to_string()),
            "gateway" => set("development", "true".to_owned()),
            _ => {}
        }
        let given = layout.settings.iter().filter(|setting| setting.service == *service);
        settings.extend(given.map(|setting| (setting.name.clone(), setting.value.clone())));
        recipes.push(Recipe {
            service,
            name: name.clone(),
            address: *address,
            settings,
            log: logs.join(name).with_extension("log"),
        });
    }
    Ok(recipes)
}

/// Who asks whom.
const PEERS: [(&str, &str); 10] = [
    ("gateway", "account"),
    ("gateway", "packet"),
    ("gateway", "grab"),
    ("gateway", "transfer"),
    ("packet", "account"),
    ("packet", "grab"),
    ("packet", "transfer"),
    ("transfer", "account"),
    ("transfer", "grab"),
    ("grab", "account"),
];
/// Who uses Redis.
const CACHERS: [&str; 3] = ["gateway", "grab", "account"];
