//! Messages of the stream load: a head that says how long the message is and how long the reply shall be, and filling.

use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;

use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create, sendfile};
use rustix::net::{RecvFlags, recv};

/// Bytes of a head.
pub const HEAD: usize = 16;
/// Messages up to this length are written in one piece; the filling of longer ones is sent without a copy.
const SMALL: usize = 16 * 1024;
/// Sent, or thrown away, at once.
const PIECE: usize = 1 << 20;

/// What a request says.
#[derive(Clone, Copy)]
pub struct Head {
    /// Length of the request, this head included.
    pub request: usize,
    /// Length of the reply that is wanted.
    pub reply: usize,
}

/// What messages are filled with, and room for what is received.
pub struct Pages {
    file: OwnedFd,
    small: Vec<u8>,
    received: Vec<u8>,
}

/// A message on its way out.
#[derive(Default)]
pub struct Sending {
    head: [u8; HEAD],
    length: usize,
    at: usize,
}

/// Bytes of a message that are still to come; `None`: its head is, too.
#[derive(Default)]
pub struct Receiving(pub Option<usize>);

impl Head {
    pub fn to_bytes(self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..8].copy_from_slice(&(self.request as u64).to_be_bytes());
        bytes[8..].copy_from_slice(&(self.reply as u64).to_be_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (request, rest) = bytes.split_first_chunk()?;
        let (reply, _) = rest.split_first_chunk()?;
        Some(Head {
            request: u64::from_be_bytes(*request) as usize,
            reply: u64::from_be_bytes(*reply) as usize,
        })
    }
}

impl Pages {
    pub fn new() -> io::Result<Self> {
        let file = memfd_create("filling", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, PIECE as u64)?;
        Ok(Self {
            file,
            small: vec![0; SMALL],
            received: vec![0; PIECE],
        })
    }
}

impl Sending {
    /// Begins a message of this length; replies begin with a head, too, which says nothing.
    pub fn begin(&mut self, length: usize, head: [u8; HEAD]) {
        *self = Sending {
            head,
            length,
            at: 0,
        };
    }

    /// Sends what there is room for; `true` when the message is gone.
    pub fn go(&mut self, mut stream: &TcpStream, pages: &mut Pages) -> io::Result<bool> {
        while self.at < self.length {
            let left = self.length - self.at;
            let sent = match self.at {
                0 if self.length <= SMALL => {
                    pages.small[..HEAD].copy_from_slice(&self.head);
                    stream.write(&pages.small[..left])
                }
                at if at < HEAD => stream.write(&self.head[at..]),
                _ => {
                    sendfile(stream, &pages.file, Some(&mut 0), left.min(PIECE)).map_err(Into::into)
                }
            };
            match sent {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                sent => self.at += sent?,
            }
        }
        Ok(true)
    }
}

impl Receiving {
    /// Receives once, and throws it away: how many bytes (0: the end), and the head if it began with one. `None` if there
    /// was nothing.
    pub fn go(
        &mut self,
        stream: &TcpStream,
        pages: &mut Pages,
    ) -> io::Result<Option<(usize, Option<Head>)>> {
        // TCP throws away what is received with MSG_TRUNC, in place of copying it (tcp(7)).
        let flags = match self.0 {
            Some(_) => RecvFlags::TRUNC,
            None => RecvFlags::empty(),
        };
        let most = self.0.unwrap_or(SMALL).min(PIECE);
        let count = match recv(stream, &mut pages.received[..most], flags) {
            Err(error) if error == rustix::io::Errno::AGAIN => return Ok(None),
            received => received?.1,
        };
        if count == 0 {
            return Ok(Some((0, None)));
        }
        let Some(left) = self.0 else {
            let head = Head::parse(&pages.received[..count.min(most)]);
            let head = head.ok_or_else(|| io::Error::other("a head in pieces"))?;
            self.0 = Some(head.request.saturating_sub(count));
            return Ok(Some((count, Some(head))));
        };
        self.0 = Some(left.saturating_sub(count));
        Ok(Some((count, None)))
    }
}
