//! The network: every call between hosts goes through it, whole requests and answers at a time.
//!
//! What it may do to a call: hold up the request or the answer, lose either, deliver the request twice, the second time much
//! later, deliver calls in another order (by holding some up), cut two hosts off from each other, break a stream off between
//! two messages. The callee may die meanwhile. What a caller sees of it is what a lost connection looks like, or nothing at
//! all until its own deadline.

mod answer;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::{Bytes, to_bytes};
use http::{Request, Response, request::Parts};
use runtime::client::Way;
use tokio::{sync::oneshot, time::Instant};
use tokio_util::sync::CancellationToken;
use tonic::{ConnectError, body::Body};
use tower::{BoxError, ServiceExt, service_fn};

use crate::{host::Host, mishap::Kind, world::World};
use answer::Answer;

/// How long a caller tries to connect to a host that it cannot reach (`runtime::client`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest that the second copy of a request is under way.
const LATEST_COPY_MS: u64 = 45_000;

/// The network of one world.
#[derive(Clone)]
pub struct Net {
    world: Arc<World>,
    /// Pairs of hosts by name, in order, and until when they cannot reach each other.
    cut: Arc<Mutex<BTreeMap<(String, String), Instant>>>,
}

/// A request as it travels.
#[derive(Clone)]
struct Message {
    head: Parts,
    body: Bytes,
}

impl Message {
    fn request(&self) -> Request<Body> {
        let body = Body::new(axum::body::Body::from(self.body.clone()));
        Request::from_parts(self.head.clone(), body)
    }

    /// `PostTransfers` of `/hongbao.account.v1.AccountService/PostTransfers`.
    fn method(&self) -> &str {
        self.head.uri.path().rsplit('/').next().unwrap_or_default()
    }
}

impl Net {
    /// Everyone reaches everyone.
    pub fn new(world: Arc<World>) -> Self {
        Self {
            world,
            cut: Arc::default(),
        }
    }

    /// The way from `from` to `to`, whatever becomes of either.
    pub fn way(&self, from: &Arc<Host>, to: &Arc<Host>) -> Way {
        let (net, from, to) = (self.clone(), from.clone(), to.clone());
        Way::new(service_fn(move |request| {
            let (net, from, to) = (net.clone(), from.clone(), to.clone());
            async move { net.call(&from, &to, request).await }
        }))
    }

    /// Cuts two hosts off from each other for so long.
    pub fn cut(&self, one: &Host, other: &Host, for_: Duration) {
        let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        cut.insert(pair(one, other), Instant::now() + for_);
    }

    /// Everyone reaches everyone again.
    pub fn mend(&self) {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Until when these two cannot reach each other.
    fn cut_until(&self, one: &Host, other: &Host) -> Option<Instant> {
        let cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        cut.get(&pair(one, other))
            .copied()
            .filter(|until| *until > Instant::now())
    }

    async fn call(&self, from: &Arc<Host>, to: &Arc<Host>, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let (head, body) = request.into_parts();
        let body = to_bytes(axum::body::Body::new(body), usize::MAX).await?;
        let message = Message { head, body };
        let (world, dice, climate) = (&self.world, &self.world.net_dice, &self.world.climate);

        from.awake().await;
        self.may_crash(from, "before sending", &message).await;
        self.copy_later(from, to, &message);
        self.travel().await;
        if self.cut_until(from, to).is_some() {
            world.trace.step(&from.name, format_args!("cannot reach {}", to.name));
            tokio::time::sleep(CONNECT_TIMEOUT).await;
            return Err(unreachable("no route"));
        }
        if world.strikes(dice, climate.request_lost) {
            world.fault(
                "request lost",
                &from.name,
                format_args!("{} to {}", message.method(), to.name),
            );
            return self.silence().await;
        }
        let answer = self.deliver(from, to, &message)?;
        self.may_crash(to, "on receiving", &message).await;
        let answer = answer.arrive().await?;

        self.travel().await;
        if self.cut_until(from, to).is_some() || world.strikes(dice, climate.answer_lost) {
            world.fault(
                "answer lost",
                &to.name,
                format_args!("{} to {}", message.method(), from.name),
            );
            return self.silence().await;
        }
        from.awake().await;
        self.may_crash(from, "on an answer", &message).await;
        Ok(answer)
    }

    /// What somebody hears whose message is lost: that the connection broke, or nothing until their time is over.
    async fn silence(&self) -> Result<Response<Body>, BoxError> {
        let dice = &self.world.net_dice;
        if dice.chance(500) {
            tokio::time::sleep(dice.ms(1..=2_000)).await;
            return Err("the connection was lost".into());
        }
        std::future::pending().await
    }

    async fn travel(&self) {
        let (world, dice) = (&self.world, &self.world.net_dice);
        let delay = if world.strikes(dice, world.climate.delay) {
            world.coverage.fault("message delayed");
            dice.ms(1..=world.climate.delay_ms)
        } else {
            dice.ms(0..=3)
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    async fn may_crash(&self, host: &Host, when: &str, message: &Message) {
        let world = &self.world;
        let due = host.up().is_some() && world.mishap(Kind::Crash);
        if (due || world.strikes(&world.net_dice, world.climate.crash_at_net))
            && host.crash(world, &format!("{when} {}", message.method()))
        {
            tokio::task::yield_now().await;
        }
    }

    /// Hands a request to a host, as a task of that host.
    fn deliver(&self, from: &Arc<Host>, to: &Arc<Host>, message: &Message) -> Result<Answer, BoxError> {
        let Some(up) = to.up() else {
            return Err(unreachable("connection refused"));
        };
        let (done, answered) = oneshot::channel();
        let cancelled = CancellationToken::new();
        let (request, host, cancel) = (message.request(), to.clone(), cancelled.clone());
        let handler = async move {
            host.awake().await;
            tokio::select! {
                biased;
                () = cancel.cancelled() => {}
                answer = up.way.oneshot(request) => {
                    host.awake().await;
                    // Nobody may be waiting any more.
                    let _ = done.send(answer);
                }
            }
        };
        up.process.spawn("call", handler);
        // A caller that goes away cancels its call, if that arrives.
        let cancels = self.world.is_calm() || self.world.net_dice.chance(500);
        Ok(Answer {
            net: self.clone(),
            from: from.clone(),
            to: to.clone(),
            callee: up.process,
            answered,
            cancel: cancels.then(|| cancelled.drop_guard()),
            streams: answer::is_stream(message.method()),
        })
    }

    /// Delivers the request once more, later, to whoever the host is then.
    fn copy_later(&self, from: &Arc<Host>, to: &Arc<Host>, message: &Message) {
        let (world, dice) = (&self.world, &self.world.net_dice);
        if answer::is_stream(message.method()) {
            return;
        }
        let due = world.mishap(Kind::Double);
        if !due && !world.strikes(dice, world.climate.doubled) {
            return;
        }
        let longest_ms = dice.number(1..=LATEST_COPY_MS);
        let delay = dice.ms(0..=longest_ms);
        world.fault(
            "request doubled",
            &from.name,
            format_args!("{} to {}, {} ms later", message.method(), to.name, delay.as_millis()),
        );
        let (net, from, to, message) = (self.clone(), from.clone(), to.clone(), message.clone());
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            if let Ok(answer) = net.deliver(&from, &to, &message) {
                net.world
                    .trace
                    .step(&to.name, format_args!("a late copy of {}", message.method()));
                // Somewhere it arrives, and nobody reads it.
                answer.forget().await;
            }
        });
    }
}

fn pair(one: &Host, other: &Host) -> (String, String) {
    let (one, other) = (one.name.clone(), other.name.clone());
    if one < other { (one, other) } else { (other, one) }
}

fn unreachable(why: &'static str) -> BoxError {
    Box::new(ConnectError(why.into()))
}
