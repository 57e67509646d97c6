//! Listening sockets: binding one per worker and address, accepting without ever giving up, and emptying the
//! queue of a socket that is to be closed.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::stream;

/// Connections the kernel may queue per socket; it lowers this to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// The pause after the process has run out of descriptors or memory: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A listening socket of one worker.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    pause: Duration,
}

/// How many connections a listener has open, over all workers.
#[derive(Debug, Default)]
pub struct ConnectionLimit {
    open: AtomicU64,
}

/// Counts one connection of a listener for as long as it lives.
#[derive(Debug)]
pub struct Permit(Arc<ConnectionLimit>);

impl ConnectionLimit {
    /// Counts a connection, unless there already are `most`.
    pub fn enter(self: &Arc<Self>, most: Option<u64>) -> Option<Permit> {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        let permit = Permit(Arc::clone(self));
        most.is_none_or(|most| before < most).then_some(permit)
    }

    /// How many connections are open.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Binds one socket for each worker to an address; the kernel spreads the connections over them.
///
/// # Errors
///
/// The address is in use by another process, not of this machine, or a port below 1024 without the right to it.
pub fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<StdListener>> {
    let mut sockets = vec![bind_one(address)?];
    // With port 0 the kernel chooses for the first, and the others follow it.
    let chosen = sockets[0].local_addr()?;
    for _ in 1..workers {
        sockets.push(bind_one(chosen)?);
    }
    Ok(sockets)
}

/// Last words for a connection that is not taken: they are sent at once or, to a client that cannot be written to, never.
pub fn dismiss(stream: TcpStream, words: &[u8]) {
    // Nothing has been written before: a few bytes have room, or the client has left.
    let _ = SockRef::from(&stream).send(words);
}

/// Whether nobody listens on an address. Sockets that share their port (`bind`) would let a second daemon take half
/// of the connections without a word; this attempt does not share.
///
/// # Errors
///
/// What binding the address says.
pub fn probe(address: SocketAddr) -> io::Result<()> {
    let socket = socket(address)?;
    socket.bind(&address.into())?;
    Ok(())
}

impl Listener {
    /// Takes a bound socket into the runtime of the calling worker.
    pub fn new(socket: StdListener) -> io::Result<Self> {
        Ok(Listener {
            address: socket.local_addr()?,
            socket: TcpListener::from_std(socket)?,
            pause: FIRST_PAUSE,
        })
    }

    /// The address it is bound to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection. Failures of one connection are passed over; when descriptors or memory have run out it
    /// pauses, a little longer each time, so that connections that end can free some.
    pub async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    self.pause = FIRST_PAUSE;
                    return (stream, peer);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => self.back_off(&error).await,
            }
        }
    }

    /// Closes the socket after handing over every connection that waits in its queue: closing it at once would
    /// reset them.
    pub fn close(self, mut each: impl FnMut(TcpStream, SocketAddr)) -> io::Result<()> {
        let socket = self.socket.into_std()?;
        loop {
            match socket.accept() {
                Ok((stream, peer)) => {
                    stream.set_nonblocking(true)?;
                    each(TcpStream::from_std(stream)?, peer);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn back_off(&mut self, error: &io::Error) {
        if self.pause == FIRST_PAUSE {
            tracing::error!(
                listener = %self.address,
                "cannot accept connections: {error}; help: raise `max_open_files` in `[daemon]`, or lower `max_connections`"
            );
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

fn bind_one(address: SocketAddr) -> io::Result<StdListener> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // Connections have these from the socket that accepts them. Small answers leave at once:
    socket.set_tcp_nodelay(true)?;
    // who has vanished without a word is found out:
    stream::keep_alive(SockRef::from(&socket))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    // Connections of an earlier run in TIME_WAIT are no obstacle.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `[::]:443` beside `0.0.0.0:443` must not take the IPv4 addresses too.
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Errors of `accept` that concern the connection and not the socket (accept(2), "Error handling").
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(
        error.kind(),
        E::ConnectionAborted
            | E::ConnectionReset
            | E::Interrupted
            | E::PermissionDenied
            | E::TimedOut
            | E::HostUnreachable
            | E::NetworkUnreachable
            | E::NetworkDown
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn workers_share_a_port_and_a_closing_socket_hands_over_its_queue() {
        let mut sockets = bind("127.0.0.1:0".parse().expect("address"), 2).expect("bound");
        let address = sockets[0].local_addr().expect("address");
        assert_eq!(sockets[1].local_addr().expect("address"), address);
        let mut clients = Vec::new();
        for _ in 0..20 {
            clients.push(TcpStream::connect(address).await.expect("connected"));
        }
        let mut served = 0;
        for socket in sockets.drain(..) {
            let listener = Listener::new(socket).expect("registered");
            let each = |stream: TcpStream, _| {
                let socket = SockRef::from(&stream);
                let inherited = socket.tcp_nodelay().expect("open")
                    && socket.keepalive().expect("open")
                    && socket.tcp_keepalive_time().expect("open") == stream::KEEPALIVE;
                served += usize::from(inherited);
            };
            listener.close(each).expect("closed");
        }
        assert_eq!(served, 20);
    }

    #[test]
    fn a_limit_refuses_one_too_many_and_forgets_those_that_left() {
        let limit = Arc::new(ConnectionLimit::default());
        let first = limit.enter(Some(1));
        assert!(first.is_some());
        assert!(limit.enter(Some(1)).is_none());
        assert!(limit.enter(None).is_some());
        drop(first);
        assert_eq!(limit.open(), 0);
    }

    #[test]
    fn an_address_that_is_taken_without_sharing_is_refused() {
        let taken = StdListener::bind("127.0.0.1:0").expect("bound");
        let error = bind(taken.local_addr().expect("address"), 1).expect_err("in use");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn the_probe_finds_a_daemon_that_shares_its_port() {
        let sockets = bind("127.0.0.1:0".parse().expect("address"), 2).expect("bound");
        let address = sockets[0].local_addr().expect("address");
        assert!(probe(address).is_err());
        drop(sockets);
        probe(address).expect("free again");
    }
}
