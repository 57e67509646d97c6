//! The encrypted stream, as tokio's readers and writers see it.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use openssl::ssl::{Error, ErrorCode, SslStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ffi;
use super::info::TlsInfo;
use super::io::Bridge;

/// Plaintext of a full record, GB/T 38636 §6.3.3.1 and RFC 8446 §5.1.
const RECORD: usize = 1 << 14;

thread_local! {
    /// Where the pieces of a record are put together; one per thread, since nothing waits while it is in use.
    static GATHERED: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(RECORD));
}

/// A TLCP or TLS connection after its handshake.
///
/// A read returns at most one record, a write makes at most one. A peer that closes the transport without saying so
/// (no close_notify) makes the read fail with `UnexpectedEof`, so a truncated body cannot pass for a whole one.
pub struct TlsStream<S> {
    ssl: SslStream<Bridge<S>>,
    info: TlsInfo,
    /// Our close_notify has left.
    closed: bool,
}

impl<S> TlsStream<S> {
    pub(super) fn new(ssl: SslStream<Bridge<S>>, info: TlsInfo) -> Self {
        TlsStream {
            ssl,
            info,
            closed: false,
        }
    }

    /// What was negotiated, and with whom.
    pub fn info(&self) -> &TlsInfo {
        &self.info
    }

    /// The stream underneath, for its addresses and options.
    pub fn get_ref(&self) -> &S {
        &self.ssl.get_ref().stream
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    /// Runs one library call, again if the library asks for it without having waited for the transport.
    fn drive<T>(
        &mut self,
        cx: &Context<'_>,
        mut call: impl FnMut(&mut SslStream<Bridge<S>>) -> Result<T, Error>,
    ) -> Poll<Result<T, Error>> {
        self.ssl.get_mut().set_waker(cx);
        loop {
            match call(&mut self.ssl) {
                Ok(value) => return Poll::Ready(Ok(value)),
                Err(e) if !wants_more(&e) => return Poll::Ready(Err(e)),
                Err(e) if e.io_error().is_some() => return Poll::Pending,
                Err(_) => {}
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match ready!(this.drive(cx, |ssl| ffi::read(ssl, buf))) {
            Ok(_) => Poll::Ready(Ok(())),
            Err(e) if e.code() == ErrorCode::ZERO_RETURN => Poll::Ready(Ok(())),
            Err(_) if this.ssl.get_ref().ended => Poll::Ready(Err(ErrorKind::UnexpectedEof.into())),
            Err(e) => Poll::Ready(Err(into_io(e))),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .drive(cx, |ssl| ssl.ssl_write(buf))
            .map_err(into_io)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Gathers short pieces into one record, so that a head and its body leave together; a long piece is encrypted
    /// from where it lies.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut pieces = pieces.iter().filter(|p| !p.is_empty());
        let Some(first) = pieces.next() else {
            return Poll::Ready(Ok(0));
        };
        let Some(second) = pieces.next().filter(|_| first.len() < RECORD) else {
            return self.poll_write(cx, first);
        };
        GATHERED.with_borrow_mut(|record| {
            record.clear();
            for piece in [first, second].into_iter().chain(pieces) {
                let room = RECORD - record.len();
                record.extend_from_slice(&piece[..piece.len().min(room)]);
            }
            self.poll_write(cx, record)
        })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().ssl.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Once our close_notify has left, SSL_shutdown would wait for the peer's. The library's own flag is set before.
        if !this.closed {
            match ready!(this.drive(cx, SslStream::shutdown)) {
                Ok(_) => {}
                Err(e) if e.code() == ErrorCode::ZERO_RETURN => {}
                Err(e) => return Poll::Ready(Err(into_io(e))),
            }
            this.closed = true;
        }
        Pin::new(&mut this.ssl.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S> Drop for TlsStream<S> {
    /// Without this the library takes the connection for broken and forgets its session, because one of the
    /// close_notify alerts is usually missing. RFC 5246 §7.2.1 allows resumption all the same.
    fn drop(&mut self) {
        ffi::forgive_missing_close(&self.ssl);
    }
}

impl<S> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// The library waits for the transport, or wants to be called again.
pub(super) fn wants_more(error: &Error) -> bool {
    matches!(error.code(), ErrorCode::WANT_READ | ErrorCode::WANT_WRITE)
}

fn into_io(error: Error) -> io::Error {
    error.into_io_error().unwrap_or_else(io::Error::other)
}
