//! The three protocols a listener or an upstream can speak.

use std::fmt;

/// A protocol version. TLS 1.1 and older, and SSL, are never spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// TLCP, GB/T 38636-2020, version bytes 0x0101.
    Tlcp,
    /// TLS 1.2, RFC 5246.
    Tls12,
    /// TLS 1.3, RFC 8446, with the suites of RFC 8998.
    Tls13,
}

impl Protocol {
    /// Every protocol, oldest wire version first.
    pub const ALL: [Protocol; 3] = [Protocol::Tlcp, Protocol::Tls12, Protocol::Tls13];

    /// The version as it stands in a hello.
    pub fn wire_version(self) -> u16 {
        match self {
            Protocol::Tlcp => 0x0101,
            Protocol::Tls12 => 0x0303,
            Protocol::Tls13 => 0x0304,
        }
    }

    /// The name as logs and `$ssl_protocol`-like variables print it: `TLCPv1.1`, `TLSv1.2`, `TLSv1.3`.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Tlcp => "TLCPv1.1",
            Protocol::Tls12 => "TLSv1.2",
            Protocol::Tls13 => "TLSv1.3",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Words for a version number seen on the wire.
pub(crate) fn version_name(wire: u16) -> String {
    match wire {
        0x0002 => "SSLv2".into(),
        0x0300 => "SSLv3".into(),
        0x0301 => "TLSv1.0".into(),
        0x0302 => "TLSv1.1".into(),
        other => match Protocol::ALL.iter().find(|p| p.wire_version() == other) {
            Some(protocol) => protocol.as_str().into(),
            None => format!("0x{other:04X}"),
        },
    }
}
