//! Drives one handshake over an async stream, and takes leave of a peer whose handshake failed.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::{Error, Ssl, SslStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::io::Bridge;
use super::stream::wants_more;

/// How long, and for how many bytes, a refused peer may go on talking before the connection is closed. Closing a
/// socket with unread bytes resets the connection, and the reset overtakes the alert.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 64 * 1024;

/// Which side of the handshake to play.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Server,
    Client,
}

impl Side {
    /// The word for the other side.
    pub(super) fn peer(self) -> &'static str {
        match self {
            Side::Server => "client",
            Side::Client => "server",
        }
    }

    /// The remedy for a certificate that is not for this use.
    pub(super) fn usage_help(self) -> &'static str {
        match self {
            Side::Server => {
                "a client's certificate needs the extended key usage clientAuth, if it has any"
            }
            Side::Client => {
                "a server's certificate needs the extended key usage serverAuth, if it has any"
            }
        }
    }
}

/// Shakes hands; the stream comes back in either case, so that the failure can be explained.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    ssl: Ssl,
    bridge: Bridge<S>,
    side: Side,
) -> Result<(SslStream<Bridge<S>>, Result<(), Error>), ErrorStack> {
    let mut stream = SslStream::new(ssl, bridge)?;
    let outcome = poll_fn(|cx| {
        stream.get_mut().set_waker(cx);
        loop {
            let step = match side {
                Side::Server => stream.accept(),
                Side::Client => stream.connect(),
            };
            // Whatever was written has to leave before the peer can answer.
            let flushed = Pin::new(&mut stream.get_mut().stream).poll_flush(cx);
            match step {
                Err(e) if wants_more(&e) && e.io_error().is_none() => {}
                Err(e) if wants_more(&e) => return Poll::Pending,
                Ok(()) if flushed.is_pending() => return Poll::Pending,
                outcome => return Poll::Ready(outcome),
            }
        }
    })
    .await;
    Ok((stream, outcome))
}

/// Sends `alert` if there is one still to send, ends our direction, and waits a moment for the peer to read it.
pub(super) async fn take_leave<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, alert: &[u8]) {
    let _ = timeout(LINGER, async {
        stream.write_all(alert).await?;
        stream.shutdown().await?;
        let mut sink = [0; 1024];
        let mut seen = 0;
        while seen < LINGER_BYTES {
            match stream.read(&mut sink).await? {
                0 => break,
                n => seen += n,
            }
        }
        io::Result::Ok(())
    })
    .await;
}
