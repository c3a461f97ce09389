//! Requests as they come over the wire: lists of words.

/// What is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A request and how many bytes it took.
type Taken = (Vec<Vec<u8>>, usize);

/// The first request of `bytes`; `None` if it is not all there yet.
pub fn request(bytes: &[u8]) -> Result<Option<Taken>, Malformed> {
    let Some((count, mut at)) = header(bytes, 0, b'*')? else {
        return Ok(None);
    };
    let mut words = Vec::with_capacity(count.min(bytes.len()));
    for _ in 0..count {
        let Some((len, start)) = header(bytes, at, b'$')? else {
            return Ok(None);
        };
        let end = start.checked_add(len).ok_or(Malformed)?;
        match bytes.get(end..).map(|rest| rest.split_at_checked(2)) {
            Some(Some((b"\r\n", _))) => {}
            Some(Some(_)) => return Err(Malformed),
            Some(None) | None => return Ok(None),
        }
        words.push(bytes[start..end].to_vec());
        at = end + 2;
    }
    Ok(Some((words, at)))
}

/// A number after `mark`, and where its line ends.
fn header(bytes: &[u8], at: usize, mark: u8) -> Result<Option<(usize, usize)>, Malformed> {
    let Some((first, rest)) = bytes.get(at..).and_then(<[u8]>::split_first) else {
        return Ok(None);
    };
    if *first != mark {
        return Err(Malformed);
    }
    let Some(len) = rest.windows(2).position(|two| two == b"\r\n") else {
        return Ok(None);
    };
    let number = str::from_utf8(&rest[..len]).ok().and_then(|text| text.parse().ok());
    Ok(Some((number.ok_or(Malformed)?, at + 1 + len + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_when_it_is_all_there() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$2\r\n\r\n\r\n*1\r\n$4\r\nPING\r\n";
        let first = vec![b"GET".to_vec(), b"\r\n".to_vec()];
        for end in 0..bytes.len() {
            let expected = (end >= 21).then(|| (first.clone(), 21));
            assert_eq!(request(&bytes[..end]), Ok(expected), "{end}");
        }
        assert_eq!(request(&bytes[21..]), Ok(Some((vec![b"PING".to_vec()], 14))));
        for bad in [&b"PING\r\n"[..], b"*x\r\n", b"*1\r\n+3\r\n", b"*1\r\n$1\r\nab\r\n"] {
            assert_eq!(request(bad), Err(Malformed), "{bad:?}");
        }
    }
}
