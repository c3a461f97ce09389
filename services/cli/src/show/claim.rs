//! Claims: who got what.

use proto::grab::v1 as grab;
use serde::Serialize;

use super::{
    rows,
    value::{Names, Time, person, shown, yuan},
};

/// One opened share.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Claim {
    pub packet_id: String,
    pub share_no: u32,
    pub user_id: String,
    /// What others see of the user.
    pub display_name: String,
    pub sender_id: String,
    /// What others see of the sender.
    pub sender_name: String,
    pub amount_fen: i64,
    pub claim_time: Option<Time>,
    pub luckiest: bool,
    pub partition: u32,
    pub seq: i64,
}

impl Claim {
    /// The claim with the names of those concerned.
    pub fn of(claim: grab::Claim, names: &Names) -> Self {
        Self {
            display_name: names.of(&claim.user_id),
            sender_name: names.of(&claim.sender_id),
            packet_id: claim.packet_id,
            share_no: claim.share_no,
            user_id: claim.user_id,
            sender_id: claim.sender_id,
            amount_fen: claim.amount_fen,
            claim_time: Time::from_proto(claim.claim_time.as_ref()),
            luckiest: claim.luckiest,
            partition: claim.partition,
            seq: claim.seq,
        }
    }

    fn row(&self) -> [String; 5] {
        [
            person(&self.display_name, &self.user_id),
            yuan(self.amount_fen),
            if self.luckiest { "luckiest 手气最佳" } else { "" }.to_owned(),
            shown(self.claim_time),
            self.share_no.to_string(),
        ]
    }
}

/// Claims as a table, in the order given.
pub fn claims_table(claims: &[Claim]) -> String {
    rows(
        ["who", "#yuan", "", "opened", "#share"],
        claims.iter().map(Claim::row),
        "nobody has opened a share yet",
    )
}
