//! An answer on its way back: whole, or a stream of messages one by one.

use std::{future::pending, sync::Arc, time::Duration};

use axum::body::Bytes;
use futures::stream;
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use runtime::Process;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tokio_util::sync::DropGuard;
use tonic::{Status, body::Body};
use tower::BoxError;

use super::Net;
use crate::host::Host;

/// How long a connection over which nothing comes through is believed in (`runtime::client`: keep-alive after 10 s, 5 s for
/// its answer).
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a stream goes on out of which a message was lost.
const LONGEST_GAP_MS: u64 = 5_000;

/// Whether a method's answer is a stream.
pub fn is_stream(method: &str) -> bool {
    matches!(method, "TailClaims" | "WatchPacket")
}

/// What is to come of a call.
pub struct Answer {
    pub net: Net,
    pub from: Arc<Host>,
    pub to: Arc<Host>,
    pub callee: Process,
    pub answered: oneshot::Receiver<Result<Response<Body>, BoxError>>,
    /// Cancels the call when it is dropped; `None` where the cancellation gets lost.
    pub cancel: Option<DropGuard>,
    pub streams: bool,
}

impl Answer {
    /// Waits for it, though nobody wants it.
    pub async fn forget(self) {
        let _ = self.answered.await;
        let _ = self.cancel.map(DropGuard::disarm);
    }

    /// The answer. A stream's messages come one by one, each held up for itself.
    pub async fn arrive(self) -> Result<Response<Body>, BoxError> {
        let answer = self.answered.await.map_err(|_| "the peer is gone")??;
        let _ = self.cancel.map(DropGuard::disarm);
        if !self.streams {
            return Ok(answer);
        }
        let (head, body) = answer.into_parts();
        let (out, messages) = mpsc::channel(1);
        let pump = pump(self.net, self.from, self.to, body, out);
        self.callee.spawn("stream", pump);
        // The callee's death ends the stream without a status, which is what a lost connection looks like.
        let messages = stream::unfold(Some(messages), |messages| async move {
            let mut messages = messages?;
            match messages.recv().await {
                Some(Some(frame)) => Some((frame, Some(messages))),
                Some(None) => None,
                None => Some((Err(Status::unavailable("the connection was lost")), None)),
            }
        });
        Ok(Response::from_parts(head, Body::new(StreamBody::new(messages))))
    }
}

type Message = Option<Result<Frame<Bytes>, Status>>;

/// Sends message after message on its way; `None` after the last. A stream out of which a message was lost breaks off soon after.
async fn pump(net: Net, from: Arc<Host>, to: Arc<Host>, mut body: Body, out: mpsc::Sender<Message>) {
    let (world, dice) = (&net.world, &net.world.net_dice);
    let mut broken = None;
    loop {
        let breaks_off = async {
            match broken {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        let frame = tokio::select! {
            biased;
            () = out.closed() => return,
            () = breaks_off => return,
            frame = body.frame() => frame,
        };
        to.awake().await;
        net.travel().await;
        if net.cut_until(&from, &to).is_some() {
            tokio::time::sleep(KEEP_ALIVE).await;
            return;
        }
        if world.strikes(dice, world.climate.stream_cut) {
            world.fault("stream cut", &to.name, format_args!("to {}", from.name));
            return;
        }
        let is_data = matches!(&frame, Some(Ok(frame)) if frame.is_data());
        if is_data && world.strikes(dice, world.climate.stream_gap) {
            world.fault("message of a stream lost", &to.name, format_args!("to {}", from.name));
            broken = Some(Instant::now() + dice.ms(0..=LONGEST_GAP_MS));
            continue;
        }
        from.awake().await;
        if !is_data && broken.is_some() {
            return;
        }
        let is_last = frame.is_none();
        if out.send(frame).await.is_err() || is_last {
            return;
        }
    }
}
