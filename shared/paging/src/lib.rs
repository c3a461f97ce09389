//! Pages of a list, as AIP-158 has them: a size, an opaque token, and no page numbers.
//!
//! A token is the key of the last row of the page before, so that rows which arrive meanwhile neither repeat nor hide
//! others, and a page costs the same wherever it is.

use std::str::FromStr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use status::Violations;

/// Which page is wanted. `K` is the key that orders the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<K> {
    /// At most this many rows, above zero.
    pub size: usize,
    /// Start behind the row with this key; `None` means at the beginning.
    pub after: Option<K>,
}

/// What sizes a list allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The size where the caller says 0.
    pub default: usize,
    /// The largest size.
    pub max: usize,
}

impl<K: FromStr> Page<K> {
    /// Reads `page_size` and `page_token`; notes violations of those two fields.
    pub fn parse(violations: &mut Violations, page_size: i32, page_token: &str, limits: Limits) -> Option<Self> {
        let size = match usize::try_from(page_size) {
            Ok(0) => Some(limits.default),
            Ok(size) if size <= limits.max => Some(size),
            _ => {
                violations.add(
                    "page_size",
                    format!("must be 0 (for {}) to {}", limits.default, limits.max),
                );
                None
            }
        };
        let after = if page_token.is_empty() {
            Some(None)
        } else {
            let key = URL_SAFE_NO_PAD
                .decode(page_token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .and_then(|text| text.parse().ok());
            if key.is_none() {
                violations.add("page_token", "must be empty or the next_page_token of the page before");
            }
            key.map(Some)
        };
        Some(Self {
            size: size?,
            after: after?,
        })
    }
}

/// The token of the page behind `key`.
pub fn token<K: ToString>(key: &K) -> String {
    URL_SAFE_NO_PAD.encode(key.to_string())
}

impl<K: ToString> Page<K> {
    /// Cuts `rows`, of which one more than the page's size was fetched, to the page, and makes the token of the next page
    /// from the key of its last row; the token is empty if this was the last page.
    pub fn cut<R>(&self, mut rows: Vec<R>, key: impl Fn(&R) -> K) -> (Vec<R>, String) {
        let more = rows.len() > self.size;
        rows.truncate(self.size);
        let token = rows
            .last()
            .filter(|_| more)
            .map(|row| token(&key(row)))
            .unwrap_or_default();
        (rows, token)
    }

    /// How many rows to fetch: one more than the page shows, to know whether another follows.
    pub fn fetch(&self) -> u64 {
        self.size as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { default: 2, max: 3 };

    fn parse(size: i32, token: &str) -> Result<Page<i64>, Vec<String>> {
        let mut violations = Violations::default();
        let page = Page::parse(&mut violations, size, token, LIMITS);
        page.ok_or_else(|| vec![violations.finish().unwrap_err().message().to_owned()])
    }

    #[test]
    fn pages_walk_a_list_to_its_end() {
        let all: Vec<i64> = (1..=5).collect();
        let (mut token, mut seen) = (String::new(), Vec::new());
        loop {
            let page = parse(0, &token).unwrap();
            let rows = all
                .iter()
                .copied()
                .filter(|n| page.after.is_none_or(|after| *n > after));
            let (rows, next) = page.cut(rows.take(usize::try_from(page.fetch()).unwrap()).collect(), |n| *n);
            seen.extend(rows);
            token = next;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn sizes_and_tokens_out_of_range_are_refused() {
        for size in [-1, 4, i32::MAX, i32::MIN] {
            assert!(parse(size, "").unwrap_err()[0].starts_with("page_size"), "{size}");
        }
        for token in ["!", "YQ", "ﬀ"] {
            assert!(parse(0, token).unwrap_err()[0].starts_with("page_token"), "{token}");
        }
    }
}
