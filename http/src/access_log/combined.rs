//! The combined format, as nginx writes it: `address - - [time] "request" status bytes "referer" "agent"`.

use std::io::Write as _;

use http::HeaderValue;

use super::{Record, time};
use crate::h1::encode::decimal;

/// Appends a line without its newline.
pub fn write(record: &Record, out: &mut Vec<u8>) {
    // Writing into a vector cannot fail.
    let _ = write!(
        out,
        "{} - - [{}] \"",
        record.info.peer.ip().to_canonical(),
        time::common(record.at)
    );
    if let Some((method, uri, version)) = &record.line {
        out.extend_from_slice(method.as_str().as_bytes());
        out.push(b' ');
        let target = uri.path_and_query().map_or("/", |p| p.as_str());
        escape(out, target.as_bytes());
        let _ = write!(out, " {version:?}");
    }
    let _ = write!(out, "\" {} ", record.status);
    decimal(out, record.sent);
    for field in [&record.referer, &record.user_agent] {
        out.extend_from_slice(b" \"");
        escape(out, field.as_ref().map_or(b"-", HeaderValue::as_bytes));
        out.push(b'"');
    }
}

/// What could end a field or a line, or is not printable, becomes `\xHH`, as in nginx.
fn escape(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'"' | b'\\' | 0..=0x1f | 0x7f.. => {
                let _ = write!(out, "\\x{byte:02X}");
            }
            byte => out.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_can_end_a_field_or_a_line() {
        let mut out = Vec::new();
        escape(&mut out, b"a\"b\\c\nd\x7f\xe4");
        assert_eq!(out, br"a\x22b\x5Cc\x0Ad\x7F\xE4");
    }
}
