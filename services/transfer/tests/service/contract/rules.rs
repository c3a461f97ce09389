//! What the schema itself refuses, whoever writes.

use sea_orm::{ConnectionTrait, DbErr, SqlErr};
use sql::Database;
use transfer::{
    domain::{CaseEvent, Order},
    store::{Cases, Cursors, Orders},
};
use uuid::Uuid;

use super::{PARTITIONS, at, attempt, packet, settled, user};
use testkit::Engine;

use crate::engine::store;

async fn run(database: &Database, statement: &str) -> Result<(), DbErr> {
    let transaction = database.begin().await.unwrap();
    transaction.as_ref().execute_unprepared(statement).await?;
    transaction.commit().await.unwrap();
    Ok(())
}

/// What refused a statement.
fn refusal(fault: &DbErr) -> &'static str {
    if matches!(fault.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) {
        return "key";
    }
    let words = fault.to_string();
    let check = ["CHECK constraint", "check constraint", "CONSTRAINT `CONSTRAINT_"];
    assert!(check.iter().any(|part| words.contains(part)), "{words}");
    "check"
}

/// Checks and keys, of every table.
pub async fn are_enforced(engine: &Engine) {
    let (database, store) = store(engine, "rules").await;
    store.prepare(PARTITIONS).await.unwrap();
    store.lease(Uuid::from_u128(1), at(1), at(2)).await.unwrap();
    let fund = Order::fund(packet(1), user("a"), 10, at(1));
    store.begin_fund(&fund, attempt(1, 10), at(1)).await.unwrap();
    for seq in [1, 2] {
        let order = settled(seq, u32::try_from(seq).unwrap());
        store.open_case(&order, CaseEvent::opened(at(1), "why")).await.unwrap();
    }
    for (statement, by) in [
        // Only what a person must look at (STUCK) may have an amount that no ledger takes.
        ("UPDATE orders SET amount_fen = 0 WHERE kind = 2", "check"),
        ("UPDATE orders SET amount_fen = -1", "check"),
        // Only a FUND may be REJECTED.
        ("UPDATE orders SET state = 3 WHERE kind = 2", "check"),
        // A claim has one order (CLAIM-3).
        ("UPDATE orders SET seq = 3 WHERE kind = 2", "key"),
        ("INSERT INTO orders SELECT * FROM orders", "key"),
        ("INSERT INTO cursors SELECT * FROM cursors", "key"),
        ("INSERT INTO workers SELECT * FROM workers", "key"),
        ("INSERT INTO repair_cases SELECT * FROM repair_cases", "key"),
        ("INSERT INTO case_events SELECT * FROM case_events", "key"),
    ] {
        let fault = run(&database, statement).await.expect_err(statement);
        assert_eq!(refusal(&fault), by, "{statement}: {fault}");
    }
    run(&database, "UPDATE orders SET state = 3 WHERE kind = 1")
        .await
        .unwrap();
    run(&database, "UPDATE orders SET amount_fen = 0, state = 5 WHERE kind = 2")
        .await
        .unwrap();

    // Also by an insert that lets stand what is there: MySQL has one that would pass over this too.
    let mut worthless = settled(9, 9);
    worthless.amount_fen = 0;
    let opened = store.open_case(&worthless, CaseEvent::opened(at(1), "why")).await;
    assert!(matches!(opened, Err(sql::Error::Driver(_))), "{opened:?}");
    assert_eq!(store.order(worthless.id).await.unwrap(), None);
}
