//! Who calls.
//!
//! [`Guard`] stands in front of every client-facing service and decides before a message is read: it asks an
//! [`Authenticate`] for the [`Caller`], refuses those whose role does not suffice, and leaves the caller in the request's
//! extensions, where the handlers find it. Health and reflection stand outside and stay open.

use std::sync::Arc;

use id::{NameError, UserId};
use tonic::{Request, Status, metadata::MetadataMap, service::Interceptor};

/// Metadata key of the caller's user id, believed in development only.
pub const USER_ID_KEY: &str = "hongbao-user-id";
/// Metadata key of the caller's role: `operator`, or absent. Believed in development only.
pub const ROLE_KEY: &str = "hongbao-role";
/// The one role that has a name.
const OPERATOR: &str = "operator";

/// What a caller may do; later roles include earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Send, grab, and look at what is theirs.
    User,
    /// Also look at every packet, and use the operation service.
    Operator,
}

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user, or an operator's name.
    pub user_id: UserId,
    /// What they may do.
    pub role: Role,
}

/// Why a request is refused at the door. In order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request says nothing that this gateway believes; the text says what to do.
    #[error("{0}")]
    Required(&'static str),
    /// What the request says breaks a rule.
    #[error("{key}: {rule}")]
    Invalid {
        /// The metadata key.
        key: &'static str,
        /// What would be right.
        rule: String,
    },
    /// The caller is known, and no operator.
    #[error("only operators may do this")]
    OperatorRequired,
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Required(_) => status::unauthenticated("IDENTITY_REQUIRED", message),
            Refusal::Invalid { .. } => status::unauthenticated("IDENTITY_INVALID", message),
            Refusal::OperatorRequired => status::permission_denied("OPERATOR_REQUIRED", message),
        }
    }
}

/// Reads who calls from a request's metadata. Called for every request, so it must not wait for anything.
pub trait Authenticate: Send + Sync + 'static {
    /// The caller, or why it is not known.
    fn authenticate(&self, metadata: &MetadataMap) -> Result<Caller, Refusal>;
}

/// Believes nobody: what a gateway does that has no way to check an identity.
#[derive(Clone, Copy, Debug)]
pub struct Closed;

impl Authenticate for Closed {
    fn authenticate(&self, _: &MetadataMap) -> Result<Caller, Refusal> {
        Err(Refusal::Required(
            "this gateway cannot check who calls, and so lets nobody in: the metadata keys hongbao-user-id and \
             hongbao-role are believed in development only; start it with --development true where no stranger can connect",
        ))
    }
}

/// Believes the plain metadata keys [`USER_ID_KEY`] and [`ROLE_KEY`]. For development: anyone can be anyone.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Authenticate for Plain {
    fn authenticate(&self, metadata: &MetadataMap) -> Result<Caller, Refusal> {
        let user_id = single(metadata, USER_ID_KEY)?
            .ok_or(Refusal::Required("say who calls in the metadata key hongbao-user-id"))?
            .parse()
            .map_err(|fault: NameError| invalid(USER_ID_KEY, fault.to_string()))?;
        let role = match single(metadata, ROLE_KEY)? {
            None => Role::User,
            Some(OPERATOR) => Role::Operator,
            Some(_) => return Err(invalid(ROLE_KEY, "must be `operator` or absent")),
        };
        Ok(Caller { user_id, role })
    }
}

fn invalid(key: &'static str, rule: impl Into<String>) -> Refusal {
    Refusal::Invalid { key, rule: rule.into() }
}

/// The one value of `key`. Two values would let two readers see two callers.
fn single<'a>(metadata: &'a MetadataMap, key: &'static str) -> Result<Option<&'a str>, Refusal> {
    let mut values = metadata.get_all(key).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(invalid(key, "must be given once"));
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(invalid(key, "may hold only visible ASCII characters")),
    }
}

/// Lets a request through to a service if its caller is known and has at least a role.
#[derive(Clone)]
pub struct Guard {
    authenticate: Arc<dyn Authenticate>,
    least: Role,
}

impl Guard {
    /// A guard that knows callers by `authenticate` and lets in those whose role is `least` or more.
    pub fn new(authenticate: Arc<dyn Authenticate>, least: Role) -> Self {
        Self { authenticate, least }
    }
}

impl Interceptor for Guard {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let caller = self.authenticate.authenticate(request.metadata())?;
        if caller.role < self.least {
            return Err(Refusal::OperatorRequired.into());
        }
        request.extensions_mut().insert(caller);
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::metadata::MetadataValue;

    fn metadata(pairs: &[(&'static str, &[u8])]) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        for (key, value) in pairs {
            metadata.append(*key, MetadataValue::try_from(*value).unwrap());
        }
        metadata
    }

    fn plain(pairs: &[(&'static str, &[u8])]) -> Result<Caller, Refusal> {
        Plain.authenticate(&metadata(pairs))
    }

    #[test]
    fn plain_metadata_names_the_caller() {
        let caller = plain(&[(USER_ID_KEY, b"alice")]).unwrap();
        assert_eq!((caller.user_id.as_str(), caller.role), ("alice", Role::User));
        let caller = plain(&[(USER_ID_KEY, b"alice"), (ROLE_KEY, b"operator")]).unwrap();
        assert_eq!(caller.role, Role::Operator);
    }

    #[test]
    fn refusals_in_order_of_precedence() {
        let missing = [
            Closed.authenticate(&metadata(&[(USER_ID_KEY, b"alice")])),
            plain(&[]),
            plain(&[(ROLE_KEY, b"root")]),
        ];
        for refused in missing {
            assert!(matches!(refused, Err(Refusal::Required(_))), "{refused:?}");
        }

        let long = [b'a'; 65];
        let bad: [&[(&str, &[u8])]; 8] = [
            &[(USER_ID_KEY, b"")],
            &[(USER_ID_KEY, &long)],
            &[(USER_ID_KEY, b"a b")],
            &[(USER_ID_KEY, "阿明".as_bytes())],
            &[(USER_ID_KEY, b"\xff\xfe")],
            &[(USER_ID_KEY, b"alice"), (USER_ID_KEY, b"bob")],
            &[(USER_ID_KEY, b"alice"), (ROLE_KEY, b"Operator")],
            &[
                (USER_ID_KEY, b"alice"),
                (ROLE_KEY, b"operator"),
                (ROLE_KEY, b"operator"),
            ],
        ];
        for pairs in bad {
            let refused = plain(pairs);
            assert!(
                matches!(refused, Err(Refusal::Invalid { .. })),
                "{pairs:?}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_guard_wants_the_role_and_leaves_the_caller() {
        let ask = |role: &'static [u8], least| {
            let mut request = Request::new(());
            *request.metadata_mut() = metadata(&[(USER_ID_KEY, b"alice")]);
            if !role.is_empty() {
                *request.metadata_mut() = metadata(&[(USER_ID_KEY, b"alice"), (ROLE_KEY, role)]);
            }
            Guard::new(Arc::new(Plain), least).call(request)
        };
        let refused = ask(b"", Role::Operator).unwrap_err();
        assert_eq!(status::reason(&refused), "OPERATOR_REQUIRED");
        for (role, least) in [
            (&b""[..], Role::User),
            (b"operator", Role::User),
            (b"operator", Role::Operator),
        ] {
            let passed = ask(role, least).unwrap();
            assert_eq!(passed.extensions().get::<Caller>().unwrap().user_id.as_str(), "alice");
        }
    }
}
