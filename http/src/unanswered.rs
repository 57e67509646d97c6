//! What is said of a request that no peer answered: a status to the client, everything else to the operator.

use alb_core::upstream::PeerRef;
use alb_core::{Error, Kind, Side};
use http::StatusCode;
use http::header::HOST;
use http::request::Parts;

use crate::connection::Client;
use crate::handler;

/// Counts and logs the failure; the client learns only the status. `last` is the peer that was tried last.
pub(crate) fn give_up(
    client: &Client,
    asked: &Parts,
    upstream: &str,
    last: Option<&PeerRef>,
    error: &Error,
) -> StatusCode {
    let status = handler::status(error);
    if error.side == Side::Upstream {
        client.worker.stats.upstream_failures.increment();
        let peer = last.map_or_else(|| "none".to_owned(), |peer| peer.address().to_string());
        tracing::warn!(
            client = %client.info.peer, status = status.as_u16(), upstream, peer,
            request = request(asked), help = remedy(error.kind), "{error}"
        );
    }
    status
}

/// Method, host and path. The query stays out: it is where applications put their tokens.
fn request(asked: &Parts) -> String {
    let host = asked.headers.get(HOST).and_then(|host| host.to_str().ok());
    format!(
        "{} {}{}",
        asked.method,
        host.unwrap_or("-"),
        asked.uri.path()
    )
}

/// What an operator can do about a peer that failed in this way.
fn remedy(kind: Kind) -> &'static str {
    match kind {
        Kind::NoLivePeer => {
            "every peer is down, has just failed or is an unresolved name: see the earlier lines of this upstream"
        }
        Kind::Connect => {
            "check that the server runs, listens at this address and is not behind a firewall"
        }
        Kind::ConnectTimeout => "check the network to the peer, or raise `connect_timeout`",
        Kind::Handshake => "compare the upstream's `tls` with what `alb probe` says of the peer",
        Kind::ReadTimeout => "find out why the server is slow, or raise `response_timeout`",
        Kind::WriteTimeout => "find out why the server does not read, or raise `send_timeout`",
        Kind::Malformed => {
            "check that the server speaks the upstream's `protocol`, and `tls` if it is set"
        }
        Kind::TooLarge => {
            "the head of the server's answer is too large: look for cookies that grow"
        }
        Kind::Closed | Kind::Io | Kind::Internal => "look into the server's own log at this time",
    }
}
