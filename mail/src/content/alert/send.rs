//! A mail on its way: `lettre` speaks SMTP on a connection that we have opened.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use alb_core::Stream;
use alb_core::upstream::Tried;
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Alerts, Event};
use crate::backend;
use crate::service::Service;
use crate::worker::Worker;

/// Sends a mail about these messages, and so many more.
///
/// # Errors
///
/// Why nobody has taken it.
pub(super) async fn send(
    alerts: &Alerts,
    events: &[Event],
    more: u64,
    service: &Service,
    worker: &Worker,
) -> Result<(), String> {
    let message = alerts.write(events, more, &service.hostname)?;
    let pool = service
        .pools
        .get(&alerts.upstream)
        .ok_or("no such upstream")?;
    let (mut tried, ip) = (Tried::default(), [127, 0, 0, 1].into());
    let active = worker
        .pick(&pool.upstream, ip, None, &mut tried)
        .ok_or("no server is up")?;
    let opened = backend::open(service, pool, active.peer(), None).await;
    let opened = opened.map_err(|failed| format!("{failed:?}"))?;
    let stream = Box::new(Greeted {
        greeting: GREETING,
        stream: opened.wire.stream,
    });
    let hello = ClientId::Domain(service.hostname.clone());
    let failed = |error: lettre::transport::smtp::Error| error.to_string();
    let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &hello)
        .await
        .map_err(failed)?;
    connection
        .send(message.envelope(), &message.formatted())
        .await
        .map_err(failed)?;
    // Politeness only; it is closed in any case.
    let _ = connection.quit().await;
    Ok(())
}

/// The greeting that has been read before TLS, and that `lettre` wants to read.
const GREETING: &[u8] = b"220 ready\r\n";

/// A connection on which the server has greeted already.
#[derive(Debug)]
struct Greeted {
    greeting: &'static [u8],
    stream: Stream,
}

impl AsyncRead for Greeted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.greeting.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, out);
        }
        let (now, later) = self
            .greeting
            .split_at(self.greeting.len().min(out.remaining()));
        out.put_slice(now);
        self.greeting = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Greeted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Greeted {
    /// Asked for by nobody but who connects again, which we do ourselves.
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
