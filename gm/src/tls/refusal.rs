//! What visitors are told that Tongsuo never gets to see: those without a hello, and those with one nobody here can
//! answer.

use tokio::io::{AsyncRead, AsyncWrite};

use super::client_hello::NotAHello;
use super::error::{HandshakeError, Reason};
use super::first_record::NoHello;
use super::handshake::take_leave;
use super::protocol::version_name;

/// Answer to a request in plain HTTP, which could not read an alert.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\
Content-Type: text/plain\r\nContent-Length: 51\r\n\r\nthis port is encrypted: use https, or a TLCP client";

const FATAL_ALERT: [u8; 2] = [2, 21];

/// Alert descriptions, GB/T 38636 §6.4.2 and RFC 8446 §6.2.
#[derive(Clone, Copy)]
pub(super) enum Alert {
    HandshakeFailure = 40,
    DecodeError = 50,
    ProtocolVersion = 70,
}

/// A refusal: what to send, and what to log.
pub(super) struct Refusal {
    answer: Answer,
    error: HandshakeError,
}

enum Answer {
    Silence,
    Alert(Alert),
    PlainHttp,
}

impl Refusal {
    /// With an alert.
    pub(super) fn alert(
        alert: Alert,
        reason: Reason,
        message: impl Into<String>,
        help: &str,
    ) -> Self {
        let error = HandshakeError::new(reason, message, help);
        Refusal {
            answer: Answer::Alert(alert),
            error,
        }
    }

    fn silent(error: HandshakeError) -> Self {
        Refusal {
            answer: Answer::Silence,
            error,
        }
    }

    /// Tells the visitor, in the version of its own first record if that is TLCP, and closes the connection.
    pub(super) async fn deliver<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        stream: S,
        tlcp: bool,
    ) -> HandshakeError {
        match self.answer {
            Answer::Silence => {}
            Answer::Alert(alert) => take_leave(stream, &alert.record(tlcp)).await,
            Answer::PlainHttp => take_leave(stream, PLAIN_HTTP).await,
        }
        self.error
    }
}

impl From<NoHello> for Refusal {
    fn from(none: NoHello) -> Self {
        match none {
            NoHello::Transport(error) => Refusal::silent(HandshakeError::from_io(error)),
            NoHello::Closed(0) => {
                let message = "the client closed the connection without a word";
                let help = "port scans and health checks do this";
                Refusal::silent(HandshakeError::new(Reason::PeerClosed, message, help))
            }
            NoHello::Closed(n) => {
                let message = format!("the client closed the connection {n} bytes into its hello");
                Refusal::silent(HandshakeError::new(Reason::PeerClosed, message, ""))
            }
            NoHello::Not(not) => not.into(),
        }
    }
}

impl From<NotAHello> for Refusal {
    fn from(not: NotAHello) -> Self {
        let malformed =
            |message| Refusal::alert(Alert::DecodeError, Reason::MalformedHello, message, "");
        match not {
            NotAHello::Http => {
                let message = "plain HTTP on an encrypted port";
                let help = "the client has to use https:// (or TLCP)";
                let error = HandshakeError::new(Reason::PlainHttp, message, help);
                Refusal {
                    answer: Answer::PlainHttp,
                    error,
                }
            }
            NotAHello::Foreign { first } => {
                let message = format!(
                    "neither TLS nor TLCP: the first byte is 0x{first:02X}, a hello begins with 0x16"
                );
                Refusal::alert(Alert::DecodeError, Reason::NotTls, message, "")
            }
            NotAHello::Version(seen) => {
                let message = format!(
                    "the first record has version {}, which is neither TLCP nor TLS",
                    version_name(seen)
                );
                Refusal::alert(
                    Alert::ProtocolVersion,
                    Reason::NoCommonProtocol,
                    message,
                    "",
                )
            }
            NotAHello::Malformed => malformed("the client's hello is malformed"),
            NotAHello::TooLong => malformed("the client's hello is longer than 32 KiB"),
        }
    }
}

impl Alert {
    /// A plaintext record with this alert, fatal. A TLS alert before any agreement carries 0x0303, whatever the
    /// hello's record said (RFC 8446 §5.1).
    fn record(self, tlcp: bool) -> [u8; 7] {
        let [level, kind] = FATAL_ALERT;
        let [major, minor] = if tlcp { [1, 1] } else { [3, 3] };
        [kind, major, minor, 0, 2, level, self as u8]
    }
}
