//! Version 2: a binary header (§ 2.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::tlv::{self, Reader};
use super::{Addresses, Header, LONGEST, Malformed, Transport, checksum};

/// How every header begins.
pub const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family, length.
const FIXED: usize = 16;

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    let Some(command) = bytes.get(SIGNATURE.len()) else {
        return Ok(None);
    };
    if !matches!(*command, LOCAL | PROXY) {
        return Err(Malformed::Kind);
    }
    let Some([_, family, length @ ..]) = bytes.get(SIGNATURE.len()..FIXED) else {
        return Ok(None);
    };
    let whole = FIXED
        + length
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    if whole > LONGEST {
        return Err(Malformed::TooLong);
    }
    let Some(header) = bytes.get(..whole) else {
        return Ok(None);
    };
    // "the receiver must accept this connection as valid and must use the real connection endpoints and discard the
    // protocol block including the family"
    if *command == LOCAL {
        return Ok(Some((Header::default(), whole)));
    }
    let mut rest = Reader(&header[FIXED..]);
    let mut told = Header {
        addresses: addresses(*family, &mut rest)?,
        ..Header::default()
    };
    tlv::parse(header, rest, &mut told)?;
    Ok(Some((told, whole)))
}

/// Bytes of the two addresses of unix sockets.
const UNIX: usize = 216;

fn addresses(family: u8, rest: &mut Reader<'_>) -> Result<Option<Addresses>, Malformed> {
    let transport = match family & 0x0f {
        1 => Transport::Stream,
        2 => Transport::Datagram,
        0 if family == 0 => return Ok(None),
        _ => return Err(Malformed::Kind),
    };
    let (source, destination): (IpAddr, IpAddr) = match family >> 4 {
        1 => (
            Ipv4Addr::from(*rest.array()?).into(),
            Ipv4Addr::from(*rest.array()?).into(),
        ),
        2 => (
            Ipv6Addr::from(*rest.array()?).into(),
            Ipv6Addr::from(*rest.array()?).into(),
        ),
        3 => {
            rest.take(UNIX)?;
            return Ok(None);
        }
        _ => return Err(Malformed::Kind),
    };
    let (from, to) = (rest.number()?, rest.number()?);
    Ok(Some(Addresses {
        transport,
        source: SocketAddr::new(source, from),
        destination: SocketAddr::new(destination, to),
    }))
}

pub fn write(header: &Header, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(SIGNATURE);
    match &header.addresses {
        None => out.extend_from_slice(&[LOCAL, 0, 0, 0]),
        Some(known) => {
            out.extend_from_slice(&[PROXY, 0, 0, 0]);
            out[start + SIGNATURE.len() + 1] = write_addresses(known, out);
        }
    }
    tlv::write(header, out);
    checksum::write(start, out);
}

/// Appends both addresses; the byte that tells their family.
fn write_addresses(known: &Addresses, out: &mut Vec<u8>) -> u8 {
    let (source, destination) = known.in_one_family();
    for address in [source, destination] {
        match address.ip() {
            IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
        }
    }
    for address in [source, destination] {
        out.extend_from_slice(&address.port().to_be_bytes());
    }
    let transport = match known.transport {
        Transport::Stream => 0x01,
        Transport::Datagram => 0x02,
    };
    transport | if source.is_ipv4() { 0x10 } else { 0x20 }
}
