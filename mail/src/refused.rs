//! Clients that are not let in: what they are told, in the words of their protocol.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use alb_conf::{MailProtocol, TlsMode};
use alb_core::tls::Acceptor;
use alb_core::{ConnInfo, Side, Socket};

use crate::client::Client;
use crate::service::Service;
use crate::worker::Worker;

/// Handshakes that a worker does at once only to refuse: more of them would be an attack of their own.
const MOST_HANDSHAKES: usize = 64;

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// By an access list.
    Denied,
    /// By a limit of connections.
    TooMany,
    /// Its address has failed to log in too often.
    LockedOut,
    /// It has not shown the certificate that the listener requires.
    NoCertificate,
    /// It has shown a certificate that is not good.
    BadCertificate,
}

impl Refused {
    /// What the client is told, a whole line.
    pub fn words(self, protocol: MailProtocol) -> &'static str {
        use MailProtocol::{Imap, Pop3, Smtp};
        match (self, protocol) {
            (Self::Denied, Smtp) => "554 5.7.1 Access denied\r\n",
            (Self::Denied, Imap) => "* BYE Access denied\r\n",
            (Self::Denied, Pop3) => "-ERR [SYS/PERM] Access denied\r\n",
            (Self::TooMany, Smtp) => "421 4.7.0 Too many connections, try again later\r\n",
            (Self::TooMany, Imap) => "* BYE [LIMIT] Too many connections, try again later\r\n",
            (Self::TooMany, Pop3) => "-ERR [SYS/TEMP] Too many connections, try again later\r\n",
            (Self::LockedOut, Smtp) => "421 4.7.0 Too many failed logins, try again later\r\n",
            (Self::LockedOut, Imap) => {
                "* BYE [UNAVAILABLE] Too many failed logins, try again later\r\n"
            }
            (Self::LockedOut, Pop3) => {
                "-ERR [SYS/TEMP] Too many failed logins, try again later\r\n"
            }
            // As nginx says it.
            (Self::NoCertificate, Smtp) => "421 4.7.1 No required SSL certificate\r\n",
            (Self::NoCertificate, Imap) => "* BYE No required SSL certificate\r\n",
            (Self::NoCertificate, Pop3) => "-ERR No required SSL certificate\r\n",
            (Self::BadCertificate, Smtp) => "421 4.7.1 SSL certificate error\r\n",
            (Self::BadCertificate, Imap) => "* BYE SSL certificate error\r\n",
            (Self::BadCertificate, Pop3) => "-ERR SSL certificate error\r\n",
        }
    }

    /// The word in the log.
    fn reason(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::TooMany => "too_many_connections",
            Self::LockedOut => "locked_out",
            Self::NoCertificate => "no_certificate",
            Self::BadCertificate => "bad_certificate",
        }
    }
}

impl Service {
    /// Whether the client's address has failed to log in too often.
    pub fn is_locked_out(&self, info: &ConnInfo) -> bool {
        self.lockout
            .locked(info.peer.ip(), Instant::now())
            .is_some()
    }

    /// The last words for a client of which nothing is known but that it is not let in; none where they would have to come
    /// in TLS.
    pub fn last_words(&self, why: Refused, local: SocketAddr) -> &'static str {
        match self.tls_mode(local) {
            Some(TlsMode::Implicit) => "",
            _ => why.words(self.protocol),
        }
    }
}

/// Turns a client away with a reply: in the clear, or in TLS where that comes first. Whom an access list denies gets no
/// handshake.
pub async fn refuse(
    socket: Socket,
    info: ConnInfo,
    acceptor: Option<Arc<Acceptor>>,
    service: Arc<Service>,
    worker: Rc<Worker>,
    why: Refused,
) {
    let at_once = service.tls_mode(info.local) == Some(TlsMode::Implicit);
    let mut client = Client::new(socket, info, acceptor, service, Rc::clone(&worker));
    client.record.refused = true;
    client.record.end(Side::Gateway, why.reason());
    if at_once {
        let under_way = worker.refusals.get();
        if why == Refused::Denied || under_way >= MOST_HANDSHAKES {
            return;
        }
        worker.refusals.set(under_way + 1);
        let secured = Box::pin(client.secure()).await;
        worker.refusals.set(worker.refusals.get() - 1);
        match secured {
            Some(secured) => client = secured,
            None => return,
        }
    }
    turn_away(client, why).await;
}

/// Says why, closes, and writes the line of the log.
pub async fn turn_away(mut client: Box<Client>, why: Refused) {
    client.record.refused = true;
    let words = why.words(client.service.protocol);
    client.dismiss(words).await;
    client.record.end(Side::Gateway, why.reason());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_one_line_of_its_protocol() {
        let all = [
            Refused::Denied,
            Refused::TooMany,
            Refused::LockedOut,
            Refused::NoCertificate,
            Refused::BadCertificate,
        ];
        for why in all {
            for (protocol, starts) in [
                (MailProtocol::Smtp, ["421 4.7.", "554 5.7."].as_slice()),
                (MailProtocol::Imap, &["* BYE "]),
                (MailProtocol::Pop3, &["-ERR "]),
            ] {
                let words = why.words(protocol);
                assert!(
                    starts.iter().any(|start| words.starts_with(start)),
                    "{words}"
                );
                assert_eq!(words.find("\r\n"), Some(words.len() - 2), "{words}");
            }
        }
    }
}
