//! One connection, from accept to its end: limit, handshake, protocol. A panic ends this connection only.

use std::net::SocketAddr;
use std::rc::Rc;

use alb_core::published::Pinned;
use alb_core::stats::OpenConnection;
use alb_core::{ConnInfo, Socket, Stream};
use alb_gm::tls::{HandshakeError, Reason};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use super::Worker;
use super::listening::Known;
use crate::snapshot::HttpListener;

impl Worker {
    /// Takes a connection. False if the listener has too many; the connection is closed then.
    pub(super) fn take(
        self: &Rc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        known: &Known,
    ) -> bool {
        self.stats.connections.increment();
        let listener = &known.listener;
        let Some(permit) = listener.limit.enter(listener.max_connections) else {
            self.stats.connections_refused.increment();
            return false;
        };
        let Ok(local) = stream.local_addr() else {
            // The client has left already.
            return true;
        };
        let counted = (
            permit,
            self.drain.enter(),
            OpenConnection::enter(&self.stats),
        );
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let info = ConnInfo {
            id,
            peer,
            via: None,
            local,
            tls: None,
        };
        let serve = serve(
            Rc::clone(self),
            stream,
            info,
            listener.clone(),
            Rc::clone(&known.name),
        );
        spawn_local(async move {
            let _counted = counted;
            serve.await;
        });
        true
    }

    /// One line per failure: who, what it offered, why, and the remedy.
    fn handshake_failed(&self, listener: &str, info: &ConnInfo, error: &HandshakeError) {
        self.stats.handshake_failed(error.reason);
        let reason = error.reason.as_str();
        let help = if error.help.is_empty() {
            "none needed"
        } else {
            &error.help
        };
        // Scans and health checks open connections and say nothing: no reason to be alarmed.
        if error.reason == Reason::PeerClosed && error.offered.versions.is_empty() {
            tracing::info!(client = %info.peer, listener, reason, "handshake failed: {error}");
        } else {
            tracing::warn!(
                client = %info.peer, listener, reason, offered = %error.offered, help,
                "handshake failed: {error}"
            );
        }
    }
}

/// Shakes hands if the listener says so, and hands the stream to its protocol.
async fn serve(
    worker: Rc<Worker>,
    stream: TcpStream,
    mut info: ConnInfo,
    listener: Pinned<HttpListener>,
    name: Rc<str>,
) {
    let socket = Socket::Tcp(stream);
    let stream = match &listener.acceptor {
        None => Stream::Plain(socket),
        Some(acceptor) => match acceptor.accept(socket).await {
            Ok(stream) => Stream::Tls(Box::new(stream)),
            Err(error) => return worker.handshake_failed(&name, &info, &error),
        },
    };
    // A long connection must not keep the listener of an old snapshot alive.
    drop(listener);
    if let Some(tls) = stream.tls_info() {
        worker.stats.handshake(tls.protocol, tls.resumed);
        info.tls = Some(Rc::new(tls.clone()));
    }
    alb_http::connection::serve(stream, info, name, Rc::clone(&worker.http)).await;
}
