//! One HTTP/2 exchange with a peer. All requests of a worker to a peer share one connection.

use std::future::Future;

use alb_core::upstream::{PeerRef, Settings, connect};
use alb_core::{Error, Kind, Side, Stream};
use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri, Version};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;

use super::{OnWorker, StreamBody};
use crate::body::Body;
use crate::connection::Client;
use crate::exchange::Failed;
use crate::proxy::Outbound;

/// What a peer may send on one stream, and on all, before it is read.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// Sends a request and waits for the head of its response. The shared connection may just have been closed by the
/// peer; then the request is sent once more on a fresh one, if that is safe.
pub(crate) async fn exchange(
    client: &Client,
    peer: &PeerRef,
    settings: &Settings,
    outbound: &mut Outbound<'_>,
) -> Result<Response<Body>, Failed> {
    if let Some(sender) = client.worker.pool.shared(peer) {
        match send(sender, settings, outbound).await {
            Err(failed)
                if failed.error.kind == Kind::Closed && outbound.may_repeat_after(&failed) => {}
            result => return result,
        }
    }
    let sender = open(client, peer, settings)
        .await
        .map_err(|error| Failed { error, sent: false })?;
    send(sender, settings, outbound).await
}

async fn send(
    mut sender: SendRequest<Body>,
    settings: &Settings,
    outbound: &mut Outbound<'_>,
) -> Result<Response<Body>, Failed> {
    let unready = |error| Failed {
        error: Error::because(Kind::Closed, Side::Upstream, error),
        sent: false,
    };
    sender.ready().await.map_err(unready)?;
    let (sent_all, sending) = oneshot::channel();
    let request = outbound.take_http2(sent_all, settings.tls.is_some())?;
    let response = within(settings, sending, sender.send_request(request)).await?;
    let timeout = settings.response_timeout;
    Ok(response.map(|body| Body::http2(StreamBody::new(body, Side::Upstream, timeout))))
}

/// The response may take `response_timeout` from when the request has been sent.
async fn within<T>(
    settings: &Settings,
    sending: oneshot::Receiver<()>,
    response: impl Future<Output = hyper::Result<T>>,
) -> Result<T, Failed> {
    let late = async {
        // Resolves when the body is dropped: hyper does so once it has been sent.
        let _ = sending.await;
        tokio::time::sleep(settings.response_timeout).await;
    };
    tokio::select! {
        response = response => response.map_err(failed),
        () = late => Err(Failed { error: Error::new(Kind::ReadTimeout, Side::Upstream), sent: true }),
    }
}

/// A client's failure inside the request's body comes back wrapped by hyper: it is still the client's.
fn failed(error: hyper::Error) -> Failed {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(inner) = inner.downcast_ref::<Error>() {
            return Failed {
                error: Error::new(inner.kind, inner.side),
                sent: true,
            };
        }
        cause = inner.source();
    }
    Failed {
        // Cancelled: the connection ended before the request was on its way.
        sent: !error.is_canceled(),
        error: Error::because(Kind::Closed, Side::Upstream, error),
    }
}

async fn open(
    client: &Client,
    peer: &PeerRef,
    settings: &Settings,
) -> Result<SendRequest<Body>, Error> {
    client.worker.stats.upstream_connections.increment();
    let stream = connect(peer, settings).await?;
    check_alpn(&stream)?;
    let (sender, connection) = Builder::new(OnWorker)
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(settings.send_timeout)
        .keep_alive_timeout(settings.send_timeout)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|e| Error::because(Kind::Connect, Side::Upstream, e))?;
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "http/2 connection to a peer ended");
        }
    });
    client.worker.pool.share(peer, &sender);
    Ok(sender)
}

fn check_alpn(stream: &Stream) -> Result<(), Error> {
    match stream.tls_info() {
        Some(tls) if tls.alpn.as_deref() != Some("h2") => Err(Error::because(
            Kind::Handshake,
            Side::Upstream,
            "the peer does not offer h2 by ALPN",
        )),
        _ => Ok(()),
    }
}

impl Outbound<'_> {
    /// The request as HTTP/2 sends it: the host moves into the target (RFC 9113 §8.3.1).
    fn take_http2(
        &mut self,
        sent_all: oneshot::Sender<()>,
        secure: bool,
    ) -> Result<Request<Body>, Failed> {
        let asked = &mut *self.request;
        let body = if asked.body().length() == Some(0) {
            Body::empty()
        } else {
            asked.body_mut().take().notifying(sent_all)
        };
        let mut request = Request::new(body);
        let mut headers = asked.headers().clone();
        let host = headers.remove(HOST);
        let authority = host.and_then(|h| Authority::try_from(h.as_bytes()).ok());
        let mut target = http::uri::Parts::default();
        target.scheme = Some(if secure { Scheme::HTTPS } else { Scheme::HTTP });
        target.authority = authority;
        target.path_and_query = asked
            .uri()
            .path_and_query()
            .cloned()
            .or(Some(PathAndQuery::from_static("/")));
        let unfit = |error| Failed {
            error: Error::because(Kind::Malformed, Side::Client, error),
            sent: false,
        };
        *request.uri_mut() = Uri::from_parts(target).map_err(unfit)?;
        *request.method_mut() = asked.method().clone();
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = headers;
        Ok(request)
    }
}
