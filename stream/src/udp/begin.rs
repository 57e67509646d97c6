//! How a flow begins: who may have one, under which limits, with which peer.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use alb_core::limit::Permit as Limited;
use alb_core::upstream::{Active, Affinity, PeerAddress, Tried, Upstream};
use alb_core::{ConnInfo, Kind, Side};

use super::flow::{Flow, Parts};
use super::server::Current;
use super::socket::Socket;
use super::table::Key;
use crate::admission::{self, Asked};
use crate::record::{Record, Try};
use crate::{Service, Worker};

/// A client's first datagram.
pub(super) struct First<'a> {
    pub worker: &'a Rc<Worker>,
    pub key: Key,
    /// Where the server listens.
    pub local: SocketAddr,
    pub mark: u32,
    pub now: Instant,
}

/// Why there is no flow for a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    Denied,
    Full,
    OverLimit,
    NoPeer,
    Leaving,
}

impl First<'_> {
    /// The flow, or why there is none.
    pub fn begin(&self, current: &Current) -> Result<Box<Flow>, Lost> {
        let (worker, service) = (self.worker, &current.service);
        let client = self.key.client.ip();
        if let Some(list) = &current.access
            && !list.permits(client)
        {
            worker.stats.access_denied.increment();
            return Err(Lost::Denied);
        }
        let most = Some(current.max_flows);
        let counted = current.limit.enter(most).ok_or(Lost::Full)?;
        let info = self.info();
        let limited = self.admit(service, &info)?;
        let upstream = service.upstream(None).ok_or(Lost::NoPeer)?;
        worker.stats.stream_sessions.increment();
        let mut record = Record::begin(worker, service, info);
        record.goes_to(upstream);
        record.datagrams = Some((0, 0));
        let (socket, active) = self.connect(upstream, &mut record)?;
        let parts = Parts {
            key: self.key,
            rules: service.rules,
            socket,
            mark: self.mark,
            upstream: Arc::clone(upstream),
            record,
            active,
            limited,
            counted,
        };
        Ok(Flow::new(worker, parts))
    }

    fn info(&self) -> ConnInfo {
        let local = self.key.local;
        let local = local.map(|ip| SocketAddr::new(ip, self.local.port()));
        ConnInfo {
            id: 0,
            peer: self.key.client,
            via: None,
            local: local.unwrap_or(self.local),
            tls: None,
        }
    }

    /// A wait cannot be kept with datagrams: what would have to wait is lost.
    fn admit(&self, service: &Service, info: &ConnInfo) -> Result<Limited, Lost> {
        if service.limits.is_empty() {
            return Ok(Limited::default());
        }
        let asked = Asked { info, sni: None };
        let admitted = admission::ask_at_once(&service.limits, &asked, &self.worker.stats);
        admitted.map_err(|_| Lost::OverLimit)
    }

    /// A socket to a peer. Connecting sends nothing: it fails only for want of a route, or of sockets.
    fn connect(
        &self,
        upstream: &Arc<Upstream>,
        record: &mut Record,
    ) -> Result<(Socket, Active), Lost> {
        let mut tried = Tried::default();
        let settings = upstream.settings();
        let affinity = Affinity {
            client_ip: self.key.client.ip(),
            key: None,
            cookie: None,
        };
        let pick = |tried: &mut Tried| {
            self.worker
                .with_cursor(upstream, |c| c.pick_for(self.now, &affinity, tried))
        };
        while let Some(active) = pick(&mut tried) {
            let PeerAddress::Tcp(address) = active.peer().address() else {
                continue;
            };
            let socket = Socket::connect(*address, settings.source(*address));
            record.tries.push(Try {
                peer: active.peer().clone(),
                failed: socket.as_ref().err().map(|_| Kind::Connect),
                took: self.now.elapsed(),
            });
            if let Ok(socket) = socket {
                return Ok((socket, active));
            }
        }
        record.ended = (Side::Upstream, Lost::NoPeer.as_str());
        self.worker.stats.stream_unserved.increment();
        Err(Lost::NoPeer)
    }
}

impl Lost {
    pub fn as_str(self) -> &'static str {
        match self {
            Lost::Denied => "not on the access list",
            Lost::Full => "`max_connections` is reached",
            Lost::OverLimit => "over a limit",
            Lost::NoPeer => "no live peer",
            Lost::Leaving => "its listener is leaving and takes no new flows",
        }
    }

    pub fn remedy(self) -> &'static str {
        match self {
            Lost::Denied => "none needed, or add the client to the list",
            Lost::Full => "raise `max_connections`, or set `responses` so that flows end sooner",
            Lost::OverLimit => "none needed, or raise the limit",
            Lost::NoPeer => "see the earlier lines of this upstream",
            Lost::Leaving => "none needed",
        }
    }
}
