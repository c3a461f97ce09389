//! The secret that decides a split.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use rand::CryptoRng;
use sha2::Sha256;

/// Separates a seed with a nonce from every other use of the seed.
const NONCE_TAG: &[u8] = b"hongbao/split/v1/nonce";

/// The 32 secret bytes that decide a split, kept from everyone until the packet has ended.
///
/// It has no `Display`, and `Debug` prints `Seed(..)`, so that no log can leak it.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A fresh seed from `rng`, uniform over all 32-byte strings.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The seed with these bytes. They must come from a cryptographic source: whoever can guess
    /// them knows every amount in advance.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The secret bytes, for storage and for the reveal.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The seed that splits a packet whose sender added `nonce`, a byte string of any length.
    ///
    /// The server commits to `self` first and learns the nonce afterwards, so that neither side
    /// alone can choose the split. It is `HMAC-SHA256(self, "hongbao/split/v1/nonce" ‖ nonce)`. An
    /// empty nonce gives a seed of its own: a packet without a nonce is split by `self`.
    #[must_use]
    pub fn mix_nonce(&self, nonce: &[u8]) -> Self {
        Self(self.derive(NONCE_TAG, nonce))
    }

    /// `HMAC-SHA256(self, tag ‖ message)`. No tag may be a prefix of another.
    pub(crate) fn derive(&self, tag: &[u8], message: &[u8]) -> [u8; 32] {
        let mut key = [0; 64];
        key[..32].copy_from_slice(&self.0);
        Hmac::<Sha256>::new(&key.into())
            .chain_update(tag)
            .chain_update(message)
            .finalize()
            .into_bytes()
            .into()
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2, has a short key: HMAC pads keys with zeros, and so does `derive`.
    #[test]
    fn derives_by_standard_hmac() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            hex::encode(Seed(key).derive(b"what do ya want ", b"for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
    }

    #[test]
    fn prints_no_secret() {
        assert_eq!(format!("{:?}", Seed([0xab; 32])), "Seed(..)");
    }

    #[test]
    fn every_nonce_gives_another_seed() {
        let seed = Seed([1; 32]);
        let mixed = [seed.mix_nonce(b""), seed.mix_nonce(b"a"), seed.mix_nonce(b"aa")];
        assert!(mixed.iter().all(|other| *other != seed));
        assert_ne!(mixed[0], mixed[1]);
        assert_ne!(mixed[1], mixed[2]);
    }
}
