//! A network between a server and its clients that fails on demand.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
};

pub(crate) use crate::wire::Wire;
use crate::{
    Fault,
    fault::Doing as _,
    port::{free_port, on_loopback},
    wire::{Requests, is_answered},
};

/// How often a port is tried that another program took.
const TRIES: u32 = 8;
/// How long to wait before that.
const PAUSE: Duration = Duration::from_millis(20);
/// Bytes taken at once.
const CHUNK: usize = 16 * 1024;

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Bytes pass.
    Pass,
    /// Connections are taken, and nothing passes.
    Hang,
    /// Connections are refused.
    Refuse,
}

/// What the network is like now.
#[derive(Clone, Copy, Debug)]
struct Weather {
    mode: Mode,
    delay: Duration,
    target: SocketAddr,
    /// Connections that began in an earlier one are gone.
    age: u64,
}

/// How a COMMIT that is waited for goes wrong.
#[derive(Debug, Default)]
struct Traps {
    answers: AtomicUsize,
    requests: AtomicUsize,
    sprung: AtomicUsize,
}

impl Traps {
    fn springs(&self, trap: &AtomicUsize) -> bool {
        let sprung = trap
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .is_ok();
        if sprung {
            self.sprung.fetch_add(1, Ordering::Relaxed);
        }
        sprung
    }
}

/// A TCP proxy in this process, in front of one server. It passes everything until told otherwise; dropping it cuts
/// everything. Must be used inside a Tokio runtime.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    traps: Arc<Traps>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy in front of a server of any kind.
    pub async fn opaque(target: SocketAddr) -> Result<Self, Fault> {
        Self::start(target, Wire::Opaque).await
    }

    /// A proxy in front of `target`, which speaks `wire`.
    pub(crate) async fn start(target: SocketAddr, wire: Wire) -> Result<Self, Fault> {
        let mut tries = TRIES;
        let listener = loop {
            match TcpListener::bind(on_loopback(free_port()?)).await {
                Ok(listener) => break listener,
                Err(fault) if fault.kind() == io::ErrorKind::AddrInUse && tries > 0 => tries -= 1,
                Err(fault) => return Err(fault).doing("cannot listen"),
            }
        };
        let address = listener.local_addr().doing("cannot listen")?;
        let weather = watch::Sender::new(Weather {
            mode: Mode::Pass,
            delay: Duration::ZERO,
            target,
            age: 0,
        });
        let traps = Arc::new(Traps::default());
        let task = tokio::spawn(serve(listener, address, wire, weather.subscribe(), traps.clone()));
        Ok(Self {
            address,
            weather,
            traps,
            task,
        })
    }

    /// Where clients find it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL of the server as one of the proxy.
    pub fn url(&self, url: &str) -> String {
        let target = self.weather.borrow().target;
        url.replace(&target.to_string(), &self.address.to_string())
    }

    /// Cuts all connections that there are; new ones pass.
    pub fn cut(&self) {
        self.weather.send_modify(|weather| weather.age += 1);
    }

    /// Cuts all connections and refuses new ones until [`Proxy::resume`].
    pub fn refuse(&self) {
        self.weather.send_modify(|weather| {
            weather.age += 1;
            weather.mode = Mode::Refuse;
        });
    }

    /// Takes connections but passes nothing, on old ones and new ones, until [`Proxy::resume`]; then passes what was held.
    pub fn hang(&self) {
        self.weather.send_modify(|weather| weather.mode = Mode::Hang);
    }

    /// Holds every piece that passes, either way, for `delay`; zero ends that.
    pub fn delay(&self, delay: Duration) {
        self.weather.send_modify(|weather| weather.delay = delay);
    }

    /// Passes everything again, at once.
    pub fn resume(&self) {
        self.weather.send_modify(|weather| {
            weather.mode = Mode::Pass;
            weather.delay = Duration::ZERO;
        });
    }

    /// New connections go to `target`, and all that there are are cut.
    pub fn retarget(&self, target: SocketAddr) {
        self.weather.send_modify(|weather| {
            weather.target = target;
            weather.age += 1;
        });
    }

    /// The next COMMIT reaches the server, which answers; the answer is lost and the connection cut. Called several times
    /// it is as many COMMITs.
    pub fn swallow_commit(&self) {
        self.traps.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// The next COMMIT is lost on its way to the server and the connection cut. To the client it looks as
    /// [`Proxy::swallow_commit`] does.
    pub fn lose_commit(&self) {
        self.traps.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// What [`Proxy::swallow_commit`] and [`Proxy::lose_commit`] asked for and no COMMIT has met yet is off.
    pub fn spare_commits(&self) {
        self.traps.answers.store(0, Ordering::Relaxed);
        self.traps.requests.store(0, Ordering::Relaxed);
    }

    /// How many COMMITs went wrong so far.
    pub fn commits_lost(&self) -> usize {
        self.traps.sprung.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Accepts for as long as the proxy lives. Connections end with the set that holds them.
async fn serve(
    listener: TcpListener,
    address: SocketAddr,
    wire: Wire,
    mut weather: watch::Receiver<Weather>,
    traps: Arc<Traps>,
) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let refused = weather.borrow_and_update().mode == Mode::Refuse;
        if refused {
            listener = None;
        }
        let Some(open) = &listener else {
            if refused {
                if weather.changed().await.is_err() {
                    return;
                }
            } else {
                listener = TcpListener::bind(address).await.ok();
                if listener.is_none() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
            continue;
        };
        tokio::select! {
            changed = weather.changed() => if changed.is_err() { return },
            _ = connections.join_next(), if !connections.is_empty() => {}
            accepted = open.accept() => if let Ok((client, _)) = accepted {
                connections.spawn(Connection::run(client, wire, weather.clone(), traps.clone()));
            },
        }
    }
}

/// One client's connection.
struct Connection {
    wire: Wire,
    weather: watch::Receiver<Weather>,
    traps: Arc<Traps>,
    /// Set from a COMMIT on whose answer is to be lost.
    swallow: watch::Sender<bool>,
}

impl Connection {
    async fn run(client: TcpStream, wire: Wire, mut weather: watch::Receiver<Weather>, traps: Arc<Traps>) {
        let born = weather.borrow().age;
        let mut aging = weather.clone();
        let passing = async {
            let clear = weather.wait_for(|weather| weather.mode != Mode::Hang).await;
            let Ok(target) = clear.map(|weather| weather.target) else {
                return;
            };
            let Ok(server) = TcpStream::connect(target).await else {
                return;
            };
            client.set_nodelay(true).ok();
            server.set_nodelay(true).ok();
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            let connection = Self {
                wire,
                weather: weather.clone(),
                traps,
                swallow: watch::Sender::new(false),
            };
            // Either way's end is the connection's.
            tokio::select! {
                _ = connection.requests(from_client, to_server) => {}
                _ = connection.answers(from_server, to_client) => {}
            }
        };
        tokio::select! {
            () = passing => {}
            _ = aging.wait_for(|weather| weather.age != born) => {}
        }
    }

    /// Waits until the network passes bytes, and as long as it takes.
    async fn cross(&self) {
        let mut weather = self.weather.clone();
        let clear = weather.wait_for(|weather| weather.mode != Mode::Hang).await;
        let delay = clear.map_or(Duration::ZERO, |weather| weather.delay);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    async fn requests(&self, mut client: OwnedReadHalf, mut server: OwnedWriteHalf) -> io::Result<()> {
        let mut requests = Requests::new(self.wire);
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = client.read(&mut chunk).await?;
            if length == 0 {
                return Ok(());
            }
            self.cross().await;
            requests.push(&chunk[..length]);
            let mut passed = Vec::new();
            while let Some((message, commits)) = requests.next() {
                if commits && self.traps.springs(&self.traps.requests) {
                    return Ok(());
                }
                if commits && self.traps.springs(&self.traps.answers) {
                    self.swallow.send_replace(true);
                }
                passed.extend(message);
            }
            server.write_all(&passed).await?;
        }
    }

    async fn answers(&self, mut server: OwnedReadHalf, mut client: OwnedWriteHalf) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        let mut swallowed = Vec::new();
        loop {
            let length = server.read(&mut chunk).await?;
            if length == 0 {
                return Ok(());
            }
            if *self.swallow.borrow() {
                swallowed.extend_from_slice(&chunk[..length]);
                if is_answered(self.wire, &swallowed) {
                    return Ok(());
                }
                continue;
            }
            self.cross().await;
            client.write_all(&chunk[..length]).await?;
        }
    }
}

#[cfg(test)]
mod tests;
