//! The PROXY protocol, versions 1 and 2: how a proxy in front tells the address of the client whose bytes follow, and
//! how this gateway tells it to the servers behind. After HAProxy's `doc/proxy-protocol.txt` (2020/03/05).
//!
//! Owns the header as bytes. [`accept()`] alone reads from a socket. Whom to believe is the caller's decision: a header
//! from anybody is a claim.

mod accept;
mod checksum;
mod tlv;
mod v1;
mod v2;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

pub use accept::{AcceptError, accept};

/// Longest header that is read. The certificate of a client may be in it; nothing that is larger.
pub const LONGEST: usize = 16 * 1024;

/// What a header says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Whose bytes follow. `None`: the proxy's own, such as a health check (`LOCAL`), or of somebody without an
    /// address (`UNKNOWN`, a unix socket).
    pub addresses: Option<Addresses>,
    /// The protocol the client and the proxy agreed on by ALPN.
    pub alpn: Option<Vec<u8>>,
    /// The host name the client asked the proxy for (SNI).
    pub authority: Option<String>,
    /// What the proxy calls the connection, at most 128 bytes.
    pub unique_id: Option<Vec<u8>>,
    /// How the client is connected to the proxy, if over TLS.
    pub tls: Option<Tls>,
}

/// Both ends of the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Connection or datagrams.
    pub transport: Transport,
    /// The client.
    pub source: SocketAddr,
    /// What the client connected to.
    pub destination: SocketAddr,
}

/// What the client's bytes came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A connection (TCP).
    Stream,
    /// Datagrams (UDP).
    Datagram,
}

/// The client's TLS, as the proxy saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The client is connected over TLS.
    pub active: bool,
    /// The client showed a certificate on this connection.
    pub certificate_on_connection: bool,
    /// The client showed a certificate in this session, which may have been resumed since.
    pub certificate_in_session: bool,
    /// Whether the proxy found the certificate good; without one, true.
    pub verified: bool,
    /// Such as `TLSv1.3`.
    pub version: Option<String>,
    /// Common name of the client's certificate.
    pub common_name: Option<String>,
    /// Cipher suite.
    pub cipher: Option<String>,
    /// Algorithm the proxy's certificate is signed with.
    pub signature_algorithm: Option<String>,
    /// Algorithm of the proxy's key.
    pub key_algorithm: Option<String>,
}

/// Why some bytes are no PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They begin otherwise: there is no header.
    Missing,
    /// The line of version 1 is longer than 107 bytes, or the header of version 2 longer than [`LONGEST`].
    TooLong,
    /// The line of version 1 is not as § 2.1 wants it.
    Line,
    /// An unknown version, command or family.
    Kind,
    /// A part is shorter than what it holds.
    Truncated,
    /// A field has a value it cannot have.
    Value,
    /// The checksum is not that of the header.
    Checksum,
}

impl Malformed {
    /// The reason in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "no PROXY header",
            Self::TooLong => "the PROXY header is too long",
            Self::Line => "the line of the PROXY header is malformed",
            Self::Kind => "unknown version, command or family in the PROXY header",
            Self::Truncated => "a part of the PROXY header is cut off",
            Self::Value => "a field of the PROXY header has an impossible value",
            Self::Checksum => "the checksum of the PROXY header is wrong",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Malformed {}

/// Reads the header at the beginning of `bytes`, and how many of them it takes. `None` if it goes on behind them: then
/// all of them belong to it.
///
/// # Errors
///
/// Why they do not begin with a header, as early as can be told.
pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    if may_begin(bytes, v2::SIGNATURE) {
        v2::parse(bytes)
    } else if may_begin(bytes, v1::PREFIX) {
        v1::parse(bytes)
    } else {
        Err(Malformed::Missing)
    }
}

impl Header {
    /// The header for a connection from `source` to `destination`.
    pub fn of(transport: Transport, source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            addresses: Some(Addresses {
                transport,
                source,
                destination,
            }),
            ..Self::default()
        }
    }

    /// Appends the header in version 1, which tells the addresses and nothing else.
    pub fn write_v1(&self, out: &mut Vec<u8>) {
        v1::write(self, out);
    }

    /// Appends the header in version 2, with all that is known and a checksum. Fields too long for their length (64 KiB)
    /// are left out.
    pub fn write_v2(&self, out: &mut Vec<u8>) {
        v2::write(self, out);
    }
}

impl Addresses {
    /// Both addresses in one family: IPv4 if both are, else IPv6.
    fn in_one_family(&self) -> (SocketAddr, SocketAddr) {
        let canonical = |a: SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
        match (canonical(self.source), canonical(self.destination)) {
            (source @ SocketAddr::V4(_), destination @ SocketAddr::V4(_))
            | (source @ SocketAddr::V6(_), destination @ SocketAddr::V6(_)) => {
                (source, destination)
            }
            (source, destination) => (mapped(source), mapped(destination)),
        }
    }
}

fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// Whether bytes of which more may come could begin with this.
fn may_begin(bytes: &[u8], with: &[u8]) -> bool {
    let known = bytes.len().min(with.len());
    bytes[..known] == with[..known]
}

#[cfg(test)]
mod tests;
