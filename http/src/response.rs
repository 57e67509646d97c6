//! Answers the gateway makes itself: error pages, and those of `return`. They say nothing about what is behind it.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};

use crate::body::Body;
use crate::handler;
use crate::route::{Return, normalise_host};

/// The form in which a client understands an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A page.
    Html,
    /// A line of text.
    Plain,
    /// gRPC: status 200, the error in `grpc-status`.
    Grpc,
}

impl Form {
    /// The form for a request with these fields.
    pub fn of(headers: &HeaderMap) -> Self {
        let begins = |name, with: &[u8]| {
            headers
                .get(name)
                .is_some_and(|v| v.as_bytes().starts_with(with))
        };
        let accepts_html = || {
            headers
                .get(ACCEPT)
                .is_some_and(|v| memchr::memmem::find(v.as_bytes(), b"text/html").is_some())
        };
        if begins(CONTENT_TYPE, b"application/grpc") {
            Self::Grpc
        } else if accepts_html() {
            Self::Html
        } else {
            Self::Plain
        }
    }
}

/// An error answer.
pub fn error(status: StatusCode, form: Form) -> Response<Body> {
    let reason = status.canonical_reason().unwrap_or("Error");
    let (content_type, text) = match form {
        Form::Grpc => return grpc_error(status, reason),
        Form::Plain => (
            "text/plain; charset=utf-8",
            format!("{} {reason}\n", status.as_str()),
        ),
        Form::Html => ("text/html; charset=utf-8", page(status.as_str(), reason)),
    };
    let length = text.len();
    let mut response = Response::new(Body::from(Bytes::from(text)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// The answer of a `return`.
pub fn configured(written: &Return, scheme: &str, request: &Request<Body>) -> Response<Body> {
    let needs_page =
        written.body.is_none() && written.location.is_none() && written.status.as_u16() >= 400;
    if needs_page {
        return error(written.status, Form::of(request.headers()));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = written.status;
    if let Some(body) = &written.body {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, written.content_type.clone());
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        *response.body_mut() = Body::from(body.clone());
    }
    let location = written.location.as_ref().map(|l| fill(l, scheme, request));
    // Host and target were checked as they arrived; what still is no field value is left out.
    if let Some(Ok(location)) = location.map(HeaderValue::try_from) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn fill(location: &str, scheme: &str, request: &Request<Body>) -> String {
    let host = normalise_host(handler::host(request).unwrap_or_default());
    let uri = request.uri().path_and_query().map_or("/", |p| p.as_str());
    location
        .replace("$scheme", scheme)
        .replace("$host", &host)
        .replace("$uri", uri)
}

fn page(code: &str, reason: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{code} {reason}</title>\n\
         <h1>{code} {reason}</h1>\n</html>\n"
    )
}

/// The status of gRPC for one of HTTP (gRPC, "HTTP to gRPC Status Code Mapping", and 413 as gRPC's own limit).
fn grpc_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "13",
        401 => "16",
        403 => "7",
        404 => "12",
        413 => "8",
        408 | 504 => "4",
        429 | 502 | 503 => "14",
        _ => "2",
    }
}

fn grpc_error(status: StatusCode, reason: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from_static(grpc_status(status)));
    headers.insert("grpc-message", HeaderValue::from_static(reason));
    response
}
