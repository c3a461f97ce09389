//! One channel over several instances of a service.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::to_bytes;
use http::{Request, Response};
use tokio::time::Instant;
use tonic::{body::Body, transport::Channel};
use tower::{BoxError, Service, ServiceExt, util::BoxCloneSyncService};

/// How long an instance that was lost is asked only when no other one answers.
const AVOID: Duration = Duration::from_secs(1);

/// Marks a call, as an extension of its request, that must not be under way at two instances at once: it is asked of one, and
/// fails if the way to that one is lost.
#[derive(Clone, Copy, Debug)]
pub struct OneInstance;

/// Sends each call to the instance that has the fewest of ours to answer, in turn among equals. When the way to it is
/// lost before an answer began, whether or not the call took effect there, the next instance is asked: every call
/// of this system may be repeated, but for those marked [`OneInstance`]. An answer, also a refusal, is final.
#[derive(Clone, Debug)]
pub struct Balanced {
    instances: Arc<[Instance]>,
    turn: Arc<AtomicUsize>,
}

/// A way to one instance that is no socket.
pub type Way = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// How an instance is reached.
#[derive(Clone, Debug)]
pub(crate) enum Transport {
    /// Over a connection of its own.
    Connection(Channel),
    /// In any other way.
    Other(Way),
}

#[derive(Debug)]
struct Instance {
    transport: Transport,
    /// Calls that wait for their answer to begin.
    waiting: AtomicUsize,
    lost: Mutex<Option<Instant>>,
}

impl Balanced {
    /// Over these.
    pub(crate) fn over(transports: impl Iterator<Item = Transport>) -> Self {
        let instance = |transport| Instance {
            transport,
            waiting: AtomicUsize::new(0),
            lost: Mutex::new(None),
        };
        Self {
            instances: transports.map(instance).collect(),
            turn: Arc::new(AtomicUsize::new(0)),
        }
    }

    /// In the order in which they are asked.
    fn order(&self) -> Vec<&Instance> {
        let mut order: Vec<_> = self.instances.iter().collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        order.rotate_left(turn % self.instances.len());
        order.sort_by_cached_key(|instance| (instance.is_lost(), instance.waiting.load(Ordering::Relaxed)));
        order
    }

    async fn send(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        if let [only] = &*self.instances {
            return only.send(request).await;
        }
        let (head, body) = request.into_parts();
        let tries = match head.extensions.get::<OneInstance>() {
            Some(OneInstance) => 1,
            None => self.instances.len(),
        };
        // It was one message in memory before it was a body.
        let message = to_bytes(axum::body::Body::new(body), usize::MAX).await?;
        let mut lost = None;
        for instance in self.order().into_iter().take(tries) {
            let body = Body::new(axum::body::Body::from(message.clone()));
            match instance.send(Request::from_parts(head.clone(), body)).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => lost = Some(fault),
            }
        }
        Err(lost.unwrap_or_else(|| "no instance to ask".into()))
    }
}

impl Instance {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let _waiting = Waiting::begin(&self.waiting);
        let answer = match self.transport.clone() {
            Transport::Connection(channel) => channel.oneshot(request).await.map_err(BoxError::from),
            Transport::Other(way) => way.oneshot(request).await,
        };
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = answer.is_err().then(Instant::now);
        answer
    }

    fn is_lost(&self) -> bool {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.is_some_and(|lost| lost.elapsed() < AVOID)
    }
}

/// Counts a call for as long as it lasts, also when it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Service<Request<Body>> for Balanced {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}
