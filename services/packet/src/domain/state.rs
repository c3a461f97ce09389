//! Where a packet is in its life, and the only ways on.
//!
//! ```text
//! FUNDING ──activated──▶ ACTIVE ──closing──▶ CLOSING ──closed──▶ CLOSING (sums known) ──completed──▶ COMPLETED
//!    └─────rejected────▶ REJECTED
//! ```
//!
//! A transition is a pure function of the packet; the store applies it only to the state it was derived from.

use clock::Timestamp;
use guard::Guard;

use super::Packet;

/// Where a packet is in its life, with what is known there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Recorded; its money is on the way to escrow.
    Funding,
    /// Can be grabbed.
    Active,
    /// The money could not be put in escrow; final.
    Rejected(Rejection),
    /// Past its time; `None` until grab has said what was opened, which is fixed from then on (CLOSE-1).
    Closing(Option<Closed>),
    /// Closed and refunded; final.
    Completed {
        /// What was opened.
        closed: Closed,
        /// What went back to the sender, in fen.
        refunded_fen: i64,
    },
}

/// The name of a [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// [`State::Funding`].
    Funding,
    /// [`State::Active`].
    Active,
    /// [`State::Rejected`].
    Rejected,
    /// [`State::Closing`].
    Closing,
    /// [`State::Completed`].
    Completed,
}

/// Why the money could not be put in escrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The transfer service's reason, such as `INSUFFICIENT_FUNDS`.
    pub reason: String,
    /// The sender's balance at that moment, in fen, where it was told.
    pub balance_fen: Option<i64>,
}

/// What was opened before the packet was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// How many shares.
    pub opened_count: u32,
    /// Their sum, in fen.
    pub opened_fen: i64,
    /// When it was closed.
    pub close_time: Timestamp,
}

/// When a packet wants attention next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// At this instant.
    At(Timestamp),
    /// As before: whoever drives it holds it still.
    Unchanged,
    /// Never again.
    Never,
}

/// A transition that the packet does not allow. In order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misstep {
    /// There is no way from here to there.
    #[error("a packet that is {from:?} cannot become {to:?}")]
    NoWay {
        /// Where it is.
        from: Phase,
        /// Where it was to go.
        to: Phase,
    },
    /// It can be grabbed for some time yet.
    #[error("it is not past its time")]
    NotExpired,
    /// More was opened than there is, or the count and the sum contradict each other.
    #[error("{opened_count} shares opened with {opened_fen} fen cannot be true")]
    Impossible {
        /// As told.
        opened_count: u32,
        /// As told.
        opened_fen: i64,
    },
}

impl State {
    /// The state's name.
    pub const fn phase(&self) -> Phase {
        match self {
            Self::Funding => Phase::Funding,
            Self::Active => Phase::Active,
            Self::Rejected(_) => Phase::Rejected,
            Self::Closing(_) => Phase::Closing,
            Self::Completed { .. } => Phase::Completed,
        }
    }

    /// What was opened, once closed.
    pub const fn closed(&self) -> Option<&Closed> {
        match self {
            Self::Closing(Some(closed)) | Self::Completed { closed, .. } => Some(closed),
            _ => None,
        }
    }
}

impl Packet {
    /// The money is in escrow and the gate is warm.
    pub fn activated(&self) -> Result<State, Misstep> {
        match self.state {
            State::Funding => Ok(State::Active),
            _ => Err(self.no_way(Phase::Active)),
        }
    }

    /// The money will never be in escrow.
    pub fn rejected(&self, rejection: Rejection) -> Result<State, Misstep> {
        match self.state {
            State::Funding => Ok(State::Rejected(rejection)),
            _ => Err(self.no_way(Phase::Rejected)),
        }
    }

    /// Its time is up.
    pub fn closing(&self, now: Timestamp) -> Result<State, Misstep> {
        match self.state {
            State::Active if now < self.terms.expire_time => Err(Misstep::NotExpired),
            State::Active => Ok(State::Closing(None)),
            _ => Err(self.no_way(Phase::Closing)),
        }
    }

    /// No claim can follow, and this is what was opened (CLOSE-1).
    pub fn closed(&self, closed: Closed) -> Result<State, Misstep> {
        if self.state != State::Closing(None) {
            return Err(self.no_way(Phase::Closing));
        }
        let Closed {
            opened_count,
            opened_fen,
            ..
        } = closed;
        let (count, total_fen) = (self.terms.share_count, self.terms.total_fen);
        // Each share holds at least one fen, so some are left exactly if money is left for them.
        let unopened_fen = total_fen.checked_sub(opened_fen);
        let sound = opened_fen >= i64::from(opened_count)
            && match count.checked_sub(opened_count) {
                Some(0) => unopened_fen == Some(0),
                Some(left) => {
                    unopened_fen.is_some_and(|fen| fen >= i64::from(left)) && (opened_count > 0 || opened_fen == 0)
                }
                None => false,
            };
        if sound {
            Ok(State::Closing(Some(closed)))
        } else {
            Err(Misstep::Impossible {
                opened_count,
                opened_fen,
            })
        }
    }

    /// What nobody took is back with the sender.
    pub fn completed(&self) -> Result<State, Misstep> {
        match self.state {
            State::Closing(Some(closed)) => {
                let kept_fen = if guard::stands(Guard::RefundRest) {
                    closed.opened_fen
                } else {
                    0
                };
                let refunded_fen = self.terms.total_fen.checked_sub(kept_fen).ok_or(Misstep::Impossible {
                    opened_count: closed.opened_count,
                    opened_fen: closed.opened_fen,
                })?;
                Ok(State::Completed { closed, refunded_fen })
            }
            _ => Err(self.no_way(Phase::Completed)),
        }
    }

    /// When the packet wants attention after it came to `next`.
    pub fn due(&self, next: &State) -> Due {
        match next {
            State::Active => Due::At(self.terms.expire_time),
            State::Funding | State::Closing(_) => Due::Unchanged,
            State::Rejected(_) | State::Completed { .. } => Due::Never,
        }
    }

    fn no_way(&self, to: Phase) -> Misstep {
        Misstep::NoWay {
            from: self.state.phase(),
            to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixture::packet;

    fn at(state: State) -> Packet {
        Packet { state, ..packet() }
    }

    fn rejection() -> Rejection {
        Rejection {
            reason: "INSUFFICIENT_FUNDS".to_owned(),
            balance_fen: Some(7),
        }
    }

    fn sums(opened_count: u32, opened_fen: i64) -> Closed {
        Closed {
            opened_count,
            opened_fen,
            close_time: clock::from_micros(9),
        }
    }

    /// Every state against every transition: exactly the arrows of the diagram are there.
    #[test]
    fn there_are_no_other_ways() {
        let late = Timestamp::MAX;
        let states = [
            State::Funding,
            State::Active,
            State::Rejected(rejection()),
            State::Closing(None),
            State::Closing(Some(sums(1, 10))),
            State::Completed {
                closed: sums(1, 10),
                refunded_fen: 90,
            },
        ];
        let ways: Vec<[bool; 5]> = states
            .map(at)
            .iter()
            .map(|packet| {
                [
                    packet.activated().is_ok(),
                    packet.rejected(rejection()).is_ok(),
                    packet.closing(late).is_ok(),
                    packet.closed(sums(1, 10)).is_ok(),
                    packet.completed().is_ok(),
                ]
            })
            .collect();
        assert_eq!(
            ways,
            [
                [true, true, false, false, false],
                [false, false, true, false, false],
                [false; 5],
                [false, false, false, true, false],
                [false, false, false, false, true],
                [false; 5],
            ]
        );
    }

    #[test]
    fn a_packet_closes_at_its_expiry_and_not_before() {
        let active = at(State::Active);
        let expiry = active.terms.expire_time;
        let before = clock::from_micros(expiry.as_microsecond() - 1);
        assert_eq!(active.closing(before), Err(Misstep::NotExpired));
        assert_eq!(active.closing(expiry), Ok(State::Closing(None)));
    }

    /// The fixture has 5 shares and 100 fen.
    #[test]
    fn sums_that_cannot_be_true_are_refused() {
        let closing = at(State::Closing(None));
        for (count, fen) in [(0, 0), (1, 1), (1, 96), (4, 4), (4, 99), (5, 100)] {
            assert_eq!(
                closing.closed(sums(count, fen)),
                Ok(State::Closing(Some(sums(count, fen))))
            );
        }
        for (count, fen) in [
            (0, 1),
            (1, 0),
            (1, -1),
            (1, 97),
            (4, 100),
            (5, 99),
            (5, 101),
            (6, 100),
            (0, i64::MIN),
        ] {
            let impossible = Misstep::Impossible {
                opened_count: count,
                opened_fen: fen,
            };
            assert_eq!(closing.closed(sums(count, fen)), Err(impossible));
        }
    }

    #[test]
    fn what_is_left_is_refunded() {
        let closed = sums(4, 64);
        let completed = at(State::Closing(Some(closed))).completed();
        assert_eq!(
            completed,
            Ok(State::Completed {
                closed,
                refunded_fen: 36
            })
        );
    }
}
