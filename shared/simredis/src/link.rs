//! One client's way to a server.

use std::{fmt, io, sync::Arc, time::Duration};

use async_trait::async_trait;
use resp::{Dial, Redis, Stream};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, split},
    sync::mpsc,
};

use crate::{
    Fate, Mood, Request, Server, Weather,
    reply::Reply,
    wire::{self, Malformed},
};

/// What is under way on a connection before whoever sends must wait, in bytes each way.
const WINDOW: usize = 256 * 1024;
/// Answers of a connection that are on their way at once.
const ANSWERS: usize = 1_024;

/// An answer on its way back, and to what.
struct Answer {
    words: Vec<Vec<u8>>,
    reply: Reply,
}

/// One client's way to a server. Clones are the same way.
#[derive(Clone)]
pub struct Link {
    server: Server,
    weather: Arc<dyn Weather>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Link").field(&self.server).finish()
    }
}

#[async_trait]
impl Dial for Link {
    async fn dial(&self) -> io::Result<Box<dyn Stream>> {
        self.weather.dial().await?;
        if self.server.mood() == Mood::Down {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (near, far) = duplex(WINDOW);
        tokio::spawn(self.clone().serve(far));
        Ok(Box::new(near))
    }
}

impl Link {
    pub(crate) fn new(server: Server, weather: Arc<dyn Weather>) -> Self {
        Self { server, weather }
    }

    /// The server, as a client holds it whose calls may take as long as `timeout`.
    pub fn redis(&self, timeout: Duration) -> Result<Redis, resp::Error> {
        Redis::over(Arc::new(self.clone()), timeout)
    }

    /// The server's end of a connection: for networks that have their own connections.
    pub async fn serve(self, stream: impl Stream) {
        let life = self.server.condition().life;
        tokio::select! {
            biased;
            () = self.server.until(|now| now.life != life) => {}
            () = self.talk(stream) => {}
        }
    }

    async fn talk(&self, stream: impl Stream) {
        let (from, to) = split(stream);
        let (answers, mut on_their_way) = mpsc::channel(ANSWERS);
        tokio::select! {
            biased;
            () = self.say(to, &mut on_their_way) => {}
            // What was heard is still answered.
            () = async { self.hear(from, answers).await; std::future::pending().await } => {}
        }
    }

    /// Does what is asked, in order, to the end of the stream.
    async fn hear(&self, mut from: impl AsyncRead + Unpin, answers: mpsc::Sender<Option<Answer>>) {
        let mut bytes = Vec::new();
        loop {
            let words = match wire::request(&bytes) {
                Ok(Some((words, len))) => {
                    bytes.drain(..len);
                    words
                }
                Ok(None) => match from.read_buf(&mut bytes).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => continue,
                },
                Err(Malformed) => return drop(answers.send(None).await),
            };
            let fate = self.weather.before(Request::new(&words)).await;
            let reply = match fate {
                Fate::Cut => return drop(answers.send(None).await),
                Fate::Swallowed => return hang(from, answers).await,
                Fate::Fair | Fate::AnswerLost | Fate::Unanswered => {
                    self.wake().await;
                    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                    self.server.execute(&words)
                }
            };
            match fate {
                // Whoever does not read answers any more has still asked.
                Fate::Fair => drop(answers.send(Some(Answer { words, reply })).await),
                Fate::Unanswered => return hang(from, answers).await,
                Fate::Cut | Fate::AnswerLost | Fate::Swallowed => return drop(answers.send(None).await),
            }
        }
    }

    /// Sends answers as the weather lets them through. The connection ends where one is lost.
    async fn say(&self, mut to: impl AsyncWrite + Unpin, answers: &mut mpsc::Receiver<Option<Answer>>) {
        let mut bytes = Vec::new();
        while let Some(Some(Answer { words, reply })) = answers.recv().await {
            self.weather.after(Request::new(&words)).await;
            bytes.clear();
            reply.encode(&mut bytes);
            // A client that has left hears nothing, and what it sent before is still to be done.
            let _ = to.write_all(&bytes).await;
        }
    }

    /// Waits while the server hangs.
    async fn wake(&self) {
        self.server.until(|now| now.mood != Mood::Hung).await;
    }
}

/// Keeps a connection open on which nobody says anything, until the client leaves.
async fn hang(mut from: impl AsyncRead + Unpin, _answers: mpsc::Sender<Option<Answer>>) {
    let mut rest = [0; 1024];
    while let Ok(1..) = from.read(&mut rest).await {}
}
