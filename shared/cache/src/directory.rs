//! Who exists and who is in which group: kinds that several services ask the account service for, and agree on in Redis.

use std::time::Duration;

use id::{GroupId, UserId};

use crate::Kind;

/// The longest that somebody who left a group counts as a member where the change could not be told: without Redis, or while
/// it is away. With Redis it is [`crate::VERSION_TTL`] and Redis' time-out.
pub const MEMBER_TTL_MAX: Duration = Duration::from_secs(70);

/// The scope of all answers about a group: to be told [`crate::Shared::changed`] after somebody left it.
pub fn group_scope(group: &GroupId) -> String {
    format!("group:{group}")
}

/// Whether somebody is in a group; nothing if there is no such group.
#[derive(Clone, Copy, Debug)]
pub struct Membership;

impl Kind for Membership {
    const NAME: &'static str = "member";
    const LASTING: (Duration, Duration) = (Duration::from_secs(50), Duration::from_secs(20));
    /// Nobody tells who joined, and who is let in wants to grab at once.
    const PASSING: Duration = Duration::from_secs(2);
    /// Some 300 bytes each.
    const CAPACITY: u64 = 500_000;
    type Key = (GroupId, UserId);
    type Value = bool;

    fn name((group, user): &Self::Key) -> String {
        format!("{group}:{user}")
    }

    fn scope((group, _): &Self::Key) -> Option<String> {
        Some(group_scope(group))
    }

    fn is_lasting(answer: Option<&bool>) -> bool {
        answer == Some(&true)
    }

    fn encode(member: &bool) -> Vec<u8> {
        vec![u8::from(*member)]
    }

    fn decode(bytes: &[u8]) -> Option<bool> {
        match bytes {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

/// A user's display name; nothing if there is no such user. A user, once there, neither goes nor is renamed.
#[derive(Clone, Copy, Debug)]
pub struct Name;

impl Kind for Name {
    const NAME: &'static str = "user";
    const LASTING: (Duration, Duration) = (Duration::from_mins(10), Duration::from_mins(5));
    const PASSING: Duration = Duration::from_secs(2);
    /// Some 300 bytes each.
    const CAPACITY: u64 = 500_000;
    type Key = UserId;
    type Value = String;

    fn name(user: &UserId) -> String {
        user.to_string()
    }

    fn encode(name: &String) -> Vec<u8> {
        name.clone().into_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<String> {
        String::from_utf8(bytes.to_vec()).ok()
    }
}
