//! Message heads, strictly: where one ends, and what it says (RFC 9112 §2–§6).
//!
//! Pure functions over bytes. Nothing here reads, writes or guesses: a head that two implementations
//! could read differently is refused.

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use memchr::{memchr, memchr_iter};

use super::Malformed;
use super::authority::is_host;
use super::fields::Fields;

/// Fields that a gateway usually adds: with room for them the map need not grow.
const ADDED_TO_REQUEST: usize = 5;
const ADDED_TO_RESPONSE: usize = 2;

/// What a head may measure.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the first line, without its CRLF.
    pub line: usize,
    /// Bytes of the whole head, with the empty line.
    pub size: usize,
    /// Header fields.
    pub fields: usize,
}

/// How the end of a body is found (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Responses only: up to the end of the connection.
    UntilClose,
}

/// A request head.
#[derive(Debug)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The target, byte for byte as sent.
    pub uri: Uri,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The header fields in order of arrival, hop-by-hop ones included.
    pub headers: HeaderMap,
    /// How the body ends.
    pub framing: Framing,
    /// The client lets the connection live on.
    pub keep_alive: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// A response head.
#[derive(Debug)]
pub struct ResponseHead {
    /// The status.
    pub status: StatusCode,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The header fields.
    pub headers: HeaderMap,
    /// How the body ends.
    pub framing: Framing,
    /// The server lets the connection live on.
    pub keep_alive: bool,
}

/// Looks for the end of a head in a growing buffer without reading any byte twice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scanner {
    scanned: usize,
    line_start: usize,
    lines: usize,
}

impl Scanner {
    /// The length of the head at the start of `buffer` with its empty line, or `None` while it is incomplete.
    ///
    /// `buffer` must begin with the same bytes on every call. One CRLF before the request line is
    /// skipped (RFC 9112 §2.2) by the caller, not here.
    pub fn end(&mut self, buffer: &[u8], limits: &Limits) -> Result<Option<usize>, Malformed> {
        for found in memchr_iter(b'\n', &buffer[self.scanned..]) {
            let lf = self.scanned + found;
            if lf == 0 || buffer[lf - 1] != b'\r' {
                return Err(self.too_long(lf, limits).unwrap_or(Malformed::BareLf));
            }
            if let Some(fault) = self.too_long(lf - 1, limits) {
                return Err(fault);
            }
            if lf - 1 == self.line_start {
                return Ok(Some(lf + 1));
            }
            self.lines += 1;
            self.line_start = lf + 1;
            if self.lines > limits.fields + 1 {
                return Err(Malformed::TooManyHeaders);
            }
        }
        self.scanned = buffer.len();
        self.too_long(buffer.len(), limits).map_or(Ok(None), Err)
    }

    fn too_long(&self, end: usize, limits: &Limits) -> Option<Malformed> {
        if self.lines == 0 && end > limits.line {
            Some(Malformed::LineTooLong)
        } else if end + 2 > limits.size {
            Some(Malformed::HeadTooLarge)
        } else {
            None
        }
    }

    fn fields(&self) -> usize {
        self.lines.saturating_sub(1)
    }
}

/// Parses a complete request head (as delimited by [`Scanner::end`]).
pub fn parse_request(head: &Bytes, scanner: &Scanner) -> Result<RequestHead, Malformed> {
    let line_end = memchr(b'\r', head).ok_or(Malformed::RequestLine)?;
    let (method, uri, version) = request_line(head, line_end)?;
    let mut fields = Fields::default();
    let headers = fields.parse(head, line_end + 2, scanner.fields() + ADDED_TO_REQUEST)?;
    check_host(&uri, version, &headers, &fields)?;
    let framing = fields.framing(version)?.unwrap_or(Framing::None);
    let keep_alive = fields.keep_alive(&headers, version);
    let expects_continue = fields.expects_continue && version == Version::HTTP_11;
    Ok(RequestHead {
        method,
        uri,
        version,
        headers,
        framing,
        keep_alive,
        expects_continue,
    })
}

/// Parses a complete response head; `to` is the method of the request it answers.
pub fn parse_response(
    head: &Bytes,
    scanner: &Scanner,
    to: &Method,
) -> Result<ResponseHead, Malformed> {
    let line_end = memchr(b'\r', head).ok_or(Malformed::StatusLine)?;
    let (version, status) = status_line(&head[..line_end])?;
    let mut fields = Fields::default();
    let headers = fields.parse(head, line_end + 2, scanner.fields() + ADDED_TO_RESPONSE)?;
    let declared = fields.framing(version)?;
    let framing = match status {
        // RFC 9112 §6.3, rules 1 and 2.
        _ if *to == Method::HEAD => Framing::None,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Framing::None,
        s if s.is_informational() => Framing::None,
        _ => declared.unwrap_or(Framing::UntilClose),
    };
    let keep_alive = fields.keep_alive(&headers, version) && framing != Framing::UntilClose;
    Ok(ResponseHead {
        status,
        version,
        headers,
        framing,
        keep_alive,
    })
}

fn request_line(head: &Bytes, end: usize) -> Result<(Method, Uri, Version), Malformed> {
    let line = &head[..end];
    let first = memchr(b' ', line).ok_or(Malformed::RequestLine)?;
    let second = first + 1 + memchr(b' ', &line[first + 1..]).ok_or(Malformed::RequestLine)?;
    let version = match &line[second + 1..] {
        b"HTTP/1.1" => Version::HTTP_11,
        b"HTTP/1.0" => Version::HTTP_10,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(Malformed::Version);
        }
        _ => return Err(Malformed::RequestLine),
    };
    let method = Method::from_bytes(&line[..first]).map_err(|_| Malformed::RequestLine)?;
    let target = &line[first + 1..second];
    // A fragment never belongs into a request; the URI type would drop it silently.
    if memchr(b'#', target).is_some() || !target.iter().all(u8::is_ascii_graphic) {
        return Err(Malformed::Target);
    }
    let uri =
        Uri::from_maybe_shared(head.slice(first + 1..second)).map_err(|_| Malformed::Target)?;
    check_form(&method, &uri, target)?;
    Ok((method, uri, version))
}

/// Which of the four forms of a target may come with which method (RFC 9112 §3.2).
fn check_form(method: &Method, uri: &Uri, target: &[u8]) -> Result<(), Malformed> {
    let form_fits = match target {
        [b'/', ..] => *method != Method::CONNECT,
        b"*" => *method == Method::OPTIONS,
        _ if *method == Method::CONNECT => uri.scheme().is_none() && uri.port().is_some(),
        _ => uri.scheme().is_some() && uri.authority().is_some(),
    };
    // `user:password@host` in a target is a way to lie about the host (RFC 9110 §4.2.4).
    let honest = uri
        .authority()
        .is_none_or(|a| is_host(a.as_str().as_bytes()));
    if form_fits && honest {
        Ok(())
    } else {
        Err(Malformed::Target)
    }
}

fn status_line(line: &[u8]) -> Result<(Version, StatusCode), Malformed> {
    let version = match line.get(..9) {
        Some(b"HTTP/1.1 ") => Version::HTTP_11,
        Some(b"HTTP/1.0 ") => Version::HTTP_10,
        _ => return Err(Malformed::StatusLine),
    };
    let code = line.get(9..12).ok_or(Malformed::StatusLine)?;
    if !matches!(line.get(12), None | Some(b' ')) {
        return Err(Malformed::StatusLine);
    }
    let status = StatusCode::from_bytes(code).map_err(|_| Malformed::StatusLine)?;
    Ok((version, status))
}

fn check_host(
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
    fields: &Fields,
) -> Result<(), Malformed> {
    match (fields.hosts, version) {
        (0, Version::HTTP_10) => return Ok(()),
        (0, _) => return Err(Malformed::HostMissing),
        (1, _) if fields.host_valid => {}
        (1, _) => return Err(Malformed::HostInvalid),
        _ => return Err(Malformed::HostRepeated),
    }
    let Some(authority) = uri.authority() else {
        return Ok(());
    };
    let same = headers.get(HOST).is_some_and(|host| {
        authority
            .as_str()
            .as_bytes()
            .eq_ignore_ascii_case(host.as_bytes())
    });
    if same {
        Ok(())
    } else {
        Err(Malformed::HostMismatch)
    }
}
