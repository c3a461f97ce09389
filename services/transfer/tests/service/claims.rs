//! A claim log in memory that repeats itself, breaks off and goes away on demand.

use std::{
    collections::{BTreeMap, HashMap},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
};

use futures::{Stream, StreamExt, stream};
use id::{PacketId, Partition};
use proto::grab::v1 as wire;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

#[derive(Default)]
struct State {
    logs: Vec<Vec<wire::Claim>>,
    /// Records that cannot be read, by partition and position, until they can again.
    damaged: BTreeMap<(u32, i64), wire::UnreadableClaim>,
    repeat: bool,
    cut: bool,
    down: bool,
    tails: usize,
    /// Where logs ended that have lost claims since.
    ends: HashMap<u32, i64>,
}

/// The log. Clones share it.
#[derive(Clone)]
pub struct Log {
    state: Arc<Mutex<State>>,
    grown: watch::Sender<u64>,
}

impl Log {
    pub fn new(partitions: u16) -> Self {
        let state = State {
            logs: vec![Vec::new(); usize::from(partitions)],
            ..Default::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            grown: watch::Sender::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Someone opens a share.
    pub fn claim(&self, packet: PacketId, share_no: u32, user: &str, amount_fen: i64) -> (u32, i64) {
        self.append(&packet.to_string(), share_no, user, amount_fen)
    }

    /// Appends whatever it is told; returns where it stands.
    pub fn append(&self, packet: &str, share_no: u32, user: &str, amount_fen: i64) -> (u32, i64) {
        let mut state = self.state();
        let count = u16::try_from(state.logs.len()).unwrap();
        let partition = packet.parse::<PacketId>().map_or(0, |packet| {
            packet.partition(std::num::NonZeroU16::new(count).unwrap()).index()
        });
        let log = &mut state.logs[usize::from(partition)];
        let seq = i64::try_from(log.len()).unwrap() + 1;
        log.push(wire::Claim {
            packet_id: packet.to_owned(),
            share_no,
            user_id: user.to_owned(),
            amount_fen,
            claim_time: Some(clock::to_proto(clock::from_micros(seq))),
            partition: u32::from(partition),
            seq,
            luckiest: false,
            sender_id: "sender".to_owned(),
        });
        drop(state);
        self.grown.send_modify(|version| *version += 1);
        (u32::from(partition), seq)
    }

    /// Changes what stands in the log of a partition.
    pub fn tamper(&self, partition: u32, with: impl FnOnce(&mut Vec<wire::Claim>)) {
        let mut state = self.state();
        let index = usize::try_from(partition).unwrap();
        let end = i64::try_from(state.logs[index].len()).unwrap();
        state.ends.insert(partition, end);
        with(&mut state.logs[index]);
    }

    /// Damages a record: `facts` are what can be read of it, `None` if it is gone altogether.
    pub fn damage(&self, (partition, seq): (u32, i64), facts: Option<&str>) {
        let unreadable = wire::UnreadableClaim {
            seq,
            missing: facts.is_none(),
            facts: facts.unwrap_or_default().to_owned(),
        };
        self.state().damaged.insert((partition, seq), unreadable);
    }

    /// A message of these records, as far as they can be read.
    fn message(&self, claims: Vec<wire::Claim>) -> wire::TailClaimsResponse {
        let state = self.state();
        let mut message = wire::TailClaimsResponse::default();
        for claim in claims {
            match state.damaged.get(&(claim.partition, claim.seq)) {
                Some(unreadable) => message.unreadable.push(unreadable.clone()),
                None => message.claims.push(claim),
            }
        }
        message
    }

    /// Every message comes twice, and every stream begins one claim early.
    pub fn set_repeat(&self, repeat: bool) {
        self.state().repeat = repeat;
    }

    /// Every stream ends after one message.
    pub fn set_cut(&self, cut: bool) {
        self.state().cut = cut;
    }

    pub fn set_down(&self, down: bool) {
        self.state().down = down;
    }

    /// How many streams were asked for.
    pub fn tails(&self) -> usize {
        self.state().tails
    }

    fn read(&self, partition: usize, after: usize, max: usize) -> Vec<wire::Claim> {
        let state = self.state();
        let log = &state.logs[partition];
        log[after.min(log.len())..].iter().take(max).cloned().collect()
    }
}

struct Tail {
    log: Log,
    grown: watch::Receiver<u64>,
    partition: usize,
    after: usize,
    follow: bool,
    max: usize,
    again: Option<Vec<wire::Claim>>,
    ended: bool,
}

impl Tail {
    async fn next(mut self) -> Option<(Result<wire::TailClaimsResponse, Status>, Self)> {
        if self.ended {
            return None;
        }
        if let Some(claims) = self.again.take() {
            return Some((Ok(self.log.message(claims)), self));
        }
        loop {
            let claims = self.log.read(self.partition, self.after, self.max);
            if !claims.is_empty() {
                self.after += claims.len();
                let state = self.log.state();
                (self.ended, self.again) = (state.cut && self.follow, state.repeat.then(|| claims.clone()));
                drop(state);
                return Some((Ok(self.log.message(claims)), self));
            }
            if !self.follow || self.grown.changed().await.is_err() {
                return None;
            }
        }
    }
}

type Claims<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn unused<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("transfer does not call this"))
}

#[tonic::async_trait]
impl wire::grab_service_server::GrabService for Log {
    type TailClaimsStream = Claims<wire::TailClaimsResponse>;
    type WatchPacketStream = Claims<wire::WatchPacketResponse>;

    async fn tail_claims(
        &self,
        request: Request<wire::TailClaimsRequest>,
    ) -> Result<Response<Self::TailClaimsStream>, Status> {
        let request = request.into_inner();
        assert!(Partition::new(request.partition, Partition::DEFAULT_COUNT).is_some());
        let grown = self.grown.subscribe();
        let mut state = self.state();
        if state.down {
            return Err(Status::unavailable("down"));
        }
        let end = state.logs[usize::try_from(request.partition).unwrap()]
            .iter()
            .map(|claim| claim.seq)
            .max();
        let end = end
            .unwrap_or(0)
            .max(state.ends.get(&request.partition).copied().unwrap_or(0));
        if request.after_seq > end {
            let about = format!("the log of this partition ends at {end}");
            let empty: [(&str, String); 0] = [];
            return Err(status::precondition("SEQ_BEYOND_END", "after_seq", about, empty));
        }
        state.tails += 1;
        let back = usize::from(state.repeat && request.follow);
        drop(state);
        let tail = Tail {
            log: self.clone(),
            grown,
            partition: usize::try_from(request.partition).unwrap(),
            after: usize::try_from(request.after_seq).unwrap().saturating_sub(back),
            follow: request.follow,
            max: usize::try_from(request.max_batch).unwrap(),
            again: None,
            ended: false,
        };
        Ok(Response::new(stream::unfold(tail, Tail::next).boxed()))
    }

    async fn watch_packet(
        &self,
        _: Request<wire::WatchPacketRequest>,
    ) -> Result<Response<Self::WatchPacketStream>, Status> {
        unused()
    }

    async fn grab(&self, _: Request<wire::GrabRequest>) -> Result<Response<wire::GrabResponse>, Status> {
        unused()
    }

    async fn open(&self, _: Request<wire::OpenRequest>) -> Result<Response<wire::OpenResponse>, Status> {
        unused()
    }

    async fn batch_grab(
        &self,
        _: Request<wire::BatchGrabRequest>,
    ) -> Result<Response<wire::BatchGrabResponse>, Status> {
        unused()
    }

    async fn batch_open(
        &self,
        _: Request<wire::BatchOpenRequest>,
    ) -> Result<Response<wire::BatchOpenResponse>, Status> {
        unused()
    }

    async fn list_claims(
        &self,
        _: Request<wire::ListClaimsRequest>,
    ) -> Result<Response<wire::ListClaimsResponse>, Status> {
        unused()
    }

    async fn batch_get_progress(
        &self,
        _: Request<wire::BatchGetProgressRequest>,
    ) -> Result<Response<wire::BatchGetProgressResponse>, Status> {
        unused()
    }

    async fn list_user_claims(
        &self,
        _: Request<wire::ListUserClaimsRequest>,
    ) -> Result<Response<wire::ListUserClaimsResponse>, Status> {
        unused()
    }

    async fn summarize_user(
        &self,
        _: Request<wire::SummarizeUserRequest>,
    ) -> Result<Response<wire::SummarizeUserResponse>, Status> {
        unused()
    }

    async fn preload(&self, _: Request<wire::PreloadRequest>) -> Result<Response<wire::PreloadResponse>, Status> {
        unused()
    }

    async fn close_packet(
        &self,
        _: Request<wire::ClosePacketRequest>,
    ) -> Result<Response<wire::ClosePacketResponse>, Status> {
        unused()
    }
}
