//! How fast the backlog of an account service that hung is settled, against the speed of settling as it comes and against
//! bare posting, on the same PostgreSQL in the same run.
//!
//! ```text
//! cargo bench -p hongbao --bench drain
//! ```

#![cfg(test)] // so that the lints know helpers for tests

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use account::Account;
use futures::{StreamExt, stream};
use grab::Grab;
use id::{PacketId, Partition, TransferId};
use proto::{
    account::v1::{
        AccountKind, AccountRef, DepositRequest, OpenAccountRequest, PostTransfersRequest, PostVerdict,
        Transfer as Posting, TransferReason, account_service_client::AccountServiceClient,
    },
    transfer::v1::{FundPacketRequest, ListRepairCasesRequest, transfer_service_client::TransferServiceClient},
};
use runtime::{Faults, Process, Service, config::defaults};
use testkit::engines::{Postgres, Proxy};
use transfer::Transfer;

/// Packets of one round, and shares of each, of one fen: 100,000 claims.
const PACKETS: u16 = 1_000;
const SHARES: u16 = 100;
/// How long the account service hangs while the backlog is there.
const HANG: Duration = Duration::from_secs(5);
/// Transfers that are posted bare, and in one call: as many as one takes.
const BARE_PACKETS: u16 = 200;
const CALL: usize = 1_000;
/// Funding calls at once.
const AT_ONCE: usize = 16;
const LOOK: Duration = Duration::from_millis(20);

/// The services, and the way between transfer and account.
struct Bench {
    server: Postgres,
    account: SocketAddr,
    transfer: SocketAddr,
    proxy: Proxy,
    /// The last position of each partition's log.
    last_seq: BTreeMap<Partition, i64>,
    packets: u16,
}

async fn start<S: Service<Config: Clone>>(set: impl FnOnce(&mut S::Settings)) -> SocketAddr {
    let mut settings = defaults();
    set(&mut settings);
    let mut faults = Faults::default();
    let config = S::check(&settings, &mut faults);
    let config = faults.finish(config).unwrap();
    S::migrate(config.clone()).await.unwrap();
    // It lives as long as the benchmark.
    let process = Box::leak(Box::new(Process::new()));
    Box::pin(S::start(config, process)).await.unwrap()
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn packet(n: u16) -> PacketId {
    let mut random = [0; 10];
    random[..2].copy_from_slice(&n.to_be_bytes());
    PacketId::new(1_700_000_000_000, &random)
}

fn user(share_no: u16) -> String {
    format!("u{share_no}")
}

impl Bench {
    async fn new() -> Self {
        let server = Postgres::start().await.unwrap();
        let mut urls = Vec::new();
        for name in ["account", "grab", "transfer"] {
            urls.push(server.database(name).await.unwrap());
        }
        let account = start::<Account>(|settings| {
            "127.0.0.1:0".clone_into(&mut settings.server.listen);
            settings.database_url.clone_from(&urls[0]);
        })
        .await;
        let grab = start::<Grab>(|settings| {
            "127.0.0.1:0".clone_into(&mut settings.server.listen);
            settings.database_url.clone_from(&urls[1]);
            settings.account_url = url(account);
            settings.voucher_keys = format!("k1:{}", "5a".repeat(32));
            "20ms".clone_into(&mut settings.tail_poll);
        })
        .await;
        let proxy = Proxy::opaque(account).await.unwrap();
        let transfer = start::<Transfer>(|settings| {
            "127.0.0.1:0".clone_into(&mut settings.server.listen);
            settings.database_url.clone_from(&urls[2]);
            settings.account_url = url(proxy.address());
            settings.grab_url = url(grab);
        })
        .await;
        Self {
            server,
            account,
            transfer,
            proxy,
            last_seq: Partition::all(Partition::DEFAULT_COUNT).map(|one| (one, 0)).collect(),
            packets: 0,
        }
    }

    async fn people(&self) {
        let client = AccountServiceClient::new(testkit::channel(self.account));
        for user_id in (0..SHARES).map(user).chain(["sender".to_owned()]) {
            let open = OpenAccountRequest {
                user_id,
                display_name: String::new(),
            };
            client.clone().open_account(open).await.unwrap();
        }
        let deposit = DepositRequest {
            request_id: "start".to_owned(),
            user_id: "sender".to_owned(),
            amount_fen: 100_000_000,
        };
        client.clone().deposit(deposit).await.unwrap();
    }

    /// Funds so many packets more.
    async fn fund(&mut self, count: u16) -> Vec<PacketId> {
        let packets: Vec<PacketId> = (self.packets..self.packets + count).map(packet).collect();
        self.packets += count;
        let client = &TransferServiceClient::new(testkit::channel(self.transfer));
        stream::iter(&packets)
            .for_each_concurrent(AT_ONCE, |packet| async move {
                let request = FundPacketRequest {
                    packet_id: packet.to_string(),
                    sender_id: "sender".to_owned(),
                    amount_fen: SHARES.into(),
                };
                client.clone().fund_packet(request).await.unwrap();
            })
            .await;
        packets
    }

    /// Writes all claims of these packets into the log at once, as if somebody had opened them faster than they can be settled.
    async fn open_all(&mut self, packets: &[PacketId]) {
        let partitions = Partition::DEFAULT_COUNT;
        let (mut rows, mut touched) = (Vec::new(), BTreeSet::new());
        for packet in packets {
            let partition = packet.partition(partitions);
            let last_seq = self.last_seq.get_mut(&partition).unwrap();
            rows.push(format!("('{packet}'::uuid, {}, {last_seq})", partition.index()));
            *last_seq += i64::from(SHARES);
            touched.insert(partition);
        }
        let heads = touched
            .iter()
            .map(|one| format!("({}, {})", one.index(), self.last_seq[one] + 1));
        let sql = format!(
            "INSERT INTO claim (partition_no, seq, packet_id, share_no, user_id, amount_fen, claim_time_us, luckiest, \
             sender_id) SELECT p.partition_no, p.last_seq + s + 1, p.packet_id, s, 'u' || s, 1, 1, false, 'sender' \
             FROM (VALUES {}) AS p (packet_id, partition_no, last_seq), generate_series(0, {}) AS s; \
             UPDATE log_head SET next_seq = h.next_seq, version = version + 1 \
             FROM (VALUES {}) AS h (partition_no, next_seq) WHERE log_head.partition_no = h.partition_no",
            rows.join(", "),
            SHARES - 1,
            heads.collect::<Vec<_>>().join(", ")
        );
        self.server.query("grab", &sql).await.unwrap();
    }

    async fn settled(&self) -> i64 {
        let sum = "SELECT coalesce(sum(after_seq), 0) FROM cursors";
        self.server.query("transfer", sum).await.unwrap().parse().unwrap()
    }

    /// Waits until everything in the log is settled.
    async fn drained(&self) {
        let goal: i64 = self.last_seq.values().sum();
        while self.settled().await < goal {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Claims per second as they come: the account service is there all the time.
    async fn steady(&mut self) -> f64 {
        let packets = self.fund(PACKETS).await;
        let began = Instant::now();
        self.open_all(&packets).await;
        self.drained().await;
        rate(packets.len() * usize::from(SHARES), began.elapsed())
    }

    /// Claims per second of a backlog, from the moment that the account service answers again.
    async fn backlog(&mut self) -> f64 {
        let packets = self.fund(PACKETS).await;
        let before = self.settled().await;
        self.proxy.hang();
        self.open_all(&packets).await;
        tokio::time::sleep(HANG).await;
        assert_eq!(self.settled().await, before, "the account service hangs");
        let began = Instant::now();
        self.proxy.resume();
        self.drained().await;
        rate(packets.len() * usize::from(SHARES), began.elapsed())
    }

    /// Transfers per second that nobody records, in the largest calls, one after the other.
    async fn bare(&mut self) -> f64 {
        let packets = self.fund(BARE_PACKETS).await;
        let account = |kind: AccountKind, owner: String| {
            Some(AccountRef {
                kind: kind.into(),
                owner,
            })
        };
        let postings = packets.iter().flat_map(|packet| {
            (0..SHARES).map(move |share_no| Posting {
                transfer_id: TransferId::settle(*packet, share_no.into()).to_string(),
                debit: account(AccountKind::Escrow, packet.to_string()),
                credit: account(AccountKind::Wallet, user(share_no)),
                amount_fen: 1,
                reason: TransferReason::Settle.into(),
                packet_id: packet.to_string(),
            })
        });
        let postings: Vec<Posting> = postings.collect();
        let mut client = AccountServiceClient::new(testkit::channel(self.account));
        let began = Instant::now();
        for transfers in postings.chunks(CALL) {
            let request = PostTransfersRequest {
                transfers: transfers.to_vec(),
            };
            let results = client.post_transfers(request).await.unwrap().into_inner().results;
            assert!(results.iter().all(|result| result.verdict() == PostVerdict::Posted));
        }
        rate(postings.len(), began.elapsed())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

async fn run() {
    let mut bench = Bench::new().await;
    bench.people().await;
    let bare = bench.bare().await;
    println!("bare posting, {CALL} a call: {bare:.0} transfers/s");
    for round in 1..=2 {
        let steady = bench.steady().await;
        let backlog = bench.backlog().await;
        println!(
            "round {round}, {} claims: as they come {steady:.0} claims/s ({:.2} of bare posting); backlog after the account \
             service hung {backlog:.0} claims/s, ratio to as they come {:.2}",
            u32::from(PACKETS) * u32::from(SHARES),
            steady / bare,
            backlog / steady
        );
    }
    let mut client = TransferServiceClient::new(testkit::channel(bench.transfer));
    let cases = client.list_repair_cases(ListRepairCasesRequest::default()).await;
    assert!(cases.unwrap().into_inner().cases.is_empty());
}

fn main() {
    tokio::runtime::Runtime::new().unwrap().block_on(run());
}
