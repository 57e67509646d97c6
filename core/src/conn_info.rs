//! Who is at the other end of a client connection. Facts only; it decides nothing.

use std::net::SocketAddr;
use std::rc::Rc;

use alb_gm::tls::TlsInfo;

/// The facts of one accepted connection, fixed once the handshake is over.
#[derive(Clone, Debug)]
pub struct ConnInfo {
    /// Unique within the daemon; the top bits name the worker.
    pub id: u64,
    /// The client's address: the socket's peer, or whom a trusted PROXY header names.
    pub peer: SocketAddr,
    /// The socket's peer where that is a proxy that has named the client.
    pub via: Option<SocketAddr>,
    /// The address the client connected to.
    pub local: SocketAddr,
    /// What TLS or TLCP agreed on; `None` on a plain connection.
    pub tls: Option<Rc<TlsInfo>>,
}

impl ConnInfo {
    /// A name for the connection by which the logs of the gateway and of servers can be joined.
    pub fn session_name(&self) -> String {
        format!("alb{:x}", self.id)
    }
}
