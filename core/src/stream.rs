//! A connection as the protocols see it: a TCP or unix socket, plain or under TLS or TLCP.
//! Closed enums, so that a read is a jump and not a virtual call; vectored writes pass through.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use alb_gm::tls::{TlsInfo, TlsStream};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Silence after which the kernel asks whether the other side is still there: some connections are open for hours (mailboxes,
/// tunnels), and what stands between forgets those in which nothing moves.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(120);

/// How long a connection to a peer is old before the kernel watches over it.
pub const LASTING: Duration = Duration::from_secs(60);

/// A connection, to a client or to a peer.
#[derive(Debug)]
pub enum Stream {
    /// As it comes from the socket.
    Plain(Socket),
    /// Under TLS or TLCP.
    Tls(Box<TlsStream<Socket>>),
}

/// A connected socket of the kernel.
#[derive(Debug)]
pub enum Socket {
    /// TCP over IPv4 or IPv6.
    Tcp(TcpStream),
    /// A unix stream socket.
    Unix(UnixStream),
}

impl Stream {
    /// What the handshake agreed on; `None` on a plain connection.
    pub fn tls_info(&self) -> Option<&TlsInfo> {
        match self {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => Some(stream.info()),
        }
    }
}

impl Stream {
    /// Has the connection reset when it is dropped, so that the other side cannot take what it got for the whole.
    pub fn reset_on_drop(&self) {
        if let Socket::Tcp(stream) = self.socket() {
            // Fails only if the connection is gone already.
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }

    /// Has the kernel ask after two minutes of silence whether the other side is still there, so that what stands between
    /// remembers the connection and one that has vanished is noticed. Connections of clients have this from the socket that
    /// accepts them; those to peers are given it when they have lasted for [`LASTING`], which most do not.
    pub fn keep_alive(&self) {
        if let Socket::Tcp(stream) = self.socket() {
            // Fails only if the connection is gone already.
            let _ = keep_alive(SockRef::from(stream));
        }
    }

    fn socket(&self) -> &Socket {
        match self {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => stream.get_ref(),
        }
    }
}

/// How often the kernel asks again is left to it (`tcp_keepalive_intvl`).
pub(crate) fn keep_alive(socket: SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Socket::Tcp(stream)
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Socket::Unix(stream)
    }
}

/// Hands a call to whichever variant is there.
macro_rules! forward {
    ($self:expr, $kind:ident { $($variant:ident),+ }, $inner:ident => $call:expr) => {
        match $self {
            $($kind::$variant($inner) => $call,)+
        }
    };
}

/// Implements both I/O traits for an enum of streams.
macro_rules! impl_io {
    ($kind:ident { $first:ident, $second:ident }) => {
        impl AsyncRead for $kind {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                forward!(self.get_mut(), $kind { $first, $second }, s => Pin::new(s).poll_read(cx, buf))
            }
        }

        impl AsyncWrite for $kind {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                forward!(self.get_mut(), $kind { $first, $second }, s => Pin::new(s).poll_write(cx, buf))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                forward!(self.get_mut(), $kind { $first, $second }, s => Pin::new(s).poll_write_vectored(cx, bufs))
            }

            fn is_write_vectored(&self) -> bool {
                forward!(self, $kind { $first, $second }, s => s.is_write_vectored())
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                forward!(self.get_mut(), $kind { $first, $second }, s => Pin::new(s).poll_flush(cx))
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                forward!(self.get_mut(), $kind { $first, $second }, s => Pin::new(s).poll_shutdown(cx))
            }
        }
    };
}

impl_io!(Stream { Plain, Tls });
impl_io!(Socket { Tcp, Unix });
