//! Reads the first records of a connection: is this TLCP or TLS, and what does the client offer?
//!
//! Pure and bounded; it decides nothing and answers nothing. It exists because the choice between TLCP and TLS, the
//! choice of identity, and the explanation of a failure all need the hello before Tongsuo sees it.

use super::suites::is_grease;

/// Longest hello that is accepted, record headers included. A hello with two post-quantum key shares has 4 KiB.
pub const MAX_LENGTH: usize = 32 * 1024;

const RECORD_HEADER: usize = 5;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
/// RFC 8446 §5.1, GB/T 38636 §6.3: a plaintext fragment has at most 2^14 bytes.
const MAX_FRAGMENT: usize = 1 << 14;
const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// What a client says first. Lists are in the client's order, without the GREASE values of RFC 8701.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// Version of the first record: 0x0101 for TLCP, 0x03xx for TLS.
    pub record_version: u16,
    /// Versions offered: the `supported_versions` extension, or the hello's own version.
    pub versions: Vec<u16>,
    /// Cipher suites offered.
    pub suites: Vec<u16>,
    /// Host name asked for, in lower case.
    pub sni: Option<String>,
    /// Application protocols offered.
    pub alpn: Vec<String>,
    /// Key exchange groups offered.
    pub groups: Vec<u16>,
}

/// Why the first bytes are not a hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAHello {
    /// An HTTP request in plain text.
    Http,
    /// Neither TLS nor TLCP: the first byte is not that of a handshake record.
    Foreign {
        /// The first byte.
        first: u8,
    },
    /// A handshake record of a version that is neither TLCP nor TLS.
    Version(u16),
    /// A handshake record, but its contents are not a well-formed hello.
    Malformed,
    /// Longer than [`MAX_LENGTH`].
    TooLong,
}

impl ClientHello {
    /// Parses the bytes received so far. `Ok(None)` asks for more of them.
    pub fn parse(bytes: &[u8]) -> Result<Option<ClientHello>, NotAHello> {
        let Some(&first) = bytes.first() else {
            return Ok(None);
        };
        if first != HANDSHAKE {
            return not_a_record(bytes, first);
        }
        let Some(version) = bytes.get(1..3).map(be16) else {
            return Ok(None);
        };
        if version != 0x0101 && version >> 8 != 3 {
            return Err(NotAHello::Version(version));
        }
        match handshake_message(bytes, version)? {
            Some(body) => parse_body(version, &body)
                .map(Some)
                .ok_or(NotAHello::Malformed),
            None if bytes.len() >= MAX_LENGTH => Err(NotAHello::TooLong),
            None => Ok(None),
        }
    }

    /// The client speaks TLCP (GB/T 38636 §6.3: version 0x0101 in the record header).
    pub fn is_tlcp(&self) -> bool {
        self.record_version == 0x0101
    }
}

/// Tells plain HTTP from everything else, waiting for enough bytes to be sure.
fn not_a_record(bytes: &[u8], first: u8) -> Result<Option<ClientHello>, NotAHello> {
    const METHODS: [&[u8]; 10] = [
        b"GET ",
        b"HEAD ",
        b"POST ",
        b"PUT ",
        b"PATCH ",
        b"DELETE ",
        b"OPTIONS ",
        b"CONNECT ",
        b"TRACE ",
        b"PRI * ",
    ];
    if METHODS.iter().any(|m| bytes.starts_with(m)) {
        return Err(NotAHello::Http);
    }
    if METHODS.iter().any(|m| m.starts_with(bytes)) {
        return Ok(None);
    }
    Err(NotAHello::Foreign { first })
}

/// Collects the body of the first handshake message, which may be spread over several records.
fn handshake_message(bytes: &[u8], version: u16) -> Result<Option<Vec<u8>>, NotAHello> {
    let mut rest = bytes;
    let mut message = Vec::new();
    loop {
        let Some((header, tail)) = rest.split_at_checked(RECORD_HEADER) else {
            return Ok(None);
        };
        let length = usize::from(be16(&header[3..5]));
        // The version of later records may differ in its minor byte only (RFC 8446 §5.1).
        if header[0] != HANDSHAKE
            || header[1] != (version >> 8) as u8
            || length == 0
            || length > MAX_FRAGMENT
        {
            return Err(NotAHello::Malformed);
        }
        let (fragment, tail) = tail.split_at_checked(length).unwrap_or((tail, &[]));
        message.extend_from_slice(fragment);
        if let Some(body) = complete(&message)? {
            return Ok(Some(body.to_vec()));
        }
        if fragment.len() < length {
            return Ok(None);
        }
        rest = tail;
    }
}

/// The body of the message, once all of it is there.
fn complete(message: &[u8]) -> Result<Option<&[u8]>, NotAHello> {
    if message.first().is_some_and(|&kind| kind != CLIENT_HELLO) {
        return Err(NotAHello::Malformed);
    }
    let Some(length) = message.get(1..4) else {
        return Ok(None);
    };
    let length = usize::from(length[0]) << 16 | usize::from(be16(&length[1..]));
    if length > MAX_LENGTH {
        return Err(NotAHello::TooLong);
    }
    Ok(message.get(4..4 + length))
}

/// ClientHello, GB/T 38636 §6.4.5.2.1 and RFC 8446 §4.1.2. Extensions are optional in both TLCP and TLS 1.2.
fn parse_body(record_version: u16, body: &[u8]) -> Option<ClientHello> {
    let mut r = Reader(body);
    let version = r.u16()?;
    r.take(32)?; // random
    r.list8()?; // session id
    let suites = numbers(r.list16()?)?;
    r.list8()?; // compression methods
    let mut hello = ClientHello {
        record_version,
        versions: vec![version],
        suites,
        ..ClientHello::default()
    };
    if r.0.is_empty() {
        return Some(hello);
    }
    let mut extensions = Reader(r.list16()?);
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let data = extensions.list16()?;
        extension(&mut hello, kind, data)?;
    }
    r.0.is_empty().then_some(hello)
}

/// Takes what interests us from one extension; others are left to Tongsuo.
fn extension(hello: &mut ClientHello, kind: u16, data: &[u8]) -> Option<()> {
    let mut r = Reader(data);
    match kind {
        SERVER_NAME => hello.sni = server_name(r.list16()?),
        SUPPORTED_GROUPS => hello.groups = numbers(r.list16()?)?,
        SUPPORTED_VERSIONS => hello.versions = numbers(r.list8()?)?,
        ALPN => {
            let mut names = Reader(r.list16()?);
            while !names.0.is_empty() {
                hello
                    .alpn
                    .push(String::from_utf8_lossy(names.list8()?).into_owned());
            }
        }
        _ => {}
    }
    Some(())
}

/// The first host_name of the list (RFC 6066 §3), if it can be one: printable ASCII without spaces.
fn server_name(list: &[u8]) -> Option<String> {
    let mut r = Reader(list);
    while let (Some(kind), Some(name)) = (r.u8(), r.list16()) {
        if kind == 0
            && !name.is_empty()
            && name.len() <= 255
            && name.iter().all(u8::is_ascii_graphic)
        {
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            return Some(name.strip_suffix('.').map_or(name.clone(), str::to_owned));
        }
    }
    None
}

fn numbers(list: &[u8]) -> Option<Vec<u16>> {
    let pairs = list.chunks_exact(2);
    pairs
        .remainder()
        .is_empty()
        .then(|| pairs.map(be16).filter(|&n| !is_grease(n)).collect())
}

fn be16(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

/// A cursor that never reads past its end.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(be16)
    }

    fn list8(&mut self) -> Option<&'a [u8]> {
        let n = self.u8()?;
        self.take(n.into())
    }

    fn list16(&mut self) -> Option<&'a [u8]> {
        let n = self.u16()?;
        self.take(n.into())
    }
}

#[cfg(test)]
mod tests;
