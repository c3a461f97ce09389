//! A running service with clients, and short words for what the tests say to it.

use std::{net::SocketAddr, time::Duration};

use account::{Account, Config};
use proto::account::v1::{
    AccountKind, AccountRef, DepositRequest, GetAccountRequest, OpenAccountRequest, PostTransfersRequest, PostVerdict,
    Transfer, TransferReason, VerifyLedgerRequest, account_service_client::AccountServiceClient,
    group_service_client::GroupServiceClient,
};
use resp::RedisConfig;
use runtime::{Channel, Process, Service};
use testkit::Dir;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

/// The packet of most tests.
pub const PACKET: &str = "0192d3c4-5b6a-7c8d-9e0f-112233445566";

/// A service with a store of its own.
pub struct Mesh {
    pub accounts: AccountServiceClient<Channel>,
    pub groups: GroupServiceClient<Channel>,
    pub address: SocketAddr,
    process: Process,
    database: Home,
}

/// Where a service's store is.
enum Home {
    /// In a file of its own.
    Own(Dir),
    /// On a server.
    Server(String),
}

impl Home {
    fn url(&self) -> sql::Url {
        match self {
            Self::Own(dir) => dir.sqlite("account").parse().unwrap(),
            Self::Server(url) => url.parse().unwrap(),
        }
    }
}

impl Mesh {
    pub async fn start() -> Self {
        Self::start_in(Home::Own(Dir::new()), None).await
    }

    /// A service that tells this Redis who left a group.
    pub async fn start_with(redis: RedisConfig) -> Self {
        Self::start_in(Home::Own(Dir::new()), Some(redis)).await
    }

    /// Why a service does not start with this Redis.
    pub async fn refused(redis: RedisConfig) -> String {
        let home = Home::Own(Dir::new());
        let refused = Account::start(config(&home, Some(redis)), &Process::new()).await;
        refused.unwrap_err().to_string()
    }

    /// An instance on a server's database, which is migrated if it is not yet.
    pub async fn over(url: &str) -> Self {
        let home = Home::Server(url.to_owned());
        let config = config(&home, None);
        Account::migrate(config).await.unwrap();
        Self::start_in(home, None).await
    }

    async fn start_in(home: Home, redis: Option<RedisConfig>) -> Self {
        let process = Process::new();
        let address = Account::start(config(&home, redis), &process).await.unwrap();
        let channel = testkit::channel(address);
        Self {
            accounts: AccountServiceClient::new(channel.clone()),
            groups: GroupServiceClient::new(channel),
            address,
            process,
            database: home,
        }
    }

    /// Stops the service and starts it anew on the same store.
    pub async fn restart(self) -> Self {
        let Self { process, database, .. } = self;
        assert!(process.stop(Duration::from_secs(10)).await, "drained");
        Self::start_in(database, None).await
    }

    pub async fn open(&self, users: &[&str]) {
        for user in users {
            let request = OpenAccountRequest {
                user_id: (*user).to_owned(),
                display_name: String::new(),
            };
            self.accounts.clone().open_account(request).await.unwrap();
        }
    }

    pub async fn deposit(&self, user: &str, request: &str, amount_fen: i64) -> Result<i64, Status> {
        let request = DepositRequest {
            request_id: request.to_owned(),
            user_id: user.to_owned(),
            amount_fen,
        };
        let response = self.accounts.clone().deposit(request).await?.into_inner();
        Ok(response.account.unwrap().balance_fen)
    }

    pub async fn balance(&self, reference: AccountRef) -> i64 {
        let request = GetAccountRequest { r#ref: Some(reference) };
        let response = self.accounts.clone().get_account(request).await.unwrap();
        response.into_inner().account.unwrap().balance_fen
    }

    pub async fn post(&self, transfers: Vec<Transfer>) -> Vec<(PostVerdict, i64)> {
        let request = Request::new(PostTransfersRequest { transfers });
        let response = self.accounts.clone().post_transfers(request).await.unwrap();
        let results = response.into_inner().results;
        results
            .iter()
            .map(|result| (result.verdict(), result.debit_balance_fen))
            .collect()
    }

    /// Verifies the ledger; panics if anything does not add up.
    pub async fn verify(&self) {
        let response = self
            .accounts
            .clone()
            .verify_ledger(VerifyLedgerRequest::default())
            .await;
        let audit = response.unwrap().into_inner();
        assert_eq!(audit.balance_sum_fen, 0);
        assert_eq!(audit.differences, []);
    }
}

fn config(home: &Home, redis: Option<RedisConfig>) -> Config {
    Config {
        server: testkit::server_config(),
        database_url: home.url(),
        pool: sql::Pool::default(),
        redis,
        // A seal's commit must not be the one that a test loses.
        seal_interval: None,
    }
}

pub fn reference(kind: AccountKind, owner: &str) -> AccountRef {
    AccountRef {
        kind: kind.into(),
        owner: owner.to_owned(),
    }
}

pub fn wallet(user: &str) -> AccountRef {
    reference(AccountKind::Wallet, user)
}

pub fn escrow(packet: &str) -> AccountRef {
    reference(AccountKind::Escrow, packet)
}

/// A transfer with a made-up id for the reason that goes with its accounts, if there is one. It belongs to the packet of its
/// escrow, or to [`PACKET`].
pub fn transfer(id: u128, debit: AccountRef, credit: AccountRef, amount_fen: i64) -> Transfer {
    use AccountKind::{Escrow, External, Suspense, Wallet};
    let reason = match (debit.kind(), credit.kind()) {
        (External, Wallet) => TransferReason::Deposit,
        (Wallet, Escrow) => TransferReason::Fund,
        (Escrow, Suspense) => TransferReason::Suspense,
        (Suspense, Wallet) => TransferReason::Repair,
        _ => TransferReason::Settle,
    };
    let escrow = [&debit, &credit].into_iter().find(|side| side.kind() == Escrow);
    let packet = escrow.map_or(PACKET, |escrow| &escrow.owner).to_owned();
    Transfer {
        transfer_id: uuid::Uuid::from_u128(id).to_string(),
        packet_id: if reason == TransferReason::Deposit {
            String::new()
        } else {
            packet
        },
        debit: Some(debit),
        credit: Some(credit),
        amount_fen,
        reason: reason.into(),
    }
}

/// What a refusal says: code, reason, and the fields it names.
pub fn said<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String, Vec<String>) {
    let status = answer.unwrap_err();
    let fields = status
        .get_details_bad_request()
        .map(|details| details.field_violations)
        .unwrap_or_default();
    (
        status.code(),
        status::reason(&status),
        fields.into_iter().map(|violation| violation.field).collect(),
    )
}

/// What a malformed request is told.
pub fn invalid(fields: &[&str]) -> (Code, String, Vec<String>) {
    (
        Code::InvalidArgument,
        "INVALID_FIELDS".to_owned(),
        fields.iter().map(|field| (*field).to_owned()).collect(),
    )
}

/// What any other refusal says.
pub fn refused(code: Code, reason: &str) -> (Code, String, Vec<String>) {
    (code, reason.to_owned(), Vec::new())
}
