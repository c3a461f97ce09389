//! The chain of seals: it grows beside the postings, and whatever is done to what it covers is found.

use std::{cmp::Reverse, sync::Arc};

use ::sql::Database;
use id::TransferId;
use money::Fen;

use super::{Home, at, broken::run, deposit, fund, open, packet, settle, verdicts, verified, verified_in, wallet};
use crate::{
    domain::{
        account::AccountRef,
        audit::{Finding, Subject},
        chain::{Head, MAX_MEMBERS, Member, Sealing},
        ledger::Verdict,
    },
    store::{Accounts, Audit, Chain, Ledger, sql::SqlStore},
};

async fn post(store: &impl Ledger, transfers: impl IntoIterator<Item = crate::domain::transfer::Transfer>) {
    let verdicts = verdicts(store, transfers).await;
    assert!(
        verdicts.iter().all(|verdict| *verdict == Verdict::Posted),
        "{verdicts:?}"
    );
}

/// Postings wait and are sealed in their order, whole, each once; a verification sees them before and after.
pub async fn grows(store: &(impl Accounts + Ledger + Audit + Chain)) {
    open(store, &["c1", "c2"]).await;
    assert_eq!(store.head().await.unwrap(), Head::GENESIS);
    assert_eq!(store.seal(at(1)).await.unwrap(), Sealing::Idle);
    let p = packet(77);
    post(store, [deposit("c1", "r0", 5_000), fund("c1", p, 100)]).await;
    assert_eq!(verdicts(store, [fund("c1", p, 100)]).await, [Verdict::AlreadyPosted]);
    let waiting = verified(store).await;
    assert_eq!(
        (waiting.transfer_count, waiting.sealed_count, waiting.differences),
        (2, 0, vec![])
    );

    let mut shares = [settle(p, 0, "c2", 30), settle(p, 100, "c2", 10)];
    shares.sort_by_key(|share| Reverse(share.id)); // in another order than that of their ids
    post(store, shares.clone()).await;
    assert_eq!(store.seal(at(2)).await.unwrap(), Sealing::Sealed(4));
    assert_eq!(store.seal(at(3)).await.unwrap(), Sealing::Idle);
    let first = store.head().await.unwrap();
    let [one, other] = shares;
    let posted = [deposit("c1", "r0", 5_000), fund("c1", p, 100), one, other];
    let members = posted.map(|transfer| Member::of(&transfer, at(10)));
    let in_order = Head::GENESIS.seal(&members);
    assert_eq!(first, Head::of(&in_order), "posting by posting, each as it was applied");

    let count = MAX_MEMBERS as u64;
    post(store, (0..count - 1).map(|n| deposit("c2", &format!("m{n}"), 1))).await;
    post(store, (0..2).map(|n| deposit("c2", &format!("n{n}"), 1))).await;
    post(store, [settle(p, 1, "c2", 7)]).await;
    assert_eq!(
        store.seal(at(4)).await.unwrap(),
        Sealing::Sealed(i64::try_from(count).unwrap() - 1)
    );
    assert_eq!(store.seal(at(5)).await.unwrap(), Sealing::Sealed(3));
    let second = store.head().await.unwrap();
    assert_eq!(
        (second.seal_no, second.transfer_count),
        (3, 4 + i64::try_from(count).unwrap() + 2)
    );

    post(store, [settle(p, 2, "c2", 3)]).await;
    for rows in [100_000, 300, 7] {
        for known in [None, Some((1, first.hash)), Some((3, second.hash)), Some((0, [0; 32]))] {
            let report = verified_in(store, rows, known).await;
            assert_eq!(report.differences, [], "{rows} {known:?}");
            assert_eq!(report.sealed_count, second.transfer_count, "{rows}");
            assert_eq!(
                (report.transfer_count, report.balance_sum),
                (second.transfer_count + 1, 0),
                "{rows}"
            );
        }
    }
    for known in [(1, second.hash), (4, second.hash)] {
        let report = verified_in(store, 300, Some(known)).await;
        let found: Vec<_> = report
            .differences
            .iter()
            .map(|found| (found.finding, found.subject))
            .collect();
        assert_eq!(found, [(Finding::HeadUnknown, Subject::Seal(known.0))]);
    }
    assert_eq!(store.seal(at(6)).await.unwrap(), Sealing::Sealed(1));
}

/// Both seal as fast as they can while both post: every transfer is sealed once.
pub async fn of_two_instances(stores: [Arc<SqlStore>; 2]) {
    open(stores[0].as_ref(), &["t0", "t1"]).await;
    while let Sealing::Sealed(_) = stores[0].seal(at(1)).await.unwrap() {}
    let before = stores[0].head().await.unwrap();
    let work = stores.iter().enumerate().map(|(n, store)| {
        let store = store.clone();
        let posting = async move {
            for request in 0..30 {
                post(store.as_ref(), [deposit(&format!("t{n}"), &format!("s{request}"), 1)]).await;
            }
        };
        tokio::spawn(posting)
    });
    let sealing = stores.iter().map(|store| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut sealed = 0;
            for _ in 0..40 {
                if let Sealing::Sealed(count) = store.seal(at(2)).await.unwrap() {
                    sealed += count;
                }
            }
            sealed
        })
    });
    let (work, sealing): (Vec<_>, Vec<_>) = (work.collect(), sealing.collect());
    for task in work {
        task.await.unwrap();
    }
    let mut sealed = 0;
    for task in sealing {
        sealed += task.await.unwrap();
    }
    while let Sealing::Sealed(count) = stores[0].seal(at(3)).await.unwrap() {
        sealed += count;
    }
    assert_eq!(sealed, 60);
    assert_eq!(
        stores[1].head().await.unwrap().transfer_count,
        before.transfer_count + 60
    );
    assert_eq!(verified(stores[1].as_ref()).await.differences, []);
}

/// What is done to a chain, and what a verification then says.
type Case = (&'static str, Vec<String>, Vec<(Finding, Subject)>);

/// Seal 1 over a deposit of 1000 and a funding of 300, seal 2 over settlements of 100 and `second_fen`; one of 25 waits.
async fn make_chain(database: &Database, store: &SqlStore, second_fen: i64) {
    for table in [
        "entries",
        "transfers",
        "unsealed",
        "seals",
        "seal_members",
        "accounts",
        "users",
    ] {
        run(database, &format!("DELETE FROM {table}")).await.unwrap();
    }
    let zeros = match database.url().engine() {
        ::sql::Engine::Postgres => "decode(repeat('00', 32), 'hex')",
        ::sql::Engine::Sqlite => "zeroblob(32)",
        ::sql::Engine::MySql => "UNHEX(REPEAT('00', 32))",
    };
    let reset = format!("UPDATE chain_head SET seal_no = 0, transfer_count = 0, hash = {zeros}");
    run(database, &reset).await.unwrap();
    open(store, &["a", "b"]).await;
    let p = packet(1);
    post(store, [deposit("a", "r", 1_000), fund("a", p, 300)]).await;
    assert_eq!(store.seal(at(1)).await.unwrap(), Sealing::Sealed(2));
    post(store, [settle(p, 0, "b", 100), settle(p, 1, "b", second_fen)]).await;
    assert_eq!(store.seal(at(2)).await.unwrap(), Sealing::Sealed(2));
    post(store, [settle(p, 2, "b", 25)]).await;
    assert_eq!(verified(store).await.differences, []);
}

#[expect(clippy::too_many_lines, reason = "a table: one row for each change by hand")]
fn cases(engine: &Home) -> Vec<Case> {
    use Finding::{HeadMoved, NotSealed, SealBroken, SealMissing, TransferChanged, TransferRemoved};
    let p = packet(1);
    let uuid = |id: TransferId| engine.uuid(id.as_uuid());
    let account = |reference: &AccountRef| engine.uuid(reference.id().as_uuid());
    let (first, second, waits) = (
        TransferId::settle(p, 0),
        TransferId::settle(p, 1),
        TransferId::settle(p, 2),
    );
    let (escrow, b) = (account(&AccountRef::Escrow(p)), account(&wallet("b")));
    let forged = TransferId::settle(p, 9);
    let edit = |id: TransferId, change: &str| format!("UPDATE transfers SET {change} WHERE transfer_id = {}", uuid(id));
    let seal = |finding, seal_no| (finding, Subject::Seal(seal_no));
    let sealed = |finding, id| (finding, Subject::Sealed(id, 2));
    let plain = |finding, id| (finding, Subject::Transfer(id));
    // A forgery that adds up: one fen more in every row that a settlement touches.
    let more = |id: TransferId| {
        vec![
            edit(id, "amount_fen = amount_fen + 1"),
            format!(
                "UPDATE entries SET delta_fen = delta_fen + CASE WHEN delta_fen > 0 THEN 1 ELSE -1 END WHERE transfer_id = {}",
                uuid(id)
            ),
            format!("UPDATE entries SET balance_fen = balance_fen + 1 WHERE account_id = {b} AND entry_no >= 2"),
            format!("UPDATE entries SET balance_fen = balance_fen - 1 WHERE account_id = {escrow} AND entry_no >= 3"),
            format!("UPDATE accounts SET balance_fen = balance_fen + 1 WHERE account_id = {b}"),
            format!("UPDATE accounts SET balance_fen = balance_fen - 1 WHERE account_id = {escrow}"),
        ]
    };
    // A settlement of 5 fen that no posting made, with everything that belongs to one.
    let insert = |create_us: i64| {
        let (id, packet) = (uuid(forged), engine.uuid(p.as_uuid()));
        vec![
            format!("INSERT INTO transfers VALUES ({id}, {escrow}, {b}, 5, 3, {packet}, {create_us})"),
            format!("INSERT INTO entries VALUES ({escrow}, 5, {id}, -5, 120), ({b}, 4, {id}, 5, 180)"),
            format!("UPDATE accounts SET balance_fen = 180, entry_count = 4 WHERE account_id = {b}"),
            format!("UPDATE accounts SET balance_fen = 120, entry_count = 5 WHERE account_id = {escrow}"),
        ]
    };
    let digest = engine.bytes(&[7; 32]);
    let moved = [
        "100 WHERE position = 3",
        "3 WHERE position = 4",
        "4 WHERE position = 100",
    ];
    let moved = moved.map(|to| format!("UPDATE seal_members SET position = {to}"));
    let listed = |position: i64| {
        let member = format!(
            "INSERT INTO seal_members VALUES ({position}, {}, {digest})",
            uuid(forged)
        );
        [insert(10), vec![member]].concat()
    };
    let removed = vec![
        format!("DELETE FROM transfers WHERE transfer_id = {}", uuid(waits)),
        format!("DELETE FROM entries WHERE transfer_id = {}", uuid(waits)),
        format!("UPDATE accounts SET balance_fen = 150, entry_count = 2 WHERE account_id = {b}"),
        format!("UPDATE accounts SET balance_fen = 150, entry_count = 3 WHERE account_id = {escrow}"),
    ];
    vec![
        (
            "a time",
            vec![edit(first, "create_us = create_us + 1")],
            vec![sealed(TransferChanged, first)],
        ),
        (
            "a reason",
            vec![edit(first, "reason = 4")],
            vec![sealed(TransferChanged, first)],
        ),
        (
            "no reason",
            vec![edit(first, "reason = 99")],
            vec![sealed(TransferChanged, first)],
        ),
        (
            "a packet",
            vec![edit(first, "packet_id = NULL")],
            vec![sealed(TransferChanged, first)],
        ),
        (
            "a forgery that adds up",
            more(second),
            vec![sealed(TransferChanged, second)],
        ),
        (
            "one that waits",
            vec![edit(waits, "create_us = 1")],
            vec![plain(TransferChanged, waits)],
        ),
        ("one put in", insert(10), vec![plain(NotSealed, forged)]),
        ("one put in long ago", insert(-10), vec![plain(NotSealed, forged)]),
        ("one put in and listed", listed(5), vec![plain(NotSealed, forged)]),
        ("one listed before the first", listed(0), vec![plain(NotSealed, forged)]),
        ("two moved", moved.to_vec(), vec![seal(SealBroken, 2)]),
        (
            "one no longer listed",
            vec!["DELETE FROM seal_members WHERE position = 3".to_owned()],
            vec![plain(NotSealed, first), seal(SealBroken, 2)],
        ),
        (
            "a digest",
            vec![format!("UPDATE seal_members SET digest = {digest} WHERE position = 3")],
            vec![seal(SealBroken, 2), sealed(TransferChanged, first)],
        ),
        (
            "a hash",
            vec![format!("UPDATE seals SET hash = {digest} WHERE seal_no = 1")],
            vec![seal(SealBroken, 1), seal(SealBroken, 2)],
        ),
        (
            "a seal",
            vec!["DELETE FROM seals WHERE seal_no = 1".to_owned()],
            vec![seal(SealMissing, 1)],
        ),
        (
            "the last seal",
            vec!["DELETE FROM seals WHERE seal_no = 2".to_owned()],
            vec![seal(SealMissing, 2)],
        ),
        (
            "the head",
            vec!["UPDATE chain_head SET transfer_count = 5".to_owned()],
            vec![seal(HeadMoved, 2)],
        ),
        (
            "what waits",
            vec!["DELETE FROM unsealed".to_owned()],
            vec![plain(NotSealed, waits)],
        ),
        (
            "one that waited, without a trace",
            [removed, vec!["seal".to_owned()]].concat(),
            vec![(TransferRemoved, Subject::Sealed(waits, 3))],
        ),
    ]
}

pub async fn every_change_is_found(engine: &Home) {
    let (database, store) = engine.store("chain").await;
    for (name, statements, mut expected) in cases(engine) {
        make_chain(&database, &store, 50).await;
        for statement in statements {
            if statement == "seal" {
                store.seal(at(3)).await.unwrap();
            } else {
                run(&database, &statement).await.expect(&statement);
            }
        }
        let report = verified(store.as_ref()).await;
        let mut found: Vec<_> = report
            .differences
            .iter()
            .map(|found| (found.finding, found.subject))
            .collect();
        for list in [&mut found, &mut expected] {
            list.sort_by_key(|row| format!("{row:?}"));
        }
        assert_eq!(found, expected, "{name}");
        assert!(
            report.differences.iter().all(|found| found.excess == Fen::ZERO),
            "{name}"
        );
    }
    rewritten(&database, &store).await;
}

/// Who rewrites everything leaves books and a chain that add up. A head that somebody noted gives it away.
async fn rewritten(database: &Database, store: &SqlStore) {
    make_chain(database, store, 50).await;
    let noted = store.head().await.unwrap();
    let known = Some((noted.seal_no, noted.hash));
    make_chain(database, store, 50).await;
    assert_eq!(
        verified_in(store, 9, known).await.differences,
        [],
        "the same history has the same chain"
    );
    make_chain(database, store, 51).await;
    assert_eq!(verified(store).await.differences, []);
    let report = verified_in(store, 9, known).await;
    let found: Vec<_> = report
        .differences
        .iter()
        .map(|found| (found.finding, found.subject))
        .collect();
    assert_eq!(found, [(Finding::HeadUnknown, Subject::Seal(2))]);
}

/// A ledger from before there was a chain: its transfers wait for their seals once the schema is brought up to date.
pub async fn what_was_before_it_is_sealed_too(engine: &Home) {
    let (database, store) = engine.store("before").await;
    open(store.as_ref(), &["old"]).await;
    for batch in 0..3 {
        post(
            store.as_ref(),
            (0..800).map(|n| deposit("old", &format!("r{batch}-{n}"), 1)),
        )
        .await;
    }
    for statement in [
        "DROP TABLE unsealed",
        "DROP TABLE seals",
        "DROP TABLE seal_members",
        "DROP TABLE chain_head",
        "DELETE FROM seaql_migrations WHERE version = 'm0003_chain_of_seals'",
    ] {
        run(&database, statement).await.unwrap();
    }
    Database::migrate::<crate::store::sql::Migrator>(database.url())
        .await
        .unwrap();
    assert_eq!(verified(store.as_ref()).await.differences, []);
    while let Sealing::Sealed(_) = store.seal(at(1)).await.unwrap() {}
    assert_eq!(store.head().await.unwrap().transfer_count, 2_400);
    let report = verified(store.as_ref()).await;
    assert_eq!((report.sealed_count, report.differences), (2_400, vec![]));
}
