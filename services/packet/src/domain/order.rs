//! What a sender asks for.

use std::{fmt, time::Duration};

use clock::Timestamp;
use id::{RequestId, UserId};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use split::Kind;

use super::{Audience, Shape};

/// Separates a fingerprint from every other use of SHA-256.
const FINGERPRINT_TAG: &[u8] = b"hongbao/packet/v1/send";

/// A send as it was asked for: well-formed, but not yet held against the limits.
#[derive(Clone, Debug)]
pub struct Order {
    /// The client's name for this send (ID-1).
    pub request_id: RequestId,
    /// Who sends.
    pub sender_id: UserId,
    /// How the total is split.
    pub kind: Kind,
    /// The sum of all shares, in fen.
    pub total_fen: i64,
    /// How many shares.
    pub share_count: u32,
    /// The most a share may hold, in fen; 0 where the sender leaves it to the limits.
    pub share_cap_fen: i64,
    /// Who may grab.
    pub audience: Audience,
    /// What must be said to grab; kept from logs.
    pub passphrase: Option<SecretString>,
    /// From when it may be grabbed; `None` means at once.
    pub start_time: Option<Timestamp>,
    /// How long it may be grabbed; `None` means as long as the limits say.
    pub lifetime: Option<Duration>,
    /// What the sender writes on it.
    pub greeting: String,
    /// The design of its cover.
    pub cover: String,
}

impl Order {
    /// The part of the order that the limits are about.
    pub fn shape(&self) -> Shape {
        Shape {
            total_fen: self.total_fen,
            share_count: self.share_count,
            share_cap_fen: self.share_cap_fen,
            exclusive: matches!(self.audience, Audience::User(_)),
            start_time: self.start_time,
            lifetime: self.lifetime,
        }
    }

    /// Tells a repeated request from another one under the same id. Defaults are not filled in, so that a change of
    /// configuration between a request and its repeat does not make them differ.
    pub fn fingerprint(&self) -> Fingerprint {
        let (audience, who) = match &self.audience {
            Audience::Group(group) => (b"group" as &[u8], group.as_str()),
            Audience::User(user) => (b"user" as &[u8], user.as_str()),
            Audience::Anyone => (b"anyone" as &[u8], ""),
        };
        let start_us = self.start_time.map(|at| at.as_microsecond().to_be_bytes());
        let lifetime_us = self.lifetime.map(|span| span.as_micros().to_be_bytes());
        let passphrase = self.passphrase.as_ref().map(ExposeSecret::expose_secret);
        Canonical::default()
            .field(self.request_id.as_str().as_bytes())
            .field(self.sender_id.as_str().as_bytes())
            .field(&[self.kind.code()])
            .field(&self.total_fen.to_be_bytes())
            .field(&self.share_count.to_be_bytes())
            .field(&self.share_cap_fen.to_be_bytes())
            .field(audience)
            .field(who.as_bytes())
            .field(passphrase.unwrap_or_default().as_bytes()) // a passphrase is never empty
            .field(start_us.as_ref().map_or(&[][..], |bytes| bytes))
            .field(lifetime_us.as_ref().map_or(&[][..], |bytes| bytes))
            .field(self.greeting.as_bytes())
            .field(self.cover.as_bytes())
            .finish()
    }
}

/// Fields in a fixed order, each behind its length, so that no two orders share an encoding.
struct Canonical(Sha256);

impl Default for Canonical {
    fn default() -> Self {
        Self(Sha256::new_with_prefix(FINGERPRINT_TAG))
    }
}

impl Canonical {
    fn field(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    fn finish(self) -> Fingerprint {
        Fingerprint(self.0.finalize().into())
    }
}

/// SHA-256 over everything that a send asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The digest as it is stored.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)") // covers the passphrase
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn audiences() -> impl Strategy<Value = Audience> {
        prop_oneof![
            "[ab]{1,2}".prop_map(|name| Audience::Group(name.parse().unwrap())),
            "[ab]{1,2}".prop_map(|name| Audience::User(name.parse().unwrap())),
            Just(Audience::Anyone),
        ]
    }

    /// Few values for each field, so that two orders often agree in many.
    fn orders() -> impl Strategy<Value = Order> {
        let names = ("[ab]{1,2}", "[ab]{1,2}", audiences(), "[ab]{0,2}", "[ab]{0,2}");
        let numbers = (0..4_usize, 0..2_i64, 0..2_u32, 0..2_i64);
        let times = (
            prop::option::of(0..2_i64),
            prop::option::of(0..2_u64),
            prop::option::of("[ab]"),
        );
        (names, numbers, times).prop_map(|(names, numbers, times)| Order {
            request_id: names.0.parse().unwrap(),
            sender_id: names.1.parse().unwrap(),
            kind: Kind::ALL[numbers.0],
            total_fen: numbers.1,
            share_count: numbers.2,
            share_cap_fen: numbers.3,
            audience: names.2,
            passphrase: times.2.map(SecretString::from),
            start_time: times.0.map(clock::from_micros),
            lifetime: times.1.map(Duration::from_micros),
            greeting: names.3,
            cover: names.4,
        })
    }

    /// Everything an order says, to compare with: an independent answer to "is it the same?".
    fn told(order: &Order) -> String {
        let passphrase = order.passphrase.as_ref().map(ExposeSecret::expose_secret);
        format!(
            "{:?} {passphrase:?}",
            Order {
                passphrase: None,
                ..order.clone()
            }
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn fingerprints_are_equal_exactly_when_orders_are(a in orders(), b in orders()) {
            prop_assert_eq!(a.fingerprint() == b.fingerprint(), told(&a) == told(&b));
            prop_assert_eq!(a.fingerprint(), a.clone().fingerprint());
        }

        #[test]
        fn every_single_field_counts(order in orders(), which in 0..12_usize) {
            let mut other = order.clone();
            match which {
                0 => other.request_id = "other".parse().unwrap(),
                1 => other.sender_id = "other".parse().unwrap(),
                2 => other.kind = Kind::ALL[usize::from(order.kind.code()) % 4],
                3 => other.total_fen += 1,
                4 => other.share_count += 1,
                5 => other.share_cap_fen += 1,
                6 => other.audience = Audience::Group("other".parse().unwrap()),
                7 => other.passphrase = Some("other".into()),
                8 => other.start_time = Some(clock::from_micros(9)),
                9 => other.lifetime = Some(Duration::from_micros(9)),
                10 => other.greeting.push('c'),
                _ => other.cover.push('c'),
            }
            prop_assert_ne!(order.fingerprint(), other.fingerprint());
        }
    }

    #[test]
    fn a_passphrase_stays_out_of_logs() {
        let order = Order {
            request_id: "r".parse().unwrap(),
            sender_id: "s".parse().unwrap(),
            kind: Kind::Equal,
            total_fen: 1,
            share_count: 1,
            share_cap_fen: 0,
            audience: Audience::Anyone,
            passphrase: Some("open sesame".into()),
            start_time: None,
            lifetime: None,
            greeting: String::new(),
            cover: String::new(),
        };
        assert!(!format!("{order:?}").contains("sesame"));
    }
}
