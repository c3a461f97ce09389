//! Callers of a mesh's gateway.

use std::{net::SocketAddr, time::Duration};

use proto::{
    gateway::v1::{
        AddMembersRequest, CreateGroupRequest, DepositRequest, GetPacketRequest, GetPacketResponse, GrabPacketRequest,
        ListClaimsRequest, OpenAccountRequest, ReconcileRequest, SendPacketRequest,
        group_service_client::GroupServiceClient, operation_service_client::OperationServiceClient,
        red_packet_service_client::RedPacketServiceClient,
    },
    grab::v1::{Claim, grab_response::Outcome},
    packet::v1::Packet,
    transfer::v1::ReconcileResponse,
};
use runtime::Channel;
use tonic::{Request, Status};

/// Someone who calls the gateway. Cheap to clone; clones share a connection.
#[derive(Clone)]
pub struct Caller {
    channel: Channel,
    pub user: String,
    role: Option<&'static str>,
}

impl Caller {
    /// A caller known as `user`.
    pub fn new(gateway: SocketAddr, user: &str) -> Self {
        Self {
            channel: testkit::channel(gateway),
            user: user.to_owned(),
            role: None,
        }
    }

    /// An operator.
    pub fn operator(gateway: SocketAddr) -> Self {
        Self {
            role: Some("operator"),
            ..Self::new(gateway, "ops")
        }
    }

    /// The same connection, used by someone else.
    pub fn r#as(&self, user: &str) -> Self {
        Self {
            channel: self.channel.clone(),
            user: user.to_owned(),
            role: None,
        }
    }

    fn sign<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("hongbao-user-id", self.user.parse().expect("a user id"));
        if let Some(role) = self.role {
            request
                .metadata_mut()
                .insert("hongbao-role", role.parse().expect("a role"));
        }
        request
    }

    pub fn packets(&self) -> RedPacketServiceClient<Channel> {
        RedPacketServiceClient::new(self.channel.clone())
    }

    pub async fn send(&self, request: SendPacketRequest) -> Result<Packet, Status> {
        let answer = self.packets().send_packet(self.sign(request)).await?;
        Ok(answer.into_inner().packet.expect("a packet"))
    }

    /// Grabs, and with `open` opens.
    pub async fn grab(&self, packet_id: &str, open: bool) -> Result<Outcome, Status> {
        let request = GrabPacketRequest {
            packet_id: packet_id.to_owned(),
            open,
            ..Default::default()
        };
        let answer = self.packets().grab_packet(self.sign(request)).await?;
        Ok(answer
            .into_inner()
            .outcome
            .and_then(|answer| answer.outcome)
            .expect("an outcome"))
    }

    pub async fn open(
        &self,
        packet_id: &str,
        voucher: &str,
    ) -> Result<proto::grab::v1::open_response::Outcome, Status> {
        let request = proto::gateway::v1::OpenPacketRequest {
            packet_id: packet_id.to_owned(),
            voucher: voucher.to_owned(),
        };
        let answer = self.packets().open_packet(self.sign(request)).await?;
        Ok(answer
            .into_inner()
            .outcome
            .and_then(|answer| answer.outcome)
            .expect("an outcome"))
    }

    pub async fn packet(&self, packet_id: &str) -> Result<GetPacketResponse, Status> {
        let request = GetPacketRequest {
            packet_id: packet_id.to_owned(),
        };
        Ok(self.packets().get_packet(self.sign(request)).await?.into_inner())
    }

    /// All claims of a packet (which has at most 1,000 shares).
    pub async fn claims(&self, packet_id: &str) -> Vec<Claim> {
        let request = ListClaimsRequest {
            packet_id: packet_id.to_owned(),
            page_size: 1000,
            ..Default::default()
        };
        self.packets()
            .list_claims(self.sign(request))
            .await
            .expect("claims")
            .into_inner()
            .claims
    }

    /// As an operator: opens accounts with `yuan` each, several at a time.
    pub async fn open_accounts(&self, users: &[String], yuan: i64) {
        let operations = OperationServiceClient::new(self.channel.clone());
        let open = |user: String| {
            let mut operations = operations.clone();
            async move {
                let open = OpenAccountRequest {
                    user_id: user.clone(),
                    display_name: String::new(),
                };
                operations.open_account(self.sign(open)).await.expect("an account");
                if yuan > 0 {
                    let deposit = DepositRequest {
                        request_id: "start".into(),
                        user_id: user,
                        amount_fen: yuan * 100,
                    };
                    operations.deposit(self.sign(deposit)).await.expect("a deposit");
                }
            }
        };
        for chunk in users.chunks(64) {
            futures::future::join_all(chunk.iter().cloned().map(open)).await;
        }
    }

    /// As an operator: pays ten yuan into a wallet.
    pub async fn deposit(&self, user: &str, request_id: &str) -> Result<(), Status> {
        let deposit = DepositRequest {
            request_id: request_id.to_owned(),
            user_id: user.to_owned(),
            amount_fen: 1_000,
        };
        let mut operations = OperationServiceClient::new(self.channel.clone());
        operations.deposit(self.sign(deposit)).await.map(drop)
    }

    /// Creates a group owned by the caller.
    pub async fn create_group(&self, group_id: &str, members: &[String]) {
        let mut groups = GroupServiceClient::new(self.channel.clone());
        let create = CreateGroupRequest {
            group_id: group_id.to_owned(),
            ..Default::default()
        };
        groups.create_group(self.sign(create)).await.expect("a group");
        for chunk in members.chunks(1000) {
            let add = AddMembersRequest {
                group_id: group_id.to_owned(),
                user_ids: chunk.to_vec(),
            };
            groups.add_members(self.sign(add)).await.expect("members");
        }
    }

    pub async fn reconcile(&self) -> Result<ReconcileResponse, Status> {
        let mut operations = OperationServiceClient::new(self.channel.clone());
        let mut request = ReconcileRequest::default();
        let mut whole = ReconcileResponse::default();
        loop {
            let answer = operations.reconcile(self.sign(request.clone())).await?;
            let slice = answer.into_inner().result.expect("a result");
            whole.packet_count += slice.packet_count;
            whole.claim_count += slice.claim_count;
            whole.transfer_count += slice.transfer_count;
            whole.unsettled_count += slice.unsettled_count;
            whole.open_case_count = slice.open_case_count;
            whole.differences.extend(slice.differences);
            request.page_token = slice.next_page_token;
            if request.page_token.is_empty() {
                return Ok(whole);
            }
        }
    }

    /// Waits until every claim has settled, then returns the reconciliation.
    ///
    /// # Panics
    ///
    /// If anything differs or claims never settle.
    pub async fn reconcile_when_settled(&self) -> ReconcileResponse {
        let result = testkit::eventually("all claims settle", async || {
            self.reconcile().await.ok().filter(|result| result.unsettled_count == 0)
        })
        .await;
        assert!(result.differences.is_empty(), "{:#?}", result.differences);
        result
    }
}

/// `count` names such as `u0007`.
pub fn users(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("u{n:04}")).collect()
}

/// A lucky packet of `total_fen` in `share_count` for anyone, which lives for `lifetime`.
pub fn for_anyone(request_id: String, total_fen: i64, share_count: u32, lifetime: Duration) -> SendPacketRequest {
    use proto::terms::v1::{Anyone, Audience, audience::Who};
    SendPacketRequest {
        request_id,
        total_fen,
        share_count,
        audience: Some(Audience {
            who: Some(Who::Anyone(Anyone {})),
        }),
        lifetime: Some(prost_types::Duration {
            seconds: i64::try_from(lifetime.as_secs()).expect("a short life"),
            nanos: i32::try_from(lifetime.subsec_nanos()).expect("below a second"),
        }),
        ..Default::default()
    }
}

/// The packet's id.
pub fn id_of(packet: &Packet) -> String {
    packet.terms.as_ref().expect("terms").packet_id.clone()
}
