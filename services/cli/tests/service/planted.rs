//! What is done to the tables by hand is found by reconciliation and named, and nothing else is.

use std::{collections::BTreeSet, path::Path, time::Duration};

use engines_of::Tables;
use hongbao::mesh::engine::Engine;
use id::{AccountId, PacketId, TransferId};
use proto::grab::v1::Claim;

use crate::rig::{Caller, Mesh, On, REDIS_POSTGRES, for_anyone, id_of, users};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planted_is_found_on_sqlite() {
    planted(On::OneProcess).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planted_is_found_on_postgres() {
    planted(REDIS_POSTGRES).await;
}

/// What is done to a service's tables, and what reconciliation then says: kind and subject.
struct Plant {
    name: &'static str,
    service: &'static str,
    tables: &'static [&'static str],
    statements: Vec<String>,
    found: Vec<(&'static str, String)>,
}

/// Everybody has 1,000 yuan; five of eight shares of 8 yuan are opened and settled.
async fn a_packet(mesh: &Mesh) -> (PacketId, Vec<Claim>) {
    let operator = mesh.operator();
    operator.open_accounts(&users(6), 1_000).await;
    let mut request = for_anyone("planted".into(), 800, 8, Duration::from_hours(1));
    request.kind = proto::terms::v1::Kind::Equal.into();
    let packet_id = id_of(&mesh.caller("u0000").send(request).await.unwrap());
    for n in 1..=5 {
        mesh.caller(&format!("u{n:04}")).grab(&packet_id, true).await.unwrap();
    }
    operator.reconcile_when_settled().await;
    let mut claims = operator.claims(&packet_id).await;
    claims.sort_by_key(|claim| claim.seq);
    assert_eq!(claims.len(), 5);
    (packet_id.parse().unwrap(), claims)
}

async fn planted(on: On) {
    let dir = testkit::Dir::new();
    let mut mesh = Mesh::start(on, dir.path()).await;
    let (packet, claims) = a_packet(&mesh).await;
    let operator = mesh.operator();
    let url = |service: &str| url_of(&mut mesh, dir.path(), on, service);
    let databases = ["account", "grab", "transfer"].map(url);
    let tables = Tables::open(databases).await;
    sealed(&tables).await;

    for plant in plants(&tables, packet, &claims) {
        let service = plant.service;
        tables.keep(service, plant.tables).await;
        for statement in &plant.statements {
            let changed = tables.run(service, statement).await;
            assert!(changed > 0, "{}: {statement}", plant.name);
        }
        let found = found(&operator).await;
        let expected: BTreeSet<(String, String)> = plant
            .found
            .iter()
            .map(|(kind, subject)| ((*kind).to_owned(), subject.clone()))
            .collect();
        assert_eq!(found, expected, "{}", plant.name);
        tables.bring_back(service, plant.tables).await;
        // What reconciliation has recorded of it.
        tables.forget_findings().await;
    }
    assert_eq!(self::found(&operator).await, BTreeSet::new());
}

/// Waits until the chain has come to the end of what was posted.
async fn sealed(tables: &Tables) {
    testkit::eventually("everything is sealed", async || {
        (tables.count("account", "unsealed").await == 0).then_some(())
    })
    .await;
}

/// Kinds and subjects of all differences; each must have a case.
async fn found(operator: &Caller) -> BTreeSet<(String, String)> {
    let result = operator.reconcile().await.unwrap();
    let named = result.differences.into_iter().map(|difference| {
        assert!(!difference.case_id.is_empty(), "{difference:?}");
        (difference.kind, difference.subject)
    });
    named.collect()
}

fn url_of(mesh: &mut Mesh, data: &Path, on: On, service: &str) -> String {
    match on {
        On::OneProcess => format!("sqlite://{}", data.join(service).with_extension("db").display()),
        On::Engines(_) => {
            let mut engines = mesh.many().engines().iter();
            let url = engines.find_map(|engine| match engine {
                Engine::Postgres(server) => Some(server.url(service)),
                _ => None,
            });
            url.expect("PostgreSQL")
        }
    }
}

const ORDERS: &[&str] = &["orders"];
const LEDGER: &[&str] = &["accounts", "entries", "transfers"];

#[expect(clippy::too_many_lines, reason = "a table: one row for each change by hand")]
fn plants(tables: &Tables, packet: PacketId, claims: &[Claim]) -> Vec<Plant> {
    let uuid = |id: uuid::Uuid| tables.uuid(id);
    let settle = |claim: &Claim| TransferId::settle(packet, claim.share_no);
    let (second, third) = (&claims[1], &claims[2]);
    let partition = second.partition;
    let at = |claim: &Claim| format!("partition_no = {partition} AND seq = {}", claim.seq);
    let of = |id: TransferId| format!("transfer_id = {}", uuid(id.as_uuid()));
    let claim = |claim: &Claim| format!("claim {} of partition {partition}", claim.seq);
    let transfer = |id: TransferId| format!("transfer {id}");
    let account = |id: AccountId| format!("account {id}");
    let in_packet = format!("packet {packet}");
    let (fund, escrow) = (TransferId::fund(packet), AccountId::escrow(packet));
    let wallet = AccountId::wallet(&second.user_id.parse().unwrap());
    let other = AccountId::wallet(&third.user_id.parse().unwrap());
    let balance = |id: AccountId| {
        format!(
            "UPDATE accounts SET balance_fen = balance_fen + 1 WHERE account_id = {}",
            uuid(id.as_uuid())
        )
    };
    let double = TransferId::refund(packet);
    let unclaimed = TransferId::settle(packet, 7); // under a refund's id it could be one that is not recorded yet
    let columns = "kind, state, packet_id, user_id, amount_fen, share_no, partition_no, seq + 100, claim_time_us, \
                   failure, balance_fen, paid_to, attempt_id, attempt_until_us, create_time_us, update_time_us";
    let doubled = format!(
        "INSERT INTO orders (transfer_id, {}) SELECT {}, {columns} FROM orders WHERE {}",
        columns.replace("seq + 100", "seq"),
        uuid(double.as_uuid()),
        of(settle(second))
    );
    let plant = |name, service, tables, statements, found| Plant {
        name,
        service,
        tables,
        statements,
        found,
    };
    vec![
        plant(
            "a deleted claim",
            "grab",
            &["claim"],
            vec![format!("DELETE FROM claim WHERE {}", at(second))],
            vec![("CLAIM_MISSING", claim(second))],
        ),
        plant(
            "a claim of another amount",
            "grab",
            &["claim"],
            vec![format!(
                "UPDATE claim SET amount_fen = amount_fen + 1 WHERE {}",
                at(second)
            )],
            vec![("CLAIM_TRANSFER_MISMATCH", transfer(settle(second)))],
        ),
        plant(
            "a claim of another user",
            "grab",
            &["claim"],
            vec![format!("UPDATE claim SET user_id = 'u0000' WHERE {}", at(second))],
            vec![("CLAIM_TRANSFER_MISMATCH", transfer(settle(second)))],
        ),
        plant(
            "a deleted order",
            "transfer",
            ORDERS,
            vec![format!("DELETE FROM orders WHERE {}", of(settle(second)))],
            vec![
                ("CLAIM_WITHOUT_TRANSFER", claim(second)),
                ("ESCROW_MISMATCH", in_packet.clone()),
            ],
        ),
        plant(
            "a deleted funding",
            "transfer",
            ORDERS,
            vec![format!("DELETE FROM orders WHERE {}", of(fund))],
            vec![("FUND_MISSING", in_packet.clone())],
        ),
        plant(
            "a changed amount",
            "transfer",
            ORDERS,
            vec![format!(
                "UPDATE orders SET amount_fen = amount_fen + 1 WHERE {}",
                of(settle(second))
            )],
            vec![
                ("CLAIM_TRANSFER_MISMATCH", transfer(settle(second))),
                ("ESCROW_MISMATCH", in_packet.clone()),
            ],
        ),
        plant(
            "a changed funding",
            "transfer",
            ORDERS,
            vec![format!(
                "UPDATE orders SET amount_fen = amount_fen + 1 WHERE {}",
                of(fund)
            )],
            vec![
                ("TRANSFER_NOT_IN_LEDGER", transfer(fund)),
                ("ESCROW_MISMATCH", in_packet.clone()),
            ],
        ),
        plant(
            "a doubled order",
            "transfer",
            ORDERS,
            vec![doubled],
            vec![
                ("TRANSFER_WITHOUT_CLAIM", transfer(double)),
                ("ESCROW_MISMATCH", in_packet.clone()),
            ],
        ),
        plant(
            "a cursor beyond the log",
            "transfer",
            &[],
            vec![format!(
                "UPDATE cursors SET after_seq = after_seq + 3 WHERE partition_no = {partition}"
            )],
            vec![("CURSOR_BEYOND_LOG", format!("partition {partition}"))],
        ),
        plant(
            "a cursor put back",
            "transfer",
            &[],
            vec![format!(
                "UPDATE cursors SET after_seq = after_seq - 6 WHERE partition_no = {partition}"
            )],
            vec![],
        ),
        plant(
            "the cursor where it was",
            "transfer",
            &[],
            vec![format!(
                "UPDATE cursors SET after_seq = after_seq + 3 WHERE partition_no = {partition}"
            )],
            vec![],
        ),
        plant(
            "an escrow with a fen too many",
            "account",
            LEDGER,
            vec![balance(escrow)],
            vec![("LEDGER", account(escrow)), ("ESCROW_MISMATCH", in_packet.clone())],
        ),
        plant(
            "a changed balance",
            "account",
            LEDGER,
            vec![balance(wallet)],
            vec![("LEDGER", account(wallet))],
        ),
        plant(
            "a deleted transfer",
            "account",
            LEDGER,
            vec![format!("DELETE FROM transfers WHERE {}", of(settle(second)))],
            vec![
                ("LEDGER", transfer(settle(second))),
                ("TRANSFER_NOT_IN_LEDGER", transfer(settle(second))),
            ],
        ),
        plant(
            "a changed transfer",
            "account",
            LEDGER,
            vec![format!(
                "UPDATE transfers SET amount_fen = amount_fen + 1 WHERE {}",
                of(settle(second))
            )],
            vec![
                ("LEDGER", transfer(settle(second))),
                ("TRANSFER_NOT_IN_LEDGER", transfer(settle(second))),
            ],
        ),
        plant(
            "a moved entry",
            "account",
            LEDGER,
            vec![format!(
                "UPDATE entries SET account_id = {}, entry_no = 900 WHERE account_id = {} AND {}",
                uuid(other.as_uuid()),
                uuid(wallet.as_uuid()),
                of(settle(second))
            )],
            vec![
                ("LEDGER", account(wallet)),
                ("LEDGER", account(other)),
                ("LEDGER", transfer(settle(second))),
            ],
        ),
        plant(
            "a doubled transfer, entries, balances and all",
            "account",
            LEDGER,
            doubled_transfer(tables, unclaimed, settle(second), escrow, wallet),
            vec![("LEDGER", transfer(unclaimed)), ("ESCROW_MISMATCH", in_packet)],
        ),
    ]
}

/// A settlement once more under another id, as if the ledger had posted it.
fn doubled_transfer(
    tables: &Tables,
    double: TransferId,
    of: TransferId,
    escrow: AccountId,
    wallet: AccountId,
) -> Vec<String> {
    let [double, of, escrow, wallet] =
        [double.as_uuid(), of.as_uuid(), escrow.as_uuid(), wallet.as_uuid()].map(|id| tables.uuid(id));
    let amount = format!("(SELECT amount_fen FROM transfers WHERE transfer_id = {of})");
    let entry = |account: &str, sign: &str| {
        format!(
            "INSERT INTO entries SELECT account_id, entry_count + 1, {double}, {sign} {amount}, balance_fen {sign} {amount} \
             FROM accounts WHERE account_id = {account}"
        )
    };
    let account = |account: &str, sign: &str| {
        format!(
            "UPDATE accounts SET entry_count = entry_count + 1, balance_fen = balance_fen {sign} {amount} \
             WHERE account_id = {account}"
        )
    };
    vec![
        format!(
            "INSERT INTO transfers SELECT {double}, debit_id, credit_id, amount_fen, reason, packet_id, create_us \
             FROM transfers WHERE transfer_id = {of}"
        ),
        entry(&escrow, "-"),
        entry(&wallet, "+"),
        account(&escrow, "-"),
        account(&wallet, "+"),
    ]
}

/// The services' databases, straight.
mod engines_of {
    use std::collections::BTreeMap;

    use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

    pub struct Tables {
        databases: BTreeMap<&'static str, DatabaseConnection>,
        on: DbBackend,
    }

    impl Tables {
        /// In the order account, grab, transfer.
        pub async fn open(urls: [String; 3]) -> Self {
            let mut databases = BTreeMap::new();
            for (name, url) in ["account", "grab", "transfer"].into_iter().zip(urls) {
                databases.insert(name, Database::connect(url).await.expect("a database"));
            }
            let on = databases["account"].get_database_backend();
            Self { databases, on }
        }

        /// How SQL writes a UUID.
        pub fn uuid(&self, id: uuid::Uuid) -> String {
            match self.on {
                DbBackend::Postgres => format!("'{id}'::uuid"),
                _ => format!("x'{}'", id.simple()),
            }
        }

        /// Runs it; how many rows it changed.
        pub async fn run(&self, service: &str, statement: &str) -> u64 {
            let done = self.databases[service].execute_unprepared(statement).await;
            done.unwrap_or_else(|fault| panic!("{statement}: {fault}"))
                .rows_affected()
        }

        pub async fn count(&self, service: &str, table: &str) -> i64 {
            let count = Statement::from_string(self.on, format!("SELECT count(*) FROM {table}"));
            let row = self.databases[service].query_one_raw(count).await.unwrap().unwrap();
            row.try_get_by_index(0).unwrap()
        }

        /// Copies tables, for [`Tables::bring_back`].
        pub async fn keep(&self, service: &str, tables: &[&str]) {
            for table in tables {
                self.run(service, &format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}"))
                    .await;
            }
        }

        pub async fn bring_back(&self, service: &str, tables: &[&str]) {
            for table in tables {
                self.run(service, &format!("DELETE FROM {table}")).await;
                self.run(service, &format!("INSERT INTO {table} SELECT * FROM kept_{table}"))
                    .await;
                self.run(service, &format!("DROP TABLE kept_{table}")).await;
            }
        }

        /// Removes all cases and what stands for differences that no order is about.
        pub async fn forget_findings(&self) {
            for statement in [
                "DELETE FROM orders WHERE kind = 4",
                "DELETE FROM repair_cases",
                "DELETE FROM case_events",
            ] {
                self.run("transfer", statement).await;
            }
        }
    }
}
