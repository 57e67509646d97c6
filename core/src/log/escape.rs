//! Writing what comes from outside into lines of a log, so that it can end neither a field nor a line.

use std::io::Write as _;

use alb_gm::tls::TlsInfo;

/// Appends text as nginx escapes it: what could end a field or a line, or is not printable, becomes `\xHH`.
pub fn text(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'"' | b'\\' | 0..=0x1f | 0x7f.. => {
                // Writing into a vector cannot fail.
                let _ = write!(out, "\\x{byte:02X}");
            }
            byte => out.push(*byte),
        }
    }
}

/// Appends `,"name":"value"`.
pub fn json_member(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    json_string(out, value);
}

/// Appends a JSON string (RFC 8259 §7); bytes that are not UTF-8 become U+FFFD.
pub fn json_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{0}'..='\u{1f}' | '\u{7f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// Appends the members of a JSON line that say how a client's connection is protected.
pub fn json_tls(out: &mut Vec<u8>, tls: &TlsInfo) {
    json_member(out, "tls_protocol", tls.protocol.as_str().as_bytes());
    json_member(out, "tls_suite", tls.suite.as_bytes());
    if let Some(sni) = &tls.sni {
        json_member(out, "tls_sni", sni.as_bytes());
    }
    let _ = write!(out, ",\"tls_resumed\":{}", tls.resumed);
    if let Some(peer) = tls.peer.verified() {
        json_member(out, "tls_client", peer.sign.subject().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_can_end_a_field_or_a_line() {
        let mut out = Vec::new();
        text(&mut out, b"a\"b\\c\nd\x7f\xe4");
        assert_eq!(out, br"a\x22b\x5Cc\x0Ad\x7F\xE4");
    }

    #[test]
    fn strings_are_escaped_and_always_unicode() {
        let mut out = Vec::new();
        json_string(&mut out, "a\"\\\n\u{4e2d}".as_bytes());
        json_string(&mut out, b"\xff");
        assert_eq!(
            String::from_utf8(out).expect("unicode"),
            "\"a\\\"\\\\\\u000a\u{4e2d}\"\"\u{fffd}\""
        );
    }
}
