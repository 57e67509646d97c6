//! Certificate and list extensions (RFC 5280 §4.2, §5.2): their meaning, written and read.

mod read;
mod write;

use std::fmt;
use std::net::IpAddr;

pub use read::{Extension, Extensions};
pub use write::*;

/// Key usage bits, bit 0 first (RFC 5280 §4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsage(pub u16);

impl KeyUsage {
    /// digitalSignature and nonRepudiation: a TLCP signing certificate.
    pub const SIGN: Self = Self(0b11);
    /// keyEncipherment, dataEncipherment and keyAgreement: a TLCP encryption certificate.
    pub const ENCRYPT: Self = Self(0b1_1100);
    /// digitalSignature and keyEncipherment: an ordinary TLS certificate.
    pub const ORDINARY: Self = Self(0b101);
    /// keyCertSign and cRLSign: a certificate authority.
    pub const AUTHORITY: Self = Self(0b110_0000);
    /// digitalSignature alone.
    pub const DIGITAL_SIGNATURE: Self = Self(0b1);
    /// keyCertSign alone.
    pub const CERTIFICATE_SIGN: Self = Self(0b10_0000);
    /// keyEncipherment alone.
    pub const KEY_ENCIPHERMENT: Self = Self(0b100);

    const NAMES: [&str; 9] = [
        "digitalSignature",
        "nonRepudiation",
        "keyEncipherment",
        "dataEncipherment",
        "keyAgreement",
        "keyCertSign",
        "cRLSign",
        "encipherOnly",
        "decipherOnly",
    ];

    /// Whether any of these bits is set.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The names of the set bits.
    pub fn names(self) -> Vec<&'static str> {
        let set = |(bit, name): (usize, &&'static str)| (self.0 & 1 << bit != 0).then_some(*name);
        Self::NAMES.iter().enumerate().filter_map(set).collect()
    }
}

impl fmt::Display for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(", "))
    }
}

/// A subject alternative name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AltName {
    /// A DNS name, possibly with a leading `*.`.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
    /// A name of another kind, described: this crate neither issues nor matches it.
    Other(String),
}

impl fmt::Display for AltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "DNS:{name}"),
            Self::Ip(address) => write!(f, "IP:{address}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}
