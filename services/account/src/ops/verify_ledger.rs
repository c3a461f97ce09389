//! Verifying the ledger, a slice at a time.
//!
//! A verification goes through accounts, then transfers, then seals. It keeps nothing here: where it stands is in the token
//! that the caller brings back.

use std::{fmt, str::FromStr, time::Duration};

use id::{AccountId, TransferId};
use money::Fen;
use tokio::time::Instant;

use super::Result;
use crate::{
    domain::{
        audit::{
            MAX_DIFFERENCES, Report,
            accounts::{Place, Tally, Walk},
            seals, transfers,
        },
        chain::{Hash, Head},
    },
    store::{Audit, Chain},
};

/// Rows read at a time: enough that the round trip does not count, few enough for any memory.
const STRETCH: u64 = 1_000;
/// When a slice ends however few rows it had: an answer must come within the deadline of any caller.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much of the work each walk is, in permille, as measured over a million transfers.
const WALKS: [u64; 3] = [400, 300, 300];

/// Where a verification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Among accounts and their entries.
    Accounts(Walk),
    /// Among transfers, behind this one.
    Transfers(Option<TransferId>),
    /// In the chain, behind this seal.
    Seals(Head),
}

impl Default for Position {
    fn default() -> Self {
        Self::Accounts(Walk::default())
    }
}

/// What came of a slice.
#[derive(Clone, Debug)]
pub struct Slice {
    /// What was found.
    pub report: Report,
    /// Where the next one begins; `None` after the last.
    pub next: Option<Position>,
    /// The end of the chain.
    pub head: Head,
    /// How far it has come, in permille.
    pub progress_permille: u64,
}

/// Looks at about `rows` rows behind `from`. `known` is a seal's number and hash that were noted before.
pub async fn verify_ledger(
    audit: &dyn Audit,
    chain: &dyn Chain,
    from: Position,
    rows: u64,
    known: Option<(i64, Hash)>,
) -> Result<Slice> {
    let begun = Instant::now();
    let mut report = Report::default();
    let mut next = Some(from);
    let mut left = rows;
    while let Some(at) = next {
        let stretch = STRETCH.min(left);
        if stretch == 0 || report.differences.len() >= MAX_DIFFERENCES || begun.elapsed() >= PATIENCE {
            break;
        }
        left = left.saturating_sub(stretch);
        next = step(audit, at, stretch, known, &mut report).await?;
    }
    let head = chain.head().await?;
    Ok(Slice {
        report,
        next,
        head,
        progress_permille: next.map_or(1_000, |next| next.permille(&head)),
    })
}

async fn step(
    audit: &dyn Audit,
    at: Position,
    rows: u64,
    known: Option<(i64, Hash)>,
    report: &mut Report,
) -> Result<Option<Position>> {
    Ok(match at {
        Position::Accounts(walk) => {
            let slice = audit.accounts_from(walk.place, rows).await?;
            let next = walk.on(&slice, report);
            Some(next.map_or(Position::Transfers(None), Position::Accounts))
        }
        Position::Transfers(after) => {
            let slice = audit.transfers_from(after, rows).await?;
            transfers::judge(&slice, report);
            Some(match slice.to {
                Some(to) => Position::Transfers(Some(to)),
                None => Position::Seals(Head::GENESIS),
            })
        }
        Position::Seals(head) => {
            let slice = audit.seals_from(head.seal_no, rows).await?;
            seals::walk(head, &slice, known, report).map(Position::Seals)
        }
    })
}

impl Position {
    /// How far it is, in permille. Ids are spread evenly, so that an id says how many lie before it.
    fn permille(&self, end: &Head) -> u64 {
        let [accounts, transfers, seals] = WALKS;
        let spread = |id: uuid::Uuid| u64::from(id.as_fields().0) * 1_000 / (u64::from(u32::MAX) + 1);
        match self {
            Self::Accounts(walk) => match walk.place {
                Place::Start => 0,
                Place::Within(id, _) | Place::Behind(id) => spread(id.as_uuid()) * accounts / 1_000,
            },
            Self::Transfers(after) => accounts + after.map_or(0, |id| spread(id.as_uuid())) * transfers / 1_000,
            Self::Seals(head) => {
                let count = |head: &Head| u64::try_from(head.transfer_count).unwrap_or(0);
                let done = count(head).min(count(end)) * 1_000 / count(end).max(1);
                accounts + transfers + done * seals / 1_000
            }
        }
    }
}

/// As it stands in a token.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accounts(Walk { place, tally }) => match place {
                Place::Start => f.write_str("a"),
                Place::Behind(account) => write!(f, "a:{account}"),
                Place::Within(account, entry_no) => {
                    let Tally {
                        entry_count,
                        last_no,
                        sum,
                        balance,
                    } = tally;
                    write!(
                        f,
                        "a:{account}:{entry_no}:{entry_count}:{last_no}:{sum}:{}",
                        balance.get()
                    )
                }
            },
            Self::Transfers(None) => f.write_str("t"),
            Self::Transfers(Some(after)) => write!(f, "t:{after}"),
            Self::Seals(Head {
                seal_no,
                transfer_count,
                hash,
            }) => {
                write!(f, "s:{seal_no}:{transfer_count}:")?;
                hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// The text is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPosition;

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> std::result::Result<Self, NoPosition> {
        fn read<T: FromStr>(text: &str) -> std::result::Result<T, NoPosition> {
            text.parse().map_err(|_| NoPosition)
        }
        let parts: Vec<&str> = text.split(':').collect();
        let accounts = |place, tally| Ok(Self::Accounts(Walk { place, tally }));
        match parts[..] {
            ["a"] => accounts(Place::Start, Tally::default()),
            ["a", account] => accounts(Place::Behind(read(account)?), Tally::default()),
            ["a", account, entry_no, entry_count, last_no, sum, balance] => {
                let account: AccountId = read(account)?;
                let tally = Tally {
                    entry_count: read(entry_count)?,
                    last_no: read(last_no)?,
                    sum: read(sum)?,
                    balance: Fen::new(read(balance)?),
                };
                accounts(Place::Within(account, read(entry_no)?), tally)
            }
            ["t"] => Ok(Self::Transfers(None)),
            ["t", after] => Ok(Self::Transfers(Some(read(after)?))),
            ["s", seal_no, transfer_count, hash] => Ok(Self::Seals(Head {
                seal_no: read(seal_no)?,
                transfer_count: read(transfer_count)?,
                hash: unhex(hash).ok_or(NoPosition)?,
            })),
            _ => Err(NoPosition),
        }
    }
}

fn unhex(text: &str) -> Option<Hash> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_from_its_token() {
        let account = AccountId::external();
        let tally = Tally {
            entry_count: 3,
            last_no: 4,
            sum: -5,
            balance: Fen::new(-6),
        };
        let walk = |place, tally| Position::Accounts(Walk { place, tally });
        let head = Head {
            seal_no: 7,
            transfer_count: 70,
            hash: [0xab; 32],
        };
        for position in [
            Position::default(),
            walk(Place::Behind(account), Tally::default()),
            walk(Place::Within(account, 9), tally),
            Position::Transfers(None),
            Position::Transfers(Some(account.as_uuid().into())),
            Position::Seals(Head::GENESIS),
            Position::Seals(head),
        ] {
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        for text in ["", "b", "a:x", "t:1", "s:1:2:xyz", "s:1:2:+a", "a:1:2", "s:1:2:é0"] {
            assert_eq!(text.parse::<Position>(), Err(NoPosition), "{text}");
        }
    }

    #[test]
    fn progress_grows_from_walk_to_walk() {
        let at = |head: &str| {
            Position::Transfers(Some(
                format!("{head}000000-0000-0000-0000-000000000000").parse().unwrap(),
            ))
        };
        let end = Head {
            seal_no: 4,
            transfer_count: 40,
            hash: [0; 32],
        };
        let half = Head {
            seal_no: 2,
            transfer_count: 20,
            hash: [0; 32],
        };
        let positions = [
            (Position::default(), 0),
            (Position::Transfers(None), 400),
            (at("80"), 550),
            (Position::Seals(Head::GENESIS), 700),
            (Position::Seals(half), 850),
            (Position::Seals(end), 1_000),
        ];
        for (position, expected) in positions {
            assert_eq!(position.permille(&end), expected, "{position}");
        }
    }
}
