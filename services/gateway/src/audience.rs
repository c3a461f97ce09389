//! Who may look at a packet: its terms, its claims, its feed.
//!
//! Looking is not grabbing: whether someone may grab is decided by grab, from its own copy of the terms.

use proto::{
    packet::v1::State,
    terms::v1::{Terms, audience::Who},
};
use tonic::Status;

use crate::{
    identity::{Caller, Role},
    peer::Accounts,
};

/// How a caller stands to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// May look.
    Inside,
    /// May look if a member of this group.
    InsideIfMember(&'a str),
    /// May not look.
    Outside,
}

/// How `caller` stands to the packet with these terms. Operators and the sender always may look; then its audience; a
/// packet whose audience this version does not know is for nobody else.
pub fn standing<'a>(caller: &Caller, terms: &'a Terms) -> Standing<'a> {
    let me = caller.user_id.as_str();
    if caller.role == Role::Operator || terms.sender_id == me {
        return Standing::Inside;
    }
    match terms.audience.as_ref().and_then(|audience| audience.who.as_ref()) {
        Some(Who::Anyone(_)) => Standing::Inside,
        Some(Who::UserId(receiver)) if receiver == me => Standing::Inside,
        Some(Who::GroupId(group)) => Standing::InsideIfMember(group),
        Some(Who::UserId(_)) | None => Standing::Outside,
    }
}

/// Whether `caller` is told of a packet in this state at all. One that never became ACTIVE is between its sender and the
/// operators: why somebody's money did not suffice is nobody else's business.
pub fn is_told(caller: &Caller, state: State, terms: &Terms) -> bool {
    let never_active = matches!(state, State::Funding | State::Rejected);
    !never_active || caller.role == Role::Operator || terms.sender_id == caller.user_id.as_str()
}

/// Lets `caller` look at the packet with these terms, or says `PERMISSION_DENIED` (reason `NOT_IN_AUDIENCE`). Asks
/// account only where it depends on a group, and where it was not asked a moment ago.
pub async fn admit(accounts: &Accounts, caller: &Caller, terms: &Terms) -> Result<(), Status> {
    let inside = match standing(caller, terms) {
        Standing::Inside => true,
        Standing::InsideIfMember(group) => accounts.was_member(group, &caller.user_id).await?,
        Standing::Outside => false,
    };
    if inside {
        return Ok(());
    }
    Err(status::permission_denied(
        "NOT_IN_AUDIENCE",
        "this packet is for others: only its sender and its audience may look at it",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::terms::v1::{Anyone, Audience};

    fn terms(who: Option<Who>) -> Terms {
        Terms {
            sender_id: "sender".to_owned(),
            audience: Some(Audience { who }),
            ..Terms::default()
        }
    }

    #[test]
    fn a_packet_that_never_was_is_its_senders_affair() {
        let caller = |name: &str, role| Caller {
            user_id: name.parse().unwrap(),
            role,
        };
        let terms = terms(Some(Who::Anyone(Anyone {})));
        for state in [State::Funding, State::Rejected] {
            assert!(is_told(&caller("sender", Role::User), state, &terms));
            assert!(is_told(&caller("ops", Role::Operator), state, &terms));
            assert!(!is_told(&caller("bob", Role::User), state, &terms));
        }
        assert!(is_told(&caller("bob", Role::User), State::Active, &terms));
    }

    #[test]
    fn standings_in_order_of_precedence() {
        let user = Who::UserId("bob".to_owned());
        let group = Who::GroupId("family".to_owned());
        let member = Standing::InsideIfMember("family");
        let cases = [
            ("carol", Role::Operator, Some(user.clone()), Standing::Inside),
            ("carol", Role::Operator, None, Standing::Inside),
            ("sender", Role::User, Some(user.clone()), Standing::Inside),
            ("sender", Role::User, Some(group.clone()), Standing::Inside),
            ("sender", Role::User, None, Standing::Inside),
            ("carol", Role::User, Some(Who::Anyone(Anyone {})), Standing::Inside),
            ("bob", Role::User, Some(user.clone()), Standing::Inside),
            ("bob", Role::User, Some(group), member),
            ("carol", Role::User, Some(user), Standing::Outside),
            ("carol", Role::User, None, Standing::Outside),
        ];
        for (name, role, who, expected) in cases {
            let user_id = name.parse().unwrap();
            let terms = terms(who);
            let caller = Caller { user_id, role };
            assert_eq!(standing(&caller, &terms), expected, "{name} {role:?} {terms:?}");
        }
        let caller = Caller {
            user_id: "carol".parse().unwrap(),
            role: Role::User,
        };
        assert_eq!(standing(&caller, &Terms::default()), Standing::Outside);
    }
}
