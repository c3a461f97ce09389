//! How many requests a server works on at once.
//!
//! A request that waits costs memory, and behind a peer that hangs all requests wait: without a bound they would be as many as
//! come in the time that one may take. [`Bound`] refuses those beyond it at once with `RESOURCE_EXHAUSTED` and `RetryInfo`,
//! before their message is read. Health and reflection pass: who watches an overloaded server must see that it lives.
//!
//! A stream counts until its response headers; how many may stay open is for its service to say.

use std::{
    num::NonZeroUsize,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::{Either, Ready, ready};
use http::{Request, Response};
use tokio_util::task::{TaskTracker, task_tracker::TrackedFuture};
use tonic::body::Body;
use tower::{Layer, Service};

/// When a refused request is worth another try: requests are short, and many are refused at once.
const RETRY_DELAY: Duration = Duration::from_millis(200);
/// The path prefix of health and reflection.
const OF_GRPC: &str = "/grpc.";

/// See the module. All connections of a server share one bound.
#[derive(Clone, Debug)]
pub struct Bound<S = ()> {
    inner: S,
    max: NonZeroUsize,
    working: TaskTracker,
}

impl Bound {
    /// At most `max` requests at once; a few more where several arrive in the same instant.
    pub fn at_most(max: NonZeroUsize) -> Self {
        Self {
            inner: (),
            max,
            working: TaskTracker::new(),
        }
    }
}

impl<S> Layer<S> for Bound {
    type Service = Bound<S>;

    fn layer(&self, inner: S) -> Bound<S> {
        Bound {
            inner,
            max: self.max,
            working: self.working.clone(),
        }
    }
}

impl<S, B> Service<Request<Body>> for Bound<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    B: Default,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response<B>, S::Error>>, TrackedFuture<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if self.working.len() >= self.max.get() && !request.uri().path().starts_with(OF_GRPC) {
            let refusal = status::exhausted(
                "TOO_MANY_REQUESTS",
                "this server has all the requests that it can work on: try again in a moment",
                RETRY_DELAY,
            );
            return Either::Left(ready(Ok(refusal.into_http())));
        }
        let work = self.inner.call(request);
        Either::Right(self.working.track_future(work))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use tokio::sync::Notify;
    use tonic::Code;
    use tonic_types::StatusExt;
    use tower::service_fn;

    fn to(path: &str) -> Request<Body> {
        Request::builder().uri(path).body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn requests_beyond_the_bound_are_refused_until_there_is_room_and_health_is_not() {
        let release = Arc::new(Notify::new());
        let waiting = release.clone();
        let handler = service_fn(move |_: Request<Body>| {
            let waiting = waiting.clone();
            async move {
                waiting.notified().await;
                Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
            }
        });
        let bound = Bound::at_most(NonZeroUsize::new(2).unwrap());
        // Two connections share it.
        let (mut one, mut other) = (bound.layer(handler.clone()), bound.layer(handler));
        let first = tokio::spawn(one.call(to("/a.A/B")));
        let second = other.call(to("/a.A/B"));
        let refused = one.call(to("/a.A/B")).await.unwrap();
        let status = tonic::Status::from_header_map(refused.headers()).unwrap();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status::reason(&status), "TOO_MANY_REQUESTS");
        assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(RETRY_DELAY));

        let health = tokio::spawn(other.call(to("/grpc.health.v1.Health/Check")));
        tokio::task::yield_now().await;
        release.notify_waiters();
        assert!(health.await.unwrap().unwrap().headers().get("grpc-status").is_none());
        first.await.unwrap().unwrap();
        drop(second); // a caller that went away makes room as well
        let again = tokio::spawn(one.call(to("/a.A/B")));
        tokio::task::yield_now().await;
        release.notify_waiters();
        assert!(again.await.unwrap().unwrap().headers().get("grpc-status").is_none());
    }
}
