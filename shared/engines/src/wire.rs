//! Just enough of two SQL wire protocols to see a COMMIT go by and its answer come back.

/// What goes over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Anything: no COMMIT is ever seen.
    Opaque,
    /// `PostgreSQL`, protocol 3.0, without TLS.
    Postgres,
    /// `MySQL` and `MariaDB`, without TLS and without compression.
    MySql,
}

/// Cuts what a client sends into messages, and finds the COMMITs.
#[derive(Debug)]
pub struct Requests {
    wire: Wire,
    buffer: Vec<u8>,
    /// `PostgreSQL`: the first messages have no type byte, up to and including the start-up message.
    started: bool,
    /// `PostgreSQL`: the prepared statement and portal that are a COMMIT, by name.
    statement: Option<Vec<u8>>,
    portal: Option<Vec<u8>>,
}

impl Requests {
    /// The start of a connection.
    pub fn new(wire: Wire) -> Self {
        Self {
            wire,
            buffer: Vec::new(),
            started: wire != Wire::Postgres,
            statement: None,
            portal: None,
        }
    }

    /// Takes what came in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message and whether it commits; `None` until more has come in. Of an opaque connection, all there
    /// is.
    pub fn next(&mut self) -> Option<(Vec<u8>, bool)> {
        let length = match self.wire {
            Wire::Opaque => Some(self.buffer.len()).filter(|length| *length > 0),
            Wire::Postgres if self.started => postgres_length(&self.buffer),
            Wire::Postgres => be(self.buffer.get(..4)?),
            Wire::MySql => mysql_length(&self.buffer),
        }?;
        if self.buffer.len() < length {
            return None;
        }
        let rest = self.buffer.split_off(length);
        let message = std::mem::replace(&mut self.buffer, rest);
        let commits = match self.wire {
            Wire::Opaque => false,
            Wire::Postgres => self.postgres_commits(&message),
            // After the header of four: the command, COM_QUERY; what begins a dialogue has sequence number 0.
            Wire::MySql => message.get(3) == Some(&0) && message.get(4) == Some(&3) && is_commit(&message[5..]),
        };
        Some((message, commits))
    }

    fn postgres_commits(&mut self, message: &[u8]) -> bool {
        if !self.started {
            // Protocol 3.x; requests for TLS or GSS and cancellations have other numbers.
            self.started = message.get(4..6) == Some(&[0, 3]);
            return false;
        }
        let body = &message[5..];
        let mut names = body.split(|byte| *byte == 0);
        match message[0] {
            b'Q' => is_commit(body),
            b'P' => {
                let (name, text) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
                if is_commit(text) {
                    self.statement = Some(name.to_vec());
                } else if self.statement.as_deref() == Some(name) {
                    self.statement = None;
                }
                false
            }
            b'B' => {
                let (portal, statement) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
                if self.statement.as_deref() == Some(statement) {
                    self.portal = Some(portal.to_vec());
                } else if self.portal.as_deref() == Some(portal) {
                    self.portal = None;
                }
                false
            }
            b'E' => self.portal.is_some() && self.portal.as_deref() == names.next(),
            _ => false,
        }
    }
}

/// Whether bytes from the server, from the end of an earlier answer on, hold a whole answer.
pub fn is_answered(wire: Wire, mut bytes: &[u8]) -> bool {
    match wire {
        Wire::Opaque => !bytes.is_empty(),
        Wire::MySql => mysql_length(bytes).is_some_and(|length| bytes.len() >= length),
        Wire::Postgres => {
            // Up to ReadyForQuery.
            while let Some(length) = postgres_length(bytes).filter(|length| bytes.len() >= *length) {
                if bytes[0] == b'Z' {
                    return true;
                }
                bytes = &bytes[length..];
            }
            false
        }
    }
}

/// A type byte, then a length that counts itself.
fn postgres_length(bytes: &[u8]) -> Option<usize> {
    Some(1 + be(bytes.get(1..5)?)?)
}

/// Three bytes of length, little end first, that count neither themselves nor the sequence number behind them.
fn mysql_length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(..3)?;
    Some(4 + usize::from(length[0]) + (usize::from(length[1]) << 8) + (usize::from(length[2]) << 16))
}

fn be(bytes: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
}

fn is_commit(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let text = text.strip_suffix(b"\0").unwrap_or(text).trim_ascii();
    let text = text.strip_suffix(b";").unwrap_or(text).trim_ascii();
    text.eq_ignore_ascii_case(b"COMMIT")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], &length[..], body].concat()
    }

    /// The messages that commit, whatever pieces they come in.
    fn commits(wire: Wire, sent: &[u8]) -> Vec<usize> {
        let found = |piece: usize| {
            let mut requests = Requests::new(wire);
            let (mut found, mut n, mut passed) = (Vec::new(), 0, Vec::new());
            for bytes in sent.chunks(piece) {
                requests.push(bytes);
                while let Some((message, commits)) = requests.next() {
                    passed.extend(message);
                    if commits {
                        found.push(n);
                    }
                    n += 1;
                }
            }
            assert_eq!(passed, sent, "everything passes unchanged");
            found
        };
        assert_eq!(found(1), found(sent.len()));
        found(1)
    }

    #[test]
    fn postgres_commits_are_found_simple_and_prepared() {
        let tls = [0, 0, 0, 8, 4, 210, 22, 47];
        let start = [0, 0, 0, 15, 0, 3, 0, 0, b'u', 0, b'C', b'O', b'M', 0, 0];
        let sent = [
            tls.to_vec(),
            start.to_vec(),
            message(b'Q', b"BEGIN\0"),
            message(b'Q', b"commit ;\0"),
            message(b'Q', b"SELECT 'COMMIT'\0"),
            message(b'P', b"s1\0COMMIT\0\0\0"),
            message(b'B', b"\0s1\0\0\0\0\0\0\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'B', b"\0s2\0\0\0\0\0\0\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'X', b""),
        ];
        assert_eq!(commits(Wire::Postgres, &sent.concat()), [3, 7]);
    }

    #[test]
    fn mysql_commits_are_found() {
        let login = [5, 0, 0, 1, 3, b'x', b'y', b'z', b'!'];
        let begin = [6, 0, 0, 0, 3, b'B', b'E', b'G', b'I', b'N'];
        let commit = [7, 0, 0, 0, 3, b'C', b'O', b'M', b'M', b'I', b'T'];
        let sent = [&login[..], &begin, &commit].concat();
        assert_eq!(commits(Wire::MySql, &sent), [2]);
    }

    #[test]
    fn an_answer_is_whole_or_not() {
        let answer = [message(b'C', b"COMMIT\0"), message(b'Z', b"I")].concat();
        assert!(is_answered(Wire::Postgres, &answer));
        assert!(!is_answered(Wire::Postgres, &answer[..answer.len() - 1]));
        assert!(is_answered(Wire::MySql, &[1, 0, 0, 1, 0]));
        assert!(!is_answered(Wire::MySql, &[1, 0, 0, 1]));
    }
}
