//! A socket of datagrams: several come and go in one call where the kernel has put them together (GRO) or takes them
//! apart (GSO), and an answer leaves from the address that was asked. Never waits.

use std::cell::Cell;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::libc;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType,
    SockaddrStorage, recvmsg, sendmsg, setsockopt, socket, sockopt,
};

use super::run::Run;

/// The largest datagram, and the most that comes at once.
pub(super) const LARGEST: usize = 64 * 1024;

/// Room for what the kernel says beside the bytes: a segment size and an address.
const CONTROL: usize = 128;

/// A socket, connected or not.
pub(super) struct Socket {
    io: UdpSocket,
    connected: bool,
    /// Bound to all addresses: each datagram says which of them it came to.
    everywhere: bool,
    /// The kernel may put datagrams together.
    joins: Cell<bool>,
}

/// What came: datagrams of `segment` bytes, the last may be shorter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    /// Bytes of all.
    pub bytes: usize,
    /// Bytes of each; 0 for one without bytes.
    pub segment: usize,
    /// Who sent them; `None` on a connected socket.
    pub from: Option<SocketAddr>,
    /// The address of ours they came to, if that is not clear.
    pub to: Option<IpAddr>,
}

/// What of a run was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// Datagrams.
    pub count: u64,
    /// Their bytes.
    pub bytes: usize,
}

/// Where an answer goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// The client.
    pub to: SocketAddr,
    /// The address of ours it asked, if that is not clear.
    pub from: Option<IpAddr>,
}

impl Socket {
    /// A bound socket that anybody may send to.
    pub fn bound(io: UdpSocket) -> io::Result<Self> {
        let local = io.local_addr()?;
        let everywhere = local.ip().is_unspecified();
        if everywhere {
            match local {
                SocketAddr::V4(_) => setsockopt(&io, sockopt::Ipv4PacketInfo, &true)?,
                SocketAddr::V6(_) => setsockopt(&io, sockopt::Ipv6RecvPacketInfo, &true)?,
            }
        }
        let socket = Socket {
            io,
            connected: false,
            everywhere,
            joins: Cell::new(false),
        };
        socket.join();
        Ok(socket)
    }

    /// A socket of its own to a peer, from this address if one is given.
    pub fn connect(to: SocketAddr, from: Option<IpAddr>) -> io::Result<Self> {
        let family = match to {
            SocketAddr::V4(_) => AddressFamily::Inet,
            SocketAddr::V6(_) => AddressFamily::Inet6,
        };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(family, SockType::Datagram, flags, None)?;
        if let Some(from) = from {
            let from = SockaddrStorage::from(SocketAddr::new(from, 0));
            nix::sys::socket::bind(fd.as_raw_fd(), &from)?;
        }
        let io = UdpSocket::from(fd);
        io.connect(to)?;
        Ok(Socket {
            io,
            connected: true,
            everywhere: false,
            joins: Cell::new(false),
        })
    }

    /// The address it is bound to.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// Has the kernel put datagrams together that come close after each other. Without it they come one by one.
    pub fn join(&self) {
        if !self.joins.get() {
            self.joins
                .set(setsockopt(&self.io, sockopt::UdpGroSegment, &true).is_ok());
        }
    }

    /// Receives what is there; `WouldBlock` if nothing is. `buffer` should have [`LARGEST`] bytes.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        if !self.connected || self.joins.get() {
            return self.receive_facts(buffer);
        }
        let bytes = self.io.recv(buffer)?;
        Ok(Received {
            bytes,
            segment: bytes,
            from: None,
            to: None,
        })
    }

    fn receive_facts(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut control = [0; CONTROL];
        let mut pieces = [IoSliceMut::new(buffer)];
        let received = recvmsg::<SockaddrStorage>(
            self.io.as_raw_fd(),
            &mut pieces,
            Some(&mut control),
            MsgFlags::empty(),
        )?;
        let mut facts = Received {
            bytes: received.bytes,
            segment: received.bytes,
            from: received.address.as_ref().and_then(address),
            to: None,
        };
        for message in received.cmsgs()? {
            match message {
                ControlMessageOwned::UdpGroSegments(size) => {
                    facts.segment = usize::try_from(size).unwrap_or_default().max(1);
                }
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    facts.to = Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into());
                }
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    facts.to = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
                }
                _ => {}
            }
        }
        Ok(facts)
    }

    /// Sends to a client, or to the peer of a connected socket, and says what was sent: what there is no room for, or what
    /// is too large for the way, is lost, as datagrams may be. `splits` says whether the kernel takes a run apart on
    /// this way, and is taken back when it does not.
    ///
    /// # Errors
    ///
    /// What ICMP has said of an earlier datagram; that there is no route.
    pub fn send(&self, run: &Run<'_>, way: Option<&Way>, splits: &mut bool) -> io::Result<Sent> {
        if run.count > 1 && *splits {
            match self.send_message(run.pieces, Some(run.segment), way) {
                Ok(()) => {
                    return Ok(Sent {
                        count: run.count,
                        bytes: run.bytes,
                    });
                }
                Err(error) if has_no_room(&error) => return Ok(Sent::default()),
                // The kernel or the device does not take them together; what else is wrong shows again below.
                Err(error) if is_lost(&error) || is_unsegmented(&error) => *splits = false,
                Err(error) => return Err(error),
            }
        }
        let mut sent = Sent::default();
        for datagram in run.datagrams() {
            match self.send_one(datagram, way) {
                Ok(()) => {
                    sent.count += 1;
                    sent.bytes += datagram.len();
                }
                Err(error) if is_lost(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    fn send_one(&self, datagram: &[u8], way: Option<&Way>) -> io::Result<()> {
        match way {
            None => self.io.send(datagram).map(drop),
            Some(way) if way.from.is_none() => self.io.send_to(datagram, way.to).map(drop),
            Some(_) => self.send_message(&[IoSlice::new(datagram)], None, way),
        }
    }

    fn send_message(
        &self,
        pieces: &[IoSlice<'_>],
        segment: Option<usize>,
        way: Option<&Way>,
    ) -> io::Result<()> {
        let from = way.and_then(|way| way.from).filter(|_| self.everywhere);
        let (v4, v6) = sources(from);
        let segment = segment.and_then(|size| u16::try_from(size).ok());
        let source = match (&v4, &v6) {
            (Some(v4), _) => Some(ControlMessage::Ipv4PacketInfo(v4)),
            (_, v6) => v6.as_ref().map(ControlMessage::Ipv6PacketInfo),
        };
        let segments = segment.as_ref().map(ControlMessage::UdpGsoSegments);
        let mut control = [ControlMessage::UdpGsoSegments(&0); 2];
        let mut count = 0;
        for message in source.into_iter().chain(segments) {
            control[count] = message;
            count += 1;
        }
        let to = way.map(|way| SockaddrStorage::from(way.to));
        let (fd, flags) = (self.io.as_raw_fd(), MsgFlags::MSG_NOSIGNAL);
        sendmsg(fd, pieces, &control[..count], flags, to.as_ref())?;
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

/// The address to send from as ip(7) and ipv6(7) take it.
fn sources(from: Option<IpAddr>) -> (Option<libc::in_pktinfo>, Option<libc::in6_pktinfo>) {
    match from {
        None => (None, None),
        Some(IpAddr::V4(ip)) => {
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr {
                    s_addr: u32::from_ne_bytes(ip.octets()),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            (Some(info), None)
        }
        Some(IpAddr::V6(ip)) => {
            let info = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr {
                    s6_addr: ip.octets(),
                },
                ipi6_ifindex: 0,
            };
            (None, Some(info))
        }
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage
        .as_sockaddr_in()
        .map(|a| SocketAddr::V4((*a).into()));
    v4.or_else(|| {
        storage
            .as_sockaddr_in6()
            .map(|a| SocketAddr::V6((*a).into()))
    })
}

/// Says of this datagram only that it was not sent, and nothing of who it was for: no room, too large for the way, or a
/// packet filter of this machine.
pub(super) fn is_lost(error: &io::Error) -> bool {
    let of_this_one = matches!(
        error.raw_os_error(),
        Some(libc::EMSGSIZE | libc::EPERM | libc::EINVAL)
    );
    of_this_one || has_no_room(error) || error.kind() == ErrorKind::Interrupted
}

fn has_no_room(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
        || matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM))
}

/// udp(7), `UDP_SEGMENT`: the kernel or the device does not take them together.
fn is_unsegmented(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EOPNOTSUPP))
}

#[cfg(test)]
mod tests;
