//! Active checks of mail servers: greeting, EHLO, CAPABILITY or CAPA, with STARTTLS where the sessions have it, and a goodbye.

use std::sync::Arc;

use alb_conf::{HealthKind, MailProtocol, Spanned, Upstream};
use alb_core::Stream;
use alb_core::health::{Asked, Foreign, Found};
use alb_core::tls::Connector;

use crate::backend::{Account, Deep, Envelope, Failed, Opened, goodbye, greet, look, words};
use crate::learned::Learned;
use crate::secret::Secret;
use crate::service::machine_name;
use crate::wire::Wire;

/// The capability that voids what the audit log says of who is logged in.
pub(crate) const VOIDS: &str = "UNAUTHENTICATE";

/// How a server begins that serves nobody now.
const BUSY: &[u8] = b"421";

/// The check of an upstream whose peers are asked in a protocol of mail; `None` for others. `tls` is what the upstream's
/// connections are protected with; what the servers offer goes to `learned`; `password` is
/// that of the account of deep checks.
pub fn check(
    written: &Upstream,
    tls: Option<&Arc<Connector>>,
    learned: Option<&Arc<Learned>>,
    password: Option<Secret>,
) -> Option<Foreign> {
    let health = written.health.as_deref()?;
    let protocol = protocol_of(*health.kind)?;
    let deep = health.deep.as_deref().map(|deep| of(deep, password));
    let expected = match (protocol, &deep) {
        (MailProtocol::Smtp, None) => "a greeting and an answer to EHLO",
        (MailProtocol::Imap, None) => "a greeting and capabilities",
        (MailProtocol::Pop3, None) => "a greeting and an answer to CAPA",
        (MailProtocol::Smtp, Some(_)) => "a sender and a recipient taken",
        (MailProtocol::Imap | MailProtocol::Pop3, Some(_)) => "a login and an open mailbox",
    };
    let upgrades = *written.mail.starttls;
    let probe = Arc::new(Probe {
        protocol,
        tls: tls.filter(|_| upgrades).cloned(),
        learned: learned.cloned(),
        deep,
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

/// What a deep check goes by.
fn of(written: &alb_conf::Deep, password: Option<Secret>) -> Deep {
    let text = |text: &Option<Spanned<String>>| text.as_deref().cloned().unwrap_or_default();
    let user = written.user.as_deref().cloned();
    let account = user.zip(password);
    Deep {
        account: account.map(|(user, password)| Account { user, password }),
        envelope: Envelope {
            sender: text(&written.sender),
            recipient: text(&written.recipient),
        },
    }
}

/// What is asked of each server of an upstream.
struct Probe {
    protocol: MailProtocol,
    /// For STARTTLS.
    tls: Option<Arc<Connector>>,
    learned: Option<Arc<Learned>>,
    deep: Option<Deep>,
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
        let mut opened = match greet(wire, self.protocol, &machine_name(), shake, None).await {
            Ok(opened) => opened,
            Err(failed) => return Found::Bad(seen(failed)),
        };
        let found = self.look(&mut opened).await;
        if let (Some(learned), Found::Good | Found::Flawed(_)) = (&self.learned, &found) {
            let address = asked.peer.address();
            let voids = voids(&opened);
            // Without the login nothing is seen of what comes behind it.
            if voids || matches!(found, Found::Good) {
                learned.judge(&asked.upstream, address, voids);
            }
            learned.take(&asked.upstream, vec![(address.clone(), opened.offers)]);
        }
        // The verdict is known; politeness may fail.
        let _ = opened.wire.send(goodbye(self.protocol)).await;
        opened.wire.finish().await;
        found
    }

    /// Goes as deep as is configured. That an account is not let in says nothing of the server: it is told, and the server
    /// stays in use.
    async fn look(&self, opened: &mut Opened) -> Found {
        let Some(deep) = &self.deep else {
            return Found::Good;
        };
        match look(opened, self.protocol, deep).await {
            Ok(()) => Found::Good,
            Err(Failed::Rejected(refusal)) if refusal.is_of_credentials() => {
                Found::Flawed(format!(
                    "the server rejects the login of the check's own account: `{}`; set `user` and `password_file` of `health.deep` \
                 right, or open the account at the server: until then the check does not look into mailboxes",
                    refusal.text
                ))
            }
            // The account is in use elsewhere (RFC 5530 § 3, RFC 3206 § 4).
            Err(Failed::Rejected(refusal)) if refusal.is_for_now() => Found::Busy(refusal.text),
            Err(failed) => Found::Bad(seen(failed)),
        }
    }
}

/// Whether a client could log out without leaving (RFC 8437); some servers say so only after the login.
fn voids(opened: &Opened) -> bool {
    let welcome = opened
        .welcome
        .split(|b| b.is_ascii_whitespace() || *b == b']');
    let mut words = welcome.map(|word| word.eq_ignore_ascii_case(VOIDS.as_bytes()));
    opened.offers.has(VOIDS) || words.any(|found| found)
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
        Failed::Unreachable(why)
        | Failed::Unfit(why)
        | Failed::Declined(why)
        | Failed::Unavailable(why) => why,
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
