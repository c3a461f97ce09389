//! A grab service over a real server, with an account service that a test commands.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use grab::{Grab, Settings};
use proto::{
    account::v1::{
        self as account,
        account_service_server::{AccountService, AccountServiceServer},
        group_service_server::{GroupService, GroupServiceServer},
    },
    grab::v1::{
        BatchGrabRequest, Claim, ClosePacketRequest, GrabRequest, ListClaimsRequest, OpenRequest, PreloadRequest,
        Progress, grab_response::Outcome, grab_service_client::GrabServiceClient, open_response,
    },
    terms::v1::{Anyone, Audience, Kind, Terms, audience::Who},
};
use runtime::{Channel, Faults, Process, Server, Service, config::defaults};
use testkit::Dir;
use tonic::{Request, Response, Status};

pub type Client = GrabServiceClient<Channel>;

/// Knows every user whose name does not start with `ghost`; the members of any group are those whose name starts with
/// `m`, until they leave, but group `nowhere` does not exist.
#[derive(Clone, Default)]
pub struct FakeAccount {
    pub away: Arc<AtomicBool>,
    pub left: Arc<Mutex<HashSet<String>>>,
}

impl FakeAccount {
    fn check(&self) -> Result<(), Status> {
        if self.away.load(Ordering::Relaxed) {
            Err(Status::unavailable("away"))
        } else {
            Ok(())
        }
    }
}

/// A service of which the test needs one method.
macro_rules! fake {
    ($service:ident { $($served:tt)* } and not { $($method:ident: $request:ident -> $response:ident,)* }) => {
        #[tonic::async_trait]
        impl $service for FakeAccount {
            $($served)*
            $(async fn $method(
                &self,
                _: Request<account::$request>,
            ) -> Result<Response<account::$response>, Status> {
                Err(Status::unimplemented("not needed here"))
            })*
        }
    };
}

fake! {
    AccountService {
        async fn batch_get_users(
            &self,
            request: Request<account::BatchGetUsersRequest>,
        ) -> Result<Response<account::BatchGetUsersResponse>, Status> {
            self.check()?;
            let known = request.into_inner().user_ids.into_iter().filter(|user_id| !user_id.starts_with("ghost"));
            let users = known.map(|user_id| account::User { user_id, ..Default::default() });
            let users = users.collect();
            Ok(Response::new(account::BatchGetUsersResponse { users }))
        }
    } and not {
        open_account: OpenAccountRequest -> OpenAccountResponse,
        get_account: GetAccountRequest -> GetAccountResponse,
        batch_get_accounts: BatchGetAccountsRequest -> BatchGetAccountsResponse,
        list_entries: ListEntriesRequest -> ListEntriesResponse,
        deposit: DepositRequest -> DepositResponse,
        post_transfers: PostTransfersRequest -> PostTransfersResponse,
        batch_get_transfers: BatchGetTransfersRequest -> BatchGetTransfersResponse,
        freeze_account: FreezeAccountRequest -> FreezeAccountResponse,
        unfreeze_account: UnfreezeAccountRequest -> UnfreezeAccountResponse,
        verify_ledger: VerifyLedgerRequest -> VerifyLedgerResponse,
    }
}

fake! {
    GroupService {
        async fn check_members(
            &self,
            request: Request<account::CheckMembersRequest>,
        ) -> Result<Response<account::CheckMembersResponse>, Status> {
            self.check()?;
            let request = request.into_inner();
            if request.group_id == "nowhere" {
                return Err(status::not_found("group", "nowhere"));
            }
            let mut member_ids = request.user_ids;
            let left = self.left.lock().unwrap();
            member_ids.retain(|user_id| user_id.starts_with('m') && !left.contains(user_id));
            Ok(Response::new(account::CheckMembersResponse { member_ids }))
        }
    } and not {
        create_group: CreateGroupRequest -> CreateGroupResponse,
        get_group: GetGroupRequest -> GetGroupResponse,
        add_members: AddMembersRequest -> AddMembersResponse,
        remove_members: RemoveMembersRequest -> RemoveMembersResponse,
        list_members: ListMembersRequest -> ListMembersResponse,
    }
}

/// One running grab service.
pub struct Instance {
    pub client: Client,
    pub channel: Channel,
    process: Process,
}

impl Instance {
    /// Stops it and waits until everything is written.
    pub async fn stop(self) {
        drop((self.client, self.channel));
        assert!(self.process.stop(Duration::from_secs(10)).await, "it did not drain");
    }

    /// Asks it to stop.
    pub fn begin_stop(&self) {
        self.process.begin_stop();
    }
}

/// A store, an account service, and the settings to start instances on them.
pub struct World {
    pub settings: Settings,
    pub account: FakeAccount,
    account_process: Process,
    _dir: Dir,
    next_packet: AtomicU8,
}

impl World {
    pub async fn new() -> Self {
        let (dir, account, account_process) = (Dir::new(), FakeAccount::default(), Process::new());
        let server = Server::bind(&testkit::server_config()).await.unwrap();
        let address = server.local_addr().unwrap();
        server
            .add(AccountServiceServer::new(account.clone()))
            .add(GroupServiceServer::new(account.clone()))
            .spawn(&account_process, || async { Ok(()) })
            .unwrap();
        let mut settings: Settings = defaults();
        settings.database_url = dir.sqlite("grab");
        settings.account_url = format!("http://{address}");
        settings.voucher_keys = format!("k1:{}", "5a".repeat(32));
        "127.0.0.1:0".clone_into(&mut settings.server.listen);
        "20ms".clone_into(&mut settings.tail_poll);
        Self {
            settings,
            account,
            account_process,
            _dir: dir,
            next_packet: AtomicU8::new(1),
        }
    }

    /// Keeps the store on these databases, and brings them up to date.
    pub async fn move_to(&mut self, database_url: String) {
        self.settings.database_url = database_url;
        let mut faults = Faults::default();
        let config = Grab::check(&self.settings, &mut faults);
        Grab::migrate(faults.finish(config).unwrap()).await.unwrap();
    }

    /// Starts an instance; several share one store.
    pub async fn start(&self) -> Instance {
        self.try_start().await.unwrap()
    }

    pub async fn try_start(&self) -> anyhow::Result<Instance> {
        let mut faults = Faults::default();
        let config = Grab::check(&self.settings, &mut faults);
        let process = Process::new();
        let address = Grab::start(faults.finish(config)?, &process).await?;
        let channel = testkit::channel(address);
        Ok(Instance {
            client: GrabServiceClient::new(channel.clone()),
            channel,
            process,
        })
    }

    /// A promise of `share_count` shares with a mean of one yuan, for anyone, for an hour.
    pub fn promise(&self, share_count: u32) -> PreloadRequest {
        let number = self.next_packet.fetch_add(1, Ordering::Relaxed);
        promise(number, share_count)
    }

    /// Preloads a packet; its id.
    pub async fn preload(&self, client: &Client, promise: PreloadRequest) -> String {
        let packet_id = promise.terms.as_ref().unwrap().packet_id.clone();
        client.clone().preload(promise).await.unwrap();
        packet_id
    }

    /// Preloads a plain packet; its id.
    pub async fn packet(&self, client: &Client, share_count: u32) -> String {
        self.preload(client, self.promise(share_count)).await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.account_process.begin_stop();
    }
}

pub fn promise(number: u8, share_count: u32) -> PreloadRequest {
    let now = clock::Timestamp::now();
    PreloadRequest {
        terms: Some(Terms {
            packet_id: id::PacketId::new(1_700_000_000_000, &[number; 10]).to_string(),
            sender_id: "sender".to_owned(),
            kind: Kind::DoubleMean.into(),
            total_fen: i64::from(share_count) * 100,
            share_count,
            share_cap_fen: 0,
            audience: Some(Audience {
                who: Some(Who::Anyone(Anyone {})),
            }),
            has_passphrase: false,
            start_time: Some(clock::to_proto(now)),
            expire_time: Some(clock::to_proto(clock::after(now, Duration::from_hours(1)))),
            greeting: "恭喜发财".to_owned(),
            cover: "plain".to_owned(),
        }),
        seed: vec![number; 32],
        passphrase_digest: Vec::new(),
    }
}

pub fn terms(promise: &mut PreloadRequest) -> &mut Terms {
    promise.terms.as_mut().unwrap()
}

pub fn audience(who: Who) -> Audience {
    Audience { who: Some(who) }
}

pub fn ask(packet_id: &str, user_id: &str) -> GrabRequest {
    GrabRequest {
        packet_id: packet_id.to_owned(),
        user_id: user_id.to_owned(),
        ..Default::default()
    }
}

pub async fn grab(client: &Client, packet_id: &str, user_id: &str) -> Outcome {
    try_grab(client, ask(packet_id, user_id)).await.unwrap()
}

pub async fn try_grab(client: &Client, request: GrabRequest) -> Result<Outcome, Status> {
    Ok(client.clone().grab(request).await?.into_inner().outcome.unwrap())
}

/// Grabs and opens in one call.
pub async fn snatch(client: &Client, packet_id: &str, user_id: &str) -> Outcome {
    let mut request = ask(packet_id, user_id);
    request.open = true;
    try_grab(client, request).await.unwrap()
}

pub async fn try_open(
    client: &Client,
    packet_id: &str,
    user_id: &str,
    voucher: &str,
) -> Result<open_response::Outcome, Status> {
    let request = OpenRequest {
        packet_id: packet_id.to_owned(),
        user_id: user_id.to_owned(),
        voucher: voucher.to_owned(),
    };
    Ok(client.clone().open(request).await?.into_inner().outcome.unwrap())
}

/// The voucher of a grab that must be granted.
pub async fn voucher(client: &Client, packet_id: &str, user_id: &str) -> String {
    match grab(client, packet_id, user_id).await {
        Outcome::Granted(granted) => granted.voucher,
        other => panic!("not granted: {other:?}"),
    }
}

/// The claim of an open that must succeed.
pub async fn open(client: &Client, packet_id: &str, user_id: &str, voucher: &str) -> Claim {
    match try_open(client, packet_id, user_id, voucher).await.unwrap() {
        open_response::Outcome::Opened(claim) => claim,
        other => panic!("not opened: {other:?}"),
    }
}

pub async fn close(client: &Client, packet_id: &str) -> Result<proto::grab::v1::ClosePacketResponse, Status> {
    let packet_id = packet_id.to_owned();
    Ok(client
        .clone()
        .close_packet(ClosePacketRequest { packet_id })
        .await?
        .into_inner())
}

/// All claims of a packet, page by page, and its progress.
pub async fn claims(client: &Client, packet_id: &str) -> (Vec<Claim>, Progress) {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListClaimsRequest {
            packet_id: packet_id.to_owned(),
            page_size: 37,
            page_token,
        };
        let response = client.clone().list_claims(request).await.unwrap().into_inner();
        all.extend(response.claims);
        page_token = response.next_page_token;
        if page_token.is_empty() {
            return (all, response.progress.unwrap());
        }
    }
}

/// Grabs and opens for many users in one `BatchGrab`.
pub fn batch(packet_id: &str, users: impl Iterator<Item = String>) -> BatchGrabRequest {
    let requests = users.map(|user_id| {
        let mut request = ask(packet_id, &user_id);
        request.open = true;
        request
    });
    BatchGrabRequest {
        requests: requests.collect(),
    }
}
