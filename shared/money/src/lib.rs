//! Money as an integer number of fen (1/100 yuan), with checked arithmetic only.
//!
//! [`Fen`] deliberately implements no `Add` or `Sub`: every sum in a money path has to say what happens when
//! it overflows, so there is only [`Fen::checked_add`], [`Fen::checked_sub`] and [`Fen::checked_sum`].
//! On the wire and in SQL an amount is a plain `i64` whose field name ends in `_fen`; people type and read yuan.
#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic)]

use std::{fmt, str::FromStr};

/// Fen in one yuan.
const FEN_PER_YUAN: i64 = 100;

/// An amount of money in fen. May be negative (a debit, the external account's balance).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fen(i64);

impl Fen {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// An amount of `fen` fen.
    pub const fn new(fen: i64) -> Self {
        Self(fen)
    }

    /// The amount in fen.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// `self + other`, or `None` where that does not fit 64 bits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// `self - other`, or `None` where that does not fit 64 bits.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The sum of all amounts (zero for none), or `None` where a partial sum does not fit 64 bits.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// Whether the amount is above zero.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }
}

/// Yuan with two decimals: `12.34`, `-0.05`.
impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let per_yuan = FEN_PER_YUAN.unsigned_abs();
        let (yuan, fen) = (
            magnitude.checked_div(per_yuan).unwrap_or_default(),
            magnitude.checked_rem(per_yuan).unwrap_or_default(),
        );
        f.pad(&format!("{sign}{yuan}.{fen:02}"))
    }
}

/// Why a text is not an amount in yuan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not of the form `12`, `12.3` or `12.34`.
    #[error("an amount is yuan with at most two decimals, such as 12.34")]
    Malformed,
    /// More fen than 64 bits hold.
    #[error("the amount is too large")]
    TooLarge,
}

/// Reads yuan: digits, then at most two decimals. No sign, no exponent, no separators: nobody types those for money
/// they mean to send.
impl FromStr for Fen {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (yuan, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(yuan) || !digits(decimals) || decimals.len() > 2 {
            return Err(ParseError::Malformed);
        }
        let fen: i64 = format!("{decimals:0<2}").parse().map_err(|_| ParseError::Malformed)?;
        yuan.parse::<i64>()
            .ok()
            .and_then(|yuan| yuan.checked_mul(FEN_PER_YUAN))
            .and_then(|total| total.checked_add(fen))
            .map(Self)
            .ok_or(ParseError::TooLarge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn yuan_is_read_and_shown() {
        for (text, fen) in [("0", 0), ("12", 1200), ("12.3", 1230), ("0.05", 5), ("007.10", 710)] {
            assert_eq!(text.parse(), Ok(Fen::new(fen)), "{text}");
        }
        assert_eq!(Fen::new(-5).to_string(), "-0.05");
        assert_eq!(Fen::new(i64::MIN).to_string(), "-92233720368547758.08");
        assert_eq!(format!("{:>8}", Fen::new(1234)), "   12.34");
    }

    #[test]
    fn what_is_not_yuan_is_refused() {
        for text in [
            "", ".", "1.", ".5", "-1", "+1", "1.234", "1e3", "1,000", "１", " 1", "NaN",
        ] {
            assert_eq!(text.parse::<Fen>(), Err(ParseError::Malformed), "{text:?}");
        }
        for text in ["92233720368547758.08", "99999999999999999999"] {
            assert_eq!(text.parse::<Fen>(), Err(ParseError::TooLarge), "{text}");
        }
    }

    #[test]
    fn overflow_is_told() {
        assert_eq!(Fen::new(i64::MAX).checked_add(Fen::new(1)), None);
        assert_eq!(Fen::new(i64::MIN).checked_sub(Fen::new(1)), None);
        assert_eq!(Fen::checked_sum([Fen::new(i64::MAX), Fen::new(1), Fen::new(-1)]), None);
        assert_eq!(Fen::checked_sum([]), Some(Fen::ZERO));
    }

    proptest! {
        #[test]
        fn shown_amounts_read_back(fen in 0..=i64::MAX) {
            prop_assert_eq!(Fen::new(fen).to_string().parse(), Ok(Fen::new(fen)));
        }
    }
}
