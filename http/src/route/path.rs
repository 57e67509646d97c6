//! A path as routes are matched against: decoded, without dot segments and repeated slashes.
//!
//! What a peer receives stays what the client sent. Here every spelling of a path becomes one, so that no
//! spelling gets around a route.

use std::borrow::Cow;

use memchr::memchr;

/// A path that has no one meaning: a broken escape, an encoded NUL, or dot segments that lead above the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path has a broken escape, a NUL, or leads above the root")]
pub struct BadPath;

/// The one form of `path`, which begins with a slash and has no query.
pub fn normalise(path: &str) -> Result<Cow<'_, [u8]>, BadPath> {
    let raw = path.as_bytes();
    if is_normal(raw) {
        return Ok(raw.into());
    }
    let decoded = decode(raw)?;
    let mut out: Vec<u8> = Vec::with_capacity(decoded.len());
    let mut segments = decoded.split(|b| *b == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            b"" | b"." if !last => {}
            b"" | b"." => out.push(b'/'),
            b".." => {
                if out.is_empty() {
                    return Err(BadPath);
                }
                let parent = out.iter().rposition(|b| *b == b'/').unwrap_or(0);
                out.truncate(parent);
                if last {
                    out.push(b'/');
                }
            }
            segment => {
                out.push(b'/');
                out.extend_from_slice(segment);
            }
        }
    }
    Ok(out.into())
}

/// Nothing encoded, no empty segment, no segment that begins with a dot.
fn is_normal(path: &[u8]) -> bool {
    memchr(b'%', path).is_none() && !path.windows(2).any(|pair| matches!(pair, b"//" | b"/."))
}

fn decode(raw: &[u8]) -> Result<Vec<u8>, BadPath> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || {
            rest.next()
                .and_then(|d| char::from(d).to_digit(16))
                .ok_or(BadPath)
        };
        match digit()? * 16 + digit()? {
            0 => return Err(BadPath),
            value => out.push(value as u8),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_becomes_one() {
        for (sent, matched) in [
            ("/", "/"),
            ("/admin", "/admin"),
            ("//admin", "/admin"),
            ("/./admin", "/admin"),
            ("/x/../admin", "/admin"),
            ("/x/%2e%2E/admin", "/admin"),
            ("/x%2f..%2Fadmin", "/admin"),
            ("/%61dmin", "/admin"),
            ("/admin/.", "/admin/"),
            ("/admin/x/..", "/admin/"),
            ("/a/b/../../c//", "/c/"),
            ("/.well-known", "/.well-known"),
            ("/a%20b", "/a b"),
        ] {
            assert_eq!(normalise(sent).as_deref(), Ok(matched.as_bytes()), "{sent}");
        }
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for path in [
            "/..",
            "/a/../..",
            "/%2e%2e/x",
            "/%",
            "/%4",
            "/%zz",
            "/a%00b",
        ] {
            assert_eq!(normalise(path), Err(BadPath), "{path}");
        }
    }

    proptest! {
        #[test]
        fn the_result_has_no_dot_segment_no_empty_segment_and_a_leading_slash(path in "/[a./%2eEfF]{0,24}") {
            if let Ok(path) = normalise(&path) {
                prop_assert_eq!(path[0], b'/');
                let segments: Vec<&[u8]> = path[1..].split(|b| *b == b'/').collect();
                for (at, segment) in segments.iter().enumerate() {
                    prop_assert!(*segment != b"." && *segment != b"..");
                    prop_assert!(!segment.is_empty() || at == segments.len() - 1);
                }
            }
        }
    }
}
