//! Access lists on requests: those of sites and routes, and the listener's for the clients of trusted proxies.

use std::time::Instant;

use alb_core::access::AccessList;
use http::{Request, StatusCode};

use crate::body::Body;
use crate::connection::Client;
use crate::remote::Remote;

/// Lets a request pass, or counts and logs that it does not.
pub(crate) fn check(
    list: Option<&AccessList>,
    remote: Remote,
    client: &Client,
    request: &Request<Body>,
) -> Result<(), StatusCode> {
    match list {
        Some(list) if !list.permits(remote.ip) => {
            deny(list, remote, client, request);
            Err(StatusCode::FORBIDDEN)
        }
        _ => Ok(()),
    }
}

#[cold]
fn deny(list: &AccessList, remote: Remote, client: &Client, request: &Request<Body>) {
    let worker = &client.worker;
    worker.stats.access_denied.increment();
    if let Some(held_back) = worker.denials.due(Instant::now()) {
        tracing::warn!(
            client = %remote.ip, access = list.name(), method = %request.method(),
            path = request.uri().path(), held_back,
            "request denied by an access list"
        );
    }
}
