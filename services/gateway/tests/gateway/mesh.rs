//! The gateway in front of four fake services, each on its own port.

use std::net::SocketAddr;

use gateway::{Config, Gateway};
use proto::{
    account::v1::{account_service_server::AccountServiceServer, group_service_server::GroupServiceServer},
    gateway::v1::{
        group_service_client::GroupServiceClient, operation_service_client::OperationServiceClient,
        record_service_client::RecordServiceClient, red_packet_service_client::RedPacketServiceClient,
        wallet_service_client::WalletServiceClient,
    },
    grab::v1::grab_service_server::GrabServiceServer,
    packet::v1::packet_service_server::PacketServiceServer,
    transfer::v1::transfer_service_server::TransferServiceServer,
};
use runtime::{Channel, Process, Service};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, service::Routes};

use crate::fake::Fake;

/// An address where nobody listens.
pub const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

/// See the module.
pub struct Mesh {
    /// All four services.
    pub fake: Fake,
    /// The gateway's life.
    pub process: Process,
    /// Where the gateway is.
    pub address: SocketAddr,
}

impl Mesh {
    /// A gateway in development mode.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A gateway in development mode, configured further.
    pub async fn with(configure: impl FnOnce(&mut Config)) -> Self {
        let fake = Fake::default();
        let account = Routes::new(AccountServiceServer::new(fake.clone()));
        let account = account.add_service(GroupServiceServer::new(fake.clone()));
        let mut config = Config {
            server: testkit::server_config(),
            account: testkit::endpoint(serve(account).await),
            packet: testkit::endpoint(serve(Routes::new(PacketServiceServer::new(fake.clone()))).await),
            grab: testkit::endpoint(serve(Routes::new(GrabServiceServer::new(fake.clone()))).await),
            transfer: testkit::endpoint(serve(Routes::new(TransferServiceServer::new(fake.clone()))).await),
            redis: None,
            max_watchers: 3.try_into().unwrap(),
            development: true,
        };
        configure(&mut config);
        let process = Process::new();
        let address = Gateway::start(config, &process).await.unwrap();
        Self { fake, process, address }
    }

    pub fn channel(&self) -> Channel {
        testkit::channel(self.address)
    }

    pub fn wallet(&self) -> WalletServiceClient<Channel> {
        WalletServiceClient::new(self.channel())
    }

    pub fn red_packet(&self) -> RedPacketServiceClient<Channel> {
        RedPacketServiceClient::new(self.channel())
    }

    pub fn record(&self) -> RecordServiceClient<Channel> {
        RecordServiceClient::new(self.channel())
    }

    pub fn group(&self) -> GroupServiceClient<Channel> {
        GroupServiceClient::new(self.channel())
    }

    pub fn operation(&self) -> OperationServiceClient<Channel> {
        OperationServiceClient::new(self.channel())
    }
}

/// A server with health, which says SERVING.
async fn serve(routes: Routes) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_, health) = tonic_health::server::health_reporter();
    let server = tonic::transport::Server::builder().add_routes(routes.add_service(health));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

/// A request of this user.
pub fn by<T>(user: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("hongbao-user-id", user.parse().unwrap());
    request
}

/// A request of this operator.
pub fn by_operator<T>(user: &str, message: T) -> Request<T> {
    let mut request = by(user, message);
    request
        .metadata_mut()
        .insert("hongbao-role", "operator".parse().unwrap());
    request
}
