//! One connection, from accept to its end: limit, handshake, protocol. A panic ends this connection only.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use alb_core::drain::Open;
use alb_core::listener::Permit;
use alb_core::stats::WorkerStats;
use alb_core::{ConnInfo, Socket, Stream};
use alb_gm::tls::{HandshakeError, Reason};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use super::Worker;
use super::listening::Known;

/// What is counted for as long as the connection lives.
struct Counted {
    stats: Arc<WorkerStats>,
    _open: Open,
    _permit: Permit,
}

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
        let counted = Counted::new(self, permit);
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let info = ConnInfo {
            id,
            peer,
            local,
            tls: None,
        };
        let (worker, listener) = (Rc::clone(self), listener.clone());
        let name = Rc::clone(&known.name);
        spawn_local(async move {
            let _counted = counted;
            let mut info = info;
            let acceptor = listener.acceptor.as_ref();
            let stream = match acceptor {
                None => Stream::Plain(Socket::Tcp(stream)),
                Some(acceptor) => match acceptor.accept(Socket::Tcp(stream)).await {
                    Ok(stream) => Stream::Tls(Box::new(stream)),
                    Err(error) => return worker.handshake_failed(&name, &info, &error),
                },
            };
            // A long connection must not keep an old snapshot's listener alive.
            drop(listener);
            if let Some(tls) = stream.tls_info() {
                worker.stats.handshake(tls.protocol, tls.resumed);
                info.tls = Some(Rc::new(tls.clone()));
            }
            alb_http::connection::serve(stream, info, name, Rc::clone(&worker.http)).await;
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
        // Scans and health checks open connections and say nothing: no reason to look at the log.
        if error.reason == Reason::PeerClosed && error.offered.versions.is_empty() {
            tracing::debug!(client = %info.peer, listener, reason, "handshake failed: {error}");
        } else {
            tracing::warn!(
                client = %info.peer, listener, reason, offered = %error.offered, help,
                "handshake failed: {error}"
            );
        }
    }
}

impl Counted {
    fn new(worker: &Worker, permit: Permit) -> Self {
        worker.stats.connections_open.increment();
        Counted {
            stats: Arc::clone(&worker.stats),
            _open: worker.drain.enter(),
            _permit: permit,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.stats.connections_open.decrement();
        // The runtime catches the panic of a task; here is the only place that sees it pass.
        if std::thread::panicking() {
            self.stats.panics.increment();
        }
    }
}
