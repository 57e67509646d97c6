//! One HTTP/1.1 request over a connection at hand.

use alb_gm::tls::TlsStream;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::header::{HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::findings::Response;

/// How much of a body is kept.
const KEPT: usize = 64 * 1024;

/// Fetches `path`; `authority` goes into the Host header.
pub async fn get(
    stream: TlsStream<TcpStream>,
    authority: &str,
    path: &str,
) -> Result<Response, String> {
    let request = hyper::Request::get(path)
        .header(HOST, authority)
        .header(USER_AGENT, concat!("alb-probe/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|error| format!("`{path}` cannot be asked for: {error}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(words)?;
    // It ends with the response; what goes wrong on it, the exchange reports.
    tokio::spawn(connection);
    read(sender.send_request(request).await.map_err(words)?).await
}

async fn read(response: hyper::Response<hyper::body::Incoming>) -> Result<Response, String> {
    let (head, mut body) = response.into_parts();
    let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (
            name.to_string(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    };
    let (mut kept, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(words)?.into_data() {
            length += data.len();
            let room = KEPT.saturating_sub(kept.len());
            kept.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Ok(Response {
        status: head.status.as_u16(),
        headers: head.headers.iter().map(header).collect(),
        length,
        body: String::from_utf8_lossy(&kept).into_owned(),
    })
}

/// An error with its causes.
fn words(error: hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(deeper) = cause {
        text.push_str(&format!(": {deeper}"));
        cause = deeper.source();
    }
    text
}
