//! Cookies: finding one in a request, and writing the one that keeps a client at its peer.

use alb_conf::{SameSite, Sticky};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// The value of the first cookie with this name (RFC 6265 § 4.2.1).
pub(crate) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let fields = headers.get_all(COOKIE).iter();
    let pairs = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    pairs
        .filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes()))
        .find_map(|rest| rest.strip_prefix(b"="))
}

/// The `Set-Cookie` field for a value; `secure`: the client came over TLS or TLCP.
pub(crate) fn set(sticky: &Sticky, value: &str, secure: bool) -> Option<HeaderValue> {
    let lifetime = sticky.expires.as_secs();
    let (name, path) = (&sticky.name, &sticky.path);
    let mut text = format!("{name}={value}; Max-Age={lifetime}; Path={path}");
    if let Some(domain) = &sticky.domain {
        text.push_str("; Domain=");
        text.push_str(domain);
    }
    if sticky.secure.unwrap_or(secure) {
        text.push_str("; Secure");
    }
    if sticky.http_only {
        text.push_str("; HttpOnly");
    }
    text.push_str(match sticky.same_site {
        SameSite::Strict => "; SameSite=Strict",
        SameSite::Lax => "; SameSite=Lax",
        SameSite::None => "; SameSite=None",
    });
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        let field = HeaderValue::from_static("xid=1; id=2;id=3;  last=a=b");
        headers.append(COOKIE, field);
        headers.append(COOKIE, HeaderValue::from_static("other=4"));
        let found = |name| find(&headers, name).map(|v| String::from_utf8_lossy(v).into_owned());
        assert_eq!(found("id").as_deref(), Some("2"));
        assert_eq!(found("last").as_deref(), Some("a=b"));
        assert_eq!(found("other").as_deref(), Some("4"));
        assert_eq!(found("i"), None);
    }

    #[test]
    fn the_cookie_is_hidden_from_scripts_and_secure_where_it_was_given_so() {
        let text = |secure| {
            let value = set(&Sticky::default(), "abc", secure).expect("a field");
            value.to_str().expect("ASCII").to_owned()
        };
        let plain = "alb_peer=abc; Max-Age=3600; Path=/; HttpOnly; SameSite=Lax";
        assert_eq!(text(false), plain);
        assert_eq!(
            text(true),
            "alb_peer=abc; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax"
        );
    }
}
