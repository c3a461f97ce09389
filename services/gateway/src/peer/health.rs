//! Whether the services behind the gateway can do their work.

use std::time::Duration;

use futures::future::join_all;
use runtime::Channel;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

/// Time a peer has to say how it is. Below the two seconds after which the server itself gives up asking, so that the
/// log can name the peer.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Asks peers how they are, by `grpc.health.v1`.
#[derive(Clone, Debug)]
pub struct Health {
    peers: Vec<(&'static str, HealthClient<Channel>)>,
}

impl Health {
    /// Asks these peers, each named for the log.
    pub fn new(peers: impl IntoIterator<Item = (&'static str, Channel)>) -> Self {
        Self {
            peers: peers
                .into_iter()
                .map(|(name, channel)| (name, HealthClient::new(channel)))
                .collect(),
        }
    }

    /// Asks all peers at once. The error names every peer that is not serving, and why.
    pub async fn check(&self) -> Result<(), String> {
        let answers = join_all(self.peers.iter().map(|(name, peer)| ask(name, peer.clone()))).await;
        let faults: Vec<String> = answers.into_iter().filter_map(Result::err).collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults.join("; "))
        }
    }
}

async fn ask(name: &str, mut peer: HealthClient<Channel>) -> Result<(), String> {
    let request = HealthCheckRequest::default();
    match tokio::time::timeout(PATIENCE, peer.check(request)).await {
        Ok(Ok(answer)) => match answer.into_inner().status() {
            ServingStatus::Serving => Ok(()),
            other => Err(format!("{name}: {}", other.as_str_name())),
        },
        Ok(Err(status)) => Err(format!("{name}: {}: {}", status.code(), status.message())),
        Err(_) => Err(format!("{name}: no answer in time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::Process;

    async fn serving(process: &Process, healthy: bool) -> Channel {
        let server = runtime::Server::bind(&testkit::server_config()).await.unwrap();
        let address = server.local_addr().unwrap();
        let state = move || std::future::ready(healthy.then_some(()).ok_or_else(String::new));
        server.spawn(process, state).unwrap();
        testkit::channel(address)
    }

    #[tokio::test]
    async fn every_peer_that_is_not_serving_is_named() {
        let process = Process::new();
        let (well, ill) = (serving(&process, true).await, serving(&process, false).await);
        let gone = testkit::channel(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));

        let all_well = Health::new([("account", well.clone()), ("packet", well.clone())]);
        testkit::eventually("both serving", async || all_well.check().await.ok()).await;

        let health = Health::new([("account", well), ("packet", ill), ("grab", gone)]);
        testkit::eventually("one ill, one gone", async || {
            let fault = health.check().await.unwrap_err();
            (fault.starts_with("packet: NOT_SERVING; grab: ") && !fault.contains("account")).then_some(())
        })
        .await;
        process.begin_stop();
    }
}
