//! Addresses to listen on, of connections and of datagrams, and their sockets: one per worker.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use crate::listener;

/// Bytes the kernel may hold for a socket of datagrams, as far as `net.core.rmem_max` and `wmem_max` allow: bursts are
/// lost otherwise.
const DATAGRAM_BUFFER: usize = 4 << 20;

/// An address with what is listened for on it. TCP and UDP ports are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Connections or datagrams.
    pub transport: Transport,
    /// The address as configured; its port may be 0.
    pub address: SocketAddr,
}

/// What comes to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

/// A bound socket of one worker.
#[derive(Debug)]
pub enum Bound {
    /// For connections.
    Tcp(TcpListener),
    /// For datagrams.
    Udp(UdpSocket),
}

impl Endpoint {
    /// Binds one socket for each worker; the kernel spreads connections and flows over them.
    ///
    /// # Errors
    ///
    /// As [`listener::bind`].
    pub fn bind(&self, workers: usize) -> io::Result<Vec<Bound>> {
        match self.transport {
            Transport::Tcp => {
                let sockets = listener::bind(self.address, workers)?;
                Ok(sockets.into_iter().map(Bound::Tcp).collect())
            }
            Transport::Udp => {
                let sockets = bind_udp(self.address, workers)?;
                Ok(sockets.into_iter().map(Bound::Udp).collect())
            }
        }
    }

    /// Whether nobody listens there, as [`listener::probe`].
    ///
    /// # Errors
    ///
    /// What binding the address says.
    pub fn probe(&self) -> io::Result<()> {
        match self.transport {
            Transport::Tcp => listener::probe(self.address),
            Transport::Udp => udp_socket(self.address)?.bind(&self.address.into()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transport {
            Transport::Tcp => self.address.fmt(f),
            Transport::Udp => write!(f, "udp {}", self.address),
        }
    }
}

fn bind_udp(address: SocketAddr, workers: usize) -> io::Result<Vec<UdpSocket>> {
    let mut sockets = vec![bind_one(address)?];
    // With port 0 the kernel chooses for the first, and the others follow it.
    let chosen = sockets[0].local_addr()?;
    for _ in 1..workers {
        sockets.push(bind_one(chosen)?);
    }
    Ok(sockets)
}

fn bind_one(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = udp_socket(address)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // What the system does not grant costs datagrams in bursts, and nothing else.
    let _ = socket.set_recv_buffer_size(DATAGRAM_BUFFER);
    let _ = socket.set_send_buffer_size(DATAGRAM_BUFFER);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn udp_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        // As for connections: `[::]` goes beside `0.0.0.0`.
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_an_address_of_datagrams_and_the_probe_finds_them() {
        let any = Endpoint {
            transport: Transport::Udp,
            address: "127.0.0.1:0".parse().expect("an address"),
        };
        let sockets = any.bind(2).expect("bound");
        let address = |socket: &Bound| match socket {
            Bound::Udp(socket) => socket.local_addr().expect("an address"),
            Bound::Tcp(_) => panic!("not datagrams"),
        };
        let endpoint = Endpoint {
            address: address(&sockets[0]),
            ..any
        };
        assert_eq!(address(&sockets[1]), endpoint.address);
        endpoint.probe().expect_err("taken");
        drop(sockets);
        endpoint.probe().expect("free");
        assert_eq!(endpoint.to_string(), format!("udp {}", endpoint.address));
    }
}
