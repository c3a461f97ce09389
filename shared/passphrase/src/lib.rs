//! The passphrase (口令) of a packet, kept as a salted digest.
//!
//! The digest is `HMAC-SHA256(salt, "hongbao passphrase v1" ‖ 0x00 ‖ passphrase)` behind its 16-byte salt. A memory-hard function would
//! protect a password; a passphrase is told to a whole group, guards one packet for a day, and is checked on every
//! grab, where a slow function would be a way to stop the service. The digest keeps it out of stores, logs and
//! backups.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of salt in front of the digest.
pub const SALT_LEN: usize = 16;
/// Bytes of salt and digest together.
pub const LEN: usize = SALT_LEN + 32;

const DOMAIN: &[u8] = b"hongbao passphrase v1\0";

/// A passphrase's salt and digest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PassphraseDigest([u8; LEN]);

impl std::fmt::Debug for PassphraseDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PassphraseDigest(..)")
    }
}

fn mac(salt: &[u8], passphrase: &str) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(salt).expect("a key of any length");
    mac.update(DOMAIN);
    mac.update(passphrase.as_bytes());
    mac
}

impl PassphraseDigest {
    /// The digest of `passphrase` under a random `salt`.
    pub fn new(passphrase: &str, salt: &[u8; SALT_LEN]) -> Self {
        let mut bytes = [0; LEN];
        bytes[..SALT_LEN].copy_from_slice(salt);
        bytes[SALT_LEN..].copy_from_slice(&mac(salt, passphrase).finalize().into_bytes());
        Self(bytes)
    }

    /// Reads what [`PassphraseDigest::as_bytes`] gave; `None` unless it is [`LEN`] bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Salt and digest, [`LEN`] bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the digest of `passphrase`, in time that does not depend on where they differ.
    pub fn matches(&self, passphrase: &str) -> bool {
        let (salt, digest) = self.0.split_at(SALT_LEN);
        mac(salt, passphrase).verify_slice(digest).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_words_match() {
        let digest = PassphraseDigest::new("恭喜发财", &[7; SALT_LEN]);
        assert!(digest.matches("恭喜发财"));
        for other in ["", "恭喜发", "恭喜发财 ", "gongxi"] {
            assert!(!digest.matches(other), "{other}");
        }
        assert_ne!(digest, PassphraseDigest::new("恭喜发财", &[8; SALT_LEN]));
        assert_eq!(PassphraseDigest::from_bytes(digest.as_bytes()), Some(digest));
        assert_eq!(PassphraseDigest::from_bytes(&[0; LEN - 1]), None);
    }
}
