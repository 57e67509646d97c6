//! Accepting on one address: follows the listener through reloads, and hands over what waits in the queue before
//! the socket is closed.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_core::listener::Listener;
use alb_core::published::Pinned;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_local};

use super::Worker;
use crate::snapshot::Listener as Configured;

/// Refusals over the connection limit are logged this often; each is counted.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

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
    complained: Option<Instant>,
}

impl Listening {
    /// Begins to accept.
    pub fn begin(
        worker: &Rc<Worker>,
        address: SocketAddr,
        socket: StdListener,
    ) -> io::Result<Self> {
        let known = Known::find(worker, address)
            .ok_or_else(|| io::Error::other(format!("no listener for {address}")))?;
        let listener = Listener::new(socket)?;
        let (stop, stopped) = oneshot::channel();
        let task = spawn_local(accept(Rc::clone(worker), address, known, listener, stopped));
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
    fn find(worker: &Worker, address: SocketAddr) -> Option<Self> {
        let snapshot = worker.snapshot.pin();
        let listener = snapshot.listeners.get(&address)?;
        Some(Known {
            listener: Pinned::new(Arc::clone(listener)),
            name: Rc::from(&*listener.name),
            generation: worker.snapshot.generation(),
            complained: None,
        })
    }

    /// Takes over a newer snapshot; one without the address leaves the listener as it was, for the connections that
    /// still wait in the queue.
    fn refresh(&mut self, worker: &Worker, address: SocketAddr) {
        worker.snapshot.pin();
        let generation = worker.snapshot.generation();
        if generation == self.generation {
            return;
        }
        self.generation = generation;
        if let Some(newer) = Known::find(worker, address) {
            *self = newer;
        }
    }

    /// Says at intervals that connections are refused.
    fn complain(&mut self, address: SocketAddr, peer: SocketAddr) {
        let now = Instant::now();
        let due = |last: Instant| now.duration_since(last) >= COMPLAIN_EVERY;
        if self.complained.is_none_or(due) {
            self.complained = Some(now);
            tracing::warn!(
                listener = %self.name,
                %address,
                client = %peer,
                "connection refused: `max_connections` is reached"
            );
        }
    }
}

async fn accept(
    worker: Rc<Worker>,
    address: SocketAddr,
    mut known: Known,
    mut listener: Listener,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut take = |stream: TcpStream, peer: SocketAddr| {
        known.refresh(&worker, address);
        if !worker.take(stream, peer, &known) {
            known.complain(address, peer);
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
        tracing::warn!(%address, "cannot empty the queue of a closing socket: {error}");
    }
}
