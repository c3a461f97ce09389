//! Which engines, where everything is kept and listens.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use clap::Args;

use super::engine::Choice;

/// How a mesh of processes is laid out.
#[derive(Clone, Debug, Args)]
pub struct Layout {
    /// Engines to start, with commas between them: redis or redis-cluster, and postgres, mysql or sqlite
    #[arg(long, value_name = "ENGINES", default_value_t = Choice::default())]
    pub engines: Choice,
    /// Directory of the engines' data, the logs and the keys; made where it is missing. One mesh at a time
    #[arg(long, value_name = "DIR", default_value = "data/mesh")]
    pub data_dir: PathBuf,
    /// Port of the gateway, for clients; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub gateway_port: u16,
    /// First port of the other services, whose instances take it and those that follow; 0 takes free ones
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub service_port: u16,
    /// Port of the SQL server; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub sql_port: u16,
    /// Port of Redis, or of the first node of a Redis Cluster, whose others follow it; 0 takes free ones
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub redis_port: u16,
    /// Databases that packet and grab are spread over; never change it over the same data
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub shards: u16,
    /// Setting of one service, such as `packet.sweep_interval=1s`; may be repeated
    #[arg(long = "set", value_name = "SERVICE.NAME=VALUE")]
    pub settings: Vec<Setting>,
    /// What the services log, in the syntax of `RUST_LOG`
    #[arg(long, env = "HONGBAO_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
    /// Directory of the services' programs; without it the one where this program is
    #[arg(long, value_name = "DIR")]
    pub programs: Option<PathBuf>,
    /// Whether every instance has lines of its own to the engines, which fail on demand.
    #[arg(skip)]
    pub lines: bool,
}

impl Layout {
    /// A mesh on free ports that keeps everything in `data_dir`: for tests and the demo.
    pub fn free(engines: Choice, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            engines,
            data_dir: data_dir.into(),
            gateway_port: 0,
            service_port: 0,
            sql_port: 0,
            redis_port: 0,
            shards: 1,
            settings: Vec::new(),
            log: "warn".to_owned(),
            programs: None,
            lines: false,
        }
    }

    /// With this setting of one service.
    #[must_use]
    pub fn set(mut self, service: &str, name: &str, value: &str) -> Self {
        self.settings.push(Setting {
            service: service.to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
        });
        self
    }

    /// Where the `n`-th instance after the gateway listens.
    pub(super) fn address(&self, n: u16) -> anyhow::Result<SocketAddr> {
        address(self.service_port.checked_add(n).filter(|_| self.service_port != 0))
    }

    /// Where an instance serves its metrics: a free port.
    #[expect(clippy::unused_self, reason = "where everything listens is asked of the layout")]
    pub(super) fn metrics_address(&self) -> anyhow::Result<SocketAddr> {
        address(None)
    }

    /// Where the gateway listens.
    pub(super) fn gateway_address(&self) -> anyhow::Result<SocketAddr> {
        address(Some(self.gateway_port).filter(|port| *port != 0))
    }
}

fn address(port: Option<u16>) -> anyhow::Result<SocketAddr> {
    let port = port.map_or_else(engines::free_port, Ok)?;
    Ok(SocketAddr::from(([127, 0, 0, 1], port)))
}

/// A setting of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The service, such as `packet`.
    pub service: String,
    /// The setting, such as `sweep_interval`.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl FromStr for Setting {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "must look like packet.sweep_interval=1s, with a service's name in front";
        let (place, value) = text.split_once('=').ok_or(FORM)?;
        let (service, name) = place.split_once('.').ok_or(FORM)?;
        if !super::member::SERVICES.contains(&service) || name.is_empty() {
            return Err(FORM);
        }
        Ok(Self {
            service: service.to_owned(),
            name: name.replace('-', "_"),
            value: value.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_names_its_service() {
        let setting: Setting = "packet.sweep-interval=1s".parse().unwrap();
        let layout = Layout::free(Choice::default(), "x").set("packet", "sweep_interval", "1s");
        assert_eq!(layout.settings, [setting]);
        for wrong in ["sweep_interval=1s", "packet.x", "nobody.x=1", "packet.=1"] {
            assert!(wrong.parse::<Setting>().is_err(), "{wrong}");
        }
    }
}
