//! How the time a caller grants reaches the next hop.
//!
//! [`Enforce`] wraps a server: it reads `grpc-timeout`, caps it, answers `DEADLINE_EXCEEDED` when the time is up, and
//! keeps the deadline where [`Propagate`], which wraps a client, finds it and writes what is left of it into the next
//! request. A call made outside any request (a background task) gets the client's own default.
//!
//! A stream's deadline covers the time to its response headers, not the life of the stream.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::time::Instant;
use tonic::body::Body;
use tower::{Layer, Service};

const GRPC_TIMEOUT: &str = "grpc-timeout";
/// How much earlier than the transport we cut: its own cut answers CANCELLED, which says nothing of a deadline.
const AHEAD_OF_TRANSPORT: Duration = Duration::from_millis(5);

tokio::task_local! {
    static DEADLINE: Instant;
}

/// The deadline of the request that this task serves, if it serves one.
pub fn current() -> Option<Instant> {
    DEADLINE.try_with(|deadline| *deadline).ok()
}

/// Runs `work` under `deadline`, as if it served a request.
pub async fn scope<T>(deadline: Instant, work: impl Future<Output = T>) -> T {
    DEADLINE.scope(deadline, work).await
}

/// The value of a `grpc-timeout` header: up to eight digits and a unit (gRPC over HTTP/2, "Timeout").
fn parse(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

/// Microseconds while they fit the eight digits, milliseconds beyond.
fn render(timeout: Duration) -> Option<HeaderValue> {
    const EIGHT_DIGITS: u128 = 99_999_999;
    let text = match timeout.as_micros() {
        micros if micros <= EIGHT_DIGITS => format!("{micros}u"),
        micros => format!("{}m", (micros / 1000).min(EIGHT_DIGITS)),
    };
    HeaderValue::from_str(&text).ok()
}

async fn within<E>(
    deadline: Instant,
    call: impl Future<Output = Result<Response<Body>, E>>,
) -> Result<Response<Body>, E> {
    // On a busy machine the transport's own cut, here or at the peer, may be seen first.
    let is_late = || Instant::now() >= deadline;
    match tokio::time::timeout_at(deadline, call).await {
        Ok(Ok(answer)) if !(is_cut(&answer) && is_late()) => Ok(answer),
        Ok(Err(fault)) if !is_late() => Err(fault),
        Ok(_) | Err(_) => Ok(status::deadline_exceeded().into_http()),
    }
}

/// Whether the answer is what a transport says that cut the call.
fn is_cut(answer: &Response<Body>) -> bool {
    tonic::Status::from_header_map(answer.headers()).is_some_and(|status| status.code() == tonic::Code::Cancelled)
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Server side: see the module.
#[derive(Clone, Copy, Debug)]
pub struct Enforce<S = ()> {
    inner: S,
    max: Duration,
}

impl Enforce {
    /// No request may take longer than `max`, whatever its caller grants.
    pub fn at_most(max: Duration) -> Self {
        Self { inner: (), max }
    }
}

impl<S> Layer<S> for Enforce {
    type Service = Enforce<S>;

    fn layer(&self, inner: S) -> Enforce<S> {
        Enforce { inner, max: self.max }
    }
}

impl<S> Service<Request<Body>> for Enforce<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let granted = parse(request.headers()).unwrap_or(self.max).min(self.max);
        let deadline = Instant::now() + granted.saturating_sub(AHEAD_OF_TRANSPORT);
        Box::pin(within(deadline, DEADLINE.scope(deadline, self.inner.call(request))))
    }
}

/// Client side: see the module.
#[derive(Clone, Debug)]
pub struct Propagate<S> {
    inner: S,
    default: Duration,
}

impl<S> Propagate<S> {
    /// Calls without a caller's deadline get `default`.
    pub fn new(inner: S, default: Duration) -> Self {
        Self { inner, default }
    }
}

impl<S> Service<Request<Body>> for Propagate<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let now = Instant::now();
        let deadline = current().unwrap_or(now + self.default);
        if let Some(value) = render(deadline.saturating_duration_since(now) + AHEAD_OF_TRANSPORT) {
            request.headers_mut().insert(GRPC_TIMEOUT, value);
        }
        Box::pin(within(deadline, self.inner.call(request)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tower::service_fn;

    fn with_timeout(value: &str) -> Request<Body> {
        Request::builder()
            .header(GRPC_TIMEOUT, value)
            .body(Body::empty())
            .unwrap()
    }

    #[test]
    fn timeouts_read_back() {
        for timeout in [
            Duration::from_micros(1),
            Duration::from_millis(99_999),
            Duration::from_hours(24),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_TIMEOUT, render(timeout).unwrap());
            assert_eq!(parse(&headers), Some(timeout));
        }
        for bad in ["", "S", "1", "1x", "123456789S", "-1S"] {
            assert_eq!(parse(with_timeout(bad).headers()), None, "{bad}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_of_the_time_reaches_the_next_hop() {
        let next_hop = service_fn(|request: Request<Body>| async move {
            let left = parse(request.headers()).expect("a timeout");
            // Each side cuts ahead of the transport: the server for its caller, the client for the next hop.
            assert!(
                left > Duration::from_millis(697) && left <= Duration::from_millis(702),
                "{left:?}"
            );
            Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
        });
        let handler = service_fn(move |_| async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Propagate::new(next_hop, Duration::from_secs(9))
                .call(Request::new(Body::empty()))
                .await
        });
        let mut server = Enforce::at_most(Duration::from_mins(1)).layer(handler);
        let answer = server.call(with_timeout("1S")).await.unwrap();
        assert!(answer.headers().get("grpc-status").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_after_the_deadline_is_the_deadline() {
        type Heard = Result<Response<Body>, std::io::Error>;
        let late = |by: u64, heard: fn() -> Heard| {
            let cut = service_fn(move |_: Request<Body>| async move {
                // Both are seen at once, as on a machine that had no time to look in between.
                tokio::time::advance(Duration::from_millis(by)).await;
                heard()
            });
            let mut client = Propagate::new(cut, Duration::from_secs(1));
            async move {
                let answer = client.call(Request::new(Body::empty())).await.ok()?;
                Some(tonic::Status::from_header_map(answer.headers())?.code())
            }
        };
        let here: fn() -> Heard = || Err(std::io::Error::other("Timeout expired"));
        let at_the_peer: fn() -> Heard = || Ok(tonic::Status::cancelled("Timeout expired").into_http());
        let answered: fn() -> Heard = || Ok(tonic::Status::not_found("no such packet").into_http());
        assert_eq!(late(900, here).await, None, "in time it is what it is");
        assert_eq!(late(900, at_the_peer).await, Some(tonic::Code::Cancelled));
        for cut in [here, at_the_peer] {
            assert_eq!(late(1_100, cut).await, Some(tonic::Code::DeadlineExceeded));
        }
        assert_eq!(late(1_100, answered).await, Some(tonic::Code::NotFound));
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_takes_too_long_is_cut_with_the_right_code() {
        let forever = service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, std::io::Error>>());
        let (mut server, began) = (Enforce::at_most(Duration::from_secs(1)).layer(forever), Instant::now());
        let answer = server.call(with_timeout("1H")).await.unwrap();
        assert!(began.elapsed() <= Duration::from_secs(1), "whatever its caller grants");
        let code = (tonic::Code::DeadlineExceeded as i32).to_string();
        assert_eq!(answer.headers()["grpc-status"], code.as_str());
    }
}
