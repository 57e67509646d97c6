//! One HTTP/2 connection of a client.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use alb_core::{Side, Stream};
use bytes::BytesMut;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::{Instant, sleep_until};

use super::{OnWorker, StreamBody};
use crate::body::Body;
use crate::connection::Client;
use crate::handler;
use crate::prefixed::Prefixed;

/// Streams a client may reset before they were accepted ("rapid reset", CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 20;
/// Streams we reset for a client's faults before the connection is given up.
const MAX_OWN_RESETS: usize = 256;
/// Bytes of a response kept per stream while the client is slow.
const SEND_BUFFER: usize = 128 * 1024;
/// What a client may send on one stream, and on all, before it is read.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Serves a connection from which `buffer` was read already, to its end.
pub async fn serve(client: Rc<Client>, stream: Stream, buffer: BytesMut) {
    let settings = &client.settings;
    let activity = Rc::new(Activity::new());
    let service = service_fn(|request: Request<Incoming>| {
        let (client, busy) = (Rc::clone(&client), activity.enter());
        async move {
            let timeout = client.settings.body_timeout;
            let mut request =
                request.map(|body| Body::http2(StreamBody::new(body, Side::Client, timeout)));
            let response = handler::handle(&client, &mut request).await;
            drop(busy);
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(
        Builder::new(OnWorker)
            .timer(TokioTimer::new())
            .max_concurrent_streams(settings.max_streams)
            .max_header_list_size(u32::try_from(settings.limits.size).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
            .max_local_error_reset_streams(MAX_OWN_RESETS)
            .max_send_buf_size(SEND_BUFFER)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            // A client that has vanished is found out within the time it may be silent.
            .keep_alive_interval(settings.send_timeout)
            .keep_alive_timeout(settings.send_timeout)
            .serve_connection(TokioIo::new(Prefixed::new(stream, buffer)), service)
    );
    let mut leave = pin!(activity.idle_for(settings.header_timeout, settings.idle_timeout));
    let mut drain = pin!(client.worker.drain.begun());
    let mut leaving = false;
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = leave.as_mut(), if !leaving => leaving = true,
            () = drain.as_mut(), if !leaving => leaving = true,
        }
        connection.as_mut().graceful_shutdown();
    };
    if let Err(error) = ended {
        tracing::debug!(client = %client.info.peer, %error, "http/2 connection ended");
    }
}

/// How many requests are under way, and since when none is.
struct Activity {
    busy: Cell<usize>,
    requests: Cell<u64>,
    idle_since: Cell<Instant>,
}

struct Busy(Rc<Activity>);

impl Activity {
    fn new() -> Self {
        Self {
            busy: Cell::new(0),
            requests: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
        }
    }

    fn enter(self: &Rc<Self>) -> Busy {
        self.busy.set(self.busy.get() + 1);
        self.requests.set(self.requests.get() + 1);
        Busy(Rc::clone(self))
    }

    /// Resolves when there has been no request for `first` since the start, or for `idle` since the last one.
    async fn idle_for(&self, first: Duration, idle: Duration) {
        loop {
            let allowed = if self.requests.get() == 0 {
                first
            } else {
                idle
            };
            let since = if self.busy.get() > 0 {
                Instant::now()
            } else {
                self.idle_since.get()
            };
            let until = since + allowed;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
        self.0.idle_since.set(Instant::now());
    }
}
