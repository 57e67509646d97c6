//! Loopback addresses that no other test gets.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A TCP address that stays ours while this value lives.
///
/// It holds a socket that is bound with `SO_REUSEPORT` but does not listen: the kernel gives the port to nobody else, a
/// program that sets `SO_REUSEPORT` too can listen there, and no connection ever ends up here.
#[derive(Debug)]
pub struct Reserved {
    address: SocketAddr,
    _socket: Socket,
}

impl Reserved {
    /// Reserves a port of 127.0.0.1.
    pub fn v4() -> Self {
        Self::on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Reserves a port of `address`'s host.
    pub fn on(address: SocketAddr) -> Self {
        let socket =
            Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
        socket.set_reuse_port(true).expect("SO_REUSEPORT");
        // `alb` looks whether somebody listens before it shares a port; being bound only must not count.
        socket.set_reuse_address(true).expect("SO_REUSEADDR");
        socket
            .bind(&address.into())
            .unwrap_or_else(|error| panic!("cannot bind {address}: {error}"));
        let address = socket
            .local_addr()
            .expect("its address")
            .as_socket()
            .expect("an IP address");
        Self {
            address,
            _socket: socket,
        }
    }

    /// The address that was reserved.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A loopback address where nothing listens: connecting to it is refused.
pub fn nobody() -> Reserved {
    Reserved::v4()
}
