//! The way of a client to the mesh.

use std::{sync::Arc, time::Duration};

use id::PacketId;
use proto::{
    account::v1::account_service_client::AccountServiceClient, grab::v1 as grab,
    grab::v1::grab_service_client::GrabServiceClient, packet::v1::packet_service_client::PacketServiceClient,
    transfer::v1::transfer_service_client::TransferServiceClient,
};
use runtime::Channel;
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::{
    audit::{Auditor, Told},
    dice::Dice,
    host::Host,
    mesh::{Mesh, Role},
    world::{PANIC, World},
};

/// Clients of all services, on a host of their own, and what all of them share. Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    pub world: Arc<World>,
    pub auditor: Arc<Auditor>,
    pub dice: Dice,
    pub account: AccountServiceClient<Channel>,
    pub packet: PacketServiceClient<Channel>,
    pub grab: GrabServiceClient<Channel>,
    pub transfer: TransferServiceClient<Channel>,
    /// When the last of them begins something new.
    pub until: Instant,
}

impl Caller {
    pub fn new(mesh: &Mesh, auditor: &Arc<Auditor>, dice: &Dice, active: Duration) -> Self {
        let host = Host::new("clients", &mesh.world);
        Self {
            world: mesh.world.clone(),
            auditor: auditor.clone(),
            dice: dice.clone(),
            account: AccountServiceClient::new(mesh.channel(&host, Role::Account)),
            packet: PacketServiceClient::new(mesh.channel(&host, Role::Packet)),
            grab: GrabServiceClient::new(mesh.channel(&host, Role::Grab)),
            transfer: TransferServiceClient::new(mesh.channel(&host, Role::Transfer)),
            until: Instant::now() + active,
        }
    }

    /// Whether there is time to begin something new.
    pub fn has_time(&self) -> bool {
        Instant::now() < self.until
    }

    /// How long is left to begin something new.
    pub fn time_left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Notes what a client was told.
    pub fn heard<T>(&self, who: &str, what: &str, answer: &Result<T, Status>) {
        match answer {
            Ok(_) => self.world.trace.step(who, format_args!("{what}")),
            Err(status) => {
                let (code, message) = (status.code(), status.message());
                self.world.trace.step(who, format_args!("{what}: {code:?}: {message}"));
                if code == Code::Internal || code == Code::Unimplemented {
                    self.world.violated(PANIC, format!("{who} {what}: {status:?}"));
                }
            }
        }
    }

    /// Notes an amount that somebody was shown.
    pub fn told_claim(&self, claim: &grab::Claim) {
        let parsed = (claim.packet_id.parse(), claim.user_id.parse());
        let (Ok(packet), Ok(user)) = parsed else {
            self.world.violated("CLAIM-3", format!("a claim of nothing: {claim:?}"));
            return;
        };
        self.world.coverage.event("amounts shown");
        self.auditor.told_claim(&Told {
            packet,
            user,
            share_no: claim.share_no,
            amount_fen: claim.amount_fen,
        });
    }

    /// Notes what was told of a packet's progress.
    pub fn told_progress(&self, packet: PacketId, progress: &grab::Progress) {
        if !progress.seed.is_empty() {
            self.auditor.told_seed(packet, false);
        }
    }
}

/// Whether asking again may help.
pub fn is_passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::Aborted
            | Code::ResourceExhausted
    )
}
