//! Reconciling and verifying a million transfers on `PostgreSQL`, over gRPC between real services.
//!
//! ```text
//! cargo bench -p hongbao --bench reconcile
//! TRANSFERS=100000 cargo bench -p hongbao --bench reconcile
//! ```
//!
//! Reported are seconds, rows a second, and the processor time and
//! memory of the services (all in this process) and of the server.
#![cfg(test)] // so that the lints know helpers for tests

mod books;

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use account::{
    domain::{
        account::AccountRef,
        chain::{Member, Sealing, pack},
        ledger::Item,
        transfer::{Reason, Transfer},
    },
    store::{Chain, Ledger as _, sql::SqlStore},
};
use engines::Postgres;
use id::{RequestId, TransferId, UserId};
use money::Fen;
use proto::{
    account::v1::{VerifyLedgerRequest, account_service_client::AccountServiceClient},
    transfer::v1::{ReconcileRequest, transfer_service_client::TransferServiceClient},
};
use runtime::{Faults, Process, Service, config::defaults};
use sea_orm::{ConnectionTrait, sea_query::Query};

use books::{BEGIN_US, POSTING, USERS, fill};

fn config<S: Service>(set: impl FnOnce(&mut S::Settings)) -> S::Config {
    let mut settings = defaults();
    set(&mut settings);
    let mut faults = Faults::default();
    let config = S::check(&settings, &mut faults);
    faults.finish(config).unwrap()
}

/// Processor time of a process in seconds, and the most memory it had, in MiB.
fn used(pid: u32) -> (f64, u64) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind the name, which may hold spaces: the 14th and 15th field of the whole, in hundredths.
    let fields = stat.rsplit(')').next().unwrap_or("").split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
    #[expect(clippy::cast_precision_loss, reason = "a few thousand ticks")]
    let seconds = ticks as f64 / 100.0;
    (seconds, peak.unwrap_or(0_u64) / 1024)
}

/// Processor time of the server: of its process and all its sessions.
fn used_by_children(parent: u32) -> f64 {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
    children.map(|pid| used(pid).0).sum()
}

/// Measures one thing.
struct Measured {
    begun: Instant,
    ours: f64,
    theirs: f64,
    server: u32,
}

impl Measured {
    fn begin(server: u32) -> Self {
        Self {
            begun: Instant::now(),
            ours: used(std::process::id()).0,
            theirs: used_by_children(server),
            server,
        }
    }

    fn end(self, name: &str, rows: i64) {
        let took = self.begun.elapsed().as_secs_f64();
        let (ours, peak) = used(std::process::id());
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let rate = rows as f64 / took;
        println!(
            "{name:<14} {took:>7.1} s  {rate:>9.0} rows/s   cpu: services {:>5.1} s, server {:>5.1} s   peak {peak} MiB",
            ours - self.ours,
            used_by_children(self.server) - self.theirs,
        );
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let count = std::env::var("TRANSFERS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(1_000_000);
    let dir = testkit::Dir::new();
    let server = Postgres::start().await.unwrap();
    let pid = server.process().id();
    let [account_url, grab_url, transfer_url] = {
        let mut urls = Vec::new();
        for name in ["account", "grab", "transfer"] {
            urls.push(server.database(name).await.unwrap());
        }
        <[String; 3]>::try_from(urls).unwrap()
    };
    let listen = |settings: &mut runtime::config::ServerSettings| "127.0.0.1:0".clone_into(&mut settings.listen);
    let account = config::<account::Account>(|settings| {
        listen(&mut settings.server);
        settings.database_url = account_url;
        "0s".clone_into(&mut settings.seal_interval);
    });
    account::Account::migrate(account.clone()).await.unwrap();
    let process = Process::new();
    let account_url = account.database_url.clone();
    let account = account::Account::start(account, &process).await.unwrap();
    let grab = config::<grab::Grab>(|settings| {
        listen(&mut settings.server);
        settings.database_url = grab_url;
        settings.account_url = format!("http://{account}");
        settings.voucher_keys = format!("k1:{}", "c0de".repeat(16));
    });
    grab::Grab::migrate(grab.clone()).await.unwrap();
    let transfer = |grab: String| {
        config::<transfer::Transfer>(|settings| {
            listen(&mut settings.server);
            settings.database_url = transfer_url.clone();
            settings.account_url = format!("http://{account}");
            settings.grab_url = grab;
            "0s".clone_into(&mut settings.reconcile_interval);
        })
    };
    transfer::Transfer::migrate(transfer("http://127.0.0.1:1".to_owned()))
        .await
        .unwrap();

    let begun = Instant::now();
    fill(&server, dir.path(), count).await;
    println!(
        "{:<14} {:>7.1} s for {count} transfers",
        "filled",
        begun.elapsed().as_secs_f64()
    );

    let grab = Box::pin(grab::Grab::start(grab, &process)).await.unwrap();
    let transfer = Box::pin(transfer::Transfer::start(transfer(format!("http://{grab}")), &process))
        .await
        .unwrap();
    let database = sql::Database::open::<account::store::sql::Migrator>(&account_url, sql::Pool::default())
        .await
        .unwrap();
    let chain = Arc::new(SqlStore::new(database.clone()));
    let measured = Measured::begin(pid);
    let mut sealed = 0;
    while let Sealing::Sealed(more) = chain.seal(clock::from_micros(BEGIN_US)).await.unwrap() {
        sealed += more;
    }
    measured.end("sealing", sealed);

    let mut client = AccountServiceClient::new(testkit::channel(account));
    let (mut request, mut seen, mut slowest) = (VerifyLedgerRequest::default(), 0, Duration::ZERO);
    let measured = Measured::begin(pid);
    loop {
        let begun = Instant::now();
        let slice = client.verify_ledger(request.clone()).await.unwrap().into_inner();
        slowest = slowest.max(begun.elapsed());
        assert_eq!(slice.differences, []);
        seen += slice.transfer_count;
        request.page_token = slice.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    measured.end("VerifyLedger", seen);
    println!("{:<14} the slowest slice took {slowest:?}", "");

    let mut client = TransferServiceClient::new(testkit::channel(transfer));
    let (mut request, mut claims, mut slowest) = (ReconcileRequest::default(), 0, Duration::ZERO);
    let mut ledger = 0;
    let measured = Measured::begin(pid);
    loop {
        let begun = Instant::now();
        let slice = client.reconcile(request.clone()).await.unwrap().into_inner();
        slowest = slowest.max(begun.elapsed());
        assert_eq!(slice.differences, []);
        claims += slice.claim_count;
        ledger += slice.transfer_count;
        request.page_token = slice.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    measured.end("Reconcile", ledger);
    println!("{:<14} {claims} claims; the slowest slice took {slowest:?}", "");
    posting(&chain, &database).await;
    process.begin_stop();
}

/// What a posting of 500 takes, and what of it is for the chain.
async fn posting(store: &SqlStore, database: &sql::Database) {
    const BATCHES: usize = 60;
    let deposits = |batch: usize| -> Vec<Transfer> {
        let user = |n: usize| -> UserId { format!("u{:05}", (batch * POSTING + n) % USERS).parse().unwrap() };
        let request: RequestId = format!("more-{batch}").parse().unwrap();
        let deposit = |user: UserId| Transfer {
            id: TransferId::deposit(&user, &request),
            debit: AccountRef::External,
            credit: AccountRef::Wallet(user),
            amount: Fen::new(1),
            reason: Reason::Deposit,
            packet: None,
        };
        (0..POSTING).map(user).map(deposit).collect()
    };
    let now = clock::from_micros(BEGIN_US);
    let (mut whole, mut digests, mut rows) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for batch in 0..BATCHES {
        let transfers = deposits(batch);
        let items: Vec<Item> = transfers.iter().cloned().map(Ok).collect();
        let begun = Instant::now();
        store.post(&items, now).await.unwrap();
        whole += begun.elapsed();

        let begun = Instant::now();
        let members: Vec<Member> = transfers.iter().map(|transfer| Member::of(transfer, now)).collect();
        let bytes = pack(&members);
        digests += begun.elapsed();

        let transaction = database.begin().await.unwrap();
        let insert = Query::insert()
            .into_table("unsealed")
            .columns(["member_count", "members"])
            .values_panic([500_i64.into(), bytes.into()])
            .take();
        let begun = Instant::now();
        transaction.as_ref().execute(&insert).await.unwrap();
        rows += begun.elapsed();
        transaction.rollback().await.unwrap();
    }
    let mean = |sum: Duration| sum / u32::try_from(BATCHES).unwrap();
    let (whole, digests, rows) = (mean(whole), mean(digests), mean(rows));
    println!(
        "{:<14} {whole:?} for a batch of {POSTING}; of it for the chain: digests {digests:?}, row {rows:?}",
        "posting"
    );
}
