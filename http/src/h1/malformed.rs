//! Why a message was refused: the closed set of framing faults, each with the status it earns.
//!
//! A fault here always ends the connection: once two parties may disagree on where a message ends,
//! nothing after it can be trusted (RFC 9112 §11.2, request smuggling).

use http::StatusCode;

/// A fault in the framing or the syntax of an HTTP/1 message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A line ended with LF alone (RFC 9112 §2.2 lets a recipient refuse it).
    #[error("a line ends with LF without CR")]
    BareLf,
    /// CR outside a line end.
    #[error("a CR is not followed by LF")]
    BareCr,
    /// The request line is not `METHOD SP TARGET SP VERSION`.
    #[error("the request line is not `METHOD TARGET VERSION`")]
    RequestLine,
    /// The status line is not `VERSION SP CODE SP REASON`.
    #[error("the status line is not `VERSION CODE REASON`")]
    StatusLine,
    /// The target is not a valid request target (RFC 9112 §3.2).
    #[error("the request target is not valid")]
    Target,
    /// A version other than HTTP/1.0 and HTTP/1.1.
    #[error("the version is neither HTTP/1.0 nor HTTP/1.1")]
    Version,
    /// A header line continues the one before (obs-fold, RFC 9112 §5.2).
    #[error("a header line is folded")]
    Folded,
    /// A header name has a byte no name may have, or whitespace precedes the colon (RFC 9112 §5.1).
    #[error("a header name is not a token directly followed by a colon")]
    HeaderName,
    /// A header value has a control character (RFC 9110 §5.5).
    #[error("a header value has a control character")]
    HeaderValue,
    /// No `Host` in an HTTP/1.1 request (RFC 9112 §3.2).
    #[error("the request has no Host")]
    HostMissing,
    /// More than one `Host`.
    #[error("the request has more than one Host")]
    HostRepeated,
    /// `Host` is not a host with an optional port.
    #[error("Host is not a host name or address with an optional port")]
    HostInvalid,
    /// The target names one host and `Host` another.
    #[error("the request target and Host name different hosts")]
    HostMismatch,
    /// More than one `Content-Length`, even when equal.
    #[error("there is more than one Content-Length")]
    LengthRepeated,
    /// `Content-Length` is not a decimal number.
    #[error("Content-Length is not a decimal number")]
    LengthInvalid,
    /// Both `Content-Length` and `Transfer-Encoding` (RFC 9112 §6.3).
    #[error("there are both Content-Length and Transfer-Encoding")]
    LengthAndEncoding,
    /// A transfer coding other than a single `chunked` (RFC 9112 §6.1).
    #[error("the only transfer coding understood is a single `chunked`")]
    Encoding,
    /// `Transfer-Encoding` in an HTTP/1.0 message.
    #[error("Transfer-Encoding in an HTTP/1.0 message")]
    EncodingInOld,
    /// A chunk header is not `HEX[;extension] CRLF`, or a chunk's data does not end with CRLF.
    #[error("the chunked body is not well-formed")]
    Chunk,
    /// The connection ended inside a message.
    #[error("the connection ended inside a message")]
    Truncated,
    /// The request line is longer than `max_request_line`.
    #[error("the request line is too long")]
    LineTooLong,
    /// The head is longer than `max_header_size`.
    #[error("the header section is too large")]
    HeadTooLarge,
    /// More header fields than `max_headers`.
    #[error("there are too many header fields")]
    TooManyHeaders,
}

impl Malformed {
    /// The status a request with this fault is answered with.
    pub fn status(self) -> StatusCode {
        match self {
            Self::LineTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge | Self::TooManyHeaders => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Encoding => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
