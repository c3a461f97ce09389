//! Reconciliation in slices, and the periodic run that goes on where another one stopped.

use std::time::Duration;

use id::TransferId;
use proto::transfer::v1::{self as wire, CaseState};
use runtime::Process;
use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait, Query},
};
use testkit::Engine;
use tonic::Code;
use transfer::{
    ops::reconcile::run::look,
    store::{Run, Runs},
};
use uuid::Uuid;

use crate::{
    engine::store,
    mesh::{Instance, Mesh, packet},
    repairing::with_cases,
};

const HOUR: Duration = Duration::from_hours(1);
const HOLD: Duration = Duration::from_secs(30);

/// Three packets with ten claims each, all settled.
async fn with_claims() -> (Mesh, Instance) {
    let (mesh, transfer) = Mesh::with_instance().await;
    for n in 1..=3 {
        transfer.fund(packet(n), "sender", 100).await.unwrap();
        for share_no in 0..10 {
            mesh.log.claim(packet(n), share_no, "alice", 5);
        }
    }
    transfer.settled(30).await;
    (mesh, transfer)
}

#[tokio::test]
async fn slices_of_any_size_look_at_the_same() {
    let (_mesh, transfer) = with_claims().await;
    let whole = transfer.reconcile().await;
    assert_eq!(
        (whole.packet_count, whole.claim_count, whole.transfer_count),
        (3, 30, 33)
    );
    for rows in [1, 7, 40] {
        let sliced = transfer.reconcile_in(rows).await;
        assert_eq!(sliced, whole, "{rows}");
    }
}

#[tokio::test]
async fn a_difference_is_found_once_however_it_is_sliced() {
    let (mesh, transfer) = with_claims().await;
    let lost = TransferId::settle(packet(2), 4);
    mesh.bank.forget(lost);
    for rows in [1, 7, 0] {
        let found = transfer.reconcile_in(rows).await.differences;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (found[0].kind.as_str(), &found[0].subject),
            ("TRANSFER_NOT_IN_LEDGER", &format!("transfer {lost}"))
        );
    }
}

#[tokio::test]
async fn a_token_or_size_out_of_range_is_refused() {
    let (_mesh, transfer) = Mesh::with_instance().await;
    for (page_size, page_token) in [(-1, ""), (100_001, ""), (0, "x"), (0, "eA")] {
        let request = wire::ReconcileRequest {
            page_size,
            page_token: page_token.to_owned(),
        };
        let refused = transfer.client.clone().reconcile(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{page_size} {page_token}");
    }
}

/// A store that was tampered with: who deletes the case of money that waits is found.
#[tokio::test]
async fn money_that_waits_without_a_case_gets_one() {
    let (mesh, transfer) = Mesh::with_instance().await;
    transfer.fund(packet(1), "sender", 100).await.unwrap();
    mesh.bank.freeze("alice");
    mesh.log.claim(packet(1), 0, "alice", 5);
    transfer.settled(1).await;
    assert_eq!(transfer.cases().await.len(), 1);
    for table in ["repair_cases", "case_events"] {
        run(&mesh, Query::delete().from_table(table).take()).await;
    }
    let found = transfer.reconcile().await.differences;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].kind, "CASE_MISSING");
    let cases = transfer.cases().await;
    assert_eq!((cases.len(), cases[0].state()), (1, CaseState::Open));
    assert_eq!(cases[0].case_id, TransferId::settle(packet(1), 0).to_string());
    assert_eq!(transfer.reconcile().await.differences, []);
    assert_eq!(mesh.bank.suspense("alice"), 5);
}

/// Wherever it waits, in suspense or in escrow.
#[tokio::test]
async fn two_cases_that_were_deleted_are_opened_again() {
    let (mesh, transfer) = with_cases().await;
    for table in ["repair_cases", "case_events"] {
        run(&mesh, Query::delete().from_table(table).take()).await;
    }
    let found = transfer.reconcile().await.differences;
    let kinds: Vec<_> = found.iter().map(|found| found.kind.as_str()).collect();
    assert_eq!(kinds, ["CASE_MISSING"; 2]);
    assert_eq!(transfer.cases().await.len(), 2);
}

#[tokio::test]
async fn a_packet_that_pays_without_a_funding_is_found() {
    let (mesh, transfer) = with_claims().await;
    let funding = TransferId::fund(packet(3));
    let delete = Query::delete()
        .from_table("orders")
        .and_where(Expr::col("transfer_id").eq(funding.as_uuid()))
        .take();
    run(&mesh, delete).await;
    let found = transfer.reconcile().await.differences;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].kind.as_str(), &found[0].subject),
        ("FUND_MISSING", &format!("packet {}", packet(3)))
    );
}

#[tokio::test]
async fn a_cursor_beyond_its_log_is_found() {
    let (mesh, transfer) = with_claims().await;
    let partition = packet(2).partition(mesh.config.partitions).index();
    let beyond = Query::update()
        .table("cursors")
        .value("after_seq", Expr::col("after_seq").add(7))
        .and_where(Expr::col("partition_no").eq(i32::from(partition)))
        .take();
    let database = mesh.database().await;
    let transaction = database.begin().await.unwrap();
    transaction.as_ref().execute(&beyond).await.unwrap();
    transaction.commit().await.unwrap();
    let found = transfer.reconcile().await.differences;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].kind.as_str(), &found[0].subject),
        ("CURSOR_BEYOND_LOG", &format!("partition {partition}"))
    );
    let case = transfer.cases().await.remove(0);
    assert_eq!(
        (case.case_id, case.order.unwrap().kind()),
        (found[0].case_id.clone(), wire::OrderKind::Finding)
    );
}

async fn run(mesh: &Mesh, delete: sea_orm::sea_query::DeleteStatement) {
    let database = mesh.database().await;
    let transaction = database.begin().await.unwrap();
    assert!(transaction.as_ref().execute(&delete).await.unwrap().rows_affected() > 0);
    transaction.commit().await.unwrap();
}

fn at(seconds: i64) -> clock::Timestamp {
    clock::from_micros(1_700_000_000_000_000 + seconds * 1_000_000)
}

#[tokio::test]
async fn one_run_is_one_instances_at_a_time_on_sqlite() {
    one_run_at_a_time(&Engine::sqlite()).await;
}

/// What every store must do with the run.
pub async fn one_run_at_a_time(engine: &Engine) {
    let (_, store) = store(engine, "runs").await;
    let [a, b] = [1, 2].map(Uuid::from_u128);
    let take = async |owner, now: i64| {
        store
            .take_run(owner, at(now - 100), at(now), at(now + 30))
            .await
            .unwrap()
    };
    assert_eq!(
        take(a, 0).await,
        None,
        "the first is due an interval after the first look"
    );
    assert_eq!(take(a, 99).await, None);
    let first = take(a, 100).await.unwrap();
    let begun = Run {
        run_no: 1,
        begun: at(100),
        position: Some(String::new()),
        updated: at(100),
        difference_count: 0,
    };
    assert_eq!(first, begun);
    assert_eq!(take(b, 130).await, None, "a holds it");
    let further = Run {
        position: Some("o".to_owned()),
        updated: at(120),
        difference_count: 3,
        ..first
    };
    for _ in 0..2 {
        assert!(store.keep_run(a, &further, at(150)).await.unwrap());
    }
    assert_eq!(take(b, 150).await, None, "a renewed it");
    assert_eq!(take(b, 151).await.unwrap(), further, "it goes on where a was");
    assert!(!store.keep_run(a, &begun, at(999)).await.unwrap(), "a has lost it");
    let ended = Run {
        position: None,
        updated: at(160),
        ..further
    };
    assert!(store.keep_run(b, &ended, at(190)).await.unwrap());
    assert_eq!(take(a, 259).await, None);
    let second = take(a, 260).await.unwrap();
    assert_eq!(
        (second.run_no, second.position, second.difference_count),
        (2, Some(String::new()), 0)
    );
}

/// An instance dies half-way; another one goes on from there, and opens the cases of what it finds.
#[tokio::test]
async fn a_run_goes_on_where_it_was_left() {
    let (mesh, transfer) = with_claims().await;
    mesh.bank.forget(TransferId::settle(packet(2), 4));
    mesh.bank.report("not looked at again");
    let ports = mesh.ports().await;
    let [dead, alive] = [1, 2].map(Uuid::from_u128);
    look(&ports, dead, HOUR, &Process::new()).await.unwrap();
    mesh.clock.advance(HOUR);
    let now = clock::Clock::now(&mesh.clock);
    let run = ports
        .store
        .take_run(dead, now, now, clock::after(now, HOLD))
        .await
        .unwrap()
        .unwrap();
    let left = Run {
        position: Some("c:0".to_owned()), // behind the ledger and the orders
        ..run
    };
    assert!(
        ports
            .store
            .keep_run(dead, &left, clock::after(now, HOLD))
            .await
            .unwrap()
    );

    look(&ports, alive, HOUR, &Process::new()).await.unwrap();
    assert_eq!(transfer.cases().await.len(), 0, "the run is held");
    mesh.clock.advance(HOLD + Duration::from_secs(1));
    look(&ports, alive, HOUR, &Process::new()).await.unwrap();
    let cases = transfer.cases().await;
    assert_eq!(cases.len(), 1, "the ledger was looked at before: {cases:?}");
    assert_eq!(cases[0].case_id, TransferId::settle(packet(2), 4).to_string());

    // The next one looks at everything.
    mesh.clock.advance(HOUR);
    look(&ports, alive, HOUR, &Process::new()).await.unwrap();
    assert_eq!(transfer.cases().await.len(), 2);
}
