//! Deposits, transfers, entries.

use proto::account::v1::{
    AccountKind, BatchGetTransfersRequest, DepositRequest, FreezeAccountRequest, ListEntriesRequest,
    PostTransfersRequest, PostVerdict as V, Transfer, TransferReason,
};
use tonic::Code;

use crate::mesh::{Mesh, PACKET, escrow, invalid, reference, refused, said, transfer, wallet};

#[tokio::test]
async fn a_deposit_happens_once_per_request() {
    let mut mesh = Mesh::start().await;
    mesh.open(&["amy", "bo"]).await;
    assert_eq!(mesh.deposit("amy", "r1", 100).await.unwrap(), 100);
    assert_eq!(mesh.deposit("amy", "r2", 50).await.unwrap(), 150);
    assert_eq!(mesh.deposit("amy", "r1", 100).await.unwrap(), 150, "as it is now");
    assert_eq!(
        mesh.deposit("bo", "r1", 7).await.unwrap(),
        7,
        "another user's request is another one"
    );
    assert_eq!(mesh.balance(reference(AccountKind::External, "")).await, -157);

    let request = |request: &str, user: &str, amount_fen| DepositRequest {
        request_id: request.to_owned(),
        user_id: user.to_owned(),
        amount_fen,
    };
    let table = [
        (request("", "a b", 0), invalid(&["request_id", "user_id", "amount_fen"])),
        (request("r9", "amy", -1), invalid(&["amount_fen"])),
        (request("r9", "amy", 10_000_000_000_001), invalid(&["amount_fen"])),
        (
            request("r1", "amy", 101),
            refused(Code::AlreadyExists, "REQUEST_ID_REUSED"),
        ),
        (request("r9", "nobody", 1), refused(Code::NotFound, "USER_NOT_FOUND")),
    ];
    for (request, expected) in table {
        assert_eq!(
            said(mesh.accounts.deposit(request.clone()).await),
            expected,
            "{request:?}"
        );
    }
    assert_eq!(
        mesh.deposit("amy", "r3", 10_000_000_000_000).await.unwrap(),
        10_000_000_000_150
    );
    mesh.verify().await;
}

/// An item, its verdict, and the balance that comes with it.
type Row = (Transfer, V, i64);

/// Another packet than that of most tests.
const OTHER_PACKET: &str = "0192d3c4-5b6a-7c8d-9e0f-112233445577";

fn good() -> Transfer {
    transfer(1, wallet("amy"), escrow(PACKET), 10)
}

/// What cannot be read as a transfer. The first row of each verdict would earn the next one too.
fn unreadable() -> Vec<Row> {
    let field = |transfer| (transfer, V::InvalidField, 0);
    vec![
        (
            Transfer {
                transfer_id: "x".into(),
                packet_id: "x".into(),
                ..good()
            },
            V::InvalidId,
            0,
        ),
        (
            Transfer {
                transfer_id: String::new(),
                ..good()
            },
            V::InvalidId,
            0,
        ),
        field(Transfer {
            debit: None,
            amount_fen: 0,
            ..good()
        }),
        field(Transfer { credit: None, ..good() }),
        field(Transfer {
            debit: Some(wallet("a b")),
            ..good()
        }),
        field(Transfer {
            credit: Some(escrow("x")),
            ..good()
        }),
        field(Transfer {
            credit: Some(reference(AccountKind::External, "x")),
            ..good()
        }),
        field(Transfer { reason: 0, ..good() }),
        field(Transfer { reason: 99, ..good() }),
        field(Transfer {
            packet_id: String::new(),
            ..good()
        }),
        field(Transfer {
            reason: TransferReason::Deposit.into(),
            ..good()
        }),
    ]
}

/// What can be read, applied in this order where `amy` has 100 fen, `bo` none, and `ice` is frozen.
fn readable() -> Vec<Row> {
    let external = || reference(AccountKind::External, "");
    vec![
        (
            Transfer {
                amount_fen: 0,
                credit: Some(wallet("amy")),
                ..good()
            },
            V::InvalidAmount,
            100,
        ),
        (transfer(2, wallet("amy"), wallet("amy"), 1), V::SameAccount, 100),
        (good(), V::Posted, 90),
        (
            Transfer {
                amount_fen: 11,
                ..good()
            },
            V::IdReused,
            90,
        ),
        (
            Transfer {
                reason: TransferReason::Repair.into(),
                ..good()
            },
            V::IdReused,
            90,
        ),
        (good(), V::AlreadyPosted, 90),
        (transfer(3, wallet("amy"), wallet("bo"), 1), V::WrongAccounts, 90),
        (
            Transfer {
                reason: TransferReason::Settle.into(),
                ..transfer(3, wallet("amy"), escrow(PACKET), 1)
            },
            V::WrongAccounts,
            90,
        ),
        (
            Transfer {
                packet_id: OTHER_PACKET.to_owned(),
                ..transfer(3, wallet("amy"), escrow(PACKET), 1)
            },
            V::WrongAccounts,
            90,
        ),
        (transfer(3, escrow(OTHER_PACKET), wallet("bo"), 1), V::DebitNotFound, 0),
        (transfer(3, escrow(PACKET), wallet("nobody"), 1), V::CreditNotFound, 10),
        (transfer(5, wallet("ice"), escrow(PACKET), 1), V::DebitFrozen, 0),
        (transfer(3, escrow(PACKET), wallet("ice"), 1), V::CreditFrozen, 10),
        (transfer(6, wallet("amy"), escrow(PACKET), 91), V::InsufficientFunds, 90),
        // A funding that was refused stays refused.
        (transfer(5, wallet("amy"), escrow(PACKET), 1), V::DebitFrozen, 90),
        (transfer(6, wallet("amy"), escrow(PACKET), 1), V::InsufficientFunds, 90),
        (
            transfer(3, external(), wallet("amy"), i64::MAX),
            V::BalanceOverflow,
            -100,
        ),
        (transfer(3, wallet("amy"), escrow(PACKET), 90), V::Posted, 0),
        (transfer(4, escrow(PACKET), wallet("bo"), 100), V::Posted, 0),
    ]
}

#[tokio::test]
async fn every_item_gets_a_verdict_of_its_own() {
    let mut mesh = Mesh::start().await;
    mesh.open(&["amy", "bo", "ice"]).await;
    mesh.deposit("amy", "r", 100).await.unwrap();
    let freeze = FreezeAccountRequest {
        user_id: "ice".to_owned(),
        reason: "why".to_owned(),
    };
    mesh.accounts.freeze_account(freeze).await.unwrap();

    let table = [unreadable(), readable()].concat();
    let request = PostTransfersRequest {
        transfers: table.iter().map(|row| row.0.clone()).collect(),
    };
    let results = mesh
        .accounts
        .post_transfers(request)
        .await
        .unwrap()
        .into_inner()
        .results;
    assert_eq!(results.len(), table.len());
    for (result, (transfer, verdict, debit_balance_fen)) in results.iter().zip(&table) {
        assert_eq!(
            (result.verdict(), result.debit_balance_fen, &result.transfer_id),
            (*verdict, *debit_balance_fen, &transfer.transfer_id),
            "{transfer:?}"
        );
    }
    assert_eq!(mesh.balance(wallet("bo")).await, 100);
    mesh.verify().await;

    for transfers in [vec![], vec![good(); 1_001]] {
        let answer = mesh.accounts.post_transfers(PostTransfersRequest { transfers }).await;
        assert_eq!(said(answer), invalid(&["transfers"]));
    }
}

#[tokio::test]
async fn posted_transfers_read_back() {
    let mut mesh = Mesh::start().await;
    mesh.open(&["amy", "bo"]).await;
    mesh.deposit("amy", "r", 10).await.unwrap();
    let (first, second) = (
        transfer(1, wallet("amy"), escrow(PACKET), 4),
        transfer(2, escrow(PACKET), reference(AccountKind::Suspense, "zoe"), 3),
    );
    mesh.post(vec![
        first.clone(),
        second.clone(),
        transfer(3, wallet("amy"), escrow(PACKET), 400),
    ])
    .await;
    let ids = |ids: &[&str]| BatchGetTransfersRequest {
        transfer_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    let refused = transfer(3, wallet("amy"), escrow(PACKET), 400).transfer_id;
    let asked = ids(&[&second.transfer_id, &refused, &first.transfer_id]);
    let found = mesh
        .accounts
        .batch_get_transfers(asked)
        .await
        .unwrap()
        .into_inner()
        .transfers;
    assert!(found.iter().all(|posted| posted.create_time.is_some()));
    let found: Vec<_> = found.into_iter().map(|posted| posted.transfer.unwrap()).collect();
    assert_eq!(
        found,
        [second, first],
        "in the order asked for; what was refused was not posted"
    );

    assert_eq!(
        said(mesh.accounts.batch_get_transfers(ids(&[])).await),
        invalid(&["transfer_ids"])
    );
    assert_eq!(
        said(mesh.accounts.batch_get_transfers(ids(&["x"])).await),
        invalid(&["transfer_ids[0]"])
    );
}

#[tokio::test]
async fn entries_are_listed_newest_first_page_by_page() {
    let mut mesh = Mesh::start().await;
    mesh.open(&["amy", "bo"]).await;
    for n in 1..=5 {
        mesh.deposit("amy", &format!("r{n}"), n).await.unwrap();
    }
    mesh.post(vec![transfer(1, wallet("amy"), escrow(PACKET), 6)]).await;

    let request = |user: &str, page_size, page_token: &str| ListEntriesRequest {
        r#ref: Some(wallet(user)),
        page_size,
        page_token: page_token.to_owned(),
    };
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = mesh
            .accounts
            .list_entries(request("amy", 4, &token))
            .await
            .unwrap()
            .into_inner();
        assert!(page.entries.len() <= 4);
        seen.extend(page.entries);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let lines: Vec<_> = seen
        .iter()
        .map(|entry| (entry.entry_no, entry.delta_fen, entry.balance_fen))
        .collect();
    assert_eq!(
        lines,
        [(6, -6, 9), (5, 5, 15), (4, 4, 10), (3, 3, 6), (2, 2, 3), (1, 1, 1)]
    );
    assert_eq!(
        (
            seen[0].reason(),
            seen[0].packet_id.as_str(),
            seen[0].counterparty.clone()
        ),
        (TransferReason::Fund, PACKET, Some(escrow(PACKET)))
    );
    assert_eq!(
        (
            seen[1].reason(),
            seen[1].packet_id.as_str(),
            seen[1].counterparty.clone()
        ),
        (TransferReason::Deposit, "", Some(reference(AccountKind::External, "")))
    );

    let empty = mesh
        .accounts
        .list_entries(request("bo", 0, ""))
        .await
        .unwrap()
        .into_inner();
    assert!(empty.entries.is_empty() && empty.next_page_token.is_empty());
    let table = [
        (request("", -1, "!"), invalid(&["ref.owner", "page_size", "page_token"])),
        (request("amy", 1_001, ""), invalid(&["page_size"])),
        (request("nobody", 0, ""), refused(Code::NotFound, "ACCOUNT_NOT_FOUND")),
    ];
    for (request, expected) in table {
        assert_eq!(
            said(mesh.accounts.list_entries(request.clone()).await),
            expected,
            "{request:?}"
        );
    }
}
