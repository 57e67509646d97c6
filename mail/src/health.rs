//! Active checks of mail servers: greeting, EHLO, CAPABILITY or CAPA, with STARTTLS where the sessions have it, and a goodbye.

use std::sync::Arc;

use alb_conf::{HealthKind, MailProtocol, Upstream};
use alb_core::Stream;
use alb_core::health::{Asked, Foreign, Found};
use alb_core::tls::Connector;

use crate::backend::{Failed, goodbye, greet, words};
use crate::learned::Learned;
use crate::service::machine_name;
use crate::wire::Wire;

/// How a server begins that serves nobody now.
const BUSY: &[u8] = b"421";

/// The check of an upstream whose peers are asked in a protocol of mail; `None` for others. `tls` is what the upstream's
/// connections are protected with; what the servers offer goes to `learned`.
pub fn check(
    written: &Upstream,
    tls: Option<&Arc<Connector>>,
    learned: Option<&Arc<Learned>>,
) -> Option<Foreign> {
    let protocol = protocol_of(*written.health.as_ref()?.kind)?;
    let expected = match protocol {
        MailProtocol::Smtp => "a greeting and an answer to EHLO",
        MailProtocol::Imap => "a greeting and capabilities",
        MailProtocol::Pop3 => "a greeting and an answer to CAPA",
    };
    let upgrades = *written.mail.starttls;
    let probe = Arc::new(Probe {
        protocol,
        tls: tls.filter(|_| upgrades).cloned(),
        learned: learned.cloned(),
    });
    Some(Foreign {
        expected: expected.to_owned(),
        talk: Box::new(move |stream, asked| {
            let probe = Arc::clone(&probe);
            Box::pin(async move { probe.ask(stream, &asked).await })
        }),
    })
}

/// The protocol that a check of this kind speaks, if it is one of mail.
pub(crate) fn protocol_of(kind: HealthKind) -> Option<MailProtocol> {
    match kind {
        HealthKind::Smtp => Some(MailProtocol::Smtp),
        HealthKind::Imap => Some(MailProtocol::Imap),
        HealthKind::Pop3 => Some(MailProtocol::Pop3),
        _ => None,
    }
}

/// What is asked of each server of an upstream.
struct Probe {
    protocol: MailProtocol,
    /// For STARTTLS.
    tls: Option<Arc<Connector>>,
    learned: Option<Arc<Learned>>,
}

impl Probe {
    /// Asks over a connection of its own.
    async fn ask(&self, stream: Stream, asked: &Asked) -> Found {
        let mut wire = Wire::new(stream);
        if self.protocol == MailProtocol::Smtp
            && let Some(busy) = too_busy(&mut wire).await
        {
            return Found::Busy(busy);
        }
        let shake = self.tls.as_ref().map(|tls| {
            async move |socket| {
                let stream = tls.connect(socket, name_of(&asked.host)).await;
                let stream = stream.map_err(Failed::unreachable)?;
                Ok(Stream::Tls(Box::new(stream)))
            }
        });
        let mut opened = match greet(wire, self.protocol, &machine_name(), shake).await {
            Ok(opened) => opened,
            Err(failed) => return Found::Bad(seen(failed)),
        };
        let voids = opened.offers.has("UNAUTHENTICATE");
        if let Some(learned) = &self.learned {
            let address = asked.peer.address();
            learned.judge(&asked.upstream, address, voids);
            learned.take(
                &asked.upstream,
                vec![(address.clone(), opened.offers.clone())],
            );
        }
        // The verdict is known; politeness may fail.
        let _ = opened.wire.send(goodbye(self.protocol)).await;
        opened.wire.finish().await;
        Found::Good
    }
}

/// The greeting of a server that has no room for the moment (RFC 5321 § 3.8); it stays where it is otherwise.
async fn too_busy(wire: &mut Wire) -> Option<String> {
    while wire.buffer.len() < BUSY.len() && wire.fill().await.is_ok_and(|read| read > 0) {}
    let line = wire.buffer[..].split(|b| *b == b'\n').next()?;
    line.starts_with(BUSY).then(|| words(line))
}

/// What a server has done wrong.
fn seen(failed: Failed) -> String {
    match failed {
        Failed::Unreachable(why) | Failed::Unavailable(why) => why,
        Failed::Rejected(refusal) => refusal.text,
    }
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
