//! Single values: amounts, times, enums, people.

use std::{collections::HashMap, fmt};

use clock::Timestamp;
use jiff::tz::TimeZone;
use money::Fen;
use serde::{Serialize, Serializer};

/// An amount for people: yuan with two decimals.
pub fn yuan(fen: i64) -> String {
    Fen::new(fen).to_string()
}

/// An instant: RFC 3339 in JSON, the machine's zone for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

impl Time {
    /// The instant from the wire; `None` where it is unset.
    pub fn from_proto(at: Option<&prost_types::Timestamp>) -> Option<Self> {
        at.and_then(clock::from_proto).map(Self)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.0.to_zoned(TimeZone::system());
        f.pad(&local.strftime("%Y-%m-%d %H:%M:%S").to_string())
    }
}

/// An instant for people, or `-`.
pub fn shown(at: Option<Time>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}

/// A proto enum's name without its prefix; `UNKNOWN` for a number that this program is too old to know.
pub fn enum_name<E: TryFrom<i32>>(value: i32, name: impl Fn(&E) -> &'static str, prefix: &str) -> &'static str {
    E::try_from(value).map_or("UNKNOWN", |value| {
        let name = name(&value);
        name.strip_prefix(prefix).unwrap_or(name)
    })
}

/// How a packet is split, in the words of `--kind`.
pub fn kind_word(kind: &str) -> &str {
    match kind {
        "DOUBLE_MEAN" => "lucky",
        "GAUSSIAN" => "gaussian",
        "LINE_CUT" => "line-cut",
        "EQUAL" => "equal",
        other => other,
    }
}

/// Display names by user id; a user without one goes by the id.
#[derive(Clone, Debug, Default)]
pub struct Names(pub HashMap<String, String>);

impl Names {
    /// What others see of `user_id`.
    pub fn of(&self, user_id: &str) -> String {
        self.0
            .get(user_id)
            .filter(|name| !name.is_empty())
            .map_or(user_id, String::as_str)
            .to_owned()
    }
}

/// A person for people: the name, and the id where it differs.
pub fn person(name: &str, user_id: &str) -> String {
    if name == user_id {
        name.to_owned()
    } else {
        format!("{name} ({user_id})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::terms::v1::Kind;

    #[test]
    fn enums_lose_their_prefix_and_unknown_ones_are_told() {
        let name = |kind: i32| enum_name(kind, Kind::as_str_name, "KIND_");
        assert_eq!(name(Kind::LineCut as i32), "LINE_CUT");
        assert_eq!(name(99), "UNKNOWN");
    }

    #[test]
    fn times_are_rfc_3339_for_programs() {
        let at = prost_types::Timestamp {
            seconds: 1_700_000_000,
            nanos: 5_000_000,
        };
        let time = Time::from_proto(Some(&at)).unwrap();
        assert_eq!(serde_json::to_string(&time).unwrap(), "\"2023-11-14T22:13:20.005Z\"");
        assert_eq!(time.to_string().len(), "2023-11-14 22:13:20".len());
        assert_eq!(shown(None), "-");
    }

    #[test]
    fn people_go_by_their_names() {
        let names = Names([("bob".to_owned(), "小波".to_owned())].into());
        assert_eq!(person(&names.of("bob"), "bob"), "小波 (bob)");
        assert_eq!(person(&names.of("eve"), "eve"), "eve");
    }
}
