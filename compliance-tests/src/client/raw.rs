//! Bytes on a TCP connection: for requests that no proper client sends.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::stopwatch::within;

/// A TCP connection.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
}

impl Raw {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await;
        let stream = stream.unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        Self { stream }
    }

    /// Connects from this address of the loopback.
    pub async fn connect_from(source: IpAddr, address: SocketAddr) -> Self {
        let socket = match source {
            IpAddr::V4(_) => TcpSocket::new_v4(),
            IpAddr::V6(_) => TcpSocket::new_v6(),
        };
        let socket = socket.expect("a socket");
        socket
            .bind(SocketAddr::new(source, 0))
            .expect("an address of this machine");
        let stream = within("a connection", socket.connect(address)).await;
        let stream = stream.unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        Self { stream }
    }

    /// Writes these bytes. A peer that has closed already is not an error: what it said first can still be read.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within(
            "the peer to take bytes",
            self.stream.write_all(bytes.as_ref()),
        )
        .await;
    }

    /// Says that nothing more will be written.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Reads until `end` has been seen or the peer closes.
    pub async fn read_until(&mut self, end: &str) -> String {
        String::from_utf8_lossy(&self.read_until_bytes(end.as_bytes()).await).into_owned()
    }

    /// Reads until `end` has been seen or the peer closes.
    pub async fn read_until_bytes(&mut self, end: &[u8]) -> Vec<u8> {
        let mut seen = Vec::new();
        let mut chunk = [0; 4096];
        while !seen.windows(end.len()).any(|window| window == end) {
            match within(&format!("{end:?}"), self.stream.read(&mut chunk)).await {
                Ok(0) | Err(_) => break,
                Ok(length) => seen.extend_from_slice(&chunk[..length]),
            }
        }
        seen
    }

    /// Reads until the peer closes.
    pub async fn read_to_end(&mut self) -> Vec<u8> {
        let mut seen = Vec::new();
        // A reset after the last byte is a close too.
        let _ = within("the peer to close", self.stream.read_to_end(&mut seen)).await;
        seen
    }

    /// The stream itself.
    pub fn into_inner(self) -> TcpStream {
        self.stream
    }
}

/// Sends these bytes on a new connection and reads everything until the peer closes.
pub async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let mut raw = Raw::connect(address).await;
    raw.write(bytes).await;
    String::from_utf8_lossy(&raw.read_to_end().await).into_owned()
}
