//! `GroupService`: groups the caller looks after.

use proto::{
    account,
    gateway::v1::{
        AddMembersRequest, AddMembersResponse, CreateGroupRequest, CreateGroupResponse, GetGroupRequest,
        GetGroupResponse, ListGroupPacketsRequest, ListGroupPacketsResponse, RemoveMembersRequest,
        RemoveMembersResponse, group_service_server::GroupService,
    },
};
use tonic::{Request, Response, Status};

use super::take;
use crate::{peer::Peers, view};

/// See the module.
#[derive(Clone, Debug)]
pub struct Groups {
    peers: Peers,
}

impl Groups {
    /// The service over `peers`.
    pub fn new(peers: Peers) -> Self {
        Self { peers }
    }
}

#[tonic::async_trait]
impl GroupService for Groups {
    async fn create_group(
        &self,
        request: Request<CreateGroupRequest>,
    ) -> Result<Response<CreateGroupResponse>, Status> {
        let (caller, wanted) = take(request)?;
        let group = self
            .peers
            .account
            .create_group(account::v1::CreateGroupRequest {
                group_id: wanted.group_id,
                display_name: wanted.display_name,
                owner_id: caller.user_id.into(),
                member_ids: wanted.member_ids,
            })
            .await?;
        Ok(Response::new(CreateGroupResponse { group }))
    }

    async fn get_group(&self, request: Request<GetGroupRequest>) -> Result<Response<GetGroupResponse>, Status> {
        let (caller, wanted) = take(request)?;
        Ok(Response::new(view::group(&self.peers, &caller.user_id, wanted).await?))
    }

    async fn add_members(&self, request: Request<AddMembersRequest>) -> Result<Response<AddMembersResponse>, Status> {
        let (caller, wanted) = take(request)?;
        view::owns_group(&self.peers, &caller.user_id, &wanted.group_id).await?;
        let group = self
            .peers
            .account
            .add_members(account::v1::AddMembersRequest {
                group_id: wanted.group_id,
                user_ids: wanted.user_ids,
            })
            .await?;
        Ok(Response::new(AddMembersResponse { group }))
    }

    async fn remove_members(
        &self,
        request: Request<RemoveMembersRequest>,
    ) -> Result<Response<RemoveMembersResponse>, Status> {
        let (caller, wanted) = take(request)?;
        view::owns_group(&self.peers, &caller.user_id, &wanted.group_id).await?;
        let group = self
            .peers
            .account
            .remove_members(account::v1::RemoveMembersRequest {
                group_id: wanted.group_id,
                user_ids: wanted.user_ids,
            })
            .await?;
        Ok(Response::new(RemoveMembersResponse { group }))
    }

    async fn list_group_packets(
        &self,
        request: Request<ListGroupPacketsRequest>,
    ) -> Result<Response<ListGroupPacketsResponse>, Status> {
        let (caller, wanted) = take(request)?;
        let view = view::group_packets(&self.peers, &caller, wanted).await?;
        Ok(Response::new(view))
    }
}
