//! What came of grabbing and opening.

use proto::grab::v1::{GrabResponse, OpenResponse, grab_response, open_response};
use serde::Serialize;

use super::{
    View,
    claim::Claim,
    value::{Names, Time, shown, yuan},
};

/// What came of a grab or an open: the field `outcome` names it, as in the proto.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// A share is reserved.
    Granted {
        /// The right to open it.
        voucher: String,
        /// Until when it can be opened.
        lapse_time: Option<Time>,
    },
    /// The share was opened now.
    Opened {
        /// What it held.
        claim: Claim,
    },
    /// The user had opened a share before.
    AlreadyOpened {
        /// What it held.
        claim: Claim,
    },
    /// Nothing is free just now.
    AllHeld {
        /// When it is worth asking again.
        retry_ms: u64,
    },
    /// Nothing is left.
    Exhausted,
    /// Too late.
    Expired,
    /// Too early.
    NotStarted {
        /// From when it can be grabbed.
        start_time: Option<Time>,
    },
    /// The packet is for others.
    NotInAudience,
    /// Not with these words.
    WrongPassphrase {
        /// Whether none was given.
        missing: bool,
    },
}

impl Outcome {
    /// What came of a grab; `None` where the gateway does not say, or says what this program is too old to know.
    pub fn of_grab(response: Option<GrabResponse>) -> Option<Self> {
        use grab_response::Outcome as Wire;
        Some(match response?.outcome? {
            Wire::Granted(granted) => Self::Granted {
                voucher: granted.voucher,
                lapse_time: Time::from_proto(granted.lapse_time.as_ref()),
            },
            Wire::Opened(claim) => Self::Opened {
                claim: Claim::of(claim, &Names::default()),
            },
            Wire::AlreadyOpened(claim) => Self::AlreadyOpened {
                claim: Claim::of(claim, &Names::default()),
            },
            Wire::AllHeld(held) => Self::AllHeld {
                retry_ms: held.retry_delay.map_or(0, milliseconds),
            },
            Wire::Exhausted(_) => Self::Exhausted,
            Wire::Expired(_) => Self::Expired,
            Wire::NotStarted(not) => Self::NotStarted {
                start_time: Time::from_proto(not.start_time.as_ref()),
            },
            Wire::NotInAudience(_) => Self::NotInAudience,
            Wire::WrongPassphrase(wrong) => Self::WrongPassphrase { missing: wrong.missing },
        })
    }

    /// What came of an open; `None` as with [`Outcome::of_grab`].
    pub fn of_open(response: Option<OpenResponse>) -> Option<Self> {
        use open_response::Outcome as Wire;
        Some(match response?.outcome? {
            Wire::Opened(claim) => Self::Opened {
                claim: Claim::of(claim, &Names::default()),
            },
            Wire::Exhausted(_) => Self::Exhausted,
            Wire::Expired(_) => Self::Expired,
        })
    }

    /// The claim, where there is one.
    pub fn claim(&self) -> Option<&Claim> {
        match self {
            Self::Opened { claim } | Self::AlreadyOpened { claim } => Some(claim),
            _ => None,
        }
    }
}

fn milliseconds(span: prost_types::Duration) -> u64 {
    std::time::Duration::try_from(span)
        .ok()
        .and_then(|span| u64::try_from(span.as_millis()).ok())
        .unwrap_or(0)
}

impl View for Outcome {
    fn human(&self) -> String {
        match self {
            Self::Granted { voucher, lapse_time } => format!(
                "you have a share; open it before {}\nvoucher     {voucher}",
                shown(*lapse_time)
            ),
            Self::Opened { claim } => format!("you got {} yuan", yuan(claim.amount_fen)),
            Self::AlreadyOpened { claim } => format!(
                "you opened a share before: {} yuan, at {}",
                yuan(claim.amount_fen),
                shown(claim.claim_time)
            ),
            Self::AllHeld { retry_ms } => {
                format!("all shares are held just now; one may come free: ask again in {retry_ms} ms")
            }
            Self::Exhausted => "too late: all shares are opened".to_owned(),
            Self::Expired => "too late: the packet has expired".to_owned(),
            Self::NotStarted { start_time } => format!("too early: it can be grabbed from {}", shown(*start_time)),
            Self::NotInAudience => "this packet is for others".to_owned(),
            Self::WrongPassphrase { missing: true } => "a passphrase is needed: say --passphrase WORDS".to_owned(),
            Self::WrongPassphrase { missing: false } => "that is not the passphrase".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::grab::v1::{AllHeld, Claim as WireClaim, Exhausted, WrongPassphrase};

    fn shown_as(outcome: grab_response::Outcome) -> (serde_json::Value, String) {
        let response = GrabResponse { outcome: Some(outcome) };
        let outcome = Outcome::of_grab(Some(response)).unwrap();
        (serde_json::from_str(&outcome.json().unwrap()).unwrap(), outcome.human())
    }

    #[test]
    fn every_outcome_is_named_as_in_the_proto() {
        let (json, human) = shown_as(grab_response::Outcome::Opened(WireClaim {
            amount_fen: 666,
            ..WireClaim::default()
        }));
        assert_eq!(
            (json["outcome"].as_str(), json["claim"]["amount_fen"].as_i64()),
            (Some("opened"), Some(666))
        );
        assert_eq!(human, "you got 6.66 yuan");

        let retry_delay = Some(prost_types::Duration {
            seconds: 1,
            nanos: 500_000_000,
        });
        let (json, human) = shown_as(grab_response::Outcome::AllHeld(AllHeld { retry_delay }));
        assert_eq!(
            (json["outcome"].as_str(), json["retry_ms"].as_u64()),
            (Some("all_held"), Some(1500))
        );
        assert!(human.contains("1500 ms"), "{human}");

        let (json, _) = shown_as(grab_response::Outcome::Exhausted(Exhausted {}));
        assert_eq!(json["outcome"], "exhausted");

        let wrong = WrongPassphrase { missing: true };
        let (json, human) = shown_as(grab_response::Outcome::WrongPassphrase(wrong));
        assert_eq!(
            (json["outcome"].as_str(), json["missing"].as_bool()),
            (Some("wrong_passphrase"), Some(true))
        );
        assert!(human.contains("--passphrase"), "{human}");
    }

    #[test]
    fn an_answer_that_says_nothing_is_none() {
        assert!(Outcome::of_grab(None).is_none());
        assert!(Outcome::of_open(Some(OpenResponse { outcome: None })).is_none());
    }
}
