//! Groups and who is in them.

use proto::account::v1::{
    AddMembersRequest, CheckMembersRequest, CreateGroupRequest, GetGroupRequest, ListMembersRequest,
    RemoveMembersRequest,
};
use tonic::Code;

use crate::mesh::{Mesh, invalid, refused, said};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn create(group: &str, name: &str, owner: &str, members: &[&str]) -> CreateGroupRequest {
    CreateGroupRequest {
        group_id: group.to_owned(),
        display_name: name.to_owned(),
        owner_id: owner.to_owned(),
        member_ids: names(members),
    }
}

fn add(group: &str, users: &[&str]) -> AddMembersRequest {
    AddMembersRequest {
        group_id: group.to_owned(),
        user_ids: names(users),
    }
}

fn remove(group: &str, users: &[&str]) -> RemoveMembersRequest {
    RemoveMembersRequest {
        group_id: group.to_owned(),
        user_ids: names(users),
    }
}

fn check(group: &str, users: &[&str]) -> CheckMembersRequest {
    CheckMembersRequest {
        group_id: group.to_owned(),
        user_ids: names(users),
    }
}

fn list(group: &str, page_size: i32, page_token: &str) -> ListMembersRequest {
    ListMembersRequest {
        group_id: group.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
    }
}

#[tokio::test]
async fn a_group_is_created_once() {
    let mut mesh = Mesh::start().await;
    mesh.open(&["amy", "bo"]).await;
    let first = mesh
        .groups
        .create_group(create("team", "", "amy", &["bo", "amy", "bo"]))
        .await;
    let group = first.unwrap().into_inner().group.unwrap();
    assert_eq!(
        (group.display_name.as_str(), group.owner_id.as_str(), group.member_count),
        ("team", "amy", 2)
    );
    let again = mesh.groups.create_group(create("team", "team", "amy", &[])).await;
    assert_eq!(again.unwrap().into_inner().group, Some(group.clone()), "as it is");
    let read = mesh
        .groups
        .get_group(GetGroupRequest {
            group_id: "team".to_owned(),
        })
        .await;
    assert_eq!(read.unwrap().into_inner().group, Some(group));

    let table = [
        (
            create("", "\u{1}", "", &["a b"]),
            invalid(&["group_id", "display_name", "owner_id", "member_ids[0]"]),
        ),
        (create("g", "", "amy", &["bo"; 1_001]), invalid(&["member_ids"])),
        (
            create("team", "Other", "amy", &[]),
            refused(Code::AlreadyExists, "GROUP_ID_TAKEN"),
        ),
        (
            create("team", "", "bo", &[]),
            refused(Code::AlreadyExists, "GROUP_ID_TAKEN"),
        ),
        (
            create("g", "", "nobody", &[]),
            refused(Code::NotFound, "USER_NOT_FOUND"),
        ),
        (
            create("g", "", "amy", &["nobody"]),
            refused(Code::NotFound, "USER_NOT_FOUND"),
        ),
    ];
    for (request, expected) in table {
        assert_eq!(
            said(mesh.groups.create_group(request.clone()).await),
            expected,
            "{request:?}"
        );
    }
    for (group, expected) in [
        ("", invalid(&["group_id"])),
        ("g", refused(Code::NotFound, "GROUP_NOT_FOUND")),
    ] {
        let request = GetGroupRequest {
            group_id: group.to_owned(),
        };
        assert_eq!(
            said(mesh.groups.get_group(request).await),
            expected,
            "a refused group was not created"
        );
    }
}

#[tokio::test]
async fn members_come_and_go() {
    let mut mesh = Mesh::start().await;
    mesh.open(&["amy", "bo", "cy", "di"]).await;
    mesh.groups.create_group(create("team", "", "bo", &[])).await.unwrap();
    for _ in 0..2 {
        let group = mesh
            .groups
            .add_members(add("team", &["di", "amy", "bo"]))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(group.group.unwrap().member_count, 3);
    }
    let unknown = mesh
        .groups
        .add_members(add("team", &["x", "cy", "y"]))
        .await
        .unwrap_err();
    assert_eq!(
        status::metadata(&unknown, "name").as_deref(),
        Some("x, y"),
        "all that are unknown"
    );
    let members = mesh
        .groups
        .check_members(check("team", &["di", "cy", "x", "amy"]))
        .await;
    assert_eq!(
        members.unwrap().into_inner().member_ids,
        ["di", "amy"],
        "nobody of that call came in"
    );

    let (mut seen, mut token) = (Vec::new(), String::new());
    for expected in [2, 1] {
        let page = mesh
            .groups
            .list_members(list("team", 2, &token))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(page.members.len(), expected);
        seen.extend(page.members.into_iter().map(|user| user.user_id));
        token = page.next_page_token;
    }
    assert_eq!((seen, token.as_str()), (names(&["amy", "bo", "di"]), ""));

    for _ in 0..2 {
        let group = mesh
            .groups
            .remove_members(remove("team", &["di", "cy"]))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(group.group.unwrap().member_count, 2);
    }
    let members = mesh.groups.check_members(check("team", &["di"])).await;
    assert!(members.unwrap().into_inner().member_ids.is_empty());
}

#[tokio::test]
async fn what_is_asked_of_no_group_is_refused() {
    let mut mesh = Mesh::start().await;
    mesh.open(&["amy"]).await;
    let too_many = ["amy"; 1_001];
    let table: [(&str, &[&str], _); 5] = [
        ("", &["amy", "?"], invalid(&["group_id", "user_ids[1]"])),
        ("g", &[], invalid(&["user_ids"])),
        ("g", &too_many, invalid(&["user_ids"])),
        ("g", &["amy"], refused(Code::NotFound, "GROUP_NOT_FOUND")),
        ("g", &["nobody"], refused(Code::NotFound, "GROUP_NOT_FOUND")),
    ];
    for (group, users, expected) in table {
        assert_eq!(said(mesh.groups.add_members(add(group, users)).await), expected);
        assert_eq!(said(mesh.groups.remove_members(remove(group, users)).await), expected);
        assert_eq!(said(mesh.groups.check_members(check(group, users)).await), expected);
    }
    let table = [
        (list("", -1, "!"), invalid(&["group_id", "page_size", "page_token"])),
        (list("g", 0, ""), refused(Code::NotFound, "GROUP_NOT_FOUND")),
    ];
    for (request, expected) in table {
        assert_eq!(said(mesh.groups.list_members(request).await), expected);
    }
}
