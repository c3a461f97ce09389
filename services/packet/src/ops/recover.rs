//! Sends that stopped on the way: FUNDING packets older than a send may take are driven on.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Error, advance::Advance, rounds::Drive};
use crate::domain::{Packet, Phase};

/// Drives what sends left behind.
#[derive(Clone)]
pub struct Recover(pub Arc<Advance>);

#[async_trait]
impl Drive for Recover {
    const NAME: &'static str = "recovery";
    const PHASES: &'static [Phase] = &[Phase::Funding];

    async fn drive(&self, packet: Packet) -> Result<(), Error> {
        self.0.advance(packet).await.map(drop)
    }
}
