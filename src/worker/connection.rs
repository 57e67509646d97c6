//! One connection, from accept to its end: limit, admission, handshake, protocol. A panic ends this connection only.

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use alb_core::limit::Permit;
use alb_core::listener::dismiss;
use alb_core::published::Pinned;
use alb_core::stats::OpenConnection;
use alb_core::{ConnInfo, Socket, Stream, handshake};
use alb_mail::Refused;
use alb_stream::Service;
use pin_project_lite::pin_project;
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use super::Worker;
use super::limits;
use super::listening::Known;
use crate::snapshot::{Listener, Protocol};

/// A connection that has been accepted.
struct Arrival {
    socket: TcpStream,
    info: ConnInfo,
    /// Let go after the handshake: a long connection must not keep the listener of an old snapshot alive.
    listener: Pinned<Listener>,
    name: Rc<str>,
}

impl Worker {
    /// Takes a connection of `peer` to an address that is `bound`, or closes it if its address is denied. False if the
    /// listener has too many; it is closed then.
    pub(super) fn take(
        self: &Rc<Self>,
        stream: TcpStream,
        (peer, bound): (SocketAddr, SocketAddr),
        known: &Known,
    ) -> bool {
        self.stats.connections.increment();
        let listener = &known.listener;
        let Some(permit) = listener.limit.enter(listener.max_connections) else {
            self.stats.connections_refused.increment();
            turn_away(stream, listener, Refused::TooMany);
            return false;
        };
        if !self.admit_at_accept(&listener.admission, peer, &known.name) {
            turn_away(stream, listener, Refused::Denied);
            return true;
        }
        let local = match bound.ip().is_unspecified() {
            // Only the connection knows which address it came to.
            true => stream.local_addr(),
            false => Ok(bound),
        };
        let Ok(local) = local else {
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
        let arrival = Arrival {
            socket: stream,
            info,
            listener: known.listener.clone(),
            name: Rc::clone(&known.name),
        };
        let worker = Rc::clone(self);
        // A task of its own kind for each protocol: it takes as much memory as that protocol needs.
        match &known.listener.protocol {
            Protocol::Http => spawn(counted, worker.http(arrival)),
            Protocol::Stream(service) => {
                spawn(counted, worker.stream(arrival, Arc::clone(service)));
            }
            Protocol::Mail(service) => spawn(counted, worker.mail(arrival, Arc::clone(service))),
        }
        true
    }

    async fn http(self: Rc<Self>, arrival: Arrival) {
        let name = Rc::clone(&arrival.name);
        if let Some((stream, info, _permit)) = self.enter(arrival).await {
            alb_http::connection::serve(stream, info, name, Rc::clone(&self.http)).await;
        }
    }

    async fn stream(self: Rc<Self>, arrival: Arrival, service: Arc<Service>) {
        if let Some((stream, info, _permit)) = self.enter(arrival).await {
            alb_stream::tcp::serve(stream, info, service, Rc::clone(&self.stream)).await;
        }
    }

    async fn mail(self: Rc<Self>, arrival: Arrival, service: Arc<alb_mail::Service>) {
        let Arrival {
            mut socket,
            mut info,
            listener,
            name,
        } = arrival;
        let admission = &listener.admission;
        if !self.admit(admission, &mut socket, &mut info, &name).await {
            return turn_away(socket, &listener, Refused::Denied);
        }
        let entry = match service.is_locked_out(&info) {
            true => Err(Refused::LockedOut),
            false => limits::admit(&listener.limits, info.peer.ip(), &self.stats)
                .await
                .ok_or(Refused::TooMany),
        };
        let socket = Socket::Tcp(socket);
        let acceptor = listener.acceptor.clone();
        drop(listener);
        let mail = Rc::clone(&self.mail);
        match entry {
            Ok(permit) => alb_mail::serve(socket, info, acceptor, service, mail, permit).await,
            Err(why) => {
                Box::pin(alb_mail::refuse(socket, info, acceptor, service, mail, why)).await
            }
        }
    }

    /// Lets in who may come in, asks the listener's limits, then shakes hands if the listener says so. The permit is
    /// kept to the end.
    async fn enter(&self, arrival: Arrival) -> Option<(Stream, ConnInfo, Permit)> {
        let Arrival {
            mut socket,
            mut info,
            listener,
            name,
        } = arrival;
        let admission = &listener.admission;
        if !self.admit(admission, &mut socket, &mut info, &name).await {
            return None;
        }
        let permit = limits::admit(&listener.limits, info.peer.ip(), &self.stats).await?;
        let socket = Socket::Tcp(socket);
        let Some(acceptor) = &listener.acceptor else {
            return Some((Stream::Plain(socket), info, permit));
        };
        // Apart: a session takes the memory of its largest stage for as long as it lasts.
        match Box::pin(acceptor.accept(socket)).await {
            Ok(stream) => {
                let tls = stream.info();
                self.stats.handshake(tls.protocol, tls.resumed);
                info.tls = Some(Rc::new(tls.clone()));
                Some((Stream::Tls(Box::new(stream)), info, permit))
            }
            Err(error) => {
                handshake::failed(&self.stats, &name, info.peer, &error);
                None
            }
        }
    }
}

/// Closes a connection that is not taken, with the words that the protocol has for that before any handshake.
fn turn_away(stream: TcpStream, listener: &Listener, why: Refused) {
    if let (Protocol::Mail(service), Ok(local)) = (&listener.protocol, stream.local_addr()) {
        dismiss(stream, service.last_words(why, local).as_bytes());
    }
}

/// Runs a connection; it is counted for as long as it lives. In a box: the runtime moves what it is given several times.
fn spawn<C: 'static>(counted: C, serve: impl Future<Output = ()> + 'static) {
    spawn_local(Box::pin(Counted {
        serve,
        _counted: counted,
    }));
}

pin_project! {
    /// A connection that is counted. An `async` block would keep the connection twice: as it was given, and as it is run.
    struct Counted<F, C> {
        #[pin]
        serve: F,
        _counted: C,
    }
}

impl<F: Future<Output = ()>, C> Future for Counted<F, C> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().serve.poll(cx)
    }
}
