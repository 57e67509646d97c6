//! An address or a group of addresses: `10.9.9.9`, `10.0.0.0/8`, `2001:db8::/32`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::as_text::as_text;

/// An address, or all addresses that begin alike (CIDR, RFC 4632 § 3.1). Kept as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// The addresses that have the first `length` bits of `address`; `None` if it has fewer.
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        (length <= bits(address)).then_some(Self { address, length })
    }

    /// The first and the last address. Those of IPv4 that are written as IPv6 (`::ffff:0:0/96`) are IPv4.
    pub fn range(&self) -> (IpAddr, IpAddr) {
        let (first, last) = self.written_range();
        match (first.to_canonical(), last.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => (first.into(), last.into()),
            // One end alone may look like IPv4: `::/0` ends beyond.
            _ => (first, last),
        }
    }

    /// The same addresses without the bits behind the prefix, if any of those is set: a slip, or a habit.
    pub fn without_host_bits(&self) -> Option<Self> {
        let (first, _) = self.written_range();
        (first != self.address).then_some(Self {
            address: first,
            length: self.length,
        })
    }

    fn written_range(&self) -> (IpAddr, IpAddr) {
        match self.address {
            IpAddr::V4(address) => {
                let host = u32::MAX.checked_shr(self.length.into()).unwrap_or(0);
                let address = address.to_bits();
                let ends = [address & !host, address | host].map(Ipv4Addr::from_bits);
                (ends[0].into(), ends[1].into())
            }
            IpAddr::V6(address) => {
                let host = u128::MAX.checked_shr(self.length.into()).unwrap_or(0);
                let address = address.to_bits();
                let ends = [address & !host, address | host].map(Ipv6Addr::from_bits);
                (ends[0].into(), ends[1].into())
            }
        }
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        Self {
            address,
            length: bits(address),
        }
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not an address or a prefix, such as `10.0.0.0/8` or `2001:db8::/32`"
            )
        };
        let Some((address, length)) = text.split_once('/') else {
            return text.parse::<IpAddr>().map(Self::from).map_err(|_| wrong());
        };
        let address = address.parse::<IpAddr>().map_err(|_| wrong())?;
        // `parse` alone would take `+8`.
        let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let length = length.parse().ok().filter(|_| digits);
        length
            .and_then(|length| Self::new(address, length))
            .ok_or_else(|| format!("`{text}`: a prefix here has 0 to {} bits", bits(address)))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length == bits(self.address) {
            return self.address.fmt(f);
        }
        write!(f, "{}/{}", self.address, self.length)
    }
}

as_text!(Prefix, { "type": "string", "pattern": "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$" });

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> String {
        let (first, last) = text.parse::<Prefix>().expect("a prefix").range();
        format!("{first} {last}")
    }

    #[test]
    fn a_prefix_is_the_addresses_that_begin_like_it() {
        for (prefix, addresses) in [
            ("10.9.9.9", "10.9.9.9 10.9.9.9"),
            ("10.0.0.0/8", "10.0.0.0 10.255.255.255"),
            ("10.1.2.3/8", "10.0.0.0 10.255.255.255"),
            ("0.0.0.0/0", "0.0.0.0 255.255.255.255"),
            ("192.0.2.129/25", "192.0.2.128 192.0.2.255"),
            ("::1", "::1 ::1"),
            (
                "2001:db8::/33",
                "2001:db8:: 2001:db8:7fff:ffff:ffff:ffff:ffff:ffff",
            ),
            ("::/0", ":: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::ffff:10.0.0.0/104", "10.0.0.0 10.255.255.255"),
            ("::ffff:10.0.0.1", "10.0.0.1 10.0.0.1"),
        ] {
            assert_eq!(range(prefix), addresses, "{prefix}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/8 ",
            "10.0.0/8",
            "010.0.0.1",
            "::1/129",
            "fe80::1%eth0",
            "10.0.0.0/256",
            "example.cn",
        ] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }

    #[test]
    fn it_prints_as_it_was_written() {
        for text in ["10.9.9.9", "10.1.2.3/8", "2001:db8::/32", "::/0"] {
            assert_eq!(text.parse::<Prefix>().expect("a prefix").to_string(), text);
        }
        let slip: Prefix = "10.1.2.3/8".parse().expect("a prefix");
        assert_eq!(
            slip.without_host_bits().map(|p| p.to_string()).as_deref(),
            Some("10.0.0.0/8")
        );
    }
}
