//! What `benches/mail` asks for: one line per run.

use std::net::SocketAddr;
use std::time::Duration;

use super::Protocol;

/// One run: `WHAT PROTOCOL TRANSPORT PORT CLIENTS SECONDS SIZE`.
pub struct Order {
    /// What is done.
    pub what: What,
    /// In which protocol.
    pub protocol: Protocol,
    /// Over what.
    pub transport: Transport,
    /// Where.
    pub server: SocketAddr,
    /// By how many at once.
    pub clients: usize,
    /// For how long.
    pub length: Duration,
    /// Bytes of a message.
    pub size: usize,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Log in and out, over and over.
    Logins,
    /// Shake hands and leave, over and over.
    Handshakes,
    /// Log in once and send message after message.
    Messages,
    /// Log in once and have a large message fetched, over and over.
    Fetch,
    /// Log in and stay.
    Hold,
    /// All that stay leave.
    Release,
}

/// Over what a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Nothing.
    Clear,
    /// TLS 1.3 with X25519, not resumed.
    Tls,
    /// TLCP with ECC_SM4_GCM_SM3, not resumed.
    Tlcp,
}

impl Order {
    /// Reads a line.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        Some(Order {
            what: match words.next()? {
                "logins" => What::Logins,
                "handshakes" => What::Handshakes,
                "messages" => What::Messages,
                "fetch" => What::Fetch,
                "hold" => What::Hold,
                "release" => What::Release,
                _ => return None,
            },
            protocol: match words.next()? {
                "imap" => Protocol::Imap,
                "pop3" => Protocol::Pop3,
                "smtp" => Protocol::Smtp,
                _ => return None,
            },
            transport: match words.next()? {
                "clear" => Transport::Clear,
                "tls" => Transport::Tls,
                "tlcp" => Transport::Tlcp,
                _ => return None,
            },
            server: ([127, 0, 0, 1], words.next()?.parse().ok()?).into(),
            clients: words.next()?.parse().ok()?,
            length: Duration::from_secs_f64(words.next()?.parse().ok()?),
            size: words.next()?.parse().ok()?,
        })
    }
}
