//! The header of a message as it goes on: a `Received` field added (RFC 5321 § 4.4), fields taken away that only the
//! gateway may write, and nothing else touched, so that signatures (DKIM) stay valid. No I/O.

use std::net::IpAddr;
use std::time::SystemTime;

use bytes::BytesMut;

use super::structure::raw_fields;

/// Fields that say what the gateway thinks of a message.
const OURS: &[u8] = b"X-ALB-";

/// How a message has come.
#[derive(Debug)]
pub struct Trace<'t> {
    /// The name the client gave; `None` hides where it is.
    pub from: Option<(&'t str, IpAddr)>,
    /// The name of the gateway.
    pub by: &'t str,
    /// Protocol and suite of TLS or TLCP.
    pub tls: Option<(&'t str, &'t str)>,
    /// Whether a user has logged in.
    pub authenticated: bool,
    /// The policy's name for the message.
    pub id: &'t str,
    /// When it had come.
    pub at: SystemTime,
}

impl Trace<'_> {
    /// The field.
    fn field(&self) -> String {
        let from = self.from.map(|(name, ip)| {
            let literal = match ip {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("IPv6:{ip}"),
            };
            let name = if name.is_empty() { "unknown" } else { name };
            format!("from {name} ([{literal}])\r\n\t")
        });
        let tls = self
            .tls
            .map(|(protocol, suite)| format!(" ({protocol} {suite})"));
        // RFC 3848; TLCP is TLS by another name.
        let with = match (self.tls.is_some(), self.authenticated) {
            (true, true) => "ESMTPSA",
            (true, false) => "ESMTPS",
            (false, true) => "ESMTPA",
            (false, false) => "ESMTP",
        };
        let date = httpdate::fmt_http_date(self.at).replace("GMT", "+0000");
        format!(
            "Received: {}by {} with {with}{}\r\n\tid {}; {date}\r\n",
            from.unwrap_or_default(),
            self.by,
            tls.unwrap_or_default(),
            self.id
        )
    }
}

/// The header block as it goes on.
pub fn header(block: &[u8], trace: Option<&Trace<'_>>) -> BytesMut {
    let mut out = BytesMut::with_capacity(block.len() + 256);
    if let Some(trace) = trace {
        out.extend_from_slice(trace.field().as_bytes());
    }
    for field in raw_fields(block).filter(|field| !is_ours(field)) {
        out.extend_from_slice(field);
    }
    out
}

/// What a message that is held begins with: by whom, why, and by what name.
pub fn held_header(policy: &str, why: &str, id: &str) -> String {
    format!("X-ALB-Held: {policy}; {why}\r\n\t[{id}]\r\n")
}

fn is_ours(field: &[u8]) -> bool {
    let start = field.trim_ascii_start().get(..OURS.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(OURS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn trace() -> Trace<'static> {
        Trace {
            from: Some(("client.test", IpAddr::from([10, 0, 0, 1]))),
            by: "mail.test",
            tls: Some(("TLCPv1.1", "ECC_SM4_GCM_SM3")),
            authenticated: true,
            id: "a-1",
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_250_000),
        }
    }

    #[test]
    fn one_field_is_added_and_only_ours_are_taken_away() {
        let block =
            b"DKIM-Signature: v=1;\r\n  b=x\r\nx-alb-held: no\r\n more\r\nSubject:  odd  \r\n\r\n";
        let out = header(block, Some(&trace()));
        let expected = "Received: from client.test ([10.0.0.1])\r\n\tby mail.test with ESMTPSA (TLCPv1.1 ECC_SM4_GCM_SM3)\r\n\tid a-1; \
             Sat, 21 Nov 2026 08:33:20 +0000\r\nDKIM-Signature: v=1;\r\n  b=x\r\nSubject:  odd  \r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
        assert_eq!(&header(b"A: 1\r\n\r\n", None)[..], b"A: 1\r\n\r\n");
    }

    #[test]
    fn where_the_client_is_can_be_left_out() {
        let hidden = Trace {
            from: None,
            tls: None,
            authenticated: false,
            ..trace()
        };
        let field = hidden.field();
        assert!(
            field.starts_with("Received: by mail.test with ESMTP\r\n\tid "),
            "{field}"
        );
    }
}
