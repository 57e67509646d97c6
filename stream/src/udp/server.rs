//! One address of one worker: takes the clients' datagrams, finds or begins their flows.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_core::access::AccessList;
use alb_core::limit::Permit as Limited;
use alb_core::listener::{ConnectionLimit, Permit as Counted};
use alb_core::log::Seldom;
use alb_core::upstream::{Active, Affinity, PeerAddress, Tried, Upstream};
use alb_core::{ConnInfo, Kind, Side};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, spawn_local};

use super::flow::{Flow, Key, Parts};
use super::socket::{Datagrams, LARGEST, Socket};
use crate::admission::{self, Asked};
use crate::record::{Record, Try};
use crate::{Service, Worker};

/// Datagrams taken before others get their turn.
const TURN: usize = 64;

/// The pause after an error of the socket.
const PAUSE: Duration = Duration::from_millis(1);

/// What is lost is logged this often; each loss is counted.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// What the configuration of this moment says of a listener.
pub struct Current {
    /// Where flows go.
    pub service: Arc<Service>,
    /// Who may have one.
    pub access: Option<Arc<AccessList>>,
    /// Counts the flows of all workers.
    pub limit: Arc<ConnectionLimit>,
    /// How many of them there may be.
    pub max_flows: u64,
}

/// A listening socket with its flows.
pub(super) struct Server {
    pub socket: Socket,
    pub worker: Rc<Worker>,
    local: SocketAddr,
    flows: RefCell<HashMap<Key, Entry>>,
    complaints: Seldom,
}

/// A flow that the client's next datagram belongs to, and its task.
type Entry = (Rc<Flow>, AbortHandle);

/// Carries datagrams until told to stop; then every flow ends. `current` is asked for each new flow.
///
/// # Errors
///
/// The socket cannot be taken into the runtime.
pub fn begin(
    socket: std::net::UdpSocket,
    worker: Rc<Worker>,
    mut current: impl FnMut() -> Option<Current> + 'static,
    stopped: oneshot::Receiver<()>,
) -> io::Result<impl Future<Output = ()>> {
    let socket = Socket::new(socket)?;
    let server = Rc::new(Server {
        local: socket.local()?,
        socket,
        worker,
        flows: RefCell::default(),
        complaints: Seldom::every(COMPLAIN_EVERY),
    });
    Ok(async move {
        tokio::select! {
            // Also when the worker is gone.
            _ = stopped => {}
            () = server.receive(&mut current) => {}
        }
        server.end_all();
    })
}

impl Server {
    /// Takes datagrams for ever.
    async fn receive(self: &Rc<Self>, current: &mut impl FnMut() -> Option<Current>) {
        let mut buffer = vec![0; LARGEST];
        loop {
            let mut failure = self.socket.readable().await.err();
            for _ in 0..TURN {
                match self.socket.receive(&mut buffer) {
                    Ok(datagrams) => self.take(&datagrams, current),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => failure = Some(error),
                }
            }
            match failure {
                None => tokio::task::yield_now().await,
                // Most are what an earlier datagram met on its way; one that lasts must not take the whole core.
                Some(error) => {
                    tracing::debug!(listener = %self.local, "receiving: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn take(
        self: &Rc<Self>,
        datagrams: &Datagrams<'_>,
        current: &mut impl FnMut() -> Option<Current>,
    ) {
        let Some(client) = datagrams.from else {
            return;
        };
        let key = Key {
            client,
            local: datagrams.to,
        };
        let now = Instant::now();
        let known = self
            .flows
            .borrow()
            .get(&key)
            .map(|(flow, _)| Rc::clone(flow));
        if let Some(flow) = known.filter(|flow| !flow.is_full()) {
            return flow.request(self, datagrams, now);
        }
        let Some(current) = current() else {
            return;
        };
        match self.flow(key, &current, now) {
            Ok(flow) => self.start(flow, datagrams, now),
            Err(why) => self.lose(client, datagrams, why, now),
        }
    }

    /// Sends the first datagrams of a flow, and waits for replies unless there are none to wait for.
    fn start(self: &Rc<Self>, flow: Rc<Flow>, datagrams: &Datagrams<'_>, now: Instant) {
        flow.request(self, datagrams, now);
        if flow.is_complete() {
            return flow.close(self, (Side::Gateway, "complete"));
        }
        let task = spawn_local(Rc::clone(&flow).run(Rc::clone(self)));
        let entry = (Rc::clone(&flow), task.abort_handle());
        self.flows.borrow_mut().insert(flow.key, entry);
    }

    /// A new flow, or why there is none.
    fn flow(&self, key: Key, current: &Current, now: Instant) -> Result<Rc<Flow>, Lost> {
        let service = &current.service;
        if let Some(list) = &current.access
            && !list.permits(key.client.ip())
        {
            return Err(Lost::Denied);
        }
        let counted: Counted = current
            .limit
            .enter(Some(current.max_flows))
            .ok_or(Lost::Full)?;
        let info = self.info(key);
        let limited = self.admit(service, &info)?;
        let upstream = service.upstream(None).ok_or(Lost::NoPeer)?;
        self.worker.stats.stream_sessions.increment();
        let mut record = Record::begin(&self.worker, service, info);
        record.goes_to(upstream);
        record.datagrams = Some((0, 0));
        let (socket, active) = self.connect(upstream, key.client, &mut record)?;
        let parts = Parts {
            key,
            socket,
            upstream: Arc::clone(upstream),
            rules: service.rules,
            record,
            active,
            limited,
            counted,
        };
        Ok(Flow::new(parts, now))
    }

    fn info(&self, key: Key) -> ConnInfo {
        let local = key.local.map(|ip| SocketAddr::new(ip, self.local.port()));
        ConnInfo {
            id: 0,
            peer: key.client,
            via: None,
            local: local.unwrap_or(self.local),
            tls: None,
        }
    }

    /// A wait cannot be kept with datagrams: what would have to wait passes.
    fn admit(&self, service: &Service, info: &ConnInfo) -> Result<Limited, Lost> {
        let asked = Asked { info, sni: None };
        let admitted = admission::ask(&service.limits, &asked);
        admitted
            .map(|(_, permit)| permit)
            .map_err(|_| Lost::OverLimit)
    }

    /// A socket to a peer. Connecting sends nothing: it fails only for want of a route, or of sockets.
    fn connect(
        &self,
        upstream: &Arc<Upstream>,
        client: SocketAddr,
        record: &mut Record,
    ) -> Result<(Socket, Active), Lost> {
        let now = Instant::now();
        let mut tried = Tried::default();
        let settings = upstream.settings();
        let affinity = Affinity {
            client_ip: client.ip(),
            key: None,
            cookie: None,
        };
        let pick = |tried: &mut Tried| {
            let worker = &self.worker;
            worker.with_cursor(upstream, |c| c.pick_for(now, &affinity, tried))
        };
        while let Some(active) = pick(&mut tried) {
            let PeerAddress::Tcp(address) = active.peer().address() else {
                continue;
            };
            let socket = Socket::connect(*address, settings.source(*address));
            record.tries.push(Try {
                address: address.to_string(),
                failed: socket.as_ref().err().map(|_| Kind::Connect),
                took: now.elapsed(),
            });
            if let Ok(socket) = socket {
                return Ok((socket, active));
            }
        }
        record.ended = (Side::Upstream, Lost::NoPeer.as_str());
        self.worker.stats.stream_unserved.increment();
        Err(Lost::NoPeer)
    }

    /// Takes a flow that is over out of the table, unless another has taken its place.
    pub fn forget(&self, flow: &Rc<Flow>) {
        let mut flows = self.flows.borrow_mut();
        if flows
            .get(&flow.key)
            .is_some_and(|(known, _)| Rc::ptr_eq(known, flow))
        {
            flows.remove(&flow.key);
        }
    }

    fn end_all(&self) {
        let flows: Vec<Entry> = self
            .flows
            .borrow_mut()
            .drain()
            .map(|(_, entry)| entry)
            .collect();
        for (flow, task) in flows {
            task.abort();
            flow.close(self, (Side::Gateway, "listener closed"));
        }
    }

    fn lose(&self, client: SocketAddr, datagrams: &Datagrams<'_>, why: Lost, now: Instant) {
        self.worker.stats.datagrams_dropped.add(datagrams.count());
        if self.complaints.due(now).is_some() {
            let (why, help) = (why.as_str(), why.remedy());
            tracing::warn!(listener = %self.local, %client, help, "datagram dropped: {why}");
        }
    }
}

/// Why there is no flow for a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    Denied,
    Full,
    OverLimit,
    NoPeer,
}

impl Lost {
    fn as_str(self) -> &'static str {
        match self {
            Lost::Denied => "not on the access list",
            Lost::Full => "`max_connections` is reached",
            Lost::OverLimit => "over a limit",
            Lost::NoPeer => "no live peer",
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Lost::Denied => "none needed, or add the client to the list",
            Lost::Full => "raise `max_connections`, or set `responses` so that flows end sooner",
            Lost::OverLimit => "none needed, or raise the limit",
            Lost::NoPeer => "see the earlier lines of this upstream",
        }
    }
}
