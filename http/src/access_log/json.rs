//! One JSON object per line, with everything that is known of a request.

use std::io::Write as _;

use alb_core::log::escape::{json_member as member, json_string as string, json_tls};
use alb_core::log::time;
use http::HeaderValue;

use super::{Record, Try};

/// Appends an object without a newline. Members that do not apply are left out.
pub fn write(record: &Record, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"time\":");
    string(out, time::rfc3339(record.at).as_bytes());
    client(record, out);
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
        json_tls(out, tls);
    }
    upstream(out, &record.tries);
    out.push(b'}');
}

/// Who asked; and the proxies in between, where a trusted one has told who asked.
fn client(record: &Record, out: &mut Vec<u8>) {
    let info = &record.info;
    if record.remote == info.peer.ip().to_canonical() {
        member(out, "client", info.peer.to_string().as_bytes());
    } else {
        member(out, "client", record.remote.to_string().as_bytes());
        member(out, "forwarded_by", info.peer.to_string().as_bytes());
    }
    if let Some(via) = info.via {
        member(out, "via", via.to_string().as_bytes());
    }
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
