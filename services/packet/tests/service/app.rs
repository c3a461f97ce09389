//! The service under test, which can be killed and started again on the same file.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use clock::{Clock, Manual, SharedClock};
use packet::{Config, Settings};
use proto::{
    packet::v1::{
        CreatePacketRequest, GetPacketRequest, ListPacketsRequest, Packet, State, list_packets_request::Of,
        packet_service_client::PacketServiceClient,
    },
    terms::v1::{Anyone, Audience, Kind, audience::Who},
};
use runtime::{Channel, Faults, Process, Service as _, config::defaults};
use testkit::Dir;
use tokio::runtime::Runtime;
use tonic::Status;

use crate::peers::Peers;

/// Everything a test needs: peers, a clock that stands still, databases.
pub struct World {
    pub peers: Arc<Peers>,
    pub peers_address: SocketAddr,
    pub clock: Manual,
    pub config: Config,
    _dir: Dir,
}

impl World {
    /// A world with one file.
    pub async fn new() -> Self {
        let dir = Dir::new();
        let url = dir.sqlite("packet");
        Self {
            _dir: dir,
            ..Self::over(&[url]).await
        }
    }

    /// A world with two files.
    pub async fn sharded() -> Self {
        let dir = Dir::new();
        let urls = [dir.sqlite("left"), dir.sqlite("right")];
        Self {
            _dir: dir,
            ..Self::over(&urls).await
        }
    }

    /// A world with these databases, in this order.
    pub async fn over(urls: &[String]) -> Self {
        let start = "2026-02-16T12:00:00Z".parse().unwrap();
        let clock = Manual::new(start);
        let peers = Peers::new(Arc::new(clock.clone()));
        let address = peers.clone().serve().await;
        let mut faults = Faults::default();
        let config = defaults::<Settings>().check(&mut faults);
        let config = Config {
            server: testkit::server_config(),
            database_urls: urls.iter().map(|url| url.parse().unwrap()).collect(),
            account: testkit::endpoint(address),
            grab: testkit::endpoint(address),
            transfer: testkit::endpoint(address),
            sweep_interval: Duration::from_millis(10),
            recover_after: Duration::from_millis(10),
            ..faults.finish(config).unwrap()
        };
        packet::Packet::migrate(config.clone()).await.unwrap();
        Self {
            peers,
            peers_address: address,
            clock,
            config,
            _dir: Dir::new(),
        }
    }

    pub async fn start(&self) -> App {
        App::start(self.config.clone(), Arc::new(self.clock.clone())).await
    }

    /// Waits while the hours pass, a second at a time.
    pub async fn eventually<T>(&self, what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
        testkit::eventually(what, async || {
            self.clock.advance(Duration::from_secs(1));
            probe().await
        })
        .await
    }
}

/// One instance, on threads of its own, so that it can die at any await.
pub struct App {
    threads: Option<Runtime>,
    process: Process,
    pub address: SocketAddr,
    pub client: PacketServiceClient<Channel>,
}

impl App {
    pub async fn start(config: Config, clock: SharedClock) -> Self {
        Self::try_start(config, clock).await.unwrap()
    }

    /// Starts, or says why not.
    pub async fn try_start(config: Config, clock: SharedClock) -> anyhow::Result<Self> {
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let process = Process::new();
        let life = process.clone();
        let started = threads.spawn(async move { packet::Packet::start_at(config, clock, &life).await });
        match started.await.unwrap() {
            Ok(address) => Ok(Self {
                threads: Some(threads),
                process,
                address,
                client: PacketServiceClient::new(testkit::channel(address)),
            }),
            Err(fault) => {
                threads.shutdown_background();
                Err(fault)
            }
        }
    }

    /// Ends the instance in order; whether all that it did was over in time.
    pub async fn stop(self) -> bool {
        self.process.stop(Duration::from_secs(5)).await
    }

    /// Ends the instance where it stands: nothing is drained, nothing is said.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }

    pub async fn create(&self, request: CreatePacketRequest) -> Result<Packet, Status> {
        let response = self.client.clone().create_packet(request).await?;
        Ok(response.into_inner().packet.unwrap())
    }

    pub async fn get(&self, id: &str) -> Result<Packet, Status> {
        let request = GetPacketRequest {
            packet_id: id.to_owned(),
        };
        Ok(self
            .client
            .clone()
            .get_packet(request)
            .await?
            .into_inner()
            .packet
            .unwrap())
    }

    /// The first hundred that a user sent.
    pub async fn sent_by(&self, user: &str) -> Vec<Packet> {
        let request = ListPacketsRequest {
            of: Some(Of::SenderId(user.to_owned())),
            page_size: 100,
            page_token: String::new(),
        };
        self.client
            .clone()
            .list_packets(request)
            .await
            .unwrap()
            .into_inner()
            .packets
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.end();
    }
}

/// 100 fen in 5 shares from alice to anyone.
pub fn request(id: &str) -> CreatePacketRequest {
    CreatePacketRequest {
        request_id: id.to_owned(),
        sender_id: "alice".to_owned(),
        kind: Kind::Unspecified.into(),
        total_fen: 100,
        share_count: 5,
        share_cap_fen: 0,
        audience: Some(anyone()),
        ..CreatePacketRequest::default()
    }
}

pub fn anyone() -> Audience {
    Audience {
        who: Some(Who::Anyone(Anyone {})),
    }
}

pub fn group(id: &str) -> Audience {
    Audience {
        who: Some(Who::GroupId(id.to_owned())),
    }
}

pub fn user(id: &str) -> Audience {
    Audience {
        who: Some(Who::UserId(id.to_owned())),
    }
}

pub fn id_of(packet: &Packet) -> String {
    packet.terms.as_ref().unwrap().packet_id.clone()
}

pub fn is(packet: &Packet, state: State) -> bool {
    packet.state() == state
}

pub fn now(world: &World) -> prost_types::Timestamp {
    clock::to_proto(world.clock.now())
}
