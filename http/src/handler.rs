//! A request's path, in wire order: pin the snapshot, find the route, ask its limits, act, edit the response, log.

use std::rc::Rc;

use alb_core::{Error, Kind, Side};
use http::header::{HOST, SERVER};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};

use crate::access_log::Record;
use crate::body::Body;
use crate::connection::{Client, Pin};
use crate::context::Context;
use crate::remote::Remote;
use crate::response::Form;
use crate::route::{Action, Route, Settings, normalise_host, normalise_path};
use crate::{access, headers, limits, links, proxy, response, static_files};

/// Answers a request. Never fails: what goes wrong becomes the answer.
///
/// The request stays where its connection has put it: moving it from phase to phase would cost more than some phases.
pub async fn handle(client: &Rc<Client>, request: &mut Request<Body>) -> Response<Body> {
    let head_only = *request.method() == Method::HEAD;
    let mut record = Record::begin(client, request);
    client.worker.stats.requests.increment();
    let mut response = match answer(client, request, &mut record).await {
        Ok(response) => response,
        Err(status) => response::error(status, Form::of(request.headers())),
    };
    response
        .headers_mut()
        .entry(SERVER)
        .or_insert(HeaderValue::from_static("alb"));
    if head_only {
        *response.body_mut() = Body::empty();
    }
    client.worker.stats.response(response.status().as_u16());
    if let Some(mut record) = record {
        record.status = response.status().as_u16();
        response.body_mut().record(Some(record));
    }
    response
}

/// The phases up to the response; each goes on or ends with a status.
async fn answer(
    client: &Rc<Client>,
    request: &mut Request<Body>,
    record: &mut Option<Box<Record>>,
) -> Result<Response<Body>, StatusCode> {
    let pinned = client.pin();
    let listener = pinned.listener();
    let remote = Remote::of(
        client.info.peer.ip(),
        request.headers(),
        listener.trusted.as_ref(),
    );
    if let Some(record) = record {
        record.remote = remote.ip;
    }
    // Whoever came without a proxy has passed the listener's list when connecting.
    if remote.by_proxy {
        access::check(listener.access.as_deref(), remote, client, request)?;
    }
    if *request.method() == Method::CONNECT {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let route = find(&pinned, request)?;
    access::check(route.access.as_deref(), remote, client, request)?;
    let context = Context {
        client,
        pinned: &pinned,
        route,
        remote,
    };
    if let Some(refused) = links::check(context, request) {
        return Ok(refused);
    }
    limit_body(request, route, &client.settings)?;
    let permit = match limits::admit(context, listener, request).await {
        Ok(permit) => permit,
        Err(refusal) => return Ok(limits::refused(&refusal, Form::of(request.headers()))),
    };
    let mut response = match &route.action {
        Action::Proxy(upstream) => proxy::forward(context, *upstream, request, record).await?,
        Action::Files(files) => {
            static_files::serve(&pinned.caches[files.number], files, request).await?
        }
        Action::Return(written) => response::configured(written, client.facts.scheme, request),
    };
    headers::edit_response(response.headers_mut(), route);
    response.body_mut().limit_by(permit);
    Ok(response)
}

/// The route of a request; 404 where there is none.
fn find<'a>(pinned: &'a Pin, request: &Request<Body>) -> Result<&'a Route, StatusCode> {
    let host = normalise_host(host(request)?);
    let path = normalise_path(request.uri().path()).map_err(|_| StatusCode::BAD_REQUEST)?;
    pinned
        .tables
        .find(pinned.listener(), &host, &path)
        .ok_or(StatusCode::NOT_FOUND)
}

/// The host a request is for. HTTP/2 may name it twice, and then must name the same (RFC 9113 §8.3.1).
pub(crate) fn host(request: &Request<Body>) -> Result<&str, StatusCode> {
    let header = match request.headers().get(HOST) {
        Some(value) => Some(value.to_str().map_err(|_| StatusCode::BAD_REQUEST)?),
        None => None,
    };
    match (request.uri().authority(), header) {
        (Some(authority), Some(host)) if !authority.as_str().eq_ignore_ascii_case(host) => {
            Err(StatusCode::BAD_REQUEST)
        }
        (Some(authority), _) => Ok(authority.as_str()),
        (None, Some(host)) => Ok(host),
        (None, None) if request.version() == Version::HTTP_10 => Ok(""),
        (None, None) => Err(StatusCode::BAD_REQUEST),
    }
}

/// Refuses a body that is announced as too large; one that turns out so is stopped on its way.
fn limit_body(
    request: &mut Request<Body>,
    route: &Route,
    settings: &Settings,
) -> Result<(), StatusCode> {
    let Some(most) = route.max_body.unwrap_or(settings.max_body) else {
        return Ok(());
    };
    if request.body().length().is_some_and(|length| length > most) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    request.body_mut().limit(most);
    Ok(())
}

/// The status for a failure on a request's path; the one place where it is decided.
pub(crate) fn status(error: &Error) -> StatusCode {
    match (error.side, error.kind) {
        (_, Kind::NoLivePeer) => StatusCode::SERVICE_UNAVAILABLE,
        (Side::Client, Kind::ReadTimeout) => StatusCode::REQUEST_TIMEOUT,
        (Side::Client, Kind::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
        (Side::Client, _) => StatusCode::BAD_REQUEST,
        (Side::Upstream, Kind::ConnectTimeout | Kind::ReadTimeout | Kind::WriteTimeout) => {
            StatusCode::GATEWAY_TIMEOUT
        }
        (Side::Upstream, _) => StatusCode::BAD_GATEWAY,
        (Side::Gateway, _) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
