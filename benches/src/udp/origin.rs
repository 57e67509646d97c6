//! Says every datagram back, many in one call.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt,
};

use super::BATCH;

/// Larger than any datagram of the load.
const LARGEST: usize = 2048;

/// The server behind the servers.
pub struct Origin {
    socket: UdpSocket,
    buffers: Vec<[u8; LARGEST]>,
    receiving: MultiHeaders<SockaddrIn>,
    sending: MultiHeaders<SockaddrIn>,
}

impl Origin {
    pub fn new() -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        roomy(&socket)?;
        Ok(Origin {
            socket,
            buffers: vec![[0; LARGEST]; BATCH],
            receiving: MultiHeaders::preallocate(BATCH, None),
            sending: MultiHeaders::preallocate(BATCH, None),
        })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.socket.local_addr().map_or(0, |address| address.port())
    }

    /// What it listens with.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Answers what has come; how many datagrams that were.
    pub fn answer(&mut self) -> io::Result<usize> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self
            .buffers
            .iter_mut()
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        let fd = self.socket.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        let received = recvmmsg(fd, &mut self.receiving, slices.iter_mut(), flags, None);
        let received = match received {
            Err(Errno::EAGAIN) => return Ok(0),
            other => other?,
        };
        let (sizes, clients): (Vec<usize>, Vec<Option<SockaddrIn>>) =
            received.map(|one| (one.bytes, one.address)).unzip();
        let slices: Vec<[IoSlice<'_>; 1]> = self
            .buffers
            .iter()
            .zip(&sizes)
            .map(|(buffer, size)| [IoSlice::new(&buffer[..*size])])
            .collect();
        sendmmsg(fd, &mut self.sending, &slices, &clients, [], flags)?;
        Ok(sizes.len())
    }
}

/// As much room as the system gives: what a socket has no room for is lost.
pub fn roomy(socket: &UdpSocket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let _ = setsockopt(socket, sockopt::RcvBuf, &(4 << 20));
    let _ = setsockopt(socket, sockopt::RcvBufForce, &(4 << 20));
    Ok(())
}
