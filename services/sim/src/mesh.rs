//! The mesh: hosts with the services' own composition on them, and disks that outlive the hosts.

mod services;

use std::{fmt, sync::Arc, time::Duration};

use disk::Disk;
use runtime::{Channel, client::channel_over};

use crate::{
    audit::{Auditor, Books},
    dice::Dice,
    host::Host,
    net::Net,
    redis,
    weather::HostWeather,
    world::{PANIC, World},
};

/// How many partitions packet space has here: few, so that packets share them.
pub const PARTITIONS: u16 = 2;
/// How soon a host that could not start tries again.
const RETRY: Duration = Duration::from_millis(500);

/// What a host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The account service.
    Account,
    /// The packet service.
    Packet,
    /// The grab service.
    Grab,
    /// The transfer service.
    Transfer,
}

impl Role {
    const ALL: [Self; 4] = [Self::Account, Self::Packet, Self::Grab, Self::Transfer];

    fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Packet => "packet",
            Self::Grab => "grab",
            Self::Transfer => "transfer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What survives every crash.
#[derive(Clone)]
pub struct Disks {
    /// The account service's.
    pub account: Disk<account::store::memory::Tables>,
    /// The packet service's.
    pub packet: Disk<packet::store::memory::Tables>,
    /// The grab service's.
    pub grab: grab::store::memory::MemoryDisk,
    /// The transfer service's.
    pub transfer: transfer::store::memory::MemoryDisk,
}

/// One host and what it runs.
#[derive(Clone)]
pub struct Member {
    /// What it runs.
    pub role: Role,
    /// The host.
    pub host: Arc<Host>,
}

/// The mesh of one world.
#[derive(Clone)]
pub struct Mesh {
    /// The world.
    pub world: Arc<World>,
    /// Its network.
    pub net: Net,
    /// All hosts.
    pub members: Vec<Member>,
    /// All disks.
    pub disks: Disks,
    /// The Redis of grab's gate. Always there for two instances of grab; one may do without.
    pub redis: Option<simredis::Server>,
    auditor: Arc<Auditor>,
    dice: Dice,
    voucher_keys: String,
}

impl Mesh {
    /// A mesh whose hosts are all down. How many instances each service has is drawn.
    pub fn new(world: &Arc<World>, disks: Disks, auditor: &Arc<Auditor>, dice: &Dice) -> Self {
        let mut members = Vec::new();
        for role in Role::ALL {
            let instances = if dice.chance(500) { 2 } else { 1 };
            for number in 1..=instances {
                let host = Host::new(format!("{role}-{number}"), world);
                members.push(Member { role, host });
            }
        }
        let shares_gate = members.iter().filter(|member| member.role == Role::Grab).count() > 1;
        let has_redis = world.redis_dice.chance(250) || shares_gate;
        let key: [u8; 32] = dice.bytes();
        let key = key.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        Self {
            net: Net::new(world.clone()),
            world: world.clone(),
            members,
            disks,
            redis: has_redis.then(|| redis::server(world)),
            auditor: auditor.clone(),
            dice: dice.apart("mesh"),
            voucher_keys: format!("k1:{key}"),
        }
    }

    /// The hosts of one service.
    pub fn of(&self, role: Role) -> Vec<&Arc<Host>> {
        let of_role = self.members.iter().filter(|member| member.role == role);
        of_role.map(|member| &member.host).collect()
    }

    /// A channel from a host to a service, as production balances it over the instances.
    pub fn channel(&self, from: &Arc<Host>, to: Role) -> Channel {
        channel_over(self.of(to).into_iter().map(|to| self.net.way(from, to)))
    }

    fn weather(&self, host: &Arc<Host>, books: Books) -> Arc<HostWeather> {
        Arc::new(HostWeather {
            world: self.world.clone(),
            host: host.clone(),
            auditor: self.auditor.clone(),
            books,
        })
    }

    /// Starts every host and keeps it up: one that dies starts again some time later.
    pub fn keep_up(&self) {
        for member in &self.members {
            tokio::spawn(self.clone().keep_member_up(member.clone()));
        }
    }

    async fn keep_member_up(self, member: Member) {
        let host = &member.host;
        loop {
            let up = loop {
                match services::start(&self, &member).await {
                    Ok(up) => break up,
                    Err(fault) => self
                        .world
                        .trace
                        .step(&host.name, format_args!("cannot start: {fault:#}")),
                }
                tokio::time::sleep(RETRY).await;
            };
            self.world
                .trace
                .step(&host.name, format_args!("serves (life {})", host.lives() + 1));
            let process = up.process.clone();
            host.rise(up);
            tokio::select! {
                biased;
                () = host.fell() => {}
                () = process.stopping() => {
                    self.world.violated(PANIC, format!("{} stopped by itself", host.name));
                    return;
                }
            }
            let longest_ms = match self.world.course {
                None => *self.world.host_dice.pick(&[0, 50, 1_000, 20_000]),
                Some(_) => 1_000,
            };
            tokio::time::sleep(self.world.host_dice.ms(0..=longest_ms)).await;
        }
    }
}

impl Mesh {
    /// Every host reaches every other one and its database, and none stands still.
    pub fn mend(&self) {
        self.net.mend();
        if let Some(redis) = &self.redis {
            redis.set_mood(simredis::Mood::Well);
        }
        for member in &self.members {
            member.host.mend();
        }
    }
}
