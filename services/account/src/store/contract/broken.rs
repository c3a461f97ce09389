//! What is broken by hand: SQL refuses it, or a verification finds it.

use ::sql::Database;
use id::TransferId;
use sea_orm::ConnectionTrait;
use testkit::Dir;

use super::{deposit, fund, open, packet, settle, sqlite, verdicts, wallet};
use crate::{
    domain::{
        account::AccountRef,
        audit::{
            Finding,
            Finding::{
                Balance, BelowZero, Entries, EntryCount, NoSuchAccount, NoSuchTransfer, RunningBalance, SumNotZero,
            },
            Subject,
        },
        ledger::Verdict,
    },
    store::Ledger,
};

async fn run(database: &Database, statement: &str) -> Result<u64, sea_orm::DbErr> {
    let tx = database.begin().await.unwrap();
    let done = tx.as_ref().execute_unprepared(statement).await?;
    tx.commit().await.unwrap();
    Ok(done.rows_affected())
}

fn hex(id: uuid::Uuid) -> String {
    format!("x'{}'", id.simple())
}

/// MONEY-2 and MONEY-3 stand in SQL, not only in code.
#[tokio::test]
async fn sql_refuses_what_no_ledger_may_hold() {
    let dir = Dir::new();
    let (database, store) = sqlite(&dir).await;
    open(store.as_ref(), &["a"]).await;
    assert_eq!(
        verdicts(store.as_ref(), [deposit("a", "r", 100)]).await,
        [Verdict::Posted]
    );
    let wallet = hex(wallet("a").id().as_uuid());
    let external = hex(AccountRef::External.id().as_uuid());
    for (statement, constraint) in [
        (
            format!("UPDATE accounts SET balance_fen = balance_fen - 101 WHERE account_id = {wallet}"),
            "CHECK",
        ),
        (
            format!("UPDATE accounts SET entry_count = -1 WHERE account_id = {wallet}"),
            "CHECK",
        ),
        ("UPDATE transfers SET amount_fen = 0".to_owned(), "CHECK"),
        ("UPDATE transfers SET credit_id = debit_id".to_owned(), "CHECK"),
        ("UPDATE entries SET entry_no = 0".to_owned(), "CHECK"),
        ("UPDATE entries SET delta_fen = 0".to_owned(), "CHECK"),
        ("INSERT INTO transfers SELECT * FROM transfers".to_owned(), "UNIQUE"),
        ("INSERT INTO entries SELECT * FROM entries".to_owned(), "UNIQUE"),
        ("INSERT INTO accounts SELECT * FROM accounts".to_owned(), "UNIQUE"),
    ] {
        let fault = run(&database, &statement).await.unwrap_err().to_string();
        assert!(fault.contains(constraint), "{statement}: {fault}");
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

fn account(reference: &AccountRef) -> (String, Subject) {
    (hex(reference.id().as_uuid()), Subject::Account(reference.id()))
}

fn transfer(id: TransferId) -> (String, Subject) {
    (hex(id.as_uuid()), Subject::Transfer(id))
}

fn counted(counted: i64, found: i64) -> Finding {
    EntryCount { counted, found }
}

fn running(entry_no: i64) -> Finding {
    RunningBalance { entry_no }
}

fn broken_accounts() -> Vec<Case> {
    let (id, a) = account(&wallet("a"));
    vec![
        (
            format!("UPDATE accounts SET balance_fen = balance_fen + 7 WHERE account_id = {id}"),
            vec![(SumNotZero, Subject::Ledger, 7), (Balance, a, 7)],
        ),
        (
            format!(
                "PRAGMA ignore_check_constraints = on;
                 UPDATE accounts SET balance_fen = -1 WHERE account_id = {id};
                 PRAGMA ignore_check_constraints = off"
            ),
            vec![
                (SumNotZero, Subject::Ledger, -701),
                (BelowZero, a, -1),
                (Balance, a, -701),
            ],
        ),
        (
            format!("UPDATE accounts SET entry_count = 3 WHERE account_id = {id}"),
            vec![(counted(3, 2), a, 0)],
        ),
        (
            format!("DELETE FROM accounts WHERE account_id = {id}"),
            vec![(SumNotZero, Subject::Ledger, -700), (NoSuchAccount, a, 700)],
        ),
    ]
}

fn broken_entries() -> Vec<Case> {
    let (wallet_id, a) = account(&wallet("a"));
    let (escrow_id, escrow) = account(&escrow());
    let (fund_id, funded) = transfer(TransferId::fund(packet(1)));
    let (settle_id, settled) = transfer(TransferId::settle(packet(1), 0));
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

fn broken_transfers() -> Vec<Case> {
    let (fund_id, funded) = transfer(TransferId::fund(packet(1)));
    let (settle_id, settled) = transfer(TransferId::settle(packet(1), 0));
    vec![
        (
            format!("UPDATE transfers SET amount_fen = 301 WHERE transfer_id = {fund_id}"),
            vec![(Entries { found: 2 }, funded, -1)],
        ),
        (
            format!("UPDATE transfers SET debit_id = credit_id, credit_id = debit_id WHERE transfer_id = {fund_id}"),
            vec![(Entries { found: 2 }, funded, 0)],
        ),
        (
            format!("DELETE FROM transfers WHERE transfer_id = {settle_id}"),
            vec![(NoSuchTransfer, settled, 0)],
        ),
    ]
}

#[tokio::test]
async fn a_verification_names_what_is_broken_and_nothing_else() {
    let cases = [broken_accounts(), broken_entries(), broken_transfers()].concat();
    for (statement, mut expected) in cases {
        let dir = Dir::new();
        let (database, store) = sqlite(&dir).await;
        open(store.as_ref(), &["a", "b"]).await;
        let sound = [
            deposit("a", "r", GIVEN),
            fund("a", packet(1), SENT),
            settle(packet(1), 0, "b", GOT),
        ];
        assert_eq!(verdicts(store.as_ref(), sound).await, [Verdict::Posted; 3]);
        let audit = store.verify().await.unwrap();
        assert_eq!(audit.differences, []);
        assert_eq!((audit.account_count, audit.transfer_count), (4, 3));

        run(&database, &statement).await.unwrap();
        let audit = store.verify().await.unwrap();
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
