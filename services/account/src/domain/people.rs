//! Users and groups.

use clock::Timestamp;
use id::{GroupId, UserId};

/// Most characters of a display name: what fits a line on a phone several times over.
pub const MAX_DISPLAY_NAME: usize = 64;

/// A person known to the system. Users are never removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Named by the embedding product.
    pub id: UserId,
    /// What others see, 1 to [`MAX_DISPLAY_NAME`] characters.
    pub display_name: String,
    /// When the user was first seen.
    pub create_time: Timestamp,
}

/// A group of users. Groups are never removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Named by the embedding product.
    pub id: GroupId,
    /// What others see, 1 to [`MAX_DISPLAY_NAME`] characters.
    pub display_name: String,
    /// Who created it.
    pub owner: UserId,
    /// How many members it has.
    pub member_count: i64,
    /// When it was created.
    pub create_time: Timestamp,
}
