//! What was answered is there after a restart; a server says whether it serves.

use proto::account::v1::{CheckMembersRequest, CreateGroupRequest, FreezeAccountRequest, PostVerdict};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::mesh::{Mesh, PACKET, escrow, refused, said, transfer, wallet};

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    survive_a_restart(Mesh::start().await).await;
}

pub async fn survive_a_restart(mut mesh: Mesh) {
    mesh.open(&["amy", "bo", "ice"]).await;
    mesh.deposit("amy", "r", 100).await.unwrap();
    let fund = transfer(1, wallet("amy"), escrow(PACKET), 60);
    assert_eq!(mesh.post(vec![fund.clone()]).await, [(PostVerdict::Posted, 40)]);
    let freeze = FreezeAccountRequest {
        user_id: "ice".to_owned(),
        reason: "why".to_owned(),
    };
    mesh.accounts.freeze_account(freeze).await.unwrap();
    let group = CreateGroupRequest {
        group_id: "team".to_owned(),
        owner_id: "amy".to_owned(),
        ..Default::default()
    };
    mesh.groups.create_group(group).await.unwrap();

    let mut mesh = mesh.restart().await;
    assert_eq!(mesh.balance(wallet("amy")).await, 40);
    assert_eq!(mesh.balance(escrow(PACKET)).await, 60);
    assert_eq!(
        mesh.deposit("amy", "r", 100).await.unwrap(),
        40,
        "the request is remembered"
    );
    assert_eq!(
        said(mesh.deposit("amy", "r", 101).await),
        refused(Code::AlreadyExists, "REQUEST_ID_REUSED")
    );
    assert_eq!(mesh.post(vec![fund]).await, [(PostVerdict::AlreadyPosted, 40)]);
    assert_eq!(
        said(mesh.deposit("ice", "r", 1).await),
        refused(Code::FailedPrecondition, "ACCOUNT_FROZEN")
    );
    let check = CheckMembersRequest {
        group_id: "team".to_owned(),
        user_ids: vec!["bo".to_owned(), "amy".to_owned()],
    };
    assert_eq!(
        mesh.groups.check_members(check).await.unwrap().into_inner().member_ids,
        ["amy"]
    );
    mesh.verify().await;
}

#[tokio::test]
async fn health_says_that_both_services_serve() {
    let mesh = Mesh::start().await;
    let channel = testkit::channel(mesh.address);
    for service in [
        "",
        "hongbao.account.v1.AccountService",
        "hongbao.account.v1.GroupService",
    ] {
        let probe = async || {
            let request = HealthCheckRequest {
                service: service.to_owned(),
            };
            let answer = HealthClient::new(channel.clone()).check(request).await.ok()?;
            (answer.into_inner().status() == ServingStatus::Serving).then_some(())
        };
        testkit::eventually(service, probe).await;
    }
}
