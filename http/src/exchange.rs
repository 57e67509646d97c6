//! One try at one peer: an idle connection or a fresh one, HTTP/1.1 or HTTP/2.

use alb_conf::UpstreamProtocol;
use alb_core::upstream::{Active, PeerRef, Settings, connect};
use alb_core::{Error, Kind, Side};
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Response, StatusCode};
use tokio::task::AbortHandle;

use crate::body::Body;
use crate::connection::Client;
use crate::h1::client::{Answered, Idle, Patience, Rest, Unanswered};
use crate::h1::head::{Framing, ResponseHead};
use crate::h1::{encode, writer};
use crate::h2;
use crate::pool::Home;
use crate::proxy::Outbound;
use crate::upgrade::Tunnel;

/// A try that brought no response.
pub(crate) struct Failed {
    /// What happened.
    pub error: Error,
    /// The peer may have seen the request.
    pub sent: bool,
}

/// The task that sends the rest of a request whose response has begun; it ends with the response.
#[derive(Debug)]
pub struct Pump(AbortHandle);

impl Drop for Pump {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends a request to a peer and returns its response, which counts as under way until it is read.
pub(crate) async fn with_peer(
    client: &Client,
    active: Active,
    settings: &Settings,
    outbound: &mut Outbound<'_>,
) -> Result<Response<Body>, Failed> {
    let peer = active.peer();
    let mut response = match settings.protocol {
        UpstreamProtocol::Http1 => over_http1(client, peer, settings, outbound).await?,
        UpstreamProtocol::H2 => h2::client::exchange(client, peer, settings, outbound).await?,
    };
    response.body_mut().count(active);
    Ok(response)
}

/// A connection may have been closed by the peer while it was idle; then the request is sent once more on a fresh one,
/// if that is safe.
async fn over_http1(
    client: &Client,
    peer: &PeerRef,
    settings: &Settings,
    outbound: &mut Outbound<'_>,
) -> Result<Response<Body>, Failed> {
    if let Some(idle) = client.worker.pool.take(peer) {
        match over_connection(client, idle, peer, settings, outbound).await {
            Err(unanswered) if unanswered.stale && outbound.is_repeatable() => {}
            result => return Ok(result?),
        }
    }
    client.worker.stats.upstream_connections.increment();
    let stream = connect(peer, settings)
        .await
        .map_err(|error| Failed { error, sent: false })?;
    Ok(over_connection(client, Idle::new(stream), peer, settings, outbound).await?)
}

/// Sends the request over this connection and returns its response.
async fn over_connection(
    client: &Client,
    idle: Idle,
    peer: &PeerRef,
    settings: &Settings,
    outbound: &mut Outbound<'_>,
) -> Result<Response<Body>, Unanswered> {
    let patience = Patience {
        send: settings.send_timeout,
        response: settings.response_timeout,
    };
    let method = outbound.request.method().clone();
    let mut writer = outbound.to_http1();
    let Answered { head, rest } = idle
        .exchange(&mut writer, outbound.request.body_mut(), &method, patience)
        .await?;
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return switch(outbound, head, rest);
    }
    let timeout = settings.response_timeout;
    let body = match rest {
        Rest::Sent(idle) => {
            let home = Home::new(&client.worker.pool, peer, settings);
            Body::peer(idle.into_body(&head, timeout, home))
        }
        Rest::Early(idle) => {
            let (body, write) = idle.split(&head, timeout);
            let rest = outbound.request.body_mut().take();
            let send = writer::finish(writer, write, rest, settings.send_timeout);
            let pump = tokio::task::spawn_local(send);
            Body::early_peer(body, Pump(pump.abort_handle()))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    Ok(response)
}

/// The peer changes the protocol: only to the one the client asked for, and not before the peer agreed.
fn switch(
    outbound: &Outbound<'_>,
    head: ResponseHead,
    rest: Rest,
) -> Result<Response<Body>, Unanswered> {
    let (Some(_), Rest::Sent(idle)) = (&outbound.upgrade, rest) else {
        return Err(Error::new(Kind::Malformed, Side::Upstream).into());
    };
    let protocol = head.headers.get(UPGRADE).cloned();
    let mut response = Response::new(Body::tunnel(Tunnel {
        peer: idle.into_transport(),
        limited: None,
    }));
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    crate::headers::prepare_response(response.headers_mut());
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("upgrade"));
    if let Some(protocol) = protocol {
        response.headers_mut().insert(UPGRADE, protocol);
    }
    Ok(response)
}

impl Outbound<'_> {
    /// The request as HTTP/1.1 sends it.
    fn to_http1(&self) -> writer::Writer {
        let request = &*self.request;
        let target = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let headers = request.headers();
        let behind = writer::behind_head(request.body());
        let mut head = Vec::with_capacity(encode::ROOM + behind);
        let present = encode::request_head(&mut head, request.method(), target, headers);
        let framing = match request.body().length() {
            Some(0) => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        };
        match framing {
            Framing::Chunked => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            Framing::Length(length) if !present.content_length => {
                head.extend_from_slice(b"content-length: ");
                encode::decimal(&mut head, length);
                head.extend_from_slice(b"\r\n");
            }
            _ => {}
        }
        if let Some(protocol) = &self.upgrade {
            head.extend_from_slice(b"connection: upgrade\r\n");
            encode::field(&mut head, b"upgrade", protocol.as_bytes());
        } else if present.te {
            head.extend_from_slice(b"connection: te\r\n");
        }
        head.extend_from_slice(b"\r\n");
        writer::Writer::new(head, framing)
    }
}

impl From<Unanswered> for Failed {
    fn from(unanswered: Unanswered) -> Self {
        Self {
            error: unanswered.error,
            sent: true,
        }
    }
}
