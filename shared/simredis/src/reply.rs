//! Replies, and how they go over the wire (RESP2).

use std::io::Write;

/// What a command says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A number.
    Int(i64),
    /// Bytes.
    Bulk(Vec<u8>),
    /// Nothing.
    Nil,
    /// A word.
    Status(String),
    /// A list.
    Array(Vec<Self>),
    /// A code in capitals and a text.
    Error(String),
}

impl Reply {
    /// `+OK`.
    pub(crate) fn ok() -> Self {
        Self::Status("OK".to_owned())
    }

    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self::Error(text.into())
    }

    /// Appends it as it goes over the wire.
    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        // Writing to a vector does not fail.
        let _ = match self {
            Self::Int(number) => write!(bytes, ":{number}\r\n"),
            Self::Bulk(text) => {
                let _ = write!(bytes, "${}\r\n", text.len());
                bytes.extend_from_slice(text);
                write!(bytes, "\r\n")
            }
            Self::Nil => write!(bytes, "$-1\r\n"),
            Self::Status(word) => write!(bytes, "+{}\r\n", one_line(word)),
            Self::Error(text) => write!(bytes, "-{}\r\n", one_line(text)),
            Self::Array(replies) => {
                let _ = write!(bytes, "*{}\r\n", replies.len());
                for reply in replies {
                    reply.encode(bytes);
                }
                Ok(())
            }
        };
    }
}

impl<T: Into<Self>> From<Option<T>> for Reply {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nil, Into::into)
    }
}

impl From<i64> for Reply {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<Vec<u8>> for Reply {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bulk(bytes)
    }
}

impl From<String> for Reply {
    fn from(text: String) -> Self {
        Self::Bulk(text.into_bytes())
    }
}

/// A count.
impl From<usize> for Reply {
    fn from(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

/// A line ends what it stands in.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}
