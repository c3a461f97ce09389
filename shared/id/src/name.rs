//! Opaque names given from outside.

use std::{fmt, str::FromStr, sync::Arc};

/// Longest name, in bytes (which are characters: names are ASCII).
const MAX_LEN: usize = 64;

/// Why a text is not a name. In order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("must not be empty")]
    Empty,
    /// More than 64 characters.
    #[error("must be at most 64 characters long")]
    TooLong,
    /// A character other than `A-Z a-z 0-9 _ -`.
    #[error("may hold only the characters A-Z a-z 0-9 _ -")]
    BadCharacter,
}

fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        Err(NameError::Empty)
    } else if text.chars().count() > MAX_LEN {
        Err(NameError::TooLong)
    } else if !text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    {
        Err(NameError::BadCharacter)
    } else {
        Ok(())
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1 to 64 of `A-Z a-z 0-9 _ -`; cheap to clone.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text).map(|()| Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// A person, named by the embedding product.
    UserId
}
name! {
    /// A group of people, named by the embedding product.
    GroupId
}
name! {
    /// A client's name for one request that moves money (ID-1): the same id gives the first answer.
    RequestId
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn faults_in_order_of_precedence() {
        let long = "字".repeat(65);
        assert_eq!("".parse::<UserId>(), Err(NameError::Empty));
        assert_eq!(long.parse::<UserId>(), Err(NameError::TooLong));
        for text in ["a b", "a.b", "阿明", "a\n", "a\0"] {
            assert_eq!(text.parse::<UserId>(), Err(NameError::BadCharacter), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_name_of_the_alphabet_is_kept(text in "[A-Za-z0-9_-]{1,64}") {
            prop_assert_eq!(text.parse::<GroupId>().map(String::from), Ok(text));
        }
    }
}
