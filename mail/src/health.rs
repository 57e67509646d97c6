//! Active checks of mail servers: greeting, EHLO, CAPABILITY or CAPA, with STARTTLS where the sessions have it, and a goodbye.

use std::sync::Arc;

use alb_conf::{HealthKind, MailProtocol, Upstream};
use alb_core::Stream;
use alb_core::health::Foreign;
use alb_core::tls::Connector;

use crate::backend::{Failed, goodbye, greet};
use crate::service::machine_name;

/// The check of an upstream whose peers are asked in a protocol of mail; `None` for others. `tls` is what the upstream's
/// connections are protected with.
pub fn check(written: &Upstream, tls: Option<&Arc<Connector>>) -> Option<Foreign> {
    let (protocol, expected) = match *written.health.as_ref()?.kind {
        HealthKind::Smtp => (MailProtocol::Smtp, "a greeting and an answer to EHLO"),
        HealthKind::Imap => (MailProtocol::Imap, "a greeting and capabilities"),
        HealthKind::Pop3 => (MailProtocol::Pop3, "a greeting and an answer to CAPA"),
        _ => return None,
    };
    let upgrades = *written.mail.starttls;
    let tls = tls.filter(|_| upgrades).cloned();
    Some(Foreign {
        expected: expected.to_owned(),
        talk: Box::new(move |stream, host| Box::pin(ask(stream, protocol, tls.clone(), host))),
    })
}

/// Asks over a connection of its own; the error is what the server has done wrong.
async fn ask(
    stream: Stream,
    protocol: MailProtocol,
    tls: Option<Arc<Connector>>,
    host: String,
) -> Result<(), String> {
    let shake = tls.map(|tls| {
        async move |socket| {
            let stream = tls.connect(socket, name_of(&host)).await;
            let stream = stream.map_err(Failed::unreachable)?;
            Ok(Stream::Tls(Box::new(stream)))
        }
    });
    let opened = greet(stream, protocol, &machine_name(), shake, None).await;
    let mut opened = opened.map_err(|failed| match failed {
        Failed::Unreachable(why)
        | Failed::Unfit(why)
        | Failed::Declined(why)
        | Failed::Unavailable(why) => why,
        Failed::Rejected(refusal) => refusal.text,
    })?;
    // The verdict is known; politeness may fail.
    let _ = opened.wire.send(goodbye(protocol)).await;
    opened.wire.finish().await;
    Ok(())
}

/// A host without its port, as certificates name it.
fn name_of(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_neither_port_nor_brackets() {
        for (authority, name) in [
            ("mail.example.cn:143", "mail.example.cn"),
            ("10.0.0.1:143", "10.0.0.1"),
            ("[2001:db8::1]:143", "2001:db8::1"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(name_of(authority), name);
        }
    }
}
