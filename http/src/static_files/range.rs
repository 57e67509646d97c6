//! Range requests (RFC 9110 §14). Several ranges at once are answered with the whole file, as §14.2 allows: nothing
//! that resumes a download asks for them, and they multiply the work of one request.

use http::header::{IF_RANGE, RANGE};
use http::{HeaderMap, Method};

use super::cache::Asset;
use super::conditional::date;

/// The part of a file that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    Whole,
    /// From the first of these bytes to before the second.
    Part(u64, u64),
    /// Nothing that exists.
    Nothing,
}

/// The part of `asset` that a request wants.
pub fn wanted(method: &Method, headers: &HeaderMap, asset: &Asset) -> Wanted {
    match headers.get(RANGE) {
        Some(range) if *method == Method::GET && is_current(headers, asset) => {
            parse(range.as_bytes(), asset.length)
        }
        _ => Wanted::Whole,
    }
}

/// `If-Range`: the part only if the file is still the same (§13.1.5; a weak tag never is).
fn is_current(headers: &HeaderMap, asset: &Asset) -> bool {
    match headers.get(IF_RANGE) {
        None => true,
        Some(tag) if tag.as_bytes().contains(&b'"') => tag == asset.etag,
        Some(_) => date(headers, IF_RANGE) == Some(asset.modified),
    }
}

/// `bytes=a-b`, `bytes=a-` or `bytes=-n` (§14.1.2); what is something else is as if it were not there.
fn parse(range: &[u8], length: u64) -> Wanted {
    let bounds = || {
        let spec = std::str::from_utf8(range)
            .ok()?
            .strip_prefix("bytes=")?
            .trim();
        let (first, last) = spec.split_once('-')?;
        Some((number(first)?, number(last)?))
    };
    match bounds() {
        Some((Some(first), Some(last))) if first > last => Wanted::Whole,
        Some((Some(first), _)) if first >= length => Wanted::Nothing,
        Some((Some(first), last)) => Wanted::Part(
            first,
            last.map_or(length, |last| last.saturating_add(1).min(length)),
        ),
        Some((None, Some(0))) => Wanted::Nothing,
        Some((None, Some(_))) if length == 0 => Wanted::Nothing,
        Some((None, Some(count))) => Wanted::Part(length.saturating_sub(count), length),
        Some((None, None)) | None => Wanted::Whole,
    }
}

/// A number that may be left out; `None` if it is something else.
fn number(text: &str) -> Option<Option<u64>> {
    match text {
        "" => Some(None),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok().map(Some),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_as_the_rfc_has_them() {
        for (range, wanted) in [
            ("bytes=0-0", Wanted::Part(0, 1)),
            ("bytes=500-999", Wanted::Part(500, 1000)),
            ("bytes=999-", Wanted::Part(999, 1000)),
            ("bytes=0-99999", Wanted::Part(0, 1000)),
            ("bytes=-1", Wanted::Part(999, 1000)),
            ("bytes=-5000", Wanted::Part(0, 1000)),
            ("bytes=1000-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-1", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("bytes=99999999999999999999-", Wanted::Whole),
        ] {
            assert_eq!(parse(range.as_bytes(), 1000), wanted, "{range}");
        }
    }

    proptest! {
        #[test]
        fn a_part_is_never_empty_nor_outside(range in "bytes=[0-9-]{0,24}", length in 0u64..5000) {
            if let Wanted::Part(from, to) = parse(range.as_bytes(), length) {
                prop_assert!(from < to && to <= length);
            }
        }
    }
}
