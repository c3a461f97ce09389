//! Vouchers (凭证): the signed, short-lived right of one user to one share.
//!
//! ```text
//! base64url( version ‖ key id ‖ packet_id ‖ share_no ‖ lapse_us ‖ user_id ‖ HMAC-SHA256(key, domain ‖ all before) )
//!            1         1 + n    16          4          8          1 + n     32 bytes
//! ```
//!
//! Integers are big-endian; names have their length in front. A voucher certifies itself: redeeming it asks nobody, and
//! a gate that forgot everything still honours it. It carries no amount, so that reading it tells nothing (CLAIM-3).

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clock::{Timestamp, from_micros};
use hmac::{Hmac, KeyInit, Mac};
use id::{PacketId, UserId};
use sha2::Sha256;

/// Separates a voucher's signature from every other use of a key.
const DOMAIN: &[u8] = b"hongbao voucher v1\0";
/// The only layout there is so far.
const VERSION: u8 = 1;
/// Bytes of an HMAC-SHA256.
const TAG_LEN: usize = 32;
/// Bytes of a key: the output length of SHA-256, below which HMAC loses strength (RFC 2104, section 3).
const KEY_LEN: usize = 32;
/// `share_no` of a provisional voucher. No packet has that many shares.
const PROVISIONAL: u32 = u32::MAX;
/// Longest text worth decoding: a voucher with the longest key id and user id has 212 characters.
const MAX_TEXT_LEN: usize = 256;
/// Longest key id, in bytes.
const MAX_KEY_ID_LEN: usize = 32;

/// What a voucher says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// The packet.
    pub packet_id: PacketId,
    /// Who may open.
    pub user_id: UserId,
    /// The share that is reserved; `None` if none is (a provisional voucher, from a degraded gate).
    pub share_no: Option<u32>,
    /// From when it is worth nothing.
    pub lapse_time: Timestamp,
}

/// Why a voucher is refused. In order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a voucher, altered, or signed by nobody we know.
    #[error("is not a voucher of this service")]
    Forged,
    /// It belongs to another user or another packet.
    #[error("the voucher belongs to another user or another packet")]
    NotYours,
    /// Its time is up.
    #[error("the voucher has lapsed: grab again")]
    Lapsed,
}

/// The keys that sign vouchers: the first signs, all verify, so that keys are changed by putting a new one in front and
/// dropping the old one a voucher's life later.
#[derive(Clone)]
pub struct KeyRing(Vec<Key>);

#[derive(Clone)]
struct Key {
    id: String,
    mac: Hmac<Sha256>,
}

/// The text is not a key ring. Says nothing of the text, which is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must hold at least one key as id:hex, comma-separated, the first one signing: id 1 to 32 of A-Z a-z 0-9 _ -, \
     each once, hex 64 digits (32 bytes)"
)]
pub struct KeyRingError;

impl FromStr for KeyRing {
    type Err = KeyRingError;

    fn from_str(text: &str) -> Result<Self, KeyRingError> {
        let keys = text
            .split(',')
            .map(|entry| Key::parse(entry.trim()))
            .collect::<Result<Vec<_>, _>>()?;
        let repeated = (1..keys.len()).any(|n| keys[..n].iter().any(|key| key.id == keys[n].id));
        if repeated { Err(KeyRingError) } else { Ok(Self(keys)) }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

impl Key {
    fn parse(entry: &str) -> Result<Self, KeyRingError> {
        let (id, hex) = entry.split_once(':').ok_or(KeyRingError)?;
        let id_is_right = (1..=MAX_KEY_ID_LEN).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        let mut secret = [0; KEY_LEN];
        if !id_is_right || hex::decode_to_slice(hex, &mut secret).is_err() {
            return Err(KeyRingError);
        }
        Ok(Self {
            id: id.to_owned(),
            mac: Hmac::new_from_slice(&secret).map_err(|_| KeyRingError)?,
        })
    }

    fn mac(&self, body: &[u8]) -> Hmac<Sha256> {
        self.mac.clone().chain_update(DOMAIN).chain_update(body)
    }
}

impl KeyRing {
    /// The voucher's text. The same voucher under the same key is the same text.
    pub fn sign(&self, voucher: &Voucher) -> String {
        // A ring is never empty: `from_str` makes no such ring.
        let key = &self.0[0];
        let mut bytes = Vec::with_capacity(MAX_TEXT_LEN);
        bytes.push(VERSION);
        push_name(&mut bytes, &key.id);
        bytes.extend_from_slice(voucher.packet_id.as_bytes());
        bytes.extend_from_slice(&voucher.share_no.unwrap_or(PROVISIONAL).to_be_bytes());
        bytes.extend_from_slice(&voucher.lapse_time.as_microsecond().to_be_bytes());
        push_name(&mut bytes, voucher.user_id.as_str());
        let tag = key.mac(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What the voucher says, if one of our keys signed it and it is for this user and packet, lapsed or not.
    pub fn read(&self, text: &str, packet_id: PacketId, user_id: &UserId) -> Result<Voucher, Refusal> {
        let voucher = self.verify(text).ok_or(Refusal::Forged)?;
        if voucher.packet_id != packet_id || voucher.user_id != *user_id {
            return Err(Refusal::NotYours);
        }
        Ok(voucher)
    }

    fn verify(&self, text: &str) -> Option<Voucher> {
        if text.len() > MAX_TEXT_LEN {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_LEN)?)?;
        let rest = body.strip_prefix(&[VERSION])?;
        let (key_id, rest) = take_name(rest)?;
        let key = self.0.iter().find(|key| key.id == key_id)?;
        key.mac(body).verify_slice(tag).ok()?; // in constant time
        let (packet_id, rest) = rest.split_first_chunk::<16>()?;
        let (share_no, rest) = rest.split_first_chunk::<4>()?;
        let (lapse_us, rest) = rest.split_first_chunk::<8>()?;
        let (user_id, rest) = take_name(rest)?;
        let share_no = u32::from_be_bytes(*share_no);
        let voucher = Voucher {
            packet_id: uuid::Uuid::from_bytes(*packet_id).into(),
            user_id: user_id.parse().ok()?,
            share_no: (share_no != PROVISIONAL).then_some(share_no),
            lapse_time: from_micros(i64::from_be_bytes(*lapse_us)),
        };
        rest.is_empty().then_some(voucher)
    }
}

impl Voucher {
    /// Whether it still gives a right at `now`.
    pub fn check_hour(&self, now: Timestamp) -> Result<(), Refusal> {
        if now < self.lapse_time {
            Ok(())
        } else {
            Err(Refusal::Lapsed)
        }
    }
}

fn push_name(bytes: &mut Vec<u8>, name: &str) {
    // Names are at most 64 bytes long.
    bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(name.as_bytes());
}

fn take_name(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (&len, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(len.into())?;
    Some((std::str::from_utf8(name).ok()?, rest))
}

#[cfg(test)]
pub(crate) mod sample {
    use super::KeyRing;

    /// A ring of the keys with these ids; a key's bytes follow from its id.
    pub fn ring(ids: &[&str]) -> KeyRing {
        let entries: Vec<String> = ids
            .iter()
            .map(|id| format!("{id}:{}", hex::encode([id.as_bytes()[0]; 32])))
            .collect();
        entries.join(",").parse().unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::{sample::ring, *};
    use proptest::prelude::*;

    fn voucher(share_no: Option<u32>) -> Voucher {
        Voucher {
            packet_id: PacketId::new(7, &[7; 10]),
            user_id: "alice".parse().unwrap(),
            share_no,
            lapse_time: from_micros(1_000),
        }
    }

    fn read(ring: &KeyRing, text: &str, voucher: &Voucher) -> Result<Voucher, Refusal> {
        ring.read(text, voucher.packet_id, &voucher.user_id)
    }

    #[test]
    fn refusals_in_order_of_precedence() {
        let (ring, voucher) = (ring(&["a"]), voucher(Some(3)));
        let text = ring.sign(&voucher);
        let (packet, user) = (PacketId::new(7, &[8; 10]), "bob".parse().unwrap());
        assert_eq!(ring.read("nonsense", packet, &user), Err(Refusal::Forged));
        assert_eq!(ring.read(&text, packet, &voucher.user_id), Err(Refusal::NotYours));
        assert_eq!(ring.read(&text, voucher.packet_id, &user), Err(Refusal::NotYours));
        let read = read(&ring, &text, &voucher).unwrap();
        assert_eq!(read.check_hour(from_micros(1_000)), Err(Refusal::Lapsed));
        assert_eq!(read.check_hour(from_micros(999)), Ok(()));
    }

    #[test]
    fn keys_are_rotated_by_putting_a_new_one_in_front() {
        let voucher = voucher(None);
        let (old, both, new) = (ring(&["old"]), ring(&["new", "old"]), ring(&["new"]));
        let (by_old, by_new) = (old.sign(&voucher), both.sign(&voucher));
        assert_eq!(read(&both, &by_old, &voucher).as_ref(), Ok(&voucher));
        assert_eq!(read(&both, &by_new, &voucher).as_ref(), Ok(&voucher));
        assert_eq!(read(&new, &by_old, &voucher), Err(Refusal::Forged));
        assert_eq!(read(&old, &by_new, &voucher), Err(Refusal::Forged));
        // The same id with another secret is another key.
        let impostor: KeyRing = format!("old:{}", "00".repeat(32)).parse().unwrap();
        assert_eq!(read(&impostor, &by_old, &voucher), Err(Refusal::Forged));
    }

    #[test]
    fn what_is_no_key_ring_is_refused_and_never_shown() {
        let hex = "ab".repeat(32);
        let long = "k".repeat(33);
        for text in [
            String::new(),
            hex.clone(),
            format!(":{hex}"),
            format!("a b:{hex}"),
            format!("{long}:{hex}"),
            format!("a:{}", "ab".repeat(31)),
            format!("a:{}", "zz".repeat(32)),
            format!("a:{hex},"),
            format!("a:{hex},a:{hex}"),
        ] {
            assert!(text.parse::<KeyRing>().is_err(), "{text}");
        }
        let ring: KeyRing = format!("a:{hex}, b:{hex}\n").parse().unwrap();
        assert_eq!(format!("{ring:?}"), r#"["a", "b"]"#);
        assert!(!KeyRingError.to_string().contains("ab"));
    }

    #[test]
    fn every_single_bit_counts() {
        let (ring, voucher) = (ring(&["a"]), voucher(Some(3)));
        let text = ring.sign(&voucher);
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let altered = URL_SAFE_NO_PAD.encode(altered);
            assert_eq!(read(&ring, &altered, &voucher), Err(Refusal::Forged), "bit {bit}");
        }
        for (at, _) in text.char_indices() {
            for other in ["A", "B", "_", "=", ""] {
                let altered = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                if altered != text {
                    assert_eq!(read(&ring, &altered, &voucher), Err(Refusal::Forged), "character {at}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn reads_back_what_was_signed(
            unix_ms in 0..1_u64 << 47, random: [u8; 10], user in "[A-Za-z0-9_-]{1,64}",
            share_no in prop::option::of(0..PROVISIONAL), lapse_us in 0..i64::from(u32::MAX) * 1_000_000,
        ) {
            let voucher = Voucher {
                packet_id: PacketId::new(unix_ms, &random),
                user_id: user.parse().unwrap(),
                share_no,
                lapse_time: from_micros(lapse_us),
            };
            let ring = ring(&["a-key-id-of-the-longest-length--"]);
            let text = ring.sign(&voucher);
            prop_assert!(text.len() <= MAX_TEXT_LEN);
            prop_assert_eq!(read(&ring, &text, &voucher), Ok(voucher));
        }

        #[test]
        fn arbitrary_texts_are_refused(text in ".{0,300}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let ring = ring(&["a"]);
            prop_assert_eq!(ring.verify(&text), None);
            prop_assert_eq!(ring.verify(&URL_SAFE_NO_PAD.encode(&bytes)), None);
            // With a valid head, so that the parser sees the rest.
            let forged = [&[VERSION, 1, b'a'], bytes.as_slice()].concat();
            prop_assert_eq!(ring.verify(&URL_SAFE_NO_PAD.encode(forged)), None);
        }
    }
}
