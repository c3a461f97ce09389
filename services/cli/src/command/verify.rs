//! Was the split fixed before anyone grabbed, and paid as it was fixed?
//!
//! The seed that the packet reveals at its end is held against the commitment that it published at send (SEED-1); then
//! the split is recomputed here, with `shared/split`, and every claim that the gateway shows is held against it.

use clap::Args;
use id::PacketId;
use proto::{grab::v1::Claim, packet::v1::Packet, terms::v1 as terms};
use split::{Kind, Reveal, Seed};

use super::{
    missing,
    packet::{all_claims, get},
};
use crate::{
    client::Client,
    failure::Failure,
    show::{
        value::{Time, shown, yuan},
        verify::{Share, Verdict},
    },
};

/// A packet whose split is recomputed.
#[derive(Debug, Args)]
#[command(
    about = "Recompute a packet's split from its revealed seed; exit code 1 if anything does not agree",
    after_help = "Examples:\n  hongbao verify PACKET --as bob\n  hongbao verify PACKET --as bob --commitment HEX  \
                  the one that you noted when the packet was sent"
)]
pub struct Verify {
    /// Which packet
    pub packet: PacketId,
    /// The commitment as you know it from the time of the send, rather than as the gateway tells it now
    #[arg(long, value_name = "HEX", value_parser = digest)]
    pub commitment: Option<[u8; 32]>,
}

/// Reads 64 hexadecimal digits.
fn digest(text: &str) -> Result<[u8; 32], &'static str> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| "must be 64 hexadecimal digits")?;
    Ok(bytes)
}

impl Verify {
    /// Reads the packet and all its claims, and recomputes it.
    pub async fn run(&self, client: &Client) -> Result<Verdict, Failure> {
        let response = get(client, self.packet).await?;
        let packet = response.packet.ok_or_else(|| missing("packet"))?;
        if packet.seed.is_empty() {
            let expire_time = packet.terms.as_ref().and_then(|terms| terms.expire_time);
            return Err(Failure::new(format!(
                "the seed of packet {} is still secret: it is revealed when all shares are opened or the packet is \
                 closed, soon after {}",
                self.packet,
                shown(Time::from_proto(expire_time.as_ref()))
            )));
        }
        // After the packet: its seed is revealed, so that no claim can follow those read now.
        let (claims, _) = all_claims(client, self.packet).await?;
        let opened = response.progress.map(|progress| progress.opened_count);
        Ok(judge(self.packet, &packet, &claims, opened, self.commitment))
    }
}

/// Holds everything shown of `packet` against its seed. `kept` is the commitment known from elsewhere, `opened_count`
/// what its progress says.
fn judge(
    packet_id: PacketId,
    packet: &Packet,
    claims: &[Claim],
    opened_count: Option<u32>,
    kept: Option<[u8; 32]>,
) -> Verdict {
    let mut faults = Vec::new();
    let commitment = kept.map_or_else(|| packet.commitment.clone(), Vec::from);
    if commitment != packet.commitment {
        faults.push("the gateway now tells another commitment".to_owned());
    }
    let mut shares = match recompute(packet_id, packet, &commitment) {
        Ok(shares) => shares,
        Err(fault) => {
            faults.push(fault);
            Vec::new()
        }
    };
    if faults.is_empty() {
        hold_claims(&mut shares, claims, &mut faults);
        if let Some(count) = opened_count.filter(|count| u64::from(*count) != claims.len() as u64) {
            faults.push(format!(
                "{count} shares are said to be opened, but {} are shown",
                claims.len()
            ));
        }
    }
    Verdict {
        packet_id: packet_id.to_string(),
        verified: faults.is_empty(),
        commitment: hex::encode(commitment),
        seed: hex::encode(&packet.seed),
        faults,
        shares,
    }
}

/// The shares that the seed gives, if it is the one committed to.
fn recompute(packet_id: PacketId, packet: &Packet, commitment: &[u8]) -> Result<Vec<Share>, String> {
    let terms = packet.terms.clone().unwrap_or_default();
    let kind = match terms.kind() {
        terms::Kind::DoubleMean => Kind::DoubleMean,
        terms::Kind::Gaussian => Kind::Gaussian,
        terms::Kind::LineCut => Kind::LineCut,
        terms::Kind::Equal => Kind::Equal,
        terms::Kind::Unspecified => return Err("the packet is of a kind that this program does not know".to_owned()),
    };
    let commitment = commitment.try_into().map_err(|_| "the commitment is not 32 bytes")?;
    let seed: [u8; 32] = packet.seed[..].try_into().map_err(|_| "the seed is not 32 bytes")?;
    let reveal = Reveal {
        packet_id: packet_id.as_bytes(),
        kind,
        total_fen: terms.total_fen,
        share_count: terms.share_count,
        cap_fen: (terms.share_cap_fen != 0).then_some(terms.share_cap_fen),
        seed: &Seed::from_bytes(seed),
        nonce: None,
    };
    let amounts = split::verify(commitment, &reveal).map_err(|fault| fault.to_string())?;
    let shares = (0..).zip(amounts).map(|(share_no, amount_fen)| Share {
        share_no,
        amount_fen,
        claimed_fen: None,
        user_id: None,
    });
    Ok(shares.collect())
}

/// Notes in each share who opened it at which amount, and every claim that cannot be (CLAIM-1, CLAIM-2).
fn hold_claims(shares: &mut [Share], claims: &[Claim], faults: &mut Vec<String>) {
    let mut users = std::collections::HashSet::new();
    for claim in claims {
        if !users.insert(&claim.user_id) {
            faults.push(format!("{} has opened more than one share", claim.user_id));
        }
        let share = usize::try_from(claim.share_no).ok().and_then(|no| shares.get_mut(no));
        let Some(share) = share else {
            faults.push(format!(
                "{} has opened share {}, which is none",
                claim.user_id, claim.share_no
            ));
            continue;
        };
        if let Some(other) = &share.user_id {
            faults.push(format!(
                "share {} was opened by both {other} and {}",
                share.share_no, claim.user_id
            ));
        }
        if claim.amount_fen != share.amount_fen {
            faults.push(format!(
                "{} got {} yuan for share {}, which holds {}",
                claim.user_id,
                yuan(claim.amount_fen),
                share.share_no,
                yuan(share.amount_fen)
            ));
        }
        share.claimed_fen = Some(claim.amount_fen);
        share.user_id = Some(claim.user_id.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: [u8; 32] = [7; 32];
    const TOTAL_FEN: i64 = 1_000;
    const SHARE_COUNT: u32 = 4;

    fn ended() -> (PacketId, Packet, Vec<Claim>) {
        let packet_id: PacketId = "019a0f3c-5e7b-7c1d-8a2b-3c4d5e6f7081".parse().unwrap();
        let seed = Seed::from_bytes(SEED);
        let (kind, cap) = (Kind::DoubleMean, Some(900));
        let commitment = split::commitment(packet_id.as_bytes(), kind, TOTAL_FEN, SHARE_COUNT, cap, &seed);
        let packet = Packet {
            terms: Some(terms::Terms {
                packet_id: packet_id.to_string(),
                kind: terms::Kind::DoubleMean as i32,
                total_fen: TOTAL_FEN,
                share_count: SHARE_COUNT,
                share_cap_fen: 900,
                ..terms::Terms::default()
            }),
            commitment: commitment.into(),
            seed: SEED.into(),
            ..Packet::default()
        };
        let amounts = split::split(kind, &seed, TOTAL_FEN, SHARE_COUNT, cap).unwrap();
        let claims = (0..).zip(amounts).skip(1).map(|(share_no, amount_fen)| Claim {
            share_no,
            amount_fen,
            user_id: format!("u{share_no}"),
            ..Claim::default()
        });
        (packet_id, packet, claims.collect())
    }

    fn faults(packet: &Packet, claims: &[Claim], kept: Option<[u8; 32]>) -> Vec<String> {
        let verdict = judge(ended().0, packet, claims, Some(3), kept);
        assert_eq!(verdict.verified, verdict.faults.is_empty());
        verdict.faults
    }

    #[test]
    fn an_honest_packet_is_verified() {
        let (packet_id, packet, claims) = ended();
        let kept = packet.commitment[..].try_into().unwrap();
        let verdict = judge(packet_id, &packet, &claims, Some(3), Some(kept));
        assert!(verdict.verified, "{:?}", verdict.faults);
        assert_eq!(verdict.shares.len(), 4);
        assert_eq!(verdict.shares[0].user_id, None);
        assert_eq!(verdict.shares[2].claimed_fen, Some(verdict.shares[2].amount_fen));
        assert!(verdict.line().contains("3 of 4 shares"), "{}", verdict.line());
    }

    type Tamper = fn(&mut Packet, &mut Vec<Claim>);

    fn terms(packet: &mut Packet) -> &mut terms::Terms {
        packet.terms.as_mut().unwrap()
    }

    #[test]
    fn whatever_is_tampered_with_is_found() {
        let (_, packet, claims) = ended();
        let table: [(Tamper, &str); 11] = [
            (|packet, _| packet.seed[0] ^= 1, "do not match"),
            (|packet, _| packet.seed.truncate(31), "the seed is not 32 bytes"),
            (|packet, _| packet.commitment[31] ^= 1, "do not match"),
            (|packet, _| terms(packet).total_fen += 1, "do not match"),
            (|packet, _| terms(packet).share_cap_fen = 0, "do not match"),
            (
                |packet, _| terms(packet).kind = 99,
                "a kind that this program does not know",
            ),
            (|_, claims| claims[0].amount_fen += 1, "u1 got"),
            (
                |_, claims| claims[0].share_no = 4,
                "u1 has opened share 4, which is none",
            ),
            (
                |_, claims| claims[0].share_no = 2,
                "share 2 was opened by both u1 and u2",
            ),
            (
                |_, claims| claims[0].user_id = "u2".to_owned(),
                "u2 has opened more than one share",
            ),
            (
                |_, claims| claims.truncate(2),
                "3 shares are said to be opened, but 2 are shown",
            ),
        ];
        for (tamper, fault) in table {
            let (mut packet, mut claims) = (packet.clone(), claims.clone());
            tamper(&mut packet, &mut claims);
            let found = faults(&packet, &claims, None).join("; ");
            assert!(found.contains(fault), "{fault:?} in {found:?}");
        }
    }

    #[test]
    fn a_commitment_kept_from_the_send_counts_more_than_what_is_told_now() {
        let (_, packet, claims) = ended();
        let found = faults(&packet, &claims, Some([1; 32]));
        assert!(
            found[0].contains("another commitment") && found[1].contains("do not match"),
            "{found:?}"
        );
    }
}
