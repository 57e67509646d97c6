//! A socket of datagrams: several of equal size come and go in one call where the kernel has put them together (GRO) or
//! takes them apart (GSO), and an answer leaves from the address that was asked.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The largest datagram, and the most that comes at once.
pub(super) const LARGEST: usize = 64 * 1024;

/// Room for what the kernel says beside the bytes: a segment size and an address.
const CONTROL: usize = 128;

/// A socket, connected or not.
pub(super) struct Socket {
    io: UdpSocket,
    /// Bound to all addresses: each datagram says which of them it came to.
    everywhere: bool,
}

/// One or more datagrams of one sender, all of `segment` bytes but the last, which may be shorter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagrams<'b> {
    pub bytes: &'b [u8],
    pub segment: usize,
    /// Who sent them; `None` on a connected socket.
    pub from: Option<SocketAddr>,
    /// The address of ours they came to, if that is not clear.
    pub to: Option<IpAddr>,
}

impl Socket {
    /// Takes a bound socket into the runtime of the calling worker.
    pub fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        let everywhere = socket.local_addr()?.ip().is_unspecified();
        // Without it datagrams come one by one.
        let _ = setsockopt(&socket, sockopt::UdpGroSegment, &true);
        if everywhere {
            match socket.local_addr()? {
                SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
                SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
            }
        }
        let io = UdpSocket::from_std(socket)?;
        Ok(Socket { io, everywhere })
    }

    /// A socket of its own to a peer, from this address if one is given.
    pub fn connect(to: SocketAddr, from: Option<IpAddr>) -> io::Result<Self> {
        let any: IpAddr = match to {
            SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = std::net::UdpSocket::bind((from.unwrap_or(any), 0))?;
        socket.set_nonblocking(true)?;
        socket.connect(to)?;
        let _ = setsockopt(&socket, sockopt::UdpGroSegment, &true);
        Ok(Socket {
            io: UdpSocket::from_std(socket)?,
            everywhere: false,
        })
    }

    /// The address it is bound to.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// Waits until there may be something to receive.
    ///
    /// # Errors
    ///
    /// What ICMP has said of a datagram that was sent.
    pub async fn readable(&self) -> io::Result<()> {
        let ready = self
            .io
            .ready(Interest::READABLE.add(Interest::ERROR))
            .await?;
        if ready.is_error() {
            // The event has been seen; the runtime is to wait for the next one.
            let seen = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
            let _ = self.io.try_io(Interest::ERROR, seen);
            if let Some(error) = self.io.take_error()? {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Receives what is there; `WouldBlock` if nothing is. `buffer` should have [`LARGEST`] bytes.
    pub fn receive<'b>(&self, buffer: &'b mut [u8]) -> io::Result<Datagrams<'b>> {
        let io = || self.receive_now(buffer);
        let (count, segment, from, to) = self.io.try_io(Interest::READABLE, io)?;
        Ok(Datagrams {
            bytes: &buffer[..count],
            segment: segment.unwrap_or(count).max(1),
            from,
            to,
        })
    }

    fn receive_now(&self, buffer: &mut [u8]) -> io::Result<Meta> {
        let mut control = [0; CONTROL];
        let mut pieces = [IoSliceMut::new(buffer)];
        let received = recvmsg::<SockaddrStorage>(
            self.io.as_fd().as_raw_fd(),
            &mut pieces,
            Some(&mut control),
            MsgFlags::empty(),
        )?;
        let (mut segment, mut to) = (None, None);
        for message in received.cmsgs()? {
            match message {
                ControlMessageOwned::UdpGroSegments(size) => segment = usize::try_from(size).ok(),
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    to = Some(IpAddr::from(info.ipi_addr.s_addr.to_ne_bytes()));
                }
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    to = Some(IpAddr::from(info.ipi6_addr.s6_addr));
                }
                _ => {}
            }
        }
        let from = received.address.as_ref().and_then(address);
        Ok((received.bytes, segment, from, to))
    }

    /// Sends to `to`, or to the peer of a connected socket, from the address `from` of ours. What the socket has no room
    /// for is lost, as datagrams may be.
    pub fn send(
        &self,
        datagrams: &Datagrams<'_>,
        to: Option<SocketAddr>,
        from: Option<IpAddr>,
    ) -> io::Result<()> {
        let from = from.filter(|_| self.everywhere);
        let (bytes, segment) = (datagrams.bytes, datagrams.segment);
        if bytes.len() > segment {
            match self.send_now(bytes, Some(segment), to, from) {
                // No segmentation by the kernel for this many, this large, or on this way.
                Err(error) if is_unsegmented(&error) => {}
                result => return result,
            }
        }
        if bytes.is_empty() {
            return self.send_now(bytes, None, to, from);
        }
        bytes
            .chunks(segment)
            .try_for_each(|one| self.send_now(one, None, to, from))
    }

    fn send_now(
        &self,
        bytes: &[u8],
        segment: Option<usize>,
        to: Option<SocketAddr>,
        from: Option<IpAddr>,
    ) -> io::Result<()> {
        let segment = segment.and_then(|size| u16::try_from(size).ok());
        let v4 = match from {
            Some(IpAddr::V4(ip)) => Some(libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr {
                    s_addr: u32::from_ne_bytes(ip.octets()),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            }),
            _ => None,
        };
        let v6 = match from {
            Some(IpAddr::V6(ip)) => Some(libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr {
                    s6_addr: ip.octets(),
                },
                ipi6_ifindex: 0,
            }),
            _ => None,
        };
        let v4 = v4.as_ref().map(ControlMessage::Ipv4PacketInfo);
        let v6 = v6.as_ref().map(ControlMessage::Ipv6PacketInfo);
        let segments = segment.as_ref().map(ControlMessage::UdpGsoSegments);
        let mut control = [ControlMessage::UdpGsoSegments(&0); 2];
        let mut count = 0;
        for message in v4.into_iter().chain(v6).chain(segments) {
            control[count] = message;
            count += 1;
        }
        let to = to.map(SockaddrStorage::from);
        // Without asking the runtime whether there is room: a new socket has not been looked at yet.
        let (fd, flags) = (self.io.as_fd().as_raw_fd(), MsgFlags::MSG_NOSIGNAL);
        match sendmsg(
            fd,
            &[IoSlice::new(bytes)],
            &control[..count],
            flags,
            to.as_ref(),
        ) {
            Ok(_) | Err(Errno::EAGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Bytes, the size of a segment, the sender, and the address of ours.
type Meta = (usize, Option<usize>, Option<SocketAddr>, Option<IpAddr>);

impl Datagrams<'_> {
    /// How many they are.
    pub fn count(&self) -> u64 {
        self.bytes.len().div_ceil(self.segment).max(1) as u64
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

/// udp(7), `UDP_SEGMENT`: the kernel or the device does not take them together.
fn is_unsegmented(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::EOPNOTSUPP)
    )
}
