//! Requests of clients, through the gateway to the parsers of the services.

use std::{cell::OnceCell, fmt::Debug, num::NonZeroU16};

use axum::body::to_bytes;
use gateway::{
    identity::{Authenticate, Caller, Plain, Role},
    peer::{Accounts, Grabs, Packets, Peers, Transfers},
    rpc::{Groups, Operations, Records, RedPackets, Wallets},
};
use prost::Message;
use proto::gateway::v1::{
    self as pb, group_service_server::GroupService, operation_service_server::OperationService,
    record_service_server::RecordService, red_packet_service_server::RedPacketService,
    wallet_service_server::WalletService,
};
use runtime::{
    Process,
    client::{Way, channel_over},
};
use tokio::runtime::{Builder, Runtime};
use tonic::{Code, Request, Status, body::Body, metadata::MetadataMap};
use tower::service_fn;

use crate::requests::{self, is_name};

/// Feeds at once; none lasts here.
const WATCHERS: NonZeroU16 = NonZeroU16::MAX;
/// Bytes of a gRPC message's head: whether it is compressed, and its length.
const HEAD: usize = 5;

/// A service that reads requests and does nothing.
fn reader() -> Way {
    Way::new(service_fn(async |request: http::Request<Body>| {
        let (head, body) = request.into_parts();
        let body = to_bytes(axum::body::Body::new(body), usize::MAX).await?;
        let message = body.get(HEAD..).unwrap_or_default();
        let status = match parse(head.uri.path(), message) {
            Ok(()) => status::precondition("UNDERSTOOD", "request", "nothing is done here", []),
            Err(status) => status,
        };
        Ok(status.into_http())
    }))
}

/// As the service that has `/hongbao.grab.v1.GrabService/Open` parses it.
fn parse(path: &str, message: &[u8]) -> Result<(), Status> {
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    let (package, _) = service.rsplit_once('.').unwrap_or_default();
    let name = format!("{package}.{method}Request");
    let parsers = [
        crate::account::PARSERS,
        crate::packet::PARSERS,
        crate::grab::PARSERS,
        crate::transfer::PARSERS,
    ];
    let parser = parsers.iter().copied().flatten().find(|(known, _)| *known == name);
    let Some((_, parser)) = parser else {
        panic!("nobody parses {name}");
    };
    parser(&name, message)
}

struct World {
    runtime: Runtime,
    peers: Peers,
    process: Process,
}

impl World {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.unwrap_or_else(|fault| panic!("a runtime: {fault}"));
        let peers = runtime.block_on(async {
            let channel = || channel_over([reader()]);
            Peers {
                account: Accounts::new(channel(), None),
                packet: Packets::new(channel(), None),
                grab: Grabs::new(channel()),
                transfer: Transfers::new(channel()),
            }
        });
        Self {
            runtime,
            peers,
            process: Process::new(),
        }
    }

    fn wallets(&self) -> Wallets {
        Wallets::new(self.peers.clone())
    }

    fn packets(&self) -> RedPackets {
        RedPackets::new(self.peers.clone(), self.process.clone(), WATCHERS)
    }

    fn records(&self) -> Records {
        Records::new(self.peers.clone())
    }

    fn groups(&self) -> Groups {
        Groups::new(self.peers.clone())
    }

    fn operations(&self) -> Operations {
        Operations::new(self.peers.clone())
    }
}

thread_local! {
    static WORLD: OnceCell<World> = const { OnceCell::new() };
}

/// What becomes of a request: of what it gives, whether it is refused.
async fn ask<M: Message + Default + Debug + PartialEq, T>(
    bytes: &[u8],
    call: impl AsyncFnOnce(Request<M>) -> Result<T, Status>,
) -> Option<Status> {
    let message = M::decode(bytes).ok()?;
    assert_eq!(M::decode(message.encode_to_vec().as_slice()).as_ref(), Ok(&message));
    let mut request = Request::new(message);
    request.extensions_mut().insert(Caller {
        user_id: "caller".parse().ok()?,
        role: Role::Operator,
    });
    call(request).await.err()
}

macro_rules! calls {
    ($($request:ident, $service:ident, $method:ident;)+) => {
        /// What clients can ask for.
        pub const REQUESTS: &[&str] = &[$(concat!("hongbao.gateway.v1.", stringify!($request))),+];

        async fn call(world: &World, which: usize, bytes: &[u8]) -> Option<Status> {
            let mut number = 0..;
            $(
                if number.next() == Some(which) {
                    let service = world.$service();
                    return ask(bytes, async |request: Request<pb::$request>| service.$method(request).await).await;
                }
            )+
            None
        }
    };
}

calls! {
    GetWalletRequest, wallets, get_wallet;
    ListEntriesRequest, wallets, list_entries;
    SendPacketRequest, packets, send_packet;
    GrabPacketRequest, packets, grab_packet;
    OpenPacketRequest, packets, open_packet;
    GetPacketRequest, packets, get_packet;
    ListClaimsRequest, packets, list_claims;
    WatchPacketRequest, packets, watch_packet;
    ListSentRequest, records, list_sent;
    ListReceivedRequest, records, list_received;
    GetYearSummaryRequest, records, get_year_summary;
    CreateGroupRequest, groups, create_group;
    GetGroupRequest, groups, get_group;
    AddMembersRequest, groups, add_members;
    RemoveMembersRequest, groups, remove_members;
    ListGroupPacketsRequest, groups, list_group_packets;
    OpenAccountRequest, operations, open_account;
    DepositRequest, operations, deposit;
    FreezeAccountRequest, operations, freeze_account;
    UnfreezeAccountRequest, operations, unfreeze_account;
    ListRepairCasesRequest, operations, list_repair_cases;
    GetRepairCaseRequest, operations, get_repair_case;
    RetryRepairCaseRequest, operations, retry_repair_case;
    ResolveRepairCaseRequest, operations, resolve_repair_case;
    ListTransfersRequest, operations, list_transfers;
    ReconcileRequest, operations, reconcile;
    VerifyLedgerRequest, operations, verify_ledger;
}

/// The first byte says what is asked for.
///
/// - A request that a service refuses is refused in the client's words: each field that is wrong is one of its own request.
/// - Nothing that a client can say is our fault.
/// - Who calls is who the metadata say, or nobody.
pub fn gateway(bytes: &[u8]) {
    let Some((which, rest)) = bytes.split_first() else {
        return;
    };
    caller(rest);
    let which = usize::from(*which) % REQUESTS.len();
    let name = REQUESTS[which];
    let told = WORLD.with(|world| {
        let world = world.get_or_init(World::new);
        world.runtime.block_on(call(world, which, rest))
    });
    match told {
        Some(status) if status.code() == Code::InvalidArgument => requests::refused(name, &status),
        Some(status) => {
            let codes = [Code::FailedPrecondition, Code::NotFound, Code::PermissionDenied];
            assert!(codes.contains(&status.code()), "{name}: {status:?}");
        }
        None => {}
    }
}

/// The bytes as the caller's metadata, a key a line.
fn caller(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut metadata = MetadataMap::new();
    for key in ["hongbao-user-id", "hongbao-role", "hongbao-user-id"] {
        if let Some(Ok(value)) = lines.next().map(TryInto::try_into) {
            metadata.append(key, value);
        }
    }
    let given: Vec<&str> = metadata
        .get_all("hongbao-user-id")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let role = metadata.get("hongbao-role").and_then(|value| value.to_str().ok());
    if let Ok(Caller { user_id, role: found }) = Plain.authenticate(&metadata) {
        assert_eq!(given, [user_id.as_str()]);
        assert!(is_name(user_id.as_str()));
        assert_eq!(found == Role::Operator, role == Some("operator"));
    }
}
