//! A client that speaks in lines: SMTP, IMAP or POP3, in the clear, over TLS or TLCP, from the start or in between.

use std::net::{Ipv4Addr, SocketAddr};

use alb_gm::tls::TlsStream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::tls::Offer;
use crate::stopwatch::within;

/// A connection with what has been read of it.
pub struct LineClient {
    stream: Option<Connection>,
    seen: Vec<u8>,
}

enum Connection {
    Clear(TcpStream),
    Protected(Box<TlsStream<TcpStream>>),
}

trait Both: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Both for S {}

impl LineClient {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::connect_from(Ipv4Addr::LOCALHOST, address).await
    }

    /// Connects from this address of the loopback.
    pub async fn connect_from(source: Ipv4Addr, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .bind(SocketAddr::from((source, 0)))
            .expect("an address of this machine");
        let stream = within("a connection", socket.connect(address)).await;
        let stream = stream.unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        stream.set_nodelay(true).expect("an option of TCP");
        Self {
            stream: Some(Connection::Clear(stream)),
            seen: Vec::new(),
        }
    }

    /// Connects and shakes hands at once.
    pub async fn secure(address: SocketAddr, offer: &Offer) -> Self {
        let mut client = Self::connect(address).await;
        client.shake(offer).await;
        client
    }

    /// Shakes hands now.
    pub async fn shake(&mut self, offer: &Offer) {
        assert!(
            self.seen.is_empty(),
            "bytes before the handshake: {:?}",
            self.text()
        );
        let Some(Connection::Clear(stream)) = self.stream.take() else {
            panic!("the connection is protected already");
        };
        let stream = within("a handshake", offer.over(stream)).await;
        let stream = stream.unwrap_or_else(|error| panic!("no handshake: {error:?}"));
        self.stream = Some(Connection::Protected(Box::new(stream)));
    }

    /// Sends these bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = within(
            "the peer to take bytes",
            self.stream().write_all(bytes.as_ref()),
        )
        .await;
        // What it said before it closed can still be read.
        drop(sent);
    }

    /// Reads to the first line that begins with `start`, and returns all up to its end; fails the test at the end of the connection.
    pub async fn until(&mut self, start: &str) -> String {
        let mut begin = 0;
        loop {
            if let Some(end) = self.end_of_line_with(start, &mut begin) {
                let rest = self.seen.split_off(end);
                let seen = std::mem::replace(&mut self.seen, rest);
                return String::from_utf8_lossy(&seen).into_owned();
            }
            let tail = self.seen.len().saturating_sub(500);
            let seen = String::from_utf8_lossy(&self.seen[tail..]);
            let what = format!("a line with {start:?}; there is {seen:?}");
            assert!(
                self.read(&what).await > 0,
                "the connection ended without {what}"
            );
        }
    }

    /// Sends a line and reads to the one that begins with `start`.
    pub async fn ask(&mut self, line: &str, start: &str) -> String {
        self.send(format!("{line}\r\n")).await;
        self.until(start).await
    }

    /// Everything to the end of the connection.
    pub async fn rest(&mut self) -> String {
        while self.read("the end of the connection").await > 0 {}
        self.text()
    }

    /// Closes the connection's sending side.
    pub async fn finish(&mut self) {
        let _ = self.stream().shutdown().await;
    }

    /// Looks from `begin`, a beginning of a line, and moves it past the lines that are others.
    fn end_of_line_with(&self, start: &str, begin: &mut usize) -> Option<usize> {
        while let Some(length) = self.seen[*begin..].iter().position(|b| *b == b'\n') {
            let end = *begin + length + 1;
            if self.seen[*begin..end].starts_with(start.as_bytes()) {
                return Some(end);
            }
            *begin = end;
        }
        None
    }

    async fn read(&mut self, what: &str) -> usize {
        let mut chunk = vec![0; 64 * 1024];
        let read = within(what, self.stream().read(&mut chunk))
            .await
            .unwrap_or(0);
        self.seen.extend_from_slice(&chunk[..read]);
        read
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    fn stream(&mut self) -> &mut dyn Both {
        match self.stream.as_mut().expect("a connection") {
            Connection::Clear(stream) => stream,
            Connection::Protected(stream) => stream,
        }
    }
}
