//! Account, transfer and grab as one server that keeps books and fails when told to.

mod servers;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use clock::SharedClock;
use proto::{
    account::v1::{account_service_server::AccountServiceServer, group_service_server::GroupServiceServer},
    grab::v1::{PreloadRequest, grab_service_server::GrabServiceServer},
    transfer::v1::transfer_service_server::TransferServiceServer,
};
use tokio::{net::TcpListener, sync::Notify};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Response, Status};

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refused before it had an effect.
    Before,
    /// It has its effect, and the answer is lost.
    After,
    /// It never answers, and has no effect.
    HangBefore,
    /// It has its effect and never answers.
    HangAfter,
}

/// What has happened, and to whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Books {
    pub wallets: BTreeMap<String, i64>,
    pub frozen: BTreeSet<String>,
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// Packet → (sender, fen).
    pub funded: BTreeMap<String, (String, i64)>,
    /// Packet → the first answer.
    pub refused: BTreeMap<String, (String, i64)>,
    pub preloaded: BTreeMap<String, PreloadRequest>,
    /// Packet → what is opened.
    pub opened: BTreeMap<String, (u32, i64)>,
    /// Packet → what was opened when it was first closed.
    pub closed: BTreeMap<String, (u32, i64)>,
    /// Packet → (sender, fen).
    pub refunded: BTreeMap<String, (String, i64)>,
    /// Calls of each method that had an effect, for the first time or again.
    pub calls: BTreeMap<&'static str, usize>,
}

pub struct Peers {
    books: Mutex<Books>,
    plan: Mutex<BTreeMap<&'static str, VecDeque<Fault>>>,
    hung: Notify,
    clock: SharedClock,
    /// The packets that calls are about which are not answered yet.
    running: Mutex<Vec<String>>,
    overlaps: AtomicUsize,
    slowness_ms: AtomicU64,
}

/// A call about a packet, until it is answered or given up.
struct Running<'a>(&'a Peers, &'a str);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut running = self.0.running.lock().unwrap();
        let at = running.iter().position(|packet| packet == self.1).unwrap();
        running.swap_remove(at);
    }
}

impl Peers {
    /// alice has 100 yuan; alice and bob are in group `friends`, only bob in `others`.
    pub fn new(clock: SharedClock) -> Arc<Self> {
        let members = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let books = Books {
            wallets: [("alice".to_owned(), 10_000), ("bob".to_owned(), 0)].into(),
            groups: [
                ("friends".to_owned(), members(&["alice", "bob"])),
                ("others".to_owned(), members(&["bob"])),
            ]
            .into(),
            ..Books::default()
        };
        Arc::new(Self {
            books: Mutex::new(books),
            plan: Mutex::default(),
            hung: Notify::new(),
            clock,
            running: Mutex::default(),
            overlaps: AtomicUsize::default(),
            slowness_ms: AtomicU64::default(),
        })
    }

    pub async fn serve(self: Arc<Self>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(AccountServiceServer::from_arc(self.clone()))
            .add_service(GroupServiceServer::from_arc(self.clone()))
            .add_service(TransferServiceServer::from_arc(self.clone()))
            .add_service(GrabServiceServer::from_arc(self))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        address
    }

    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// Makes the next `times` calls of `method` go wrong.
    pub fn fail(&self, method: &'static str, fault: Fault, times: usize) {
        self.plan
            .lock()
            .unwrap()
            .entry(method)
            .or_default()
            .extend(std::iter::repeat_n(fault, times));
    }

    /// Makes all calls go well again.
    pub fn heal(&self) {
        self.plan.lock().unwrap().clear();
    }

    /// Makes every call about a packet take so long.
    pub fn be_slow(&self, by: Duration) {
        self.slowness_ms
            .store(by.as_millis().try_into().unwrap(), Ordering::Relaxed);
    }

    /// How many calls about a packet came while another one about it was running.
    pub fn overlaps(&self) -> usize {
        self.overlaps.load(Ordering::Relaxed)
    }

    /// Resolves when a call hangs.
    pub async fn hung(&self) {
        self.hung.notified().await;
    }

    /// A call about `packet`.
    async fn call_about<T>(
        &self,
        packet: &str,
        method: &'static str,
        effect: impl FnOnce(&mut Books) -> Result<T, Status>,
    ) -> Result<Response<T>, Status> {
        {
            let mut running = self.running.lock().unwrap();
            let overlaps = running.iter().any(|other| other == packet);
            self.overlaps.fetch_add(overlaps.into(), Ordering::Relaxed);
            running.push(packet.to_owned());
        }
        let _running = Running(self, packet);
        tokio::time::sleep(Duration::from_millis(self.slowness_ms.load(Ordering::Relaxed))).await;
        self.call(method, effect).await
    }

    async fn call<T>(
        &self,
        method: &'static str,
        effect: impl FnOnce(&mut Books) -> Result<T, Status>,
    ) -> Result<Response<T>, Status> {
        let fault = self.plan.lock().unwrap().get_mut(method).and_then(VecDeque::pop_front);
        let lost = || Status::unavailable("the answer was lost");
        let effect = || {
            let mut books = self.books();
            *books.calls.entry(method).or_default() += 1;
            effect(&mut books)
        };
        match fault {
            None => effect().map(Response::new),
            Some(Fault::Before) => Err(lost()),
            Some(Fault::After) => effect().and_then(|_| Err(lost())),
            Some(Fault::HangBefore) => self.hang().await,
            Some(Fault::HangAfter) => {
                effect()?;
                self.hang().await
            }
        }
    }

    async fn hang<T>(&self) -> T {
        self.hung.notify_one();
        std::future::pending().await
    }
}
