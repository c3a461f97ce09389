//! Users and their accounts.

use proto::account::v1::{
    AccountKind, AccountRef, BatchGetAccountsRequest, BatchGetUsersRequest, FreezeAccountRequest, GetAccountRequest,
    OpenAccountRequest, PostVerdict, UnfreezeAccountRequest,
};
use tonic::Code;

use crate::mesh::{Mesh, PACKET, escrow, invalid, reference, refused, said, transfer, wallet};

fn open(user: &str, name: &str) -> OpenAccountRequest {
    OpenAccountRequest {
        user_id: user.to_owned(),
        display_name: name.to_owned(),
    }
}

#[tokio::test]
async fn an_account_is_opened_once_and_renamed_at_will() {
    let mut mesh = Mesh::start().await;
    let first = mesh.accounts.open_account(open("amy", "")).await.unwrap().into_inner();
    let (user, account) = (first.user.unwrap(), first.account.unwrap());
    assert_eq!(user.display_name, "amy", "the id where no name is given");
    assert_eq!(account.r#ref, Some(wallet("amy")));
    assert_eq!(
        (account.balance_fen, account.entry_count, account.frozen),
        (0, 0, false)
    );

    mesh.deposit("amy", "r", 5).await.unwrap();
    let again = mesh
        .accounts
        .open_account(open("amy", "艾米"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again.user.as_ref().unwrap().display_name, "艾米");
    assert_eq!(again.user.unwrap().create_time, user.create_time);
    assert_eq!(again.account.unwrap().balance_fen, 5, "the account stays as it is");
}

#[tokio::test]
async fn what_is_no_user_is_refused_with_every_fault() {
    let mut mesh = Mesh::start().await;
    let long = "字".repeat(65);
    let table = [
        (open("", ""), invalid(&["user_id"])),
        (open("a b", "x\u{7}"), invalid(&["user_id", "display_name"])),
        (open("ok", &long), invalid(&["display_name"])),
    ];
    for (request, expected) in table {
        assert_eq!(
            said(mesh.accounts.open_account(request.clone()).await),
            expected,
            "{request:?}"
        );
    }
    assert!(
        mesh.accounts.open_account(open("ok", &long[3..])).await.is_ok(),
        "64 characters"
    );
}

#[tokio::test]
async fn accounts_are_found_by_what_they_stand_for() {
    let mut mesh = Mesh::start().await;
    mesh.open(&["amy", "bo"]).await;
    mesh.deposit("amy", "r", 9).await.unwrap();
    mesh.post(vec![transfer(1, wallet("amy"), escrow(PACKET), 4)]).await;

    let refs = [
        escrow(PACKET),
        wallet("nobody"),
        reference(AccountKind::External, ""),
        reference(AccountKind::Suspense, "amy"),
        wallet("amy"),
        wallet("amy"),
    ];
    let found = mesh
        .accounts
        .batch_get_accounts(BatchGetAccountsRequest { refs: refs.to_vec() })
        .await;
    let found: Vec<_> = found
        .unwrap()
        .into_inner()
        .accounts
        .into_iter()
        .map(|account| (account.r#ref.unwrap(), account.balance_fen))
        .collect();
    let expected = [(0, 4), (2, -9), (4, 5), (5, 5)].map(|(index, fen): (usize, i64)| (refs[index].clone(), fen));
    assert_eq!(found, expected, "in the order asked for, unknown ones left out");

    let one = |reference: Option<AccountRef>| GetAccountRequest { r#ref: reference };
    let table = [
        (one(None), invalid(&["ref"])),
        (
            one(Some(reference(AccountKind::Unspecified, "amy"))),
            invalid(&["ref.kind"]),
        ),
        (
            one(Some(AccountRef {
                kind: 77,
                owner: String::new(),
            })),
            invalid(&["ref.kind"]),
        ),
        (one(Some(wallet(""))), invalid(&["ref.owner"])),
        (one(Some(escrow("amy"))), invalid(&["ref.owner"])),
        (
            one(Some(reference(AccountKind::External, "amy"))),
            invalid(&["ref.owner"]),
        ),
        (
            one(Some(wallet("nobody"))),
            refused(Code::NotFound, "ACCOUNT_NOT_FOUND"),
        ),
        (
            one(Some(reference(AccountKind::Suspense, "amy"))),
            refused(Code::NotFound, "ACCOUNT_NOT_FOUND"),
        ),
    ];
    for (request, expected) in table {
        assert_eq!(
            said(mesh.accounts.get_account(request.clone()).await),
            expected,
            "{request:?}"
        );
    }
    let table = [
        (vec![], invalid(&["refs"])),
        (vec![wallet("amy"); 1_001], invalid(&["refs"])),
        (
            vec![wallet("amy"), wallet("a b"), reference(AccountKind::Unspecified, "")],
            invalid(&["refs[1].owner", "refs[2].kind"]),
        ),
    ];
    for (refs, expected) in table {
        assert_eq!(
            said(mesh.accounts.batch_get_accounts(BatchGetAccountsRequest { refs }).await),
            expected
        );
    }
}

#[tokio::test]
async fn users_are_found_by_id() {
    let mut mesh = Mesh::start().await;
    mesh.open(&["amy", "bo"]).await;
    let ids = |ids: &[&str]| BatchGetUsersRequest {
        user_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    let found = mesh
        .accounts
        .batch_get_users(ids(&["bo", "nobody", "amy"]))
        .await
        .unwrap()
        .into_inner();
    let names: Vec<_> = found.users.into_iter().map(|user| user.user_id).collect();
    assert_eq!(names, ["bo", "amy"]);

    assert_eq!(
        said(mesh.accounts.batch_get_users(ids(&[])).await),
        invalid(&["user_ids"])
    );
    assert_eq!(
        said(mesh.accounts.batch_get_users(ids(&["amy"; 1_001])).await),
        invalid(&["user_ids"])
    );
    assert_eq!(
        said(mesh.accounts.batch_get_users(ids(&["amy", "", "a.b"])).await),
        invalid(&["user_ids[1]", "user_ids[2]"])
    );
    let hopeless = said(mesh.accounts.batch_get_users(ids(&["!"; 1_000])).await);
    assert_eq!(
        (hopeless.0, hopeless.1.as_str()),
        (Code::InvalidArgument, "INVALID_FIELDS"),
        "fits the headers"
    );
}

#[tokio::test]
async fn a_frozen_wallet_takes_no_part_in_transfers() {
    let mut mesh = Mesh::start().await;
    mesh.open(&["amy", "bo"]).await;
    mesh.deposit("amy", "r1", 100).await.unwrap();
    mesh.deposit("bo", "r1", 100).await.unwrap();
    let freeze = |user: &str, reason: &str| FreezeAccountRequest {
        user_id: user.to_owned(),
        reason: reason.to_owned(),
    };
    let unfreeze = |user: &str, reason: &str| UnfreezeAccountRequest {
        user_id: user.to_owned(),
        reason: reason.to_owned(),
    };
    for _ in 0..2 {
        let frozen = mesh
            .accounts
            .freeze_account(freeze("amy", "fraud"))
            .await
            .unwrap()
            .into_inner();
        assert!(frozen.account.unwrap().frozen);
    }
    assert_eq!(
        mesh.post(vec![
            transfer(1, wallet("amy"), escrow(PACKET), 1),
            transfer(2, wallet("bo"), escrow(PACKET), 1),
            transfer(3, escrow(PACKET), wallet("amy"), 1),
            transfer(4, escrow(PACKET), reference(AccountKind::Suspense, "amy"), 1),
        ])
        .await,
        [
            (PostVerdict::DebitFrozen, 100),
            (PostVerdict::Posted, 99),
            (PostVerdict::CreditFrozen, 1),
            (PostVerdict::Posted, 0),
        ]
    );
    assert_eq!(
        said(mesh.deposit("amy", "r2", 1).await),
        refused(Code::FailedPrecondition, "ACCOUNT_FROZEN")
    );
    assert_eq!(
        mesh.deposit("amy", "r1", 100).await.unwrap(),
        100,
        "a repeat has its first answer"
    );
    let thawed = mesh
        .accounts
        .unfreeze_account(unfreeze("amy", "cleared"))
        .await
        .unwrap()
        .into_inner();
    assert!(!thawed.account.unwrap().frozen);
    assert_eq!(mesh.deposit("amy", "r2", 1).await.unwrap(), 101);

    let long = "x".repeat(201);
    let table = [
        ("", "", invalid(&["user_id", "reason"])),
        ("amy", " ", invalid(&["reason"])),
        ("amy", long.as_str(), invalid(&["reason"])),
        ("amy", "a\nb", invalid(&["reason"])),
        ("nobody", "why", refused(Code::NotFound, "USER_NOT_FOUND")),
    ];
    for (user, reason, expected) in table {
        assert_eq!(said(mesh.accounts.freeze_account(freeze(user, reason)).await), expected);
        assert_eq!(
            said(mesh.accounts.unfreeze_account(unfreeze(user, reason)).await),
            expected
        );
    }
}
