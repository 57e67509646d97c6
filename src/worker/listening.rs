//! Accepting on one address: follows the listener through reloads, and hands over what waits in the queue before
//! the socket is closed.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_core::endpoint::{Bound, Endpoint};
use alb_core::listener::Listener;
use alb_core::log::Seldom;
use alb_core::published::Pinned;
use alb_stream::udp::{Current, Server, Stop};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::spawn_local;

use super::Worker;
use crate::snapshot::{Listener as Configured, Protocol};

/// Refusals over the connection limit are logged this often; each is counted.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// Flows of datagrams that a listener may have where the configuration does not say: each takes a socket.
const MAX_FLOWS: u64 = 65_536;

/// An address a worker accepts on.
pub struct Listening {
    stop: oneshot::Sender<Stop>,
    /// Closed when nothing new is taken any more.
    ceased: oneshot::Receiver<()>,
}

/// The listener an address belongs to, as this worker last saw it.
pub struct Known {
    /// The listener.
    pub listener: Pinned<Configured>,
    /// Its name, for the protocols.
    pub name: Rc<str>,
    generation: u64,
    complaints: Seldom,
}

impl Listening {
    /// Begins to accept.
    pub fn begin(worker: &Rc<Worker>, endpoint: Endpoint, socket: Bound) -> io::Result<Self> {
        let known = Known::find(worker, endpoint)
            .ok_or_else(|| io::Error::other(format!("no listener for {endpoint}")))?;
        let (stop, stopped) = oneshot::channel();
        let (ceasing, ceased) = oneshot::channel();
        let worker = Rc::clone(worker);
        match socket {
            Bound::Tcp(socket) => {
                let listener = Listener::new(socket)?;
                spawn_local(async move {
                    accept(worker, endpoint, known, listener, stopped).await;
                    drop(ceasing);
                });
            }
            Bound::Udp(socket) => {
                let server = datagrams(&worker, endpoint, known, socket)?;
                spawn_local(carry(worker, server, stopped, ceasing));
            }
        }
        Ok(Listening { stop, ceased })
    }

    /// Ceases to accept; every connection that waited in the queue has been taken when this returns. Flows of datagrams go
    /// on for as long as `stop` says, and count as open connections of the worker.
    pub async fn end(self, stop: Stop) {
        let _ = self.stop.send(stop);
        // Nothing is ever sent; a panic has been logged by the hook.
        let _ = self.ceased.await;
    }
}

impl Known {
    fn find(worker: &Worker, endpoint: Endpoint) -> Option<Self> {
        let snapshot = worker.snapshot.pin();
        let listener = snapshot.listeners.get(&endpoint)?;
        Some(Known {
            listener: Pinned::new(Arc::clone(listener)),
            name: Rc::from(&*listener.name),
            generation: worker.snapshot.generation(),
            complaints: Seldom::every(COMPLAIN_EVERY),
        })
    }

    /// Takes over a newer snapshot; one without the address leaves the listener as it was, for the connections that
    /// still wait in the queue.
    fn refresh(&mut self, worker: &Worker, endpoint: Endpoint) {
        worker.snapshot.pin();
        let generation = worker.snapshot.generation();
        if generation == self.generation {
            return;
        }
        self.generation = generation;
        if let Some(newer) = Known::find(worker, endpoint) {
            *self = newer;
        }
    }

    /// What it says of flows of datagrams; `None` if it is not a stream.
    fn flows(&self) -> Option<Current> {
        let Protocol::Stream(service) = &self.listener.protocol else {
            return None;
        };
        Some(Current {
            service: Arc::clone(service),
            access: self.listener.admission.list().cloned(),
            limit: Arc::clone(&self.listener.limit),
            max_flows: self.listener.max_connections.unwrap_or(MAX_FLOWS),
        })
    }

    /// Says at intervals that connections are refused.
    fn complain(&self, endpoint: Endpoint, peer: SocketAddr) {
        if self.complaints.due(Instant::now()).is_some() {
            tracing::warn!(
                listener = %self.name,
                address = %endpoint,
                client = %peer,
                "connection refused: `max_connections` is reached"
            );
        }
    }
}

async fn accept(
    worker: Rc<Worker>,
    endpoint: Endpoint,
    mut known: Known,
    mut listener: Listener,
    mut stopped: oneshot::Receiver<Stop>,
) {
    let bound = listener.address();
    let mut take = |stream: TcpStream, peer: SocketAddr| {
        known.refresh(&worker, endpoint);
        if !worker.take(stream, (peer, bound), &known) {
            known.complain(endpoint, peer);
        }
    };
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            (stream, peer) = listener.accept() => take(stream, peer),
        }
    }
    if let Err(error) = listener.close(take) {
        tracing::warn!(address = %endpoint, "cannot empty the queue of a closing socket: {error}");
    }
}

/// A server of datagrams that follows the listener through reloads.
fn datagrams(
    worker: &Rc<Worker>,
    endpoint: Endpoint,
    mut known: Known,
    socket: UdpSocket,
) -> io::Result<Server> {
    let stream = Rc::clone(&worker.stream);
    let worker = Rc::clone(worker);
    let mut seen: Option<(u64, Rc<Current>)> = None;
    let current = move || {
        known.refresh(&worker, endpoint);
        match &seen {
            Some((generation, current)) if *generation == known.generation => {
                Some(Rc::clone(current))
            }
            _ => {
                let current = Rc::new(known.flows()?);
                seen = Some((known.generation, Rc::clone(&current)));
                Some(current)
            }
        }
    };
    Server::new(socket, stream, current)
}

/// Carries datagrams until told to stop, and then until the flows have ended.
async fn carry(
    worker: Rc<Worker>,
    mut server: Server,
    stopped: oneshot::Receiver<Stop>,
    ceasing: oneshot::Sender<()>,
) {
    let Some(stop) = server.carry(stopped).await else {
        return;
    };
    let _open = worker.drain.enter();
    drop(ceasing);
    server.drain(stop).await;
}
