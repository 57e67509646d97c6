//! Active checks that take HTTP/2: gRPC's own health service, and plain requests where the peers speak nothing else. The
//! others are scripts of `core`.

use std::ops::RangeInclusive;
use std::sync::Arc;

use alb_conf::{HealthKind, Upstream, UpstreamProtocol};
use alb_core::Stream;
use alb_core::health::{Check, Foreign, Found, named_host, statuses};
use bytes::{BufMut, Bytes};
use http::header::{CONTENT_TYPE, TE, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::h2::OnWorker;

/// An answer of the health service has a few bytes.
const LONGEST: usize = 4096;

/// SERVING in grpc.health.v1.
const SERVING: u64 = 1;

const CHECK: PathAndQuery = PathAndQuery::from_static("/grpc.health.v1.Health/Check");

/// The active check of an upstream; `None` where there is none.
pub fn check(written: &Upstream) -> Option<Check> {
    Check::new(written, foreign(written))
}

/// What is asked over HTTP/2.
struct Question {
    method: Method,
    path: PathAndQuery,
    host: Option<String>,
    message: Option<Bytes>,
    statuses: Vec<RangeInclusive<u16>>,
}

fn foreign(written: &Upstream) -> Option<Foreign> {
    let health = written.health.as_deref()?;
    let http2 = written.protocol == UpstreamProtocol::H2;
    let host = named_host(written, health);
    let (question, expected) = match *health.kind {
        HealthKind::Grpc => {
            let question = Question {
                method: Method::POST,
                path: CHECK,
                host,
                message: Some(request_message(&health.service)),
                statuses: vec![200..=200],
            };
            (question, "SERVING".to_owned())
        }
        HealthKind::Http | HealthKind::Https if http2 => {
            let question = Question {
                method: Method::GET,
                path: PathAndQuery::try_from(health.path.as_str()).ok()?,
                host,
                message: None,
                statuses: statuses(health),
            };
            let expected = format!("status {:?}", question.statuses);
            (question, expected)
        }
        _ => return None,
    };
    let question = Arc::new(question);
    Some(Foreign {
        expected,
        talk: Box::new(move |stream, asked| {
            let asking = ask(Arc::clone(&question), stream, asked.host);
            Box::pin(async { Found::from(asking.await) })
        }),
    })
}

/// Asks over a connection of its own, which ends with the answer.
async fn ask(question: Arc<Question>, stream: Stream, host: String) -> Result<(), String> {
    let tls = stream.tls_info();
    if tls.is_some_and(|tls| tls.alpn.as_deref() != Some("h2")) {
        return Err("a server that does not offer h2 by ALPN".to_owned());
    }
    let request = request(&question, tls.is_some(), host)?;
    let shaken = Builder::new(OnWorker)
        .timer(TokioTimer::new())
        .max_header_list_size(LONGEST as u32 * 4)
        .handshake(TokioIo::new(stream))
        .await;
    let (mut sender, connection) = shaken.map_err(seen)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(seen)?;
        judge(&question, response).await
    };
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        result = &mut exchange => result,
        ended = connection => match ended {
            // Its last frames may hold the answer.
            Ok(()) => exchange.await,
            Err(error) => Err(seen(error)),
        }
    }
}

fn request(
    question: &Question,
    secure: bool,
    host: String,
) -> Result<Request<Full<Bytes>>, String> {
    let host = question.host.clone().unwrap_or(host);
    let mut target = http::uri::Parts::default();
    target.scheme = Some(if secure { Scheme::HTTPS } else { Scheme::HTTP });
    let authority = Authority::try_from(host);
    target.authority = Some(authority.map_err(|e| format!("no host for the request: {e}"))?);
    target.path_and_query = Some(question.path.clone());
    let mut request = Request::new(Full::new(question.message.clone().unwrap_or_default()));
    *request.method_mut() = question.method.clone();
    *request.uri_mut() = Uri::from_parts(target).map_err(|e| e.to_string())?;
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static("alb-health"));
    if question.message.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    Ok(request)
}

async fn judge(question: &Question, response: Response<Incoming>) -> Result<(), String> {
    let status = response.status().as_u16();
    if !question
        .statuses
        .iter()
        .any(|range| range.contains(&status))
    {
        return Err(format!("status {status}"));
    }
    if question.message.is_none() {
        return Ok(());
    }
    grpc_status(response.headers())?;
    let body = Limited::new(response.into_body(), LONGEST).collect().await;
    let body = body.map_err(|e| format!("an answer broken off: {e}"))?;
    if let Some(trailers) = body.trailers() {
        grpc_status(trailers)?;
    }
    match serving_status(&body.to_bytes()) {
        Some(SERVING) => Ok(()),
        Some(2) => Err("NOT_SERVING".to_owned()),
        Some(3) => Err("SERVICE_UNKNOWN".to_owned()),
        Some(other) => Err(format!("status {other} of the health service")),
        None => Err("not an answer of grpc.health.v1".to_owned()),
    }
}

/// A failure of the call itself, such as 12 (UNIMPLEMENTED) or 5 (NOT_FOUND: no such service).
fn grpc_status(headers: &HeaderMap) -> Result<(), String> {
    match headers.get("grpc-status") {
        Some(status) if status != "0" => {
            let shown = status.as_bytes().escape_ascii();
            Err(format!("grpc-status {shown}"))
        }
        _ => Ok(()),
    }
}

/// A framed `HealthCheckRequest { string service = 1; }`.
fn request_message(service: &str) -> Bytes {
    let service = &service.as_bytes()[..service.len().min(127)];
    let mut message = Vec::new();
    if !service.is_empty() {
        message.extend([0x0a, service.len() as u8]);
        message.extend(service);
    }
    let mut framed = vec![0];
    framed.put_u32(message.len() as u32);
    framed.extend(message);
    framed.into()
}

/// The status in a framed `HealthCheckResponse { ServingStatus status = 1; }`; 0 (UNKNOWN) where the field is left out.
/// `None` for anything else. Public for fuzzing only.
#[doc(hidden)]
pub fn serving_status(body: &[u8]) -> Option<u64> {
    let (prefix, message) = body.split_at_checked(5)?;
    let length = u32::from_be_bytes(prefix[1..].try_into().ok()?);
    if prefix[0] != 0 || usize::try_from(length) != Ok(message.len()) {
        return None;
    }
    let (mut rest, mut status) = (message, 0);
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        match (key >> 3, key & 7) {
            (1, 0) => status = varint(&mut rest)?,
            (_, 0) => drop(varint(&mut rest)?),
            (_, 1) => rest = rest.get(8..)?,
            (_, 2) => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            (_, 5) => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn seen(error: hyper::Error) -> String {
    match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_service() {
        assert_eq!(&request_message("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&request_message("app")[..], b"\0\0\0\0\x05\x0a\x03app");
    }

    #[test]
    fn an_answer_is_one_whole_message() {
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 8, 1]), Some(1));
        assert_eq!(serving_status(&[0, 0, 0, 0, 0]), Some(0));
        assert_eq!(serving_status(&[0, 0, 0, 0, 4, 0x10, 5, 8, 2]), Some(2));
        for wrong in [
            &[0, 0, 0, 0, 3, 8, 1][..],
            &[1, 0, 0, 0, 2, 8, 1],
            b"",
            &[0, 0, 0, 0, 1, 8],
        ] {
            assert_eq!(serving_status(wrong), None, "{wrong:?}");
        }
    }
}
