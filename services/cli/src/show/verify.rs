//! Whether a split is what was promised.

use serde::Serialize;

use super::{View, rows, value::yuan};

/// What recomputing a packet's split gave.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Which packet.
    pub packet_id: String,
    /// Whether seed, terms, commitment and every shown amount agree.
    pub verified: bool,
    /// 64 hexadecimal digits: what was published at send.
    pub commitment: String,
    /// 64 hexadecimal digits: what was revealed at the end.
    pub seed: String,
    /// Everything that does not agree; empty where all does.
    pub faults: Vec<String>,
    /// The shares as recomputed, in order of `share_no`; empty where the commitment does not fit.
    pub shares: Vec<Share>,
}

/// One recomputed share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Its number, from 0.
    pub share_no: u32,
    /// What the seed puts in it.
    pub amount_fen: i64,
    /// What its claim shows; `None` where nobody opened it.
    pub claimed_fen: Option<i64>,
    /// Who opened it; `None` where nobody did.
    pub user_id: Option<String>,
}

impl Verdict {
    /// The shares and the verdict in one line.
    pub fn line(&self) -> String {
        if self.verified {
            let opened = self.shares.iter().filter(|share| share.user_id.is_some()).count();
            format!(
                "verified: the seed fits the commitment, and {opened} of {} shares were opened at the amounts it gives",
                self.shares.len()
            )
        } else {
            format!("NOT verified: {}", self.faults.join("; "))
        }
    }
}

impl View for Verdict {
    fn human(&self) -> String {
        let shares = self.shares.iter().map(|share| {
            [
                share.share_no.to_string(),
                yuan(share.amount_fen),
                share.claimed_fen.map_or_else(|| "-".to_owned(), yuan),
                share.user_id.clone().unwrap_or_default(),
            ]
        });
        format!(
            "commitment  {}\nseed        {}\n{}\n{}",
            self.commitment,
            self.seed,
            rows(["#share", "#recomputed", "#claimed", "who"], shares, "no shares"),
            self.line()
        )
    }
}
