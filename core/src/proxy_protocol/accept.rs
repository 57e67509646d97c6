//! Reading a header from a connection, and not one byte of what follows it.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::{Header, Malformed, parse};

/// Looked at in one go; a header that tells about TLS has some 200 bytes.
const GLANCE: usize = 512;

/// Why no header could be read.
#[derive(Debug)]
pub enum AcceptError {
    /// What came is no header.
    Malformed(Malformed),
    /// It did not come in time.
    TimedOut,
    /// The connection ended before it.
    Closed,
    /// Reading failed.
    Io(io::Error),
}

/// Reads the header a connection begins with. What follows it, such as a TLS hello, stays in the socket.
///
/// # Errors
///
/// The connection does not begin with a header, or not `within` this time.
pub async fn accept(stream: &mut TcpStream, within: Duration) -> Result<Header, AcceptError> {
    let header = tokio::time::timeout(within, read(stream));
    header.await.unwrap_or(Err(AcceptError::TimedOut))
}

/// Looks first and takes after: what does not end a header belongs to it as a whole, so nothing is looked at twice
/// while waiting for more.
async fn read(stream: &mut TcpStream) -> Result<Header, AcceptError> {
    let mut seen = Vec::new();
    let mut glance = [0; GLANCE];
    loop {
        let count = stream.peek(&mut glance).await?;
        if count == 0 {
            return Err(AcceptError::Closed);
        }
        let taken = seen.len();
        seen.extend_from_slice(&glance[..count]);
        let parsed = parse(&seen)?;
        let end = parsed.as_ref().map_or(seen.len(), |(_, end)| *end);
        stream.read_exact(&mut glance[..end - taken]).await?;
        if let Some((header, _)) = parsed {
            return Ok(header);
        }
    }
}

impl From<Malformed> for AcceptError {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

impl From<io::Error> for AcceptError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::TimedOut => f.write_str("no PROXY header in time"),
            Self::Closed => f.write_str("closed before the PROXY header"),
            Self::Io(error) => write!(f, "cannot read the PROXY header: {error}"),
        }
    }
}

impl std::error::Error for AcceptError {}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::proxy_protocol::Transport;

    const SOON: Duration = Duration::from_secs(5);

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        (client.expect("connected"), server.expect("accepted").0)
    }

    fn headers() -> [Vec<u8>; 2] {
        let at = |text: &str| text.parse().expect("an address");
        let mut header = Header::of(Transport::Stream, at("192.0.2.1:1234"), at("192.0.2.2:443"));
        let mut headers = [Vec::new(), Vec::new()];
        header.write_v1(&mut headers[0]);
        // Longer than one glance.
        header.authority = Some("a".repeat(GLANCE));
        header.write_v2(&mut headers[1]);
        headers
    }

    #[tokio::test]
    async fn what_follows_the_header_stays_in_the_socket() {
        for header in headers() {
            let (mut client, mut server) = pair().await;
            client.write_all(&header).await.expect("sent");
            client.write_all(b"\x16\x01\x01hello").await.expect("sent");
            drop(client);
            let read = accept(&mut server, SOON).await.expect("a header");
            let source = read.addresses.expect("addresses").source;
            assert_eq!(source.to_string(), "192.0.2.1:1234");
            let mut rest = Vec::new();
            server.read_to_end(&mut rest).await.expect("read");
            assert_eq!(rest, b"\x16\x01\x01hello");
        }
    }

    #[tokio::test]
    async fn a_header_may_come_byte_by_byte() {
        for header in headers() {
            let (mut client, mut server) = pair().await;
            client.set_nodelay(true).expect("an option");
            let send = async {
                for byte in &header {
                    client.write_all(&[*byte]).await.expect("sent");
                    tokio::task::yield_now().await;
                }
                client.write_all(b"x").await.expect("sent");
            };
            let (read, ()) = tokio::join!(accept(&mut server, SOON), send);
            assert!(read.expect("a header").addresses.is_some());
            assert_eq!(server.read_u8().await.expect("a byte"), b'x');
        }
    }

    #[tokio::test]
    async fn silence_an_early_end_and_other_protocols_are_told_apart() {
        let (mut client, mut server) = pair().await;
        client.write_all(b"PROXY TCP4").await.expect("sent");
        let error = accept(&mut server, Duration::from_millis(1)).await;
        assert!(matches!(error, Err(AcceptError::TimedOut)), "{error:?}");
        drop(client);
        let error = accept(&mut server, SOON).await;
        assert!(matches!(error, Err(AcceptError::Closed)), "{error:?}");

        let (mut client, mut server) = pair().await;
        client.write_all(b"GET / HTTP/1.1\r\n").await.expect("sent");
        let error = accept(&mut server, SOON).await;
        let missing = matches!(error, Err(AcceptError::Malformed(Malformed::Missing)));
        assert!(missing, "{error:?}");
    }
}
