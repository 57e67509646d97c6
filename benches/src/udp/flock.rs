//! All clients: one socket, an address for each.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc::{in_addr, in_pktinfo};
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmsg};

use super::BATCH;
use super::origin::roomy;
use crate::tally::Tally;

/// Larger than any datagram of the load.
const LARGEST: usize = 2048;

/// The most bytes that are sent in one call: what a datagram over IPv4 could carry.
const MOST_BYTES: usize = 65_507;

/// The clients of a run.
pub struct Flock {
    socket: UdpSocket,
    server: SockaddrIn,
    size: usize,
    /// Tells the answers of this run from those of others.
    run: u16,
    begun: Instant,
    /// Flows in the order in which they ask.
    queue: VecDeque<u16>,
    under_way: usize,
    buffers: Vec<[u8; LARGEST]>,
    receiving: MultiHeaders<SockaddrIn>,
}

impl Flock {
    pub fn new() -> io::Result<Self> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        roomy(&socket)?;
        Ok(Flock {
            socket,
            server: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into(),
            size: 0,
            run: 0,
            begun: Instant::now(),
            queue: VecDeque::new(),
            under_way: 0,
            buffers: vec![[0; LARGEST]; BATCH],
            receiving: MultiHeaders::preallocate(BATCH, None),
        })
    }

    /// What the clients have in common.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Begins a run of so many flows.
    pub fn begin(&mut self, server: SocketAddr, flows: usize, size: usize) {
        if let SocketAddr::V4(server) = server {
            self.server = server.into();
        }
        self.run = self.run.wrapping_add(1);
        self.size = size.clamp(8, LARGEST);
        self.queue = (0..flows).map(|flow| flow as u16).collect();
        self.begun = Instant::now();
        self.under_way = 0;
    }

    /// Questions without an answer yet.
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// Asks so many questions: as many in a row as there are of one flow, each flow once in a round.
    pub fn ask(&mut self, count: usize) -> io::Result<()> {
        let flows = self.queue.len().max(1);
        let (each, more) = (count / flows, count % flows);
        for turn in 0..flows.min(count) {
            let Some(flow) = self.queue.pop_front() else {
                break;
            };
            self.send(flow, each + usize::from(turn < more))?;
            self.queue.push_back(flow);
        }
        self.under_way += count;
        Ok(())
    }

    /// Takes the answers that are there; how many there were.
    pub fn receive(&mut self, tally: &mut Tally) -> io::Result<usize> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self
            .buffers
            .iter_mut()
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        let (fd, flags) = (self.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let received = recvmmsg(fd, &mut self.receiving, slices.iter_mut(), flags, None);
        let received = match received {
            Err(Errno::EAGAIN) => return Ok(0),
            other => other?,
        };
        let sizes: Vec<usize> = received.map(|one| one.bytes).collect();
        let now = self.begun.elapsed();
        let mut count = 0;
        for (buffer, size) in self.buffers.iter().zip(sizes) {
            let run = u16::from_le_bytes([buffer[2], buffer[3]]);
            if size != self.size || run != self.run {
                continue;
            }
            let sent = [buffer[4], buffer[5], buffer[6], buffer[7]];
            let sent = Duration::from_micros(u32::from_le_bytes(sent).into());
            tally.add(now.saturating_sub(sent));
            count += 1;
        }
        self.under_way = self.under_way.saturating_sub(count);
        Ok(count)
    }

    /// Gives up what has not been answered; how many questions that were.
    pub fn give_up(&mut self) -> usize {
        std::mem::take(&mut self.under_way)
    }

    /// Sends the same question so many times, in one call where the kernel can take it apart, as senders of bulk do.
    fn send(&mut self, flow: u16, mut count: usize) -> io::Result<()> {
        let mut datagram = [0; LARGEST];
        datagram[..2].copy_from_slice(&flow.to_le_bytes());
        datagram[2..4].copy_from_slice(&self.run.to_le_bytes());
        let sent = self.begun.elapsed().as_micros() as u32;
        datagram[4..8].copy_from_slice(&sent.to_le_bytes());
        let [high, low] = flow.to_be_bytes();
        let info = in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: in_addr {
                s_addr: u32::from_ne_bytes([127, 1, high, low]),
            },
            ipi_addr: in_addr { s_addr: 0 },
        };
        let segment = self.size as u16;
        let source = ControlMessage::Ipv4PacketInfo(&info);
        let control = [source, ControlMessage::UdpGsoSegments(&segment)];
        let slices = [IoSlice::new(&datagram[..self.size]); BATCH];
        let most = (MOST_BYTES / self.size).min(BATCH);
        let (fd, flags) = (self.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        while count > 0 {
            let some = count.min(most);
            let control = &control[..some.min(2)];
            match sendmsg(fd, &slices[..some], control, flags, Some(&self.server)) {
                // No room: what was not sent is missed as if it were lost.
                Ok(_) | Err(Errno::EAGAIN | Errno::ECONNREFUSED) => {}
                Err(error) => return Err(error.into()),
            }
            count -= some;
        }
        Ok(())
    }
}
