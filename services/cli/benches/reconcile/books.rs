//! Books of any size, made set by set as `COPY` reads them: packets of [`SHARES`] shares, each funded and settled, with every
//! claim, order, transfer, entry and balance that they would have, and postings that wait for their seal.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use account::domain::{
    account::AccountRef,
    chain::{Member, pack},
    transfer::{Reason, Transfer},
};
use engines::Postgres;
use id::{AccountId, PacketId, Partition, RequestId, TransferId, UserId};
use money::Fen;

/// Shares of a packet, each of one fen.
const SHARES: u32 = 99;
/// Users, each with one deposit.
pub const USERS: usize = 10_000;
/// Transfers of one posting.
pub const POSTING: usize = 500;
/// What everybody is given at the beginning.
const GIVEN_FEN: i64 = 1_000_000;
/// When it all began.
pub const BEGIN_US: i64 = 1_790_000_000_000_000;

/// One table's rows as `COPY` reads them.
struct Table {
    name: &'static str,
    path: PathBuf,
    text: String,
}

impl Table {
    fn new(dir: &Path, name: &'static str) -> Self {
        let path = dir.join(name);
        Self {
            name,
            path,
            text: String::new(),
        }
    }

    fn row(&mut self, row: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{row}").unwrap();
    }

    async fn fill(self, server: &Postgres, database: &str, columns: &str) {
        fs::write(&self.path, self.text).unwrap();
        let copy = format!("COPY {}{columns} FROM '{}'", self.name, self.path.display());
        server.query(database, &copy).await.unwrap();
        fs::remove_file(&self.path).unwrap();
    }
}

/// An account as it grows.
#[derive(Clone)]
struct Growing {
    reference: AccountRef,
    id: AccountId,
    balance: i64,
    entries: i64,
}

impl Growing {
    fn new(reference: AccountRef) -> Self {
        let id = reference.id();
        Self {
            reference,
            id,
            balance: 0,
            entries: 0,
        }
    }

    fn entry(&mut self, to: &mut Table, transfer: TransferId, delta: i64) {
        self.balance += delta;
        self.entries += 1;
        to.row(format_args!(
            "{}\t{}\t{transfer}\t{delta}\t{}",
            self.id, self.entries, self.balance
        ));
    }

    fn finish(&self, to: &mut Table) {
        let (kind, owner) = match &self.reference {
            AccountRef::Wallet(user) => (1, user.to_string()),
            AccountRef::Escrow(packet) => (2, packet.to_string()),
            AccountRef::Suspense(user) => (3, user.to_string()),
            AccountRef::External => (4, String::new()),
        };
        let (balance, entries) = (self.balance, self.entries);
        to.row(format_args!(
            "{}\t{kind}\t{owner}\t{balance}\tf\t{entries}\t{BEGIN_US}",
            self.id
        ));
    }
}

/// The ledger's tables.
struct Ledger {
    transfers: Table,
    entries: Table,
    unsealed: Table,
    waiting: Vec<Member>,
    postings: i64,
}

impl Ledger {
    fn post(&mut self, transfer: &Transfer, debit: &mut Growing, credit: &mut Growing) {
        let at = BEGIN_US + self.postings;
        let packet = transfer.packet.map_or("\\N".to_owned(), |packet| packet.to_string());
        let (id, amount) = (transfer.id, transfer.amount.get());
        let reason = transfer.reason.code();
        let (from, to) = (debit.id, credit.id);
        self.transfers
            .row(format_args!("{id}\t{from}\t{to}\t{amount}\t{reason}\t{packet}\t{at}"));
        debit.entry(&mut self.entries, id, -amount);
        credit.entry(&mut self.entries, id, amount);
        self.waiting.push(Member::of(transfer, clock::from_micros(at)));
        if self.waiting.len() == POSTING {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.waiting.is_empty() {
            let mut bytes = String::new();
            for byte in pack(&self.waiting) {
                let _ = write!(bytes, "{byte:02x}");
            }
            self.unsealed.row(format_args!("{}\t\\\\x{bytes}", self.waiting.len()));
            self.waiting.clear();
            self.postings += 1;
        }
    }
}

/// Fills the databases of account, grab and transfer with `count` transfers.
#[expect(clippy::too_many_lines, reason = "one packet's rows in all tables, side by side")]
pub async fn fill(server: &Postgres, dir: &Path, count: usize) {
    let packets = count.saturating_sub(USERS) / (SHARES as usize + 1);
    let table = |name| Table::new(dir, name);
    let mut ledger = Ledger {
        transfers: table("transfers"),
        entries: table("entries"),
        unsealed: table("unsealed"),
        waiting: Vec::new(),
        postings: 0,
    };
    let (mut accounts, mut orders, mut claims) = (table("accounts"), table("orders"), table("claim"));
    let mut heads = vec![0_i64; usize::from(Partition::DEFAULT_COUNT.get())];
    let users: Vec<UserId> = (0..USERS).map(|n| format!("u{n:05}").parse().unwrap()).collect();
    let request: RequestId = "given".parse().unwrap();
    let mut external = Growing::new(AccountRef::External);
    let mut wallets: Vec<Growing> = users
        .iter()
        .map(|user| Growing::new(AccountRef::Wallet(user.clone())))
        .collect();
    for (user, wallet) in users.iter().zip(&mut wallets) {
        let deposit = Transfer {
            id: TransferId::deposit(user, &request),
            debit: AccountRef::External,
            credit: wallet.reference.clone(),
            amount: Fen::new(GIVEN_FEN),
            reason: Reason::Deposit,
            packet: None,
        };
        ledger.post(&deposit, &mut external, wallet);
    }
    for n in 0..packets {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&(n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        let packet = PacketId::new(1_790_000_000_000 + n as u64, &random);
        let partition = packet.partition(Partition::DEFAULT_COUNT).index();
        let mut escrow = Growing::new(AccountRef::Escrow(packet));
        let mut transfer = Transfer {
            id: TransferId::fund(packet),
            debit: wallets[n % USERS].reference.clone(),
            credit: escrow.reference.clone(),
            amount: Fen::new(i64::from(SHARES)),
            reason: Reason::Fund,
            packet: Some(packet),
        };
        ledger.post(&transfer, &mut wallets[n % USERS], &mut escrow);
        let tail = format!("\\N\t0\t\\N\t\\N\t\\N\t{BEGIN_US}\t{BEGIN_US}");
        let (fund, sender) = (transfer.id, &users[n % USERS]);
        orders.row(format_args!(
            "{fund}\t1\t2\t{packet}\t{sender}\t{SHARES}\t0\t\\N\t\\N\t\\N\t{tail}"
        ));
        for share_no in 0..SHARES {
            let receiver = (n * 7 + share_no as usize * 101 + 1) % USERS;
            transfer = Transfer {
                id: TransferId::settle(packet, share_no),
                debit: escrow.reference.clone(),
                credit: wallets[receiver].reference.clone(),
                amount: Fen::new(1),
                reason: Reason::Settle,
                ..transfer
            };
            ledger.post(&transfer, &mut escrow, &mut wallets[receiver]);
            let head = &mut heads[usize::from(partition)];
            *head += 1;
            let (settle, user) = (transfer.id, &users[receiver]);
            claims.row(format_args!(
                "{partition}\t{head}\t{packet}\t{share_no}\t{user}\t1\t{BEGIN_US}\tf\t{sender}"
            ));
            orders.row(format_args!(
                "{settle}\t2\t2\t{packet}\t{user}\t1\t{share_no}\t{partition}\t{head}\t{BEGIN_US}\t{tail}"
            ));
        }
        escrow.finish(&mut accounts);
    }
    ledger.flush();
    external.finish(&mut accounts);
    for wallet in &wallets {
        wallet.finish(&mut accounts);
    }
    accounts.fill(server, "account", "").await;
    ledger.transfers.fill(server, "account", "").await;
    ledger.entries.fill(server, "account", "").await;
    ledger.unsealed.fill(server, "account", "(member_count, members)").await;
    orders.fill(server, "transfer", "").await;
    claims.fill(server, "grab", "").await;
    let mut statements = String::new();
    for (partition, head) in heads.iter().enumerate() {
        let next = head + 1;
        write!(
            statements,
            "INSERT INTO log_head VALUES ({partition}, {next}, {next}) ON CONFLICT (partition_no) DO UPDATE SET next_seq = {next};"
        )
        .unwrap();
    }
    server.query("grab", &statements).await.unwrap();
    let mut statements = String::new();
    for (partition, head) in heads.iter().enumerate() {
        write!(statements, "INSERT INTO cursors VALUES ({partition}, {head}, NULL, 0);").unwrap();
    }
    server.query("transfer", &statements).await.unwrap();
    for database in ["account", "grab", "transfer"] {
        server.query(database, "VACUUM ANALYZE").await.unwrap();
    }
}
