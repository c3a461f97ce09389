//! Commit and reveal: the split is fixed at send, and anyone can check it at the end.

use sha2::{Digest, Sha256};

use crate::{Kind, Seed, SplitError, split};

/// Separates a commitment from every other use of SHA-256.
const COMMITMENT_TAG: &[u8] = b"hongbao/split/v1/commitment";

/// What the packet publishes at send, while the seed is still secret.
///
/// It is SHA-256 over these fields, integers big-endian, 96 bytes in all:
///
/// | bytes | field |
/// |---|---|
/// | 27 | the ASCII text `hongbao/split/v1/commitment` |
/// | 16 | `packet_id`, the bytes of the UUID in their written order |
/// | 1 | [`Kind::code`] |
/// | 8 | `total_fen` |
/// | 4 | `share_count` |
/// | 8 | `cap_fen`; zero, which no cap can be, says that there is none |
/// | 32 | `seed`, the server's, before any nonce is mixed in |
///
/// It gives nothing away, since the seed cannot be guessed, and fits no other seed or terms.
pub fn commitment(
    packet_id: &[u8; 16],
    kind: Kind,
    total_fen: i64,
    share_count: u32,
    cap_fen: Option<i64>,
    seed: &Seed,
) -> [u8; 32] {
    Sha256::new()
        .chain_update(COMMITMENT_TAG)
        .chain_update(packet_id)
        .chain_update([kind.code()])
        .chain_update(total_fen.to_be_bytes())
        .chain_update(share_count.to_be_bytes())
        .chain_update(cap_fen.unwrap_or(0).to_be_bytes())
        .chain_update(seed.as_bytes())
        .finalize()
        .into()
}

/// What is known of a packet once it has ended.
#[derive(Clone, Copy, Debug)]
pub struct Reveal<'a> {
    /// The packet's UUID, in its written order.
    pub packet_id: &'a [u8; 16],
    /// How the packet was divided.
    pub kind: Kind,
    /// What it held, in fen.
    pub total_fen: i64,
    /// Into how many shares it was divided.
    pub share_count: u32,
    /// The most one share could get, in fen, if that was limited.
    pub cap_fen: Option<i64>,
    /// The server's seed, as it was committed to.
    pub seed: &'a Seed,
    /// The sender's nonce, if there was one.
    pub nonce: Option<&'a [u8]>,
}

/// Why a reveal is not believed. When both apply, the first is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The seed or the terms are not those that were committed to.
    #[error("the revealed seed and terms do not match the commitment")]
    Mismatch,
    /// The terms were committed to, but no packet can have them.
    #[error("the committed terms cannot be split")]
    Split(#[from] SplitError),
}

/// Checks `reveal` against the `commitment` that was published at send, and returns the amounts in
/// fen, by share. The caller compares them with what was paid.
///
/// The nonce is not in the commitment, because it comes later: take it from the sender, not from
/// the server.
pub fn verify(commitment: &[u8; 32], reveal: &Reveal<'_>) -> Result<Vec<i64>, VerifyError> {
    let Reveal {
        packet_id,
        kind,
        total_fen,
        share_count,
        cap_fen,
        seed,
        nonce,
    } = *reveal;
    let expected = self::commitment(packet_id, kind, total_fen, share_count, cap_fen, seed);
    if expected != *commitment {
        return Err(VerifyError::Mismatch);
    }
    let mixed = nonce.map(|nonce| seed.mix_nonce(nonce));
    let seed = mixed.as_ref().unwrap_or(seed);
    Ok(split(kind, seed, total_fen, share_count, cap_fen)?)
}
