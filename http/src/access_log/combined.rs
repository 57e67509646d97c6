//! The combined format, as nginx writes it: `address - - [time] "request" status bytes "referer" "agent"`.

use std::io::Write as _;

use alb_core::log::escape::text as escape;
use alb_core::log::time;
use http::HeaderValue;

use super::Record;
use crate::h1::encode::decimal;

/// Appends a line without its newline.
pub fn write(record: &Record, out: &mut Vec<u8>) {
    // Writing into a vector cannot fail.
    let _ = write!(
        out,
        "{} - - [{}] \"",
        record.remote,
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
