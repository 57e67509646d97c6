//! What a request is to the limits of its route: the values of their keys, the wait, the answer to one too many.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use alb_conf::{KeySource, TlsFact};
use alb_core::limit::{Decision, Keys, Permit, Refusal};
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, Response, StatusCode};

use crate::body::Body;
use crate::context::Context;
use crate::cookie;
use crate::handler;
use crate::response::{self, Form};
use crate::route::{Listener, normalise_host};

/// Asks the limits of a route, and waits if they say so; other requests of the connection go on meanwhile. The permit
/// belongs to the response's body.
pub async fn admit(
    context: Context<'_>,
    listener: &Listener,
    request: &Request<Body>,
) -> Result<Permit, Refusal> {
    let (route, stats) = (context.route, &context.client.worker.stats);
    if route.limits.is_empty() && listener.paces.is_empty() {
        return Ok(Permit::default());
    }
    let keys = RequestKeys { context, request };
    let (wait, mut permit) = match route.limits.admit(Instant::now(), &keys) {
        Decision::Pass(permit) => (Duration::ZERO, permit),
        Decision::Delay(wait, permit) => (wait, permit),
        Decision::Refuse(refusal) => {
            stats.limit_refused.increment();
            return Err(refusal);
        }
    };
    if permit.is_excused() {
        stats.limit_excused.increment();
    }
    if !listener.paces.is_empty() {
        permit.join(listener.paces.pace(&keys));
    }
    if !wait.is_zero() {
        stats.limit_delayed.increment();
        // In a box of its own: most requests never wait, and should not carry a timer along.
        Box::pin(tokio::time::sleep(wait)).await;
    }
    Ok(permit)
}

/// The answer to a request over a limit (RFC 6585 §4).
pub fn refused(refusal: &Refusal, form: Form) -> Response<Body> {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
    let mut response = response::error(status, form);
    if !refusal.retry_after.is_zero() {
        let seconds = refusal.retry_after.as_millis().div_ceil(1000);
        let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

struct RequestKeys<'a> {
    context: Context<'a>,
    request: &'a Request<Body>,
}

impl Keys for RequestKeys<'_> {
    fn client_ip(&self) -> IpAddr {
        self.context.remote.ip
    }

    fn value(&self, source: &KeySource) -> Option<Cow<'_, [u8]>> {
        match source {
            KeySource::Server => {
                let host = normalise_host(handler::host(self.request).ok()?);
                Some(match host {
                    Cow::Borrowed(host) => Cow::Borrowed(host.as_bytes()),
                    Cow::Owned(host) => Cow::Owned(host.into_bytes()),
                })
            }
            KeySource::Header(name) => {
                let value = self.request.headers().get(name)?;
                Some(Cow::Borrowed(value.as_bytes()))
            }
            KeySource::Cookie(name) => {
                cookie::find(self.request.headers(), name).map(Cow::Borrowed)
            }
            KeySource::Certificate => {
                let client = self.context.client;
                let subject = client.facts.tls(&client.info, TlsFact::ClientSubject);
                Some(Cow::Owned(subject?.as_bytes().to_vec()))
            }
            // Nobody logs in at the gateway over HTTP.
            KeySource::User | KeySource::All | KeySource::ClientIp { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_when_to_come_again_in_whole_seconds() {
        let answer = |millis| {
            let refusal = Refusal {
                limit: "x".into(),
                retry_after: Duration::from_millis(millis),
                status: 429,
            };
            let response = refused(&refusal, Form::Plain);
            let after = response.headers().get(RETRY_AFTER);
            after.map(|value| value.to_str().expect("digits").to_owned())
        };
        assert_eq!(answer(0), None);
        assert_eq!(answer(1), Some("1".to_owned()));
        assert_eq!(answer(1001), Some("2".to_owned()));
    }
}
