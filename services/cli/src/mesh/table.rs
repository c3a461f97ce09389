//! What runs where.

use std::net::SocketAddr;

use serde::Serialize;

use super::Mesh;
use crate::{show::rows, up::people};

/// A process of the mesh.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What it is called, such as `grab-2`.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its metrics are read; empty for an engine.
    pub metrics: String,
    /// URL of an engine, or of the databases of a service, without passwords; empty where it has none.
    pub engine: String,
}

/// What `--ready-file` holds.
#[derive(Debug, Serialize)]
pub struct Ready {
    /// Where clients call.
    pub gateway: SocketAddr,
    /// Every process.
    pub processes: Vec<Row>,
}

impl Ready {
    /// What runs where in `mesh`: its engines first.
    pub fn of(mesh: &Mesh) -> Self {
        let engines = mesh.engines().iter().flat_map(|engine| {
            let processes = engine.processes();
            let alone = processes.len() == 1;
            let row = move |(n, (process, address)): (usize, (&engines::Process, SocketAddr))| Row {
                name: if alone {
                    engine.name().to_owned()
                } else {
                    format!("{}-{}", engine.name(), n + 1)
                },
                pid: process.id(),
                address,
                metrics: String::new(),
                engine: format!("{}://{address}", engine.scheme()),
            };
            processes.into_iter().enumerate().map(row).collect::<Vec<_>>()
        });
        let services = mesh.members().iter().map(|member| {
            let recipe = member.recipe();
            Row {
                name: recipe.name.clone(),
                pid: member.process().id(),
                address: recipe.address,
                metrics: recipe
                    .setting("metrics_listen")
                    .map(|address| format!("http://{address}/metrics"))
                    .unwrap_or_default(),
                engine: without_passwords(recipe.setting("database_url").unwrap_or_default()),
            }
        });
        Self {
            gateway: mesh.gateway(),
            processes: engines.chain(services).collect(),
        }
    }
}

/// What is printed once everything serves.
pub fn greeting(mesh: &Mesh, demo_users: bool) -> String {
    let found = Ready::of(mesh);
    let table = rows(
        ["what", "#pid", "address", "engine", "metrics"],
        found.processes.into_iter().map(|row| {
            let (pid, address) = (row.pid.to_string(), row.address.to_string());
            [row.name, pid, address, row.engine, row.metrics]
        }),
        "nothing runs",
    );
    let data = mesh.data_dir().display();
    let url = mesh.gateway_url();
    let hint = if demo_users {
        let people = people::PEOPLE.map(|(user, name)| format!("{user} {name}")).join(", ");
        format!(
            "In the group `{}`, with 1000.00 yuan each: {people}. Try:\n\n  \
             export HONGBAO_GATEWAY={url}\n  \
             hongbao send 66.00 --as alice --shares 3 --to-group {}\n  \
             hongbao grab PACKET --as bob --open",
            people::GROUP.0,
            people::GROUP.0
        )
    } else {
        format!("Nobody is here yet: `hongbao user open NAME --gateway {url}`, or start it with --demo-users.")
    };
    format!(
        "{table}\n\n\
         hongbao is up on {engines}; its data is in {data}, the services' logs in {data}/log; Ctrl-C stops it\n\
         the gateway believes every caller to be who it says it is\n\n{hint}",
        engines = mesh.layout().engines
    )
}

/// URLs, with commas between them, without what is before an `@`.
fn without_passwords(urls: &str) -> String {
    let shown = urls
        .split(',')
        .map(|url| match (url.split_once("://"), url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{place}"),
            _ => url.to_owned(),
        });
    shown.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        let shown = without_passwords("postgres://u:p@h:1/packet,postgres://u:p@h:1/packet_1");
        assert_eq!(shown, "postgres://h:1/packet\npostgres://h:1/packet_1");
        assert_eq!(without_passwords("sqlite:///d/a.db"), "sqlite:///d/a.db");
    }
}
