//! `key` of a limit: what is counted apart.

use std::fmt;
use std::str::FromStr;

use crate::as_text::as_text;

/// What a limit counts apart: one source, or several that are taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitKey(Vec<KeySource>);

/// Where a part of a key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// Nothing is told apart: all share one count.
    All,
    /// The client's address, or so many leading bits of it.
    ClientIp {
        /// Bits of an IPv4 address, 1 to 32.
        v4: u8,
        /// Bits of an IPv6 address, 1 to 128.
        v6: u8,
    },
    /// The host a request is for.
    Server,
    /// The value of a header field; the name is in lower case.
    Header(String),
    /// The value of a cookie.
    Cookie(String),
    /// The user who has logged in.
    User,
    /// The subject of the client's verified certificate.
    Certificate,
}

impl LimitKey {
    /// The sources, in the order written; there is at least one.
    pub fn sources(&self) -> &[KeySource] {
        &self.0
    }
}

impl LimitKey {
    /// The user alone.
    pub(crate) fn user() -> Self {
        Self(vec![KeySource::User])
    }
}

impl Default for LimitKey {
    fn default() -> Self {
        Self(vec![KeySource::ClientIp { v4: 32, v6: 128 }])
    }
}

impl FromStr for LimitKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sources: Vec<KeySource> = text
            .split(',')
            .map(|part| part.trim().parse())
            .collect::<Result<_, _>>()?;
        if sources.len() > 1 && sources.contains(&KeySource::All) {
            return Err("`all` tells nothing apart: leave it out beside other keys".to_owned());
        }
        Ok(Self(sources))
    }
}

impl FromStr for KeySource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once([':', '/']).map_or((text, None), |(kind, rest)| {
            (kind, Some((text.as_bytes()[kind.len()], rest)))
        }) {
            ("all", None) => Ok(Self::All),
            ("client_ip", None) => Ok(Self::ClientIp { v4: 32, v6: 128 }),
            ("client_ip", Some((b'/', bits))) => prefixes(bits).ok_or_else(|| {
                format!("`{text}`: expected the bits of IPv4 (1 to 32) and of IPv6 (1 to 128), as in `client_ip/24/64`")
            }),
            ("server", None) => Ok(Self::Server),
            ("user", None) => Ok(Self::User),
            ("certificate", None) => Ok(Self::Certificate),
            ("header", Some((b':', name))) if is_token(name) => {
                Ok(Self::Header(name.to_ascii_lowercase()))
            }
            ("cookie", Some((b':', name))) if is_token(name) => Ok(Self::Cookie(name.to_owned())),
            ("header" | "cookie", _) => Err(format!(
                "`{text}` needs a name, as in `header:X-Api-Key` and `cookie:session`"
            )),
            _ => Err(format!(
                "`{text}` is not a key: expected `client_ip`, `client_ip/24/64`, `server`, `header:NAME`, `cookie:NAME`, \
                 `user`, `certificate` or `all`"
            )),
        }
    }
}

fn prefixes(bits: &str) -> Option<KeySource> {
    let (v4, v6) = bits.split_once('/')?;
    let (v4, v6) = (v4.parse().ok()?, v6.parse().ok()?);
    ((1..=32).contains(&v4) && (1..=128).contains(&v6)).then_some(KeySource::ClientIp { v4, v6 })
}

/// RFC 9110 §5.6.2: what the names of header fields and cookies are made of.
fn is_token(name: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(is_part)
}

impl fmt::Display for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, source) in self.0.iter().enumerate() {
            f.write_str(if number > 0 { ", " } else { "" })?;
            source.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::ClientIp { v4: 32, v6: 128 } => f.write_str("client_ip"),
            Self::ClientIp { v4, v6 } => write!(f, "client_ip/{v4}/{v6}"),
            Self::Server => f.write_str("server"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::User => f.write_str("user"),
            Self::Certificate => f.write_str("certificate"),
        }
    }
}

/// One of the parts that a key is joined from.
const ONE: &str =
    "(all|client_ip(/[0-9]+/[0-9]+)?|server|user|certificate|header:[^, ]+|cookie:[^, ]+)";

as_text!(LimitKey, { "type": "string", "pattern": format!("^{ONE}( *, *{ONE})*$") });

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<LimitKey, String> {
        text.parse()
    }

    #[test]
    fn keys_print_as_they_are_written() {
        for text in [
            "all",
            "client_ip",
            "client_ip/24/64",
            "client_ip, header:x-api-key",
            "cookie:session",
            "server, user, certificate",
        ] {
            assert_eq!(parsed(text).expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_with_what_was_expected() {
        for (text, reason) in [
            ("client", "is not a key"),
            ("client_ip/24", "as in `client_ip/24/64`"),
            ("client_ip/33/64", "1 to 32"),
            ("client_ip/0/64", "1 to 32"),
            ("client_ip:24/64", "is not a key"),
            ("header", "needs a name"),
            ("header:a b", "needs a name"),
            ("cookie/x", "needs a name"),
            ("client_ip,", "is not a key"),
            ("all, server", "leave it out"),
        ] {
            let error = parsed(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
