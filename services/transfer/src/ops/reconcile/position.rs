//! Where a run through the books stands.

use std::{fmt, str::FromStr};

use id::TransferId;

use super::claims::{Log, Place};

/// How much of the work each walk is, in permille, as measured over a million transfers.
const WALKS: [i32; 3] = [350, 100, 550];

/// Where the next slice begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// In the ledger, at this token of its own.
    Ledger(String),
    /// Among the orders, behind this one.
    Orders(Option<TransferId>),
    /// In the claim log.
    Claims(Place),
}

impl Default for Position {
    fn default() -> Self {
        Self::Ledger(String::new())
    }
}

impl Position {
    /// How far it is where there are `partitions` partitions, 0 to 1,000. Ids are spread evenly, so that an id says how many
    /// lie before it.
    pub fn permille(&self, partitions: usize) -> i32 {
        let [ledger, orders, claims] = WALKS;
        match self {
            Self::Ledger(_) => 0,
            Self::Orders(after) => {
                let spread = |id: TransferId| u64::from(id.as_uuid().as_fields().0) * 1_000 / (u64::from(u32::MAX) + 1);
                let spread = after.map_or(0, |id| i32::try_from(spread(id)).unwrap_or(0));
                ledger + spread * orders / 1_000
            }
            Self::Claims(place) => {
                let partitions = i32::try_from(partitions).unwrap_or(i32::MAX).max(1);
                let passed = i32::from(place.partition).min(partitions);
                ledger + orders + claims * passed / partitions
            }
        }
    }

    /// How far it is where the ledger has come to `permille` of its own.
    pub fn within_ledger(permille: i32) -> i32 {
        permille.clamp(0, 1_000) * WALKS[0] / 1_000
    }
}

/// As it stands in a token.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ledger(token) => write!(f, "l:{token}"),
            Self::Orders(None) => f.write_str("o"),
            Self::Orders(Some(after)) => write!(f, "o:{after}"),
            Self::Claims(Place { partition, log }) => match log {
                None => write!(f, "c:{partition}"),
                Some(Log { cursor, seen, ended }) => {
                    let phase = if *ended { 'e' } else { 'l' };
                    write!(f, "c:{partition}:{cursor}:{seen}:{phase}")
                }
            },
        }
    }
}

/// The text is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPosition;

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        fn read<T: FromStr>(text: &str) -> Result<T, NoPosition> {
            text.parse().map_err(|_| NoPosition)
        }
        let parts: Vec<&str> = text.split(':').collect();
        let claims = |partition: &str, log| {
            let partition = read(partition)?;
            Ok(Self::Claims(Place { partition, log }))
        };
        match parts[..] {
            ["l", token] => Ok(Self::Ledger(token.to_owned())),
            ["o"] => Ok(Self::Orders(None)),
            ["o", after] => Ok(Self::Orders(Some(read(after)?))),
            ["c", partition] => claims(partition, None),
            ["c", partition, cursor, seen, phase @ ("e" | "l")] => {
                let ended = phase == "e";
                let (cursor, seen) = (read(cursor)?, read(seen)?);
                claims(partition, Some(Log { cursor, seen, ended }))
            }
            _ => Err(NoPosition),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use id::PacketId;

    #[test]
    fn a_position_comes_back_from_its_token() {
        let id = TransferId::fund(PacketId::new(1, &[0; 10]));
        let place = |partition, log| Position::Claims(Place { partition, log });
        let log = |ended| {
            Some(Log {
                cursor: 9,
                seen: -2,
                ended,
            })
        };
        for position in [
            Position::default(),
            Position::Ledger("abc-_".to_owned()),
            Position::Orders(None),
            Position::Orders(Some(id)),
            place(0, None),
            place(63, log(false)),
            place(63, log(true)),
        ] {
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        for text in ["", "l", "x:1", "o:1", "c", "c:-1", "c:1:2", "c:1:2:3:x", "c:70000"] {
            assert_eq!(text.parse::<Position>(), Err(NoPosition), "{text}");
        }
    }

    #[test]
    fn progress_grows_from_walk_to_walk() {
        let half = "80000000-0000-0000-0000-000000000000".parse().unwrap();
        let place = |partition| Position::Claims(Place { partition, log: None });
        let table = [
            (Position::default(), 0),
            (Position::Orders(None), 350),
            (Position::Orders(Some(half)), 400),
            (place(0), 450),
            (place(32), 725),
            (place(64), 1_000),
        ];
        for (position, expected) in table {
            assert_eq!(position.permille(64), expected, "{position}");
        }
        assert_eq!(Position::within_ledger(1_000), 350);
    }
}
