//! `WalletService`: the caller's own money.

use proto::gateway::v1::{
    GetWalletRequest, GetWalletResponse, ListEntriesRequest, ListEntriesResponse, wallet_service_server::WalletService,
};
use tonic::{Request, Response, Status};

use super::take;
use crate::{peer::Peers, view};

/// See the module.
#[derive(Clone, Debug)]
pub struct Wallets {
    peers: Peers,
}

impl Wallets {
    /// The service over `peers`.
    pub fn new(peers: Peers) -> Self {
        Self { peers }
    }
}

#[tonic::async_trait]
impl WalletService for Wallets {
    async fn get_wallet(&self, request: Request<GetWalletRequest>) -> Result<Response<GetWalletResponse>, Status> {
        let (caller, _) = take(request)?;
        Ok(Response::new(view::wallet(&self.peers, &caller.user_id).await?))
    }

    async fn list_entries(
        &self,
        request: Request<ListEntriesRequest>,
    ) -> Result<Response<ListEntriesResponse>, Status> {
        let (caller, page) = take(request)?;
        let page = self
            .peers
            .account
            .wallet_entries(&caller.user_id, page.page_size, page.page_token)
            .await?;
        Ok(Response::new(ListEntriesResponse {
            entries: page.entries,
            next_page_token: page.next_page_token,
        }))
    }
}
