//! One connection, in the clear or under TLS or TLCP, which takes what is to be sent and sends it when it can.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;

use openssl::ssl::{Error, ErrorCode, SslStream};
use rustix::fd::{AsFd, BorrowedFd};

/// A connection, and what has not left yet.
pub struct Wire {
    transport: Transport,
    out: Vec<u8>,
    bulk: Option<Bulk>,
}

enum Transport {
    Plain(TcpStream),
    /// And whether the handshake is over.
    Tls(Box<SslStream<TcpStream>>, bool),
}

/// Many bytes: a block over and over, and then a tail.
pub struct Bulk {
    block: Rc<[u8]>,
    /// How often the block is still to be sent, with the time it is being sent.
    times: usize,
    at: usize,
    tail: &'static [u8],
}

impl Bulk {
    /// `times` blocks and a tail.
    pub fn new(block: Rc<[u8]>, times: usize, tail: &'static [u8]) -> Self {
        Bulk {
            block,
            times,
            at: 0,
            tail,
        }
    }
}

impl Wire {
    /// A connection in the clear.
    pub fn plain(stream: TcpStream) -> Self {
        Self::over(Transport::Plain(stream))
    }

    /// A connection whose handshake comes first.
    pub fn tls(stream: SslStream<TcpStream>) -> Self {
        Self::over(Transport::Tls(Box::new(stream), false))
    }

    fn over(transport: Transport) -> Self {
        Wire {
            transport,
            out: Vec::new(),
            bulk: None,
        }
    }

    /// For epoll.
    pub fn socket(&self) -> BorrowedFd<'_> {
        match &self.transport {
            Transport::Plain(stream) => stream.as_fd(),
            Transport::Tls(stream, _) => stream.get_ref().as_fd(),
        }
    }

    /// Whether the handshake, if there is one, is over.
    pub fn is_open(&self) -> bool {
        !matches!(self.transport, Transport::Tls(_, false))
    }

    /// Whether a read that did not fill its buffer has taken all there is.
    pub fn reads_short(&self) -> bool {
        matches!(self.transport, Transport::Plain(_))
    }

    /// Reads; `None` when nothing is there, or the handshake is not over.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let read = match &mut self.transport {
            Transport::Plain(stream) => stream.read(buffer),
            Transport::Tls(stream, shaken) => {
                if !*shaken {
                    match stream.connect() {
                        Ok(()) => *shaken = true,
                        Err(error) => return waits(error).map(|_| None),
                    }
                }
                match stream.ssl_read(buffer) {
                    Err(error) => return waits(error),
                    Ok(read) => Ok(read),
                }
            }
        };
        match read {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            other => other.map(Some),
        }
    }

    /// Sends, now or when there is room.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.out.is_empty() || self.bulk.is_some() {
            self.out.extend_from_slice(bytes);
            return Ok(());
        }
        let sent = self.write(bytes)?;
        self.out.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    /// Sends many bytes behind what waits.
    pub fn send_bulk(&mut self, bulk: Bulk) -> io::Result<()> {
        self.bulk = Some(bulk);
        self.flush()
    }

    /// Sends what waits, as far as there is room.
    pub fn flush(&mut self) -> io::Result<()> {
        let out = std::mem::take(&mut self.out);
        let sent = self.write(&out)?;
        self.out = out;
        self.out.drain(..sent);
        while self.out.is_empty()
            && let Some(mut bulk) = self.bulk.take()
        {
            let sent = self.write(&bulk.block[bulk.at..])?;
            bulk.at += sent;
            let all = bulk.at == bulk.block.len();
            if all {
                (bulk.at, bulk.times) = (0, bulk.times - 1);
            }
            match bulk.times {
                0 => {
                    let sent = self.write(bulk.tail)?;
                    self.out.extend_from_slice(&bulk.tail[sent..]);
                }
                _ => self.bulk = Some(bulk),
            }
            if !all {
                break;
            }
        }
        Ok(())
    }

    /// Writes what there is room for.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while sent < bytes.len() {
            let written = match &mut self.transport {
                Transport::Plain(stream) => stream.write(&bytes[sent..]),
                Transport::Tls(_, false) => return Ok(sent),
                Transport::Tls(stream, true) => match stream.ssl_write(&bytes[sent..]) {
                    Err(error) => return waits(error).map(|_| sent),
                    Ok(written) => Ok(written),
                },
            };
            match written {
                Ok(written) => sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }
}

/// Nothing can be done now, or nothing more will come, or it has failed.
fn waits(error: Error) -> io::Result<Option<usize>> {
    match error.code() {
        ErrorCode::WANT_READ | ErrorCode::WANT_WRITE => Ok(None),
        ErrorCode::ZERO_RETURN => Ok(Some(0)),
        _ => Err(error.into_io_error().unwrap_or_else(io::Error::other)),
    }
}
