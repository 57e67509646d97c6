//! A request to an upstream: choose a peer, connect or reuse, exchange, and try another peer where that is safe.

use std::time::Instant;

use alb_conf::{Retry, RetryOn};
use alb_core::upstream::{Outcome, PeerRef, Tried};
use alb_core::{Error, Kind, Side};
use http::header::HOST;
use http::{HeaderValue, Method, Request, Response, StatusCode};

use crate::access_log::{Record, Try};
use crate::body::Body;
use crate::connection::Client;
use crate::context::Context;
use crate::exchange::{self, Failed};
use crate::{affinity, handler, headers, unanswered};

/// A request on its way to an upstream.
pub(crate) struct Outbound<'a> {
    /// Method, target and fields as the peer will see them, and the body; taken when it cannot be sent again.
    pub request: &'a mut Request<Body>,
    /// The protocol to change to, if the client wants to.
    pub upgrade: Option<HeaderValue>,
}

/// Forwards a request to the upstream with this number; every failure is a status.
pub(crate) async fn forward(
    context: Context<'_>,
    upstream: usize,
    request: &mut Request<Body>,
    record: &mut Option<Box<Record>>,
) -> Result<Response<Body>, StatusCode> {
    let Context { client, pinned, .. } = context;
    let mut outbound = prepare(context, request)?;
    let settings = pinned.tables.upstreams[upstream].settings();
    let cursor = &pinned.cursors[upstream];
    // Reading the clock is not free: the first pick and a success take the time from here.
    let begun = Instant::now();
    let mut now = begun;
    let mut tried = Tried::default();
    let mut result = Err(Failed {
        error: Error::new(Kind::NoLivePeer, Side::Upstream),
        sent: false,
    });
    let mut last = None;
    let ip = context.remote.ip;
    while let Some(active) = affinity::pick(cursor, settings, outbound.request, ip, now, &mut tried)
    {
        let peer = active.peer().clone();
        result = exchange::with_peer(client, active, settings, &mut outbound).await;
        let verdict = Verdict::of(&result, &settings.retry);
        if verdict.outcome != Some(Outcome::Success) {
            now = Instant::now();
        }
        if let Some(outcome) = verdict.outcome {
            cursor.borrow().report(&peer, outcome, now);
        }
        note(record, &peer, &result, begun);
        last = Some(peer);
        let again = verdict.retry
            && tried.count() < settings.retry.tries as usize
            && now - begun < *settings.retry.within
            && result.as_ref().map_or_else(
                |failed| outbound.may_repeat_after(failed),
                |_| outbound.is_repeatable(),
            );
        if !again {
            break;
        }
        client.worker.stats.upstream_retries.increment();
    }
    let mut response = result.map_err(|failed| {
        let upstream = pinned.tables.upstreams[upstream].name();
        unanswered::give_up(
            client,
            outbound.request,
            upstream,
            last.as_ref(),
            &failed.error,
        )
    })?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        headers::prepare_response(response.headers_mut());
    }
    if let Some(peer) = &last {
        let (secure, headers) = (client.info.tls.is_some(), response.headers_mut());
        affinity::keep(cursor, settings, peer, outbound.request, secure, headers);
    }
    Ok(response)
}

/// What an attempt means for the peer and for the request.
struct Verdict {
    outcome: Option<Outcome>,
    retry: bool,
}

impl Verdict {
    fn of(result: &Result<Response<Body>, Failed>, retry: &Retry) -> Self {
        match result {
            Ok(response) => {
                let listed = retry
                    .on
                    .contains(&RetryOn::Status(response.status().as_u16()));
                // As nginx: what one peer lacks or forbids may be tried elsewhere, but is no failure.
                let missing = matches!(response.status().as_u16(), 403 | 404);
                let outcome = if listed && !missing {
                    Outcome::Failure
                } else {
                    Outcome::Success
                };
                Self {
                    outcome: Some(outcome),
                    retry: listed,
                }
            }
            // The client's failure says nothing about the peer.
            Err(failed) if failed.error.side != Side::Upstream => Self {
                outcome: None,
                retry: false,
            },
            Err(failed) => {
                let timeout = matches!(
                    failed.error.kind,
                    Kind::ConnectTimeout | Kind::ReadTimeout | Kind::WriteTimeout
                );
                let condition = if timeout {
                    RetryOn::Timeout
                } else {
                    RetryOn::Error
                };
                Self {
                    outcome: Some(Outcome::Failure),
                    retry: retry.on.contains(&condition),
                }
            }
        }
    }
}

impl Outbound<'_> {
    /// Sending it twice does what sending it once does: it is idempotent (RFC 9110 §9.2.2), and its body is still there.
    pub fn is_repeatable(&self) -> bool {
        let idempotent = matches!(
            *self.request.method(),
            Method::GET
                | Method::HEAD
                | Method::OPTIONS
                | Method::TRACE
                | Method::PUT
                | Method::DELETE
        );
        idempotent && !self.request.body().is_touched()
    }

    /// Whether it may be sent again after this failure: if a peer may have seen it, only when repeatable.
    pub fn may_repeat_after(&self, failed: &Failed) -> bool {
        self.is_repeatable() || (!failed.sent && !self.request.body().is_touched())
    }
}

fn prepare<'a>(
    context: Context<'_>,
    request: &'a mut Request<Body>,
) -> Result<Outbound<'a>, StatusCode> {
    let upgrade = headers::upgrade_wanted(request);
    let host = match request.headers().get(HOST) {
        Some(host) => host.clone(),
        None => {
            let host = host_from_elsewhere(context.client, request)?;
            request.headers_mut().insert(HOST, host.clone());
            host
        }
    };
    headers::prepare_request(request.headers_mut(), context, &host);
    Ok(Outbound { request, upgrade })
}

/// HTTP/2 names the host in the target; HTTP/1.0 may leave it out, a peer may not be without it.
fn host_from_elsewhere(
    client: &Client,
    request: &Request<Body>,
) -> Result<HeaderValue, StatusCode> {
    let host = match handler::host(request)? {
        "" => HeaderValue::try_from(client.info.local.to_string()),
        authority => HeaderValue::from_str(authority),
    };
    host.map_err(|_| StatusCode::BAD_REQUEST)
}

/// Leaves a trace of a try in the access log's line.
fn note(
    record: &mut Option<Box<Record>>,
    peer: &PeerRef,
    result: &Result<Response<Body>, Failed>,
    begun: Instant,
) {
    if let Some(record) = record {
        let status = result
            .as_ref()
            .ok()
            .map(|response| response.status().as_u16());
        record.tries.push(Try {
            address: peer.address().to_string(),
            status,
            took: begun.elapsed(),
        });
    }
}
