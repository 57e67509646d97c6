//! Version 1: one line of text (§ 2.1).

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Addresses, Header, Malformed, Transport};

/// How every line begins.
pub const PREFIX: &[u8] = b"PROXY ";

/// The longest line, its end included.
const LONGEST: usize = 107;

pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    let seen = &bytes[..bytes.len().min(LONGEST)];
    let Some(end) = seen.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
        return match bytes.len() {
            0..LONGEST => Ok(None),
            _ => Err(Malformed::TooLong),
        };
    };
    match (seen[end], seen.get(end + 1)) {
        (b'\r', Some(b'\n')) => {}
        (b'\r', None) if seen.len() < LONGEST => return Ok(None),
        (b'\r', None) => return Err(Malformed::TooLong),
        _ => return Err(Malformed::Line),
    }
    let addresses = addresses(&seen[..end])?;
    let header = Header {
        addresses,
        ..Header::default()
    };
    Ok(Some((header, end + 2)))
}

fn addresses(line: &[u8]) -> Result<Option<Addresses>, Malformed> {
    let line = std::str::from_utf8(line).map_err(|_| Malformed::Line)?;
    let mut words = line.split(' ').skip(1);
    let family = words.next();
    if family == Some("UNKNOWN") {
        // "the receiver must ignore anything presented before the CRLF is found"
        return Ok(None);
    }
    let (Some(source), Some(destination), Some(from), Some(to), None) = (
        words.next(),
        words.next(),
        words.next(),
        words.next(),
        words.next(),
    ) else {
        return Err(Malformed::Line);
    };
    let ip: fn(&str) -> Option<IpAddr> = match family {
        Some("TCP4") => |text| text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        Some("TCP6") => |text| text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => return Err(Malformed::Kind),
    };
    let address = |address, number| Some(SocketAddr::new(ip(address)?, port(number)?));
    let both = address(source, from).zip(address(destination, to));
    let (source, destination) = both.ok_or(Malformed::Value)?;
    Ok(Some(Addresses {
        transport: Transport::Stream,
        source,
        destination,
    }))
}

/// A port in its shortest form.
fn port(text: &str) -> Option<u16> {
    let shortest = text == "0" || text.starts_with(|c: char| c.is_ascii_digit() && c != '0');
    text.parse().ok().filter(|_| shortest)
}

pub fn write(header: &Header, out: &mut Vec<u8>) {
    let known = header.addresses.as_ref();
    let Some(known) = known.filter(|known| known.transport == Transport::Stream) else {
        return out.extend_from_slice(b"PROXY UNKNOWN\r\n");
    };
    let (source, destination) = known.in_one_family();
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    // Writing into a vector cannot fail.
    let _ = write!(
        out,
        "PROXY {family} {} {} {} {}\r\n",
        source.ip(),
        destination.ip(),
        source.port(),
        destination.port()
    );
}
