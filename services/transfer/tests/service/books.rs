//! Reconciliation finds what does not agree, and nothing else.

use id::TransferId;
use proto::{
    account::v1 as ledger,
    transfer::v1::{self as wire, CaseState},
};
use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait, Query},
};

use crate::mesh::{Instance, Mesh, packet};

/// Two packets, settled and refunded in part, and one that was refused.
async fn with_books() -> (Mesh, Instance) {
    with_books_in(Mesh::new().await).await
}

async fn with_books_in(mesh: Mesh) -> (Mesh, Instance) {
    let (mesh, transfer) = mesh.furnished().await;
    for n in 1..=2 {
        transfer.fund(packet(n), "sender", 100).await.unwrap();
        mesh.log.claim(packet(n), 0, "alice", 30);
        mesh.log.claim(packet(n), 1, "bob", 40);
        transfer.refund(packet(n), "sender", 30).await.unwrap();
    }
    transfer.fund(packet(3), "alice", 1_000_000).await.unwrap_err();
    transfer.settled(4).await;
    (mesh, transfer)
}

/// The one difference there is.
async fn the_difference(transfer: &Instance) -> wire::Difference {
    let report = transfer.reconcile().await;
    assert_eq!(report.differences.len(), 1, "{:?}", report.differences);
    report.differences.into_iter().next().unwrap()
}

/// The difference has an open case.
async fn has_case(transfer: &Instance, difference: &wire::Difference) {
    assert_eq!(difference.case_id, difference.transfer_id);
    let cases = transfer.cases().await;
    let case = cases.iter().find(|case| case.case_id == difference.case_id).unwrap();
    assert_eq!(case.state(), CaseState::Open);
    assert!(case.events[0].reason.starts_with(&difference.kind), "{:?}", case.events);
    // Finding it again opens no second one.
    assert_eq!(the_difference(transfer).await, *difference);
    assert_eq!(transfer.cases().await.len(), cases.len());
}

#[tokio::test]
async fn right_books_have_no_differences() {
    let (mesh, transfer) = with_books().await;
    let report = transfer.reconcile().await;
    assert_eq!(report.differences, []);
    assert_eq!(
        (report.packet_count, report.claim_count, report.transfer_count),
        (2, 4, 8)
    );
    assert_eq!(mesh.bank.escrow(packet(1)), 0);
}

#[tokio::test]
async fn the_ledger_against_itself() {
    let (mesh, transfer) = with_books().await;
    mesh.bank.report("an entry without a transfer");
    let found = the_difference(&transfer).await;
    assert_eq!((found.kind.as_str(), found.difference_fen), ("LEDGER", 1));
    assert_eq!(found.description, "NO_SUCH_TRANSFER: an entry without a transfer");
    assert_eq!(found.subject, "account an-account");
}

#[tokio::test]
async fn a_claim_without_transfer_is_found_and_can_be_repaired() {
    a_claim_without_transfer(Mesh::new().await).await;
}

pub async fn a_claim_without_transfer(mesh: Mesh) {
    let (mesh, transfer) = with_books_in(mesh).await;
    let id = TransferId::settle(packet(1), 1);
    let database = mesh.database().await;
    let transaction = database.begin().await.unwrap();
    let delete = Query::delete()
        .from_table("orders")
        .and_where(Expr::col("transfer_id").eq(id.as_uuid()))
        .take();
    let deleted = transaction.as_ref().execute(&delete).await.unwrap();
    assert_eq!(deleted.rows_affected(), 1);
    transaction.commit().await.unwrap();

    let report = transfer.reconcile().await;
    let kinds: Vec<_> = report.differences.iter().map(|found| found.kind.as_str()).collect();
    // The escrow holds less than the orders say, because the one that is gone was paid.
    assert_eq!(kinds, ["ESCROW_MISMATCH", "CLAIM_WITHOUT_TRANSFER"]);
    let lost = &report.differences[1];
    assert_eq!(lost.transfer_id, id.to_string());
    assert_eq!(lost.difference_fen, 40);
    assert_eq!(report.differences[0].difference_fen, -40);
    assert_eq!(report.open_case_count, 2, "each has its case");

    // A retry learns from the ledger that bob was paid, and pays nobody.
    let request = wire::RetryRepairCaseRequest {
        case_id: lost.case_id.clone(),
        operator_id: "op-1".to_owned(),
        reason: "reconciliation".to_owned(),
        request_id: "books".to_owned(),
    };
    let case = transfer
        .client
        .clone()
        .retry_repair_case(request)
        .await
        .unwrap()
        .into_inner()
        .case;
    assert_eq!(case.unwrap().state(), CaseState::Resolved);
    assert_eq!(mesh.bank.wallet("bob"), 80);
    assert_eq!(transfer.reconcile().await.differences, []);
}

#[tokio::test]
async fn a_transfer_without_claim() {
    let (mesh, transfer) = with_books().await;
    let (partition, _) = mesh.log.claim(packet(1), 2, "alice", 1);
    testkit::eventually("a case", async || (transfer.cases().await.len() == 1).then_some(())).await;
    mesh.log.tamper(partition, |log| {
        log.pop();
    });
    let found = the_difference(&transfer).await;
    assert_eq!(
        (found.kind.as_str(), found.difference_fen),
        ("TRANSFER_WITHOUT_CLAIM", 1)
    );
    assert_eq!(found.case_id, TransferId::settle(packet(1), 2).to_string());
}

/// A record that is gone is told as such, whether its order is there or not.
#[tokio::test]
async fn a_claim_that_the_log_has_lost() {
    let (mesh, transfer) = with_books().await;
    let partition = packet(1).partition(mesh.config.partitions).index();
    mesh.log.damage((partition.into(), 1), None);
    let found = the_difference(&transfer).await;
    let named = ("CLAIM_MISSING", format!("claim 1 of partition {partition}"));
    assert_eq!((found.kind.as_str(), found.subject), named);

    let database = mesh.database().await;
    let transaction = database.begin().await.unwrap();
    let delete = Query::delete()
        .from_table("orders")
        .and_where(Expr::col("partition_no").eq(i32::from(partition)))
        .and_where(Expr::col("seq").eq(1))
        .take();
    transaction.as_ref().execute(&delete).await.unwrap();
    transaction.commit().await.unwrap();
    let found = transfer.reconcile().await.differences;
    let kinds: Vec<_> = found.iter().map(|found| found.kind.as_str()).collect();
    assert_eq!(kinds, ["ESCROW_MISMATCH", "CLAIM_MISSING"]);
}

/// Wherever an order says that its claim stands, if there is none: before the log, behind it, in no log at all.
#[tokio::test]
async fn an_order_whose_claim_is_nowhere() {
    let (mesh, transfer) = with_books().await;
    let id = TransferId::settle(packet(1), 0);
    let partition = i32::from(packet(1).partition(mesh.config.partitions).index());
    let beyond = i32::from(mesh.config.partitions.get());
    let database = mesh.database().await;
    for (partition, seq) in [(partition, -5), (partition, 900), (beyond, 900)] {
        let update = Query::update()
            .table("orders")
            .value("partition_no", partition)
            .value("seq", seq)
            .and_where(Expr::col("transfer_id").eq(id.as_uuid()))
            .take();
        let transaction = database.begin().await.unwrap();
        transaction.as_ref().execute(&update).await.unwrap();
        transaction.commit().await.unwrap();
        let mut found = transfer.reconcile().await.differences;
        found.sort_by(|one, other| one.kind.cmp(&other.kind));
        let found: Vec<_> = found
            .iter()
            .map(|found| (found.kind.as_str(), &found.transfer_id))
            .collect();
        let id = &id.to_string();
        assert_eq!(
            found,
            [("CLAIM_WITHOUT_TRANSFER", id), ("TRANSFER_WITHOUT_CLAIM", id)],
            "{partition} {seq}"
        );
    }
}

#[tokio::test]
async fn a_claim_that_says_something_else_than_its_transfer() {
    let (mesh, transfer) = with_books().await;
    let partition = packet(1).partition(mesh.config.partitions).index();
    mesh.log.tamper(partition.into(), |log| log[0].amount_fen += 5);
    let found = the_difference(&transfer).await;
    assert_eq!(
        (found.kind.as_str(), found.difference_fen),
        ("CLAIM_TRANSFER_MISMATCH", 5)
    );
    has_case(&transfer, &found).await;
}

#[tokio::test]
async fn a_transfer_that_the_ledger_does_not_show() {
    let (mesh, transfer) = with_books().await;
    mesh.bank.forget(TransferId::settle(packet(2), 0));
    let found = the_difference(&transfer).await;
    assert_eq!(
        (found.kind.as_str(), found.difference_fen),
        ("TRANSFER_NOT_IN_LEDGER", 30)
    );
    has_case(&transfer, &found).await;
    // Nobody can act on a funding that was not made: that would pay out of an escrow what never came into it.
    let funding = TransferId::fund(packet(2));
    mesh.bank.forget(funding);
    let found = transfer.reconcile().await.differences;
    let found = found
        .iter()
        .find(|found| found.transfer_id == funding.to_string())
        .unwrap();
    let case = transfer
        .cases()
        .await
        .into_iter()
        .find(|case| case.case_id == found.case_id)
        .unwrap();
    assert_eq!(case.order.unwrap().kind(), wire::OrderKind::Finding);
}

/// It is named, and no other packet's escrow is held against what it says.
#[tokio::test]
async fn a_funding_that_names_another_packet_or_none() {
    let (mesh, transfer) = with_books().await;
    for n in 4..=9 {
        transfer.fund(packet(n), "sender", i64::from(n)).await.unwrap();
    }
    let id = TransferId::fund(packet(6));
    let database = mesh.database().await;
    for other in [None, Some(packet(5).as_uuid())] {
        let update = Query::update()
            .table("orders")
            .value("packet_id", other)
            .and_where(Expr::col("transfer_id").eq(id.as_uuid()))
            .take();
        let transaction = database.begin().await.unwrap();
        transaction.as_ref().execute(&update).await.unwrap();
        transaction.commit().await.unwrap();
        let found = the_difference(&transfer).await;
        assert_eq!(
            (found.kind.as_str(), found.subject),
            ("TRANSFER_NOT_IN_LEDGER", format!("transfer {id}"))
        );
    }
}

#[tokio::test]
async fn a_refused_funding_that_was_posted() {
    let (mesh, transfer) = with_books().await;
    mesh.bank.deposit("alice", 1_000_000);
    let account = |kind: ledger::AccountKind, owner: String| {
        Some(ledger::AccountRef {
            kind: kind.into(),
            owner,
        })
    };
    mesh.bank.post(&ledger::Transfer {
        transfer_id: TransferId::fund(packet(3)).to_string(),
        debit: account(ledger::AccountKind::Wallet, "alice".to_owned()),
        credit: account(ledger::AccountKind::Escrow, packet(3).to_string()),
        amount_fen: 1_000_000,
        reason: ledger::TransferReason::Fund.into(),
        packet_id: packet(3).to_string(),
    });
    let found = the_difference(&transfer).await;
    assert_eq!(
        (found.kind.as_str(), found.difference_fen),
        ("REJECTED_BUT_POSTED", 1_000_000)
    );
}

#[tokio::test]
async fn an_escrow_that_holds_too_much_or_too_little() {
    let (mesh, transfer) = with_books().await;
    for apart_fen in [7, -7] {
        mesh.bank.invent(packet(2), apart_fen);
        let found = the_difference(&transfer).await;
        assert_eq!(
            (found.kind.as_str(), found.difference_fen),
            ("ESCROW_MISMATCH", apart_fen)
        );
        assert_eq!(found.packet_id, packet(2).to_string());
        assert_eq!(found.subject, format!("packet {}", packet(2)));
        let cases = transfer.cases().await;
        assert_eq!(cases.len(), 1, "{cases:?}");
        assert_eq!(cases[0].case_id, found.case_id);
        assert_eq!(cases[0].order.as_ref().unwrap().kind(), wire::OrderKind::Finding);
        mesh.bank.invent(packet(2), -apart_fen);
    }
}

/// What is missing is told to the fen, however many orders a packet has.
#[tokio::test]
async fn an_escrow_that_600_orders_left() {
    let (mesh, transfer) = with_books().await;
    transfer.fund(packet(4), "sender", 700).await.unwrap();
    for share_no in 0..600 {
        mesh.log.claim(packet(4), share_no, "alice", 1);
    }
    transfer.settled(604).await;
    mesh.bank.invent(packet(4), -7);
    let found = the_difference(&transfer).await;
    assert_eq!((found.kind.as_str(), found.difference_fen), ("ESCROW_MISMATCH", -7));
}

/// Claims come in and are settled all the while: none of that is a difference.
#[tokio::test]
async fn moving_money_is_no_difference() {
    moving_money(Mesh::new().await).await;
}

pub async fn moving_money(mesh: Mesh) {
    let (mesh, transfer) = mesh.furnished().await;
    for n in 1..=40 {
        transfer.fund(packet(n), "sender", 100).await.unwrap();
    }
    let traffic = async {
        for share_no in 0..50 {
            for n in 1..=40 {
                mesh.log.claim(packet(n), share_no, "alice", 2);
            }
            tokio::task::yield_now().await;
        }
    };
    let looks = async {
        for _ in 0..10 {
            assert_eq!(transfer.reconcile().await.differences, []);
        }
    };
    tokio::join!(traffic, looks);
    transfer.settled(2_000).await;
    assert_eq!(mesh.bank.wallet("alice"), 4_000);
}
