//! One JSON object per line, with everything that is known of a request.

use std::io::Write as _;

use http::HeaderValue;

use super::{Record, Try, time};

/// Appends an object without a newline. Members that do not apply are left out.
pub fn write(record: &Record, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"time\":");
    string(out, time::rfc3339(record.at).as_bytes());
    member(out, "client", record.info.peer.to_string().as_bytes());
    if let Some((method, uri, version)) = &record.line {
        member(out, "method", method.as_str().as_bytes());
        member(
            out,
            "uri",
            uri.path_and_query().map_or("/", |p| p.as_str()).as_bytes(),
        );
        member(out, "protocol", format!("{version:?}").as_bytes());
    }
    for (name, value) in [
        ("host", &record.host),
        ("referer", &record.referer),
        ("user_agent", &record.user_agent),
    ] {
        if let Some(value) = value {
            member(out, name, HeaderValue::as_bytes(value));
        }
    }
    // Writing into a vector cannot fail.
    let _ = write!(
        out,
        ",\"status\":{},\"bytes\":{},\"seconds\":{:.6}",
        record.status,
        record.sent,
        record.begun.elapsed().as_secs_f64()
    );
    if let Some(tls) = record.info.tls.as_deref() {
        member(out, "tls_protocol", tls.protocol.as_str().as_bytes());
        member(out, "tls_suite", tls.suite.as_bytes());
        if let Some(sni) = &tls.sni {
            member(out, "tls_sni", sni.as_bytes());
        }
        let _ = write!(out, ",\"tls_resumed\":{}", tls.resumed);
        if let Some(peer) = &tls.peer {
            member(out, "tls_client", peer.sign.subject().as_bytes());
        }
    }
    upstream(out, &record.tries);
    out.push(b'}');
}

fn upstream(out: &mut Vec<u8>, tries: &[Try]) {
    if tries.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"upstream\":[");
    for (at, one) in tries.iter().enumerate() {
        out.extend_from_slice(if at == 0 {
            b"{\"address\":"
        } else {
            b",{\"address\":"
        });
        string(out, one.address.as_bytes());
        if let Some(status) = one.status {
            let _ = write!(out, ",\"status\":{status}");
        }
        let _ = write!(out, ",\"seconds\":{:.6}}}", one.took.as_secs_f64());
    }
    out.push(b']');
}

fn member(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    string(out, value);
}

/// A JSON string (RFC 8259 §7); bytes that are not UTF-8 become U+FFFD.
fn string(out: &mut Vec<u8>, text: &[u8]) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_and_always_unicode() {
        let mut out = Vec::new();
        string(&mut out, "a\"\\\n\u{4e2d}".as_bytes());
        string(&mut out, b"\xff");
        assert_eq!(
            String::from_utf8(out).expect("unicode"),
            "\"a\\\"\\\\\\u000a\u{4e2d}\"\"\u{fffd}\""
        );
    }
}
