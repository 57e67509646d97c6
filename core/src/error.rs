//! The error that travels along a request's path: what happened, on which side, and because of what.
//! It maps to a status or a log level in exactly one function per protocol, never here.

use std::fmt;
use std::io;

/// A failure while serving a client.
#[derive(Debug)]
pub struct Error {
    /// What happened.
    pub kind: Kind,
    /// Whose side of the gateway it happened on.
    pub side: Side,
    /// The lower-level error, if there is one.
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Whose side a failure happened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Between the client and the gateway.
    Client,
    /// Between the gateway and a peer of an upstream.
    Upstream,
    /// In the gateway itself.
    Gateway,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Every peer is down, failed or already tried.
    NoLivePeer,
    /// The connection could not be made.
    Connect,
    /// The connection was not made in time.
    ConnectTimeout,
    /// TLS or TLCP was not agreed on.
    Handshake,
    /// Nothing arrived in time.
    ReadTimeout,
    /// Nothing could be sent in time.
    WriteTimeout,
    /// The other side closed too early.
    Closed,
    /// The other side broke its protocol.
    Malformed,
    /// A configured limit was exceeded.
    TooLarge,
    /// Reading or writing failed.
    Io,
    /// A fault of the gateway.
    Internal,
}

impl Error {
    /// An error without a lower-level cause.
    pub fn new(kind: Kind, side: Side) -> Self {
        Error {
            kind,
            side,
            cause: None,
        }
    }

    /// An error with the lower-level one that caused it.
    pub fn because(
        kind: Kind,
        side: Side,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Error {
            kind,
            side,
            cause: Some(cause.into()),
        }
    }

    /// Classifies an I/O error: an early end is `Closed`, an elapsed timer `ReadTimeout`, all else `Io`.
    pub fn io(side: Side, cause: io::Error) -> Self {
        let kind = match cause.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => Kind::Closed,
            io::ErrorKind::TimedOut => Kind::ReadTimeout,
            _ => Kind::Io,
        };
        Error::because(kind, side, cause)
    }
}

impl Kind {
    /// The words used in messages and as the label of counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::NoLivePeer => "no live peer",
            Kind::Connect => "cannot connect",
            Kind::ConnectTimeout => "connecting timed out",
            Kind::Handshake => "handshake failed",
            Kind::ReadTimeout => "reading timed out",
            Kind::WriteTimeout => "writing timed out",
            Kind::Closed => "closed early",
            Kind::Malformed => "protocol error",
            Kind::TooLarge => "too large",
            Kind::Io => "i/o error",
            Kind::Internal => "internal error",
        }
    }

    /// What an operator can do about a peer that failed in this way.
    pub fn remedy(self) -> &'static str {
        match self {
            Kind::NoLivePeer => {
                "every peer is down, has just failed or is an unresolved name: see the earlier lines of this upstream"
            }
            Kind::Connect => {
                "check that the server runs, listens at this address and is not behind a firewall"
            }
            Kind::ConnectTimeout => "check the network to the peer, or raise `connect_timeout`",
            Kind::Handshake => {
                "compare the upstream's `tls` with what `alb probe` says of the peer"
            }
            Kind::ReadTimeout => "find out why the server is slow, or raise `response_timeout`",
            Kind::WriteTimeout => "find out why the server does not read, or raise `send_timeout`",
            Kind::Malformed => {
                "check that the server speaks the upstream's `protocol`, and `tls` if it is set"
            }
            Kind::TooLarge => {
                "the head of the server's answer is too large: look for cookies that grow"
            }
            Kind::Closed | Kind::Io | Kind::Internal => {
                "look into the server's own log at this time"
            }
        }
    }
}

impl Side {
    /// The word used in messages and as the label of counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Client => "client",
            Side::Upstream => "upstream",
            Side::Gateway => "gateway",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.side.as_str(), self.kind.as_str())?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_side_kind_and_cause() {
        let error = Error::because(Kind::Connect, Side::Upstream, "connection refused");
        assert_eq!(
            error.to_string(),
            "upstream: cannot connect: connection refused"
        );
    }

    #[test]
    fn reset_counts_as_closed() {
        let error = Error::io(Side::Client, io::ErrorKind::ConnectionReset.into());
        assert_eq!(error.kind, Kind::Closed);
    }
}
