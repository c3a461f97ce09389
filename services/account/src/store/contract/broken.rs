//! What is broken by hand: SQL refuses it, or a verification finds it.

use ::sql::Database;
use id::TransferId;
use sea_orm::{ConnectionTrait, DbErr, SqlErr, Statement};

use super::{deposit, engine::Home, fund, open, packet, settle, verdicts, verified, wallet};
use crate::{
    domain::{
        account::AccountRef,
        audit::{
            Finding,
            Finding::{
                Balance, BelowZero, Entries, EntryCount, NoSuchAccount, NoSuchTransfer, RunningBalance, TransferChanged,
            },
            Subject,
        },
        ledger::Verdict,
    },
    store::{Groups, contract, sql::SqlStore},
};

pub async fn run(database: &Database, statement: &str) -> Result<u64, DbErr> {
    let tx = database.begin().await.unwrap();
    let done = tx.as_ref().execute_unprepared(statement).await?;
    tx.commit().await.unwrap();
    Ok(done.rows_affected())
}

/// What refused a statement.
fn refusal(fault: &DbErr) -> &'static str {
    match fault.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => "key",
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => "reference",
        _ => {
            let words = fault.to_string();
            let check = ["CHECK constraint", "check constraint", "CONSTRAINT `CONSTRAINT_"];
            if check.iter().any(|part| words.contains(part)) {
                "check"
            } else {
                panic!("{words}")
            }
        }
    }
}

/// MONEY-2 and MONEY-3 stand in SQL, not only in code.
pub async fn is_refused(engine: &Home) {
    let (database, store) = engine.store("refused").await;
    open(store.as_ref(), &["a"]).await;
    assert_eq!(
        verdicts(store.as_ref(), [deposit("a", "r", 100)]).await,
        [Verdict::Posted]
    );
    let group = crate::domain::people::Group {
        id: "g".parse().unwrap(),
        display_name: "G".to_owned(),
        owner: contract::user("a"),
        member_count: 0,
        create_time: contract::at(1),
    };
    store.create(&group, &[contract::user("a")]).await.unwrap();
    let wallet = engine.uuid(wallet("a").id().as_uuid());
    let external = engine.uuid(AccountRef::External.id().as_uuid());
    for (statement, by) in [
        (
            format!("UPDATE accounts SET balance_fen = balance_fen - 101 WHERE account_id = {wallet}"),
            "check",
        ),
        (
            format!("UPDATE accounts SET entry_count = -1 WHERE account_id = {wallet}"),
            "check",
        ),
        ("UPDATE transfers SET amount_fen = 0".to_owned(), "check"),
        ("UPDATE transfers SET credit_id = debit_id".to_owned(), "check"),
        ("UPDATE entries SET entry_no = 0".to_owned(), "check"),
        ("UPDATE entries SET delta_fen = 0".to_owned(), "check"),
        ("INSERT INTO transfers SELECT * FROM transfers".to_owned(), "key"),
        ("INSERT INTO entries SELECT * FROM entries".to_owned(), "key"),
        ("INSERT INTO accounts SELECT * FROM accounts".to_owned(), "key"),
        ("INSERT INTO users SELECT * FROM users".to_owned(), "key"),
        (
            format!("INSERT INTO {0} SELECT * FROM {0}", engine.quote("groups")),
            "key",
        ),
        (
            "INSERT INTO group_members SELECT * FROM group_members".to_owned(),
            "key",
        ),
        (
            format!("UPDATE {} SET owner_id = 'nobody'", engine.quote("groups")),
            "reference",
        ),
        ("UPDATE group_members SET group_id = 'none'".to_owned(), "reference"),
        ("UPDATE group_members SET user_id = 'nobody'".to_owned(), "reference"),
        ("DELETE FROM users".to_owned(), "reference"),
    ] {
        let fault = run(&database, &statement).await.expect_err(&statement);
        assert_eq!(refusal(&fault), by, "{statement}: {fault}");
    }
    let owed = format!("UPDATE accounts SET balance_fen = balance_fen - 101 WHERE account_id = {external}");
    assert_eq!(
        run(&database, &owed).await.unwrap(),
        1,
        "only the world outside may owe"
    );
    let taken = format!("UPDATE accounts SET balance_fen = balance_fen - 100 WHERE account_id = {wallet}");
    assert_eq!(run(&database, &taken).await.unwrap(), 1, "down to zero is fine");
}

/// Something done to a sound ledger, and what a verification then says: finding, subject, excess in fen.
type Case = (String, Vec<(Finding, Subject, i64)>);

/// The sound ledger: `a` was given 1000 and sent 300 of it, of which `b` got 100.
const GIVEN: i64 = 1000;
const SENT: i64 = 300;
const GOT: i64 = 100;

fn escrow() -> AccountRef {
    AccountRef::Escrow(packet(1))
}

fn account(engine: &Home, reference: &AccountRef) -> (String, Subject) {
    (engine.uuid(reference.id().as_uuid()), Subject::Account(reference.id()))
}

fn transfer(engine: &Home, id: TransferId) -> (String, Subject) {
    (engine.uuid(id.as_uuid()), Subject::Transfer(id))
}

fn counted(counted: i64, found: i64) -> Finding {
    EntryCount { counted, found }
}

fn running(entry_no: i64) -> Finding {
    RunningBalance { entry_no }
}

fn broken_accounts(engine: &Home) -> Vec<Case> {
    let (id, a) = account(engine, &wallet("a"));
    vec![
        (
            format!("UPDATE accounts SET balance_fen = balance_fen + 7 WHERE account_id = {id}"),
            vec![(Balance, a, 7)],
        ),
        (
            engine.unchecked(&format!("UPDATE accounts SET balance_fen = -1 WHERE account_id = {id}")),
            vec![(BelowZero, a, -1), (Balance, a, -701)],
        ),
        (
            format!("UPDATE accounts SET entry_count = 3 WHERE account_id = {id}"),
            vec![(counted(3, 2), a, 0)],
        ),
        (
            format!("DELETE FROM accounts WHERE account_id = {id}"),
            vec![(NoSuchAccount, a, 700)],
        ),
    ]
}

fn broken_entries(engine: &Home) -> Vec<Case> {
    let (wallet_id, a) = account(engine, &wallet("a"));
    let (escrow_id, escrow) = account(engine, &escrow());
    let (fund_id, funded) = transfer(engine, TransferId::fund(packet(1)));
    let (settle_id, settled) = transfer(engine, TransferId::settle(packet(1), 0));
    let newest = format!("WHERE account_id = {wallet_id} AND entry_no = 2");
    vec![
        (
            format!("DELETE FROM entries {newest}"),
            vec![
                (Balance, a, -300),
                (counted(2, 1), a, 0),
                (Entries { found: 1 }, funded, 300),
            ],
        ),
        (
            format!("DELETE FROM entries WHERE account_id = {escrow_id} AND entry_no = 1"),
            vec![
                (Balance, escrow, 300),
                (counted(2, 1), escrow, 0),
                (running(2), escrow, 300),
                (Entries { found: 1 }, funded, -300),
            ],
        ),
        (
            format!("UPDATE entries SET delta_fen = -301 {newest}"),
            vec![(Balance, a, 1), (running(2), a, 1), (Entries { found: 2 }, funded, -1)],
        ),
        (
            format!("UPDATE entries SET balance_fen = 701 {newest}"),
            vec![(running(2), a, 1)],
        ),
        (
            format!("UPDATE entries SET entry_no = 4 {newest}"),
            vec![(counted(2, 2), a, 0), (running(4), a, 1000)],
        ),
        (
            format!("UPDATE entries SET transfer_id = {fund_id} WHERE transfer_id = {settle_id}"),
            vec![
                (Entries { found: 4 }, funded, 100),
                (Entries { found: 0 }, settled, -100),
            ],
        ),
    ]
}

fn broken_transfers(engine: &Home) -> Vec<Case> {
    let (fund_id, funded) = transfer(engine, TransferId::fund(packet(1)));
    let (settle_id, settled) = transfer(engine, TransferId::settle(packet(1), 0));
    let ((wallet_id, _), (escrow_id, _)) = (account(engine, &wallet("a")), account(engine, &escrow()));
    vec![
        (
            format!("UPDATE transfers SET amount_fen = 301 WHERE transfer_id = {fund_id}"),
            vec![(Entries { found: 2 }, funded, -1), (TransferChanged, funded, 0)],
        ),
        (
            format!(
                "UPDATE transfers SET debit_id = {escrow_id}, credit_id = {wallet_id} WHERE transfer_id = {fund_id}"
            ),
            vec![(Entries { found: 2 }, funded, 0), (TransferChanged, funded, 0)],
        ),
        (
            format!("DELETE FROM transfers WHERE transfer_id = {settle_id}"),
            vec![(NoSuchTransfer, settled, 0)],
        ),
    ]
}

/// A verification names what is broken and nothing else.
pub async fn is_found(engine: &Home) {
    let (database, store) = engine.store("broken").await;
    let cases = [
        broken_entries(engine),
        broken_transfers(engine),
        broken_accounts(engine),
    ];
    for (statement, mut expected) in cases.concat() {
        make_sound(&database, &store).await;
        run(&database, &statement).await.unwrap();
        let audit = verified(store.as_ref()).await;
        assert_eq!(audit.balance_sum, sum_of_balances(&database).await, "{statement}");
        let mut found: Vec<_> = audit
            .differences
            .iter()
            .map(|difference| (difference.finding, difference.subject, difference.excess.get()))
            .collect();
        for list in [&mut found, &mut expected] {
            list.sort_by_key(|row| format!("{row:?}"));
        }
        assert_eq!(found, expected, "{statement}");
    }
}

async fn sum_of_balances(database: &Database) -> i128 {
    let sum = "SELECT CAST(SUM(balance_fen) AS CHAR(40)) FROM accounts";
    let sum = Statement::from_string(database.read().get_database_backend(), sum);
    let row = database.read().query_one_raw(sum).await.unwrap().unwrap();
    row.try_get_by_index::<String>(0).unwrap().trim().parse().unwrap()
}

async fn make_sound(database: &Database, store: &SqlStore) {
    for table in ["entries", "transfers", "unsealed", "accounts", "users"] {
        run(database, &format!("DELETE FROM {table}")).await.unwrap();
    }
    open(store, &["a", "b"]).await;
    let sound = [
        deposit("a", "r", GIVEN),
        fund("a", packet(1), SENT),
        settle(packet(1), 0, "b", GOT),
    ];
    assert_eq!(verdicts(store, sound).await, [Verdict::Posted; 3]);
    let audit = verified(store).await;
    assert_eq!(audit.differences, []);
    assert_eq!((audit.account_count, audit.transfer_count), (4, 3));
}
