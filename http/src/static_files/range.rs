//! Range requests (RFC 9110 §14).

use std::ops::Range;

use http::header::{IF_RANGE, RANGE};
use http::{HeaderMap, Method};

use super::cache::Asset;
use super::conditional::date;

/// The part of a file that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    Whole,
    /// These bytes; never none.
    Part(Range<u64>),
    /// Several parts, in the order in which they were asked for; at least two.
    Parts(Vec<Range<u64>>),
    /// Nothing that exists.
    Nothing,
}

/// Ranges in one request; one with more gets the whole file.
const MOST: usize = 64;

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

/// `bytes=` and ranges between commas (§14.1.2); what is something else is as if it were not there. Ranges of more bytes than
/// the file has would multiply the work of one request: they get it once (§14.2), as from nginx.
fn parse(range: &[u8], length: u64) -> Wanted {
    let parts = || {
        let specs = std::str::from_utf8(range).ok()?.strip_prefix("bytes=")?;
        let specs = specs.split(',').map(str::trim).filter(|s| !s.is_empty());
        specs
            .map(|spec| part(spec, length))
            .collect::<Option<Vec<_>>>()
    };
    let Some(parts) = parts().filter(|parts| (1..=MOST).contains(&parts.len())) else {
        return Wanted::Whole;
    };
    let mut parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    match parts.len() {
        0 => Wanted::Nothing,
        1 => Wanted::Part(parts.remove(0)),
        _ if parts.iter().map(|part| part.end - part.start).sum::<u64>() > length => Wanted::Whole,
        _ => Wanted::Parts(parts),
    }
}

/// `a-b`, `a-` or `-n`; empty if a file of this length has no such bytes, `None` if it is something else.
fn part(spec: &str, length: u64) -> Option<Range<u64>> {
    let (first, last) = spec.split_once('-')?;
    match (number(first)?, number(last)?) {
        (Some(first), Some(last)) if first > last => None,
        (Some(first), last) => {
            let end = last.map_or(length, |last| last.saturating_add(1).min(length));
            Some(first..end)
        }
        (None, Some(count)) => Some(length.saturating_sub(count)..length),
        (None, None) => None,
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
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=500-999", Wanted::Part(500..1000)),
            ("bytes=999-", Wanted::Part(999..1000)),
            ("bytes=0-99999", Wanted::Part(0..1000)),
            ("bytes=-1", Wanted::Part(999..1000)),
            ("bytes=-5000", Wanted::Part(0..1000)),
            ("bytes=1000-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-1", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Parts(vec![0..2, 5..7])),
            (
                "bytes=900-, 0-0 ,-1",
                Wanted::Parts(vec![900..1000, 0..1, 999..1000]),
            ),
            ("bytes=0-0,1000-", Wanted::Part(0..1)),
            ("bytes=1000-,-0", Wanted::Nothing),
            ("bytes=0-600,0-600", Wanted::Whole),
            ("bytes=0-0,x", Wanted::Whole),
            ("bytes=,", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("bytes=99999999999999999999-", Wanted::Whole),
        ] {
            assert_eq!(parse(range.as_bytes(), 1000), wanted, "{range}");
        }
    }

    proptest! {
        #[test]
        fn parts_are_never_empty_nor_outside_nor_more_than_the_file(
            range in "bytes=[0-9,-]{0,24}",
            length in 0u64..5000,
        ) {
            let parts = match parse(range.as_bytes(), length) {
                Wanted::Part(part) => vec![part],
                Wanted::Parts(parts) => parts,
                Wanted::Whole | Wanted::Nothing => vec![],
            };
            prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= length));
            prop_assert!(parts.iter().map(|part| part.end - part.start).sum::<u64>() <= length);
        }
    }
}
