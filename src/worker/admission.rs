//! Who comes in: the access list and the PROXY header of a listener, before any handshake. Whoever does not is counted,
//! logged at a bounded rate, and closed without a word.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use alb_core::ConnInfo;
use alb_core::access::AccessList;
use alb_core::proxy_protocol::{self, AcceptError};
use tokio::net::TcpStream;

use super::Worker;
use crate::snapshot::Admission;

/// For a PROXY header to arrive: it is the first thing a proxy sends.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

impl Worker {
    /// Judges a connection by its socket alone. Where a PROXY header will tell who the client is, only its sender is
    /// judged: anybody else could tell anything.
    pub(super) fn admit_at_accept(
        &self,
        admission: &Admission,
        peer: SocketAddr,
        listener: &str,
    ) -> bool {
        if admission.proxy_protocol {
            let trusted = admission.trusts(peer.ip());
            if !trusted {
                self.refuse_header(peer, listener, &"its sender is not in `trusted_proxies`");
            }
            return trusted;
        }
        match admission.denies(peer.ip()) {
            None => true,
            Some(list) => {
                self.deny(list, peer, None, listener);
                false
            }
        }
    }

    /// Reads the PROXY header where there must be one, and judges whom it names.
    pub(super) async fn admit(
        &self,
        admission: &Admission,
        socket: &mut TcpStream,
        info: &mut ConnInfo,
        listener: &str,
    ) -> bool {
        if !admission.proxy_protocol {
            return true;
        }
        match Box::pin(proxy_protocol::accept(socket, HEADER_TIMEOUT)).await {
            Ok(header) => {
                // Without addresses the proxy speaks for itself, as in its health checks.
                if let Some(known) = header.addresses {
                    info.via = Some(info.peer);
                    info.peer = known.source;
                }
            }
            Err(AcceptError::Closed) => {
                tracing::debug!(client = %info.peer, listener, "closed before the PROXY header");
                return false;
            }
            Err(error) => {
                self.refuse_header(info.peer, listener, &error);
                return false;
            }
        }
        match admission.denies(info.peer.ip()) {
            None => true,
            Some(list) => {
                self.deny(list, info.peer, info.via, listener);
                false
            }
        }
    }

    #[cold]
    fn deny(&self, list: &AccessList, client: SocketAddr, via: Option<SocketAddr>, listener: &str) {
        self.stats.access_denied.increment();
        if let Some(held_back) = self.refusals.due(Instant::now()) {
            tracing::warn!(
                %client, via = via.map(tracing::field::display), listener, access = list.name(),
                held_back, "connection denied by an access list"
            );
        }
    }

    #[cold]
    fn refuse_header(&self, peer: SocketAddr, listener: &str, reason: &dyn std::fmt::Display) {
        self.stats.proxy_headers_refused.increment();
        if let Some(held_back) = self.refusals.due(Instant::now()) {
            tracing::warn!(
                client = %peer, listener, %reason, held_back,
                help = "this listener has `proxy_protocol = true`: only a proxy in `trusted_proxies` may connect, and must send the header first",
                "connection refused: no acceptable PROXY header"
            );
        }
    }
}
