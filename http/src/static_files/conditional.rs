//! Preconditions (RFC 9110 §13), in the order of §13.2.2.

use std::time::UNIX_EPOCH;

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderName};

use super::cache::Asset;
use crate::h1::fields::members;

/// What the preconditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Send the file.
    Send,
    /// The client has it already.
    NotModified,
    /// It is not what the client expects.
    Failed,
}

/// Checks a request's preconditions against a file.
pub fn check(headers: &HeaderMap, asset: &Asset) -> Condition {
    let etag = asset.etag.as_bytes();
    if headers.contains_key(IF_MATCH) {
        if !lists(headers, IF_MATCH, |tag| tag == etag) {
            return Condition::Failed;
        }
    } else if date(headers, IF_UNMODIFIED_SINCE).is_some_and(|since| asset.modified > since) {
        return Condition::Failed;
    }
    let has_it = if headers.contains_key(IF_NONE_MATCH) {
        lists(headers, IF_NONE_MATCH, |tag| {
            tag.strip_prefix(b"W/").unwrap_or(tag) == etag
        })
    } else {
        date(headers, IF_MODIFIED_SINCE).is_some_and(|since| asset.modified <= since)
    };
    if has_it {
        Condition::NotModified
    } else {
        Condition::Send
    }
}

/// A field's date, in seconds since 1970; what is no date does not count (§13.1.3).
pub fn date(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    let date = httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()?;
    Some(date.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

fn lists(headers: &HeaderMap, name: HeaderName, matches: impl Fn(&[u8]) -> bool) -> bool {
    headers
        .get_all(name)
        .iter()
        .flat_map(|v| members(v.as_bytes()))
        .any(|tag| tag == b"*" || matches(tag))
}
