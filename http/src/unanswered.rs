//! What is said of a request that no peer answered: a status to the client, everything else to the operator.

use alb_core::upstream::PeerRef;
use alb_core::{Error, Side};
use http::header::HOST;
use http::{Request, StatusCode};

use crate::body::Body;
use crate::connection::Client;
use crate::handler;

/// Counts and logs the failure; the client learns only the status. `last` is the peer that was tried last.
pub(crate) fn give_up(
    client: &Client,
    asked: &Request<Body>,
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
            request = request(asked), help = error.kind.remedy(), "{error}"
        );
    }
    status
}

/// Method, host and path. The query stays out: it is where applications put their tokens.
fn request(asked: &Request<Body>) -> String {
    let host = asked
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    format!(
        "{} {}{}",
        asked.method(),
        host.unwrap_or("-"),
        asked.uri().path()
    )
}
