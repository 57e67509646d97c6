//! A host with an optional port, as `Host`, `:authority` and targets name it.

use memchr::memchr;

/// `host[:port]` as `Host` and `:authority` may have it: registered name, IPv4 or bracketed IPv6 (RFC 3986 §3.2.2).
pub fn is_host(value: &[u8]) -> bool {
    let (host, port) = match value.strip_prefix(b"[") {
        Some(rest) => match memchr(b']', rest) {
            Some(end) => {
                let inside = &rest[..end];
                let valid = inside
                    .iter()
                    .all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.' | b'v'));
                (if valid { inside } else { &b""[..] }, &rest[end + 1..])
            }
            None => return false,
        },
        None => value.split_at(memchr(b':', value).unwrap_or(value.len())),
    };
    let bracketed = value.first() == Some(&b'[');
    let host_valid = !host.is_empty() && (bracketed || host.iter().all(|b| is_reg_name(*b)));
    let port_valid = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    host_valid && port_valid
}

fn is_reg_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}
