//! What a header of version 2 says besides the addresses: type, length, value (§ 2.2.1 to 2.2.7).

use std::ops::Range;

use super::{Header, LONGEST, Malformed, Tls, checksum};

const ALPN: u8 = 0x01;
const AUTHORITY: u8 = 0x02;
const CRC32C: u8 = 0x03;
const UNIQUE_ID: u8 = 0x05;
const SSL: u8 = 0x20;
const SSL_VERSION: u8 = 0x21;
const SSL_COMMON_NAME: u8 = 0x22;
const SSL_CIPHER: u8 = 0x23;
const SSL_SIGNATURE: u8 = 0x24;
const SSL_KEY: u8 = 0x25;

const CLIENT_SSL: u8 = 0x01;
const CLIENT_CERT_CONN: u8 = 0x02;
const CLIENT_CERT_SESS: u8 = 0x04;

/// § 2.2.5: "a PP2_TYPE_UNIQUE_ID may be up to 128 bytes long".
const LONGEST_ID: usize = 128;

/// Bytes not yet read.
pub struct Reader<'h>(pub &'h [u8]);

impl<'h> Reader<'h> {
    pub fn take(&mut self, count: usize) -> Result<&'h [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<&'h [u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn number(&mut self) -> Result<u16, Malformed> {
        self.array().map(|bytes| u16::from_be_bytes(*bytes))
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| *byte)
    }

    /// The next type and value.
    fn entry(&mut self) -> Result<(u8, &'h [u8]), Malformed> {
        let kind = self.byte()?;
        let length = self.number()?;
        Ok((kind, self.take(length.into())?))
    }
}

/// Reads the entries in `rest`, the end of `header`.
pub fn parse(header: &[u8], mut rest: Reader<'_>, told: &mut Header) -> Result<(), Malformed> {
    while !rest.0.is_empty() {
        let (kind, value) = rest.entry()?;
        match kind {
            ALPN => told.alpn = Some(value.to_vec()),
            AUTHORITY => told.authority = Some(text(value)?),
            UNIQUE_ID if value.len() > LONGEST_ID => return Err(Malformed::Value),
            UNIQUE_ID => told.unique_id = Some(value.to_vec()),
            CRC32C => check(header, header.len() - rest.0.len(), value)?,
            SSL => told.tls = Some(tls(Reader(value))?),
            // Padding, name spaces, and what later versions and companies add.
            _ => {}
        }
    }
    Ok(())
}

/// Holds the checksum that ends at `end` against the header.
fn check(header: &[u8], end: usize, value: &[u8]) -> Result<(), Malformed> {
    let told: [u8; 4] = value.try_into().map_err(|_| Malformed::Value)?;
    let place: Range<usize> = end - value.len()..end;
    match checksum::of_header(header, place) == u32::from_be_bytes(told) {
        true => Ok(()),
        false => Err(Malformed::Checksum),
    }
}

fn tls(mut rest: Reader<'_>) -> Result<Tls, Malformed> {
    let client = rest.byte()?;
    let verify: &[u8; 4] = rest.array()?;
    let mut tls = Tls {
        active: client & CLIENT_SSL != 0,
        certificate_on_connection: client & CLIENT_CERT_CONN != 0,
        certificate_in_session: client & CLIENT_CERT_SESS != 0,
        verified: *verify == [0; 4],
        ..Tls::default()
    };
    while !rest.0.is_empty() {
        let (kind, value) = rest.entry()?;
        match kind {
            SSL_VERSION => tls.version = Some(text(value)?),
            SSL_COMMON_NAME => tls.common_name = Some(text(value)?),
            SSL_CIPHER => tls.cipher = Some(text(value)?),
            SSL_SIGNATURE => tls.signature_algorithm = Some(text(value)?),
            SSL_KEY => tls.key_algorithm = Some(text(value)?),
            _ => {}
        }
    }
    Ok(tls)
}

fn text(value: &[u8]) -> Result<String, Malformed> {
    String::from_utf8(value.to_vec()).map_err(|_| Malformed::Value)
}

/// Appends what is known; a header of the proxy itself (`LOCAL`) says nothing more.
pub fn write(header: &Header, out: &mut Vec<u8>) {
    if header.addresses.is_none() {
        return;
    }
    let id = header.unique_id.as_deref();
    let id = id.map(|id| &id[..id.len().min(LONGEST_ID)]);
    entry(ALPN, header.alpn.as_deref(), out);
    entry(
        AUTHORITY,
        header.authority.as_deref().map(str::as_bytes),
        out,
    );
    entry(UNIQUE_ID, id, out);
    if let Some(tls) = &header.tls {
        entry(SSL, Some(&tls_value(tls)), out);
    }
}

fn tls_value(tls: &Tls) -> Vec<u8> {
    let bit = |set, bit| if set { bit } else { 0 };
    let client = bit(tls.active, CLIENT_SSL)
        | bit(tls.certificate_on_connection, CLIENT_CERT_CONN)
        | bit(tls.certificate_in_session, CLIENT_CERT_SESS);
    let mut value = vec![client, 0, 0, 0, u8::from(!tls.verified)];
    for (kind, text) in [
        (SSL_VERSION, &tls.version),
        (SSL_COMMON_NAME, &tls.common_name),
        (SSL_CIPHER, &tls.cipher),
        (SSL_SIGNATURE, &tls.signature_algorithm),
        (SSL_KEY, &tls.key_algorithm),
    ] {
        entry(kind, text.as_deref().map(str::as_bytes), &mut value);
    }
    value
}

/// Appends one entry, unless the header would become longer than anybody reads.
fn entry(kind: u8, value: Option<&[u8]>, out: &mut Vec<u8>) {
    let Some(value) = value else { return };
    let Ok(length) = u16::try_from(value.len()) else {
        return;
    };
    // Room for the checksum that ends it.
    if out.len() + value.len() + 16 <= LONGEST {
        out.push(kind);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(value);
    }
}
