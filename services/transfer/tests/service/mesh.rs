//! Transfer with its peers: each instance in a runtime of its own, so that killing one stops it where it stands.

use std::{net::SocketAddr, num::NonZeroU16, pin::pin, sync::Arc, time::Duration};

use clock::Manual;
use id::PacketId;
use proto::{
    account::v1::account_service_server::AccountServiceServer,
    grab::v1::grab_service_server::GrabServiceServer,
    transfer::v1::{self as wire, transfer_service_client::TransferServiceClient},
};
use runtime::{Channel, Process, Server};
use tonic::Status;
use transfer::{
    Config,
    ops::Ports,
    peer::{account::AccountLedger, grab::GrabLog},
    store::{Cursors, Migrator, SqlStore},
};

use crate::{bank::Bank, claims::Log};

pub const PARTITIONS: u16 = 8;

pub type Client = TransferServiceClient<Channel>;

/// Everything but transfer itself.
pub struct Mesh {
    pub bank: Bank,
    pub log: Log,
    pub clock: Manual,
    pub config: Config,
    dir: testkit::Dir,
    process: Process,
}

/// One process of transfer.
pub struct Instance {
    pub client: Client,
    process: Process,
    runtime: Option<tokio::runtime::Runtime>,
}

/// Packet number `n`.
pub fn packet(n: u8) -> PacketId {
    PacketId::new(1_700_000_000_000, &[n; 10])
}

async fn serve<S>(service: S, process: &Process) -> SocketAddr
where
    S: tonic::codegen::Service<
            tonic::codegen::http::Request<tonic::body::Body>,
            Response = tonic::codegen::http::Response<tonic::body::Body>,
            Error = std::convert::Infallible,
        > + tonic::server::NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    let server = Server::bind(&testkit::server_config()).await.unwrap();
    let address = server.local_addr().unwrap();
    server.add(service).spawn(process, || async { Ok(()) }).unwrap();
    address
}

impl Mesh {
    pub async fn new() -> Self {
        let dir = testkit::Dir::new();
        let url = dir.sqlite("transfer");
        Self::on(&url, dir).await
    }

    /// A mesh whose store is the database at `url`, which is migrated here; `dir` lives as long as the mesh.
    pub async fn on(url: &str, dir: testkit::Dir) -> Self {
        let database_url: sql::Url = url.parse().unwrap();
        sql::Database::migrate::<Migrator>(&database_url).await.unwrap();
        let (bank, log, process) = (Bank::new(), Log::new(PARTITIONS), Process::new());
        let account = serve(AccountServiceServer::new(bank.clone()), &process).await;
        let grab = serve(GrabServiceServer::new(log.clone()), &process).await;
        let config = Config {
            server: testkit::server_config(),
            database_url,
            pool: sql::Pool::default(),
            account: testkit::endpoint(account),
            grab: testkit::endpoint(grab),
            partitions: NonZeroU16::new(PARTITIONS).unwrap(),
            lease_ttl: Duration::from_millis(300),
            reconcile_interval: None,
        };
        Self {
            bank,
            log,
            clock: Manual::new(clock::from_micros(1_700_000_000_000_000)),
            config,
            dir,
            process,
        }
    }

    /// A mesh with one instance, and money: `sender` has 1,000,000 fen, `alice`, `bob` and `carol` have wallets.
    pub async fn with_instance() -> (Self, Instance) {
        Self::new().await.furnished().await
    }

    /// The same of this mesh.
    pub async fn furnished(self) -> (Self, Instance) {
        self.bank.deposit("sender", 1_000_000);
        for user in ["alice", "bob", "carol"] {
            self.bank.deposit(user, 0);
        }
        let instance = self.start().await;
        (self, instance)
    }

    /// Starts an instance on the store of this mesh.
    pub async fn start(&self) -> Instance {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let process = Process::new();
        let (config, clock, spawned) = (self.config.clone(), Arc::new(self.clock.clone()), process.clone());
        let started = runtime.spawn(async move { transfer::app::start_at(config, clock, &spawned).await });
        let address = started.await.unwrap().unwrap();
        Instance {
            client: TransferServiceClient::new(testkit::channel(address)),
            process,
            runtime: Some(runtime),
        }
    }

    /// The store of this mesh.
    pub async fn database(&self) -> sql::Database {
        sql::Database::open::<Migrator>(&self.config.database_url, self.config.pool)
            .await
            .unwrap()
    }

    /// What use cases stand on, with no instance around them.
    pub async fn ports(&self) -> Ports {
        let store = SqlStore::new(self.database().await);
        store.prepare(self.config.partitions).await.unwrap();
        Ports {
            store: Arc::new(store),
            ledger: Arc::new(AccountLedger::new(runtime::client::channel(&self.config.account))),
            log: Arc::new(GrabLog::new(
                || runtime::client::channel(&self.config.grab),
                self.config.partitions,
            )),
            clock: Arc::new(self.clock.clone()),
        }
    }

    pub fn path(&self) -> &std::path::Path {
        self.dir.path()
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        self.process.begin_stop();
    }
}

impl Instance {
    /// Stops it where it stands.
    pub fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }

    /// Stops it properly.
    pub async fn stop(self) {
        assert!(self.process.stop(Duration::from_secs(5)).await, "it did not drain");
    }

    pub async fn fund(&self, packet: PacketId, sender: &str, amount_fen: i64) -> Result<wire::TransferOrder, Status> {
        let request = wire::FundPacketRequest {
            packet_id: packet.to_string(),
            sender_id: sender.to_owned(),
            amount_fen,
        };
        let answer = self.client.clone().fund_packet(request).await?;
        Ok(answer.into_inner().order.unwrap())
    }

    pub async fn refund(
        &self,
        packet: PacketId,
        sender: &str,
        amount_fen: i64,
    ) -> Result<Option<wire::TransferOrder>, Status> {
        let request = wire::RefundPacketRequest {
            packet_id: packet.to_string(),
            sender_id: sender.to_owned(),
            amount_fen,
        };
        Ok(self.client.clone().refund_packet(request).await?.into_inner().order)
    }

    pub async fn orders(&self, packet: PacketId) -> Vec<wire::TransferOrder> {
        let request = wire::ListTransfersRequest {
            of: Some(wire::list_transfers_request::Of::PacketId(packet.to_string())),
            page_size: 1_000,
            page_token: String::new(),
        };
        self.client
            .clone()
            .list_transfers(request)
            .await
            .unwrap()
            .into_inner()
            .orders
    }

    pub async fn cases(&self) -> Vec<wire::RepairCase> {
        let request = wire::ListRepairCasesRequest::default();
        self.client
            .clone()
            .list_repair_cases(request)
            .await
            .unwrap()
            .into_inner()
            .cases
    }

    pub async fn reconcile(&self) -> wire::ReconcileResponse {
        self.reconcile_in(0).await
    }

    /// All slices, of about `rows` rows each.
    pub async fn reconcile_in(&self, rows: i32) -> wire::ReconcileResponse {
        let mut whole = wire::ReconcileResponse::default();
        let mut request = wire::ReconcileRequest {
            page_size: rows,
            ..Default::default()
        };
        loop {
            let slice = self
                .client
                .clone()
                .reconcile(request.clone())
                .await
                .unwrap()
                .into_inner();
            assert!(
                slice.progress_permille >= whole.progress_permille,
                "{slice:?} behind {whole:?}"
            );
            whole.packet_count += slice.packet_count;
            whole.claim_count += slice.claim_count;
            whole.transfer_count += slice.transfer_count;
            whole.unsettled_count += slice.unsettled_count;
            whole.open_case_count = slice.open_case_count;
            whole.progress_permille = slice.progress_permille;
            whole.differences.extend(slice.differences);
            request.page_token = slice.next_page_token;
            if request.page_token.is_empty() {
                return whole;
            }
        }
    }

    /// Waits until every claim is settled and returns the report, which must be clean.
    pub async fn settled(&self, claims: i64) -> wire::ReconcileResponse {
        let report = testkit::eventually("all claims are settled", async || {
            let report = self.reconcile().await;
            (report.claim_count == claims && report.unsettled_count == 0).then_some(report)
        })
        .await;
        assert_eq!(report.differences, []);
        report
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.process.begin_stop();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs `work` for at most `polls` polls, then drops it where it stands. `Some` if it came to its end.
pub async fn cut_after<T>(polls: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}
