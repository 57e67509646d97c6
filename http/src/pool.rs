//! Idle connections to peers. One pool per worker: nothing here is shared between threads.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use alb_core::upstream::{Peer, Settings};
use foldhash::fast::FixedState;
use hyper::client::conn::http2::SendRequest;
use tokio::time::Instant;

use crate::body::Body;
use crate::h1::client::Idle;

/// How often connections past their time are looked for.
const SWEEP: Duration = Duration::from_secs(5);

/// The idle connections of a worker, by peer.
#[derive(Debug, Default)]
pub struct Pool {
    http1: RefCell<HashMap<u64, Vec<Parked>, FixedState>>,
    http2: RefCell<HashMap<u64, SendRequest<Body>, FixedState>>,
}

/// Where a connection goes when its response has been read.
#[derive(Debug)]
pub struct Home {
    pool: Rc<Pool>,
    peer: u64,
    most: usize,
    lifetime: Duration,
}

#[derive(Debug)]
struct Parked {
    connection: Idle,
    until: Instant,
}

impl Pool {
    /// A pool that closes connections past their time by itself.
    pub fn new() -> Rc<Self> {
        let pool = Rc::new(Self::default());
        let weak = Rc::downgrade(&pool);
        tokio::task::spawn_local(async move {
            let mut ticks = tokio::time::interval(SWEEP);
            loop {
                ticks.tick().await;
                match weak.upgrade() {
                    Some(pool) => pool.sweep(Instant::now()),
                    None => return,
                }
            }
        });
        pool
    }

    /// The HTTP/1 connection that was used last and still works, if there is one.
    pub fn take(&self, peer: &Peer) -> Option<Idle> {
        let mut idle = self.http1.borrow_mut();
        let parked = idle.get_mut(&peer.id())?;
        while let Some(mut last) = parked.pop() {
            if last.connection.is_usable() {
                return Some(last.connection);
            }
        }
        None
    }

    /// The HTTP/2 connection to a peer, if it is open.
    pub fn shared(&self, peer: &Peer) -> Option<SendRequest<Body>> {
        let mut connections = self.http2.borrow_mut();
        let sender = connections.get(&peer.id())?;
        if sender.is_closed() {
            connections.remove(&peer.id());
            return None;
        }
        Some(sender.clone())
    }

    /// Makes an HTTP/2 connection the one for its peer.
    pub fn share(&self, peer: &Peer, sender: &SendRequest<Body>) {
        self.http2.borrow_mut().insert(peer.id(), sender.clone());
    }

    fn sweep(&self, now: Instant) {
        self.http1.borrow_mut().retain(|_, parked| {
            parked.retain(|p| p.until > now);
            !parked.is_empty()
        });
        self.http2
            .borrow_mut()
            .retain(|_, sender| !sender.is_closed());
    }
}

impl Home {
    /// The place of connections to `peer`.
    pub fn new(pool: &Rc<Pool>, peer: &Peer, settings: &Settings) -> Self {
        Self {
            pool: Rc::clone(pool),
            peer: peer.id(),
            most: settings.keepalive,
            lifetime: settings.idle_timeout,
        }
    }

    /// Parks a connection, unless there are enough.
    pub fn take_back(self, connection: Idle) {
        let mut idle = self.pool.http1.borrow_mut();
        let parked = idle.entry(self.peer).or_default();
        if parked.len() < self.most {
            parked.push(Parked {
                connection,
                until: Instant::now() + self.lifetime,
            });
        }
    }
}
