//! The gateway's services as a caller with an identity.

use std::sync::Arc;

use clap::Args;
use id::UserId;
use proto::gateway::v1::{
    group_service_client::GroupServiceClient, operation_service_client::OperationServiceClient,
    record_service_client::RecordServiceClient, red_packet_service_client::RedPacketServiceClient,
    wallet_service_client::WalletServiceClient,
};
use runtime::{Channel, Faults};
use tonic::{
    Request, Response, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
};

use crate::failure::Failure;

/// Metadata key of the caller's user id, in development mode.
const USER_KEY: &str = "hongbao-user-id";
/// Metadata key of the caller's role, in development mode.
const ROLE_KEY: &str = "hongbao-role";
/// The role that operator commands need.
const OPERATOR: &str = "operator";

/// Which gateway is called, and as whom.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Client options")]
pub struct Caller {
    /// Address of the gateway
    #[arg(
        long,
        global = true,
        env = "HONGBAO_GATEWAY",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080"
    )]
    pub gateway: String,
    /// User to act as
    #[arg(long = "as", global = true, env = "HONGBAO_USER", value_name = "USER")]
    pub user: Option<UserId>,
    /// Act in the role of an operator; commands for operators do so by themselves
    #[arg(long, global = true)]
    pub operator: bool,
    /// Print one JSON document instead of tables; amounts are whole fen in `*_fen`
    #[arg(long, global = true)]
    pub json: bool,
}

/// What the generated clients send through.
pub type Transport = InterceptedService<Channel, Identity>;

/// Who calls, as the gateway's development mode reads it.
#[derive(Clone, Debug)]
pub struct Identity {
    user: Option<MetadataValue<Ascii>>,
    operator: bool,
}

impl Identity {
    fn new(user: Option<&UserId>, operator: bool) -> Self {
        // A user id is ASCII without control characters: it always is a metadata value.
        let user = user.and_then(|user| user.as_str().parse().ok());
        Self { user, operator }
    }
}

impl Interceptor for Identity {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(user) = &self.user {
            request.metadata_mut().insert(USER_KEY, user.clone());
        }
        if self.operator {
            let role = MetadataValue::from_static(OPERATOR);
            request.metadata_mut().insert(ROLE_KEY, role);
        }
        Ok(request)
    }
}

/// A caller of one gateway. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
    gateway: Arc<str>,
    user: Option<UserId>,
    operator: bool,
}

impl Client {
    /// A caller of the gateway at `url` that nobody is yet. Connects with the first call.
    pub fn new(url: &str) -> Result<Self, Failure> {
        let mut faults = Faults::default();
        let endpoint = faults.endpoints("gateway", url);
        let endpoint = faults.finish(endpoint).map_err(|_| {
            Failure::Usage(format!(
                "--gateway `{url}`: must be an address such as http://127.0.0.1:8080"
            ))
        })?;
        Ok(Self {
            channel: runtime::client::channel(&endpoint),
            gateway: url.into(),
            user: None,
            operator: false,
        })
    }

    /// The caller that the command line names.
    pub fn of(caller: &Caller) -> Result<Self, Failure> {
        let client = Self::new(&caller.gateway)?;
        Ok(Self {
            user: caller.user.clone(),
            operator: caller.operator,
            ..client
        })
    }

    /// The same connection, used by `user`.
    #[must_use]
    pub fn acting_as(&self, user: &UserId) -> Self {
        Self {
            user: Some(user.clone()),
            ..self.clone()
        }
    }

    fn transport(&self) -> Result<Transport, Failure> {
        if self.user.is_none() {
            return Err(Failure::Usage(
                "who are you? say --as USER or set HONGBAO_USER".to_owned(),
            ));
        }
        let identity = Identity::new(self.user.as_ref(), self.operator);
        Ok(InterceptedService::new(self.channel.clone(), identity))
    }

    /// The caller's own money.
    pub fn wallet(&self) -> Result<WalletServiceClient<Transport>, Failure> {
        self.transport().map(WalletServiceClient::new)
    }

    /// Red packets.
    pub fn red_packets(&self) -> Result<RedPacketServiceClient<Transport>, Failure> {
        self.transport().map(RedPacketServiceClient::new)
    }

    /// What the caller sent and received.
    pub fn records(&self) -> Result<RecordServiceClient<Transport>, Failure> {
        self.transport().map(RecordServiceClient::new)
    }

    /// Groups.
    pub fn groups(&self) -> Result<GroupServiceClient<Transport>, Failure> {
        self.transport().map(GroupServiceClient::new)
    }

    /// What operators do: always in their role, and under the name `operator` unless the caller has one.
    pub fn operations(&self) -> OperationServiceClient<Transport> {
        let identity = match &self.user {
            Some(user) => Identity::new(Some(user), true),
            None => Identity {
                user: Some(MetadataValue::from_static(OPERATOR)),
                operator: true,
            },
        };
        OperationServiceClient::new(InterceptedService::new(self.channel.clone(), identity))
    }

    /// What came of a call, or the failure that the user reads.
    pub async fn ask<T>(&self, call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Failure> {
        call.await
            .map(Response::into_inner)
            .map_err(|status| self.refused(status))
    }

    /// The failure that the user reads for `status`.
    pub fn refused(&self, status: Status) -> Failure {
        Failure::Refused {
            gateway: self.gateway.to_string(),
            status: Box::new(status),
        }
    }
}
