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
use alb_stream::udp::Current;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_local};

use super::Worker;
use crate::snapshot::{Listener as Configured, Protocol};

/// Refusals over the connection limit are logged this often; each is counted.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// Flows of datagrams that a listener may have where the configuration does not say: each takes a socket.
const MAX_FLOWS: u64 = 65_536;

/// An address a worker accepts on.
pub struct Listening {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
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
        let worker = Rc::clone(worker);
        let task = match socket {
            Bound::Tcp(socket) => {
                let listener = Listener::new(socket)?;
                spawn_local(accept(worker, endpoint, known, listener, stopped))
            }
            Bound::Udp(socket) => spawn_local(datagrams(worker, endpoint, known, socket, stopped)?),
        };
        Ok(Listening { stop, task })
    }

    /// Ceases to accept; every connection that waited in the queue has been taken when this returns.
    pub async fn end(self) {
        let _ = self.stop.send(());
        // A panic has been logged by the hook.
        let _ = self.task.await;
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
    mut stopped: oneshot::Receiver<()>,
) {
    let mut take = |stream: TcpStream, peer: SocketAddr| {
        known.refresh(&worker, endpoint);
        if !worker.take(stream, peer, &known) {
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

/// Carries datagrams until told to stop.
fn datagrams(
    worker: Rc<Worker>,
    endpoint: Endpoint,
    mut known: Known,
    socket: UdpSocket,
    stopped: oneshot::Receiver<()>,
) -> io::Result<impl Future<Output = ()>> {
    let stream = Rc::clone(&worker.stream);
    let current = move || {
        known.refresh(&worker, endpoint);
        let Protocol::Stream(service) = &known.listener.protocol else {
            return None;
        };
        Some(Current {
            service: Arc::clone(service),
            access: known.listener.admission.list().cloned(),
            limit: Arc::clone(&known.listener.limit),
            max_flows: known.listener.max_connections.unwrap_or(MAX_FLOWS),
        })
    };
    alb_stream::udp::begin(socket, stream, current, stopped)
}
