//! A client's connection from the end of its handshake on: chooses HTTP/1 or HTTP/2, and keeps what is known of the client.

use std::cell::RefCell;
use std::future::poll_fn;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use alb_core::{ConnInfo, Stream};
use bytes::BytesMut;
use tokio::time::{Instant, timeout_at};

use crate::facts::Facts;
use crate::h1::transport::Transport;
use crate::route::{Listener, Settings};
use crate::worker::{Current, Worker};
use crate::{h1, h2};

/// The start of every HTTP/2 connection (RFC 9113 §3.4); no HTTP/1 request begins so.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The client of one connection.
pub struct Client {
    pub(crate) worker: Rc<Worker>,
    pub(crate) info: ConnInfo,
    pub(crate) settings: Arc<Settings>,
    pub(crate) facts: Facts,
    listener: Rc<str>,
    pinned: RefCell<Pin>,
}

/// The tables for one request, and the client's listener in them.
#[derive(Clone)]
pub(crate) struct Pin {
    current: Rc<Current>,
    listener: usize,
}

/// Serves a connection that `listener` accepted, to its end.
pub async fn serve(stream: Stream, info: ConnInfo, listener: Rc<str>, worker: Rc<Worker>) {
    let Some(client) = Client::new(info, listener, worker) else {
        return;
    };
    let client = Rc::new(client);
    match client.info.tls.as_ref().map(|tls| tls.alpn.as_deref()) {
        Some(Some("h2")) => h2::server::serve(client, stream, BytesMut::new()).await,
        Some(_) => h1::server::serve(client, stream, BytesMut::new()).await,
        None => {
            let Some((stream, buffer, is_http2)) = detect(stream, &client.settings).await else {
                return;
            };
            if is_http2 {
                h2::server::serve(client, stream, buffer).await;
            } else {
                h1::server::serve(client, stream, buffer).await;
            }
        }
    }
}

impl Client {
    /// `None` if the listener has just gone with a reload.
    fn new(info: ConnInfo, listener: Rc<str>, worker: Rc<Worker>) -> Option<Self> {
        let pinned = Pin::find(worker.pin(), &listener)?;
        let settings = Arc::clone(&pinned.listener().settings);
        let facts = Facts::new(&info);
        Some(Self {
            worker,
            info,
            settings,
            facts,
            listener,
            pinned: RefCell::new(pinned),
        })
    }

    /// The tables for the request that begins: those of this moment, or the last ones that knew the listener.
    pub(crate) fn pin(&self) -> Pin {
        let now = self.worker.pin();
        let mut pinned = self.pinned.borrow_mut();
        if !Rc::ptr_eq(&now, &pinned.current)
            && let Some(newer) = Pin::find(now, &self.listener)
        {
            *pinned = newer;
        }
        pinned.clone()
    }
}

impl Pin {
    /// `None` if these tables do not know the listener.
    fn find(current: Rc<Current>, listener: &str) -> Option<Self> {
        let listener = current.tables.listener(listener)?;
        Some(Self { current, listener })
    }

    /// The client's listener.
    pub(crate) fn listener(&self) -> &Listener {
        &self.current.tables.listeners[self.listener]
    }
}

impl Deref for Pin {
    type Target = Current;

    fn deref(&self) -> &Current {
        &self.current
    }
}

/// Reads until the first bytes tell HTTP/2 with prior knowledge from HTTP/1.
async fn detect(stream: Stream, settings: &Settings) -> Option<(Stream, BytesMut, bool)> {
    let mut transport = Transport::new(stream, BytesMut::new());
    let deadline = Instant::now() + settings.header_timeout;
    let is_http2 = loop {
        let read = timeout_at(deadline, poll_fn(|cx| transport.poll_read(cx, 4096)))
            .await
            .ok()?
            .ok()?;
        let seen = transport.buffer.len().min(PREFACE.len());
        if read == 0 && seen == 0 {
            return None;
        }
        if read == 0 || transport.buffer[..seen] != PREFACE[..seen] {
            break false;
        }
        if seen == PREFACE.len() {
            break true;
        }
    };
    Some((transport.stream, transport.buffer, is_http2))
}
