//! Who may link to a route, and by which links: referers and signed links, before anything is done for a request.

use std::time::{SystemTime, UNIX_EPOCH};

use http::header::REFERER;
use http::{HeaderValue, Request, Response, StatusCode};

use crate::body::Body;
use crate::context::Context;
use crate::handler::host;
use crate::referer::Referers;
use crate::response::{self, Form};
use crate::route::{Return, normalise_host, normalise_path};
use crate::secure_link::{SecureLink, Subject, Verdict};

/// The rules of a route.
#[derive(Debug)]
pub struct Links {
    /// Which pages may link, and the answer to those of others.
    pub hotlink: Option<(Referers, Option<Return>)>,
    /// How links are signed.
    pub signed: Option<SecureLink>,
}

/// The answer to a request that came by a link that is not allowed; `None` lets it pass.
pub(crate) fn check(context: Context<'_>, request: &Request<Body>) -> Option<Response<Body>> {
    let links = context.route.links.as_deref()?;
    let refused = refused_by_referer(links, context, request)
        .or_else(|| refused_by_signature(links, context, request))?;
    context.client.worker.stats.links_refused.increment();
    Some(refused)
}

fn refused_by_referer(
    links: &Links,
    context: Context<'_>,
    request: &Request<Body>,
) -> Option<Response<Body>> {
    let (referers, reply) = links.hotlink.as_ref()?;
    let referer = request.headers().get(REFERER).map(HeaderValue::as_bytes);
    if referers.permit(referer) {
        return None;
    }
    Some(match reply {
        Some(reply) => response::configured(reply, context.client.facts.scheme, request),
        None => error(StatusCode::FORBIDDEN, request),
    })
}

fn refused_by_signature(
    links: &Links,
    context: Context<'_>,
    request: &Request<Body>,
) -> Option<Response<Body>> {
    let signed = links.signed.as_ref()?;
    // Both were found good when the route was looked for.
    let path = normalise_path(request.uri().path()).unwrap_or_default();
    let host = normalise_host(host(request).unwrap_or_default());
    let subject = Subject {
        uri: &path,
        host: &host,
        client_ip: Some(context.remote.ip),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(u64::MAX, |since| since.as_secs());
    match signed.judge(subject, request.uri().query().unwrap_or_default(), now) {
        Verdict::Valid => None,
        Verdict::Expired => Some(error(StatusCode::GONE, request)),
        Verdict::Wrong => Some(error(StatusCode::FORBIDDEN, request)),
    }
}

fn error(status: StatusCode, request: &Request<Body>) -> Response<Body> {
    response::error(status, Form::of(request.headers()))
}
