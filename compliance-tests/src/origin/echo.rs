//! A small HTTP server that says what it saw.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::{JoinHandle, JoinSet};

use crate::payload::{self, Payload};

/// A running origin; dropping it ends it and every connection of it.
///
/// | path | answer |
/// |---|---|
/// | `/body` | the request's body, as it arrives |
/// | `/sink` | the number of bytes of the request's body |
/// | `/bytes/N` | N bytes |
/// | `/status/N` | status N, no body |
/// | `/trailers` | `hello`, then the trailer `x-checksum: abc` |
/// | `/hang` | none, ever |
/// | any other | JSON: name of the origin, method, target, version, headers (a list of pairs), length of the body, trailers |
#[derive(Debug)]
pub struct Echo {
    address: Option<SocketAddr>,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// The HTTP version an origin speaks.
#[derive(Debug, Clone, Copy)]
pub enum Version {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 in clear text, by prior knowledge.
    Http2,
}

#[derive(Clone)]
struct Origin {
    name: &'static str,
    version: Version,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Echo {
    /// HTTP/1.1 on a port of 127.0.0.1.
    pub async fn start(name: &'static str) -> Self {
        Self::start_on(name, Version::Http1, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Either version on an address; port 0 for any.
    pub async fn start_on(name: &'static str, version: Version, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address)
            .await
            .expect("an address of the loopback");
        let address = listener.local_addr().expect("its address");
        let origin = Origin::new(name, version);
        let server = origin.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("TCP_NODELAY");
                connections.spawn(server.clone().serve(stream));
            }
        });
        origin.running(Some(address), task)
    }

    /// HTTP/1.1 on a unix socket.
    pub fn start_unix(name: &'static str, path: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("a path of ours");
        let origin = Origin::new(name, Version::Http1);
        let server = origin.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(server.clone().serve(stream));
            }
        });
        origin.running(None, task)
    }

    /// Its TCP address.
    pub fn address(&self) -> SocketAddr {
        self.address.expect("an origin on TCP")
    }

    /// How many requests it has seen.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Origin {
    fn new(name: &'static str, version: Version) -> Self {
        Self {
            name,
            version,
            requests: Arc::default(),
            connections: Arc::default(),
        }
    }

    fn running(self, address: Option<SocketAddr>, task: JoinHandle<()>) -> Echo {
        let Self {
            requests,
            connections,
            ..
        } = self;
        Echo {
            address,
            requests,
            connections,
            task,
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let stream = TokioIo::new(stream);
        let version = self.version;
        let service = service_fn(move |request| self.clone().answer(request));
        // A connection that breaks is the peer's doing; the test sees the other end of it.
        let _ = match version {
            Version::Http1 => {
                http1::Builder::new()
                    .serve_connection(stream, service)
                    .await
            }
            Version::Http2 => {
                http2::Builder::new(TokioExecutor::new())
                    .serve_connection(stream, service)
                    .await
            }
        };
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Payload>, hyper::Error> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let path = request.uri().path().to_owned();
        let mut parts = path.trim_start_matches('/').split('/');
        let body = match (parts.next(), parts.next()) {
            (Some("body"), _) => request.into_body().boxed_unsync(),
            (Some("sink"), _) => {
                payload::full(payload::length(request.into_body()).await?.to_string())
            }
            (Some("bytes"), Some(length)) => payload::filler(length.parse().expect("a length")),
            (Some("status"), Some(status)) => return Ok(bare(status.parse().expect("a status"))),
            (Some("trailers"), _) => {
                let mut trailers = HeaderMap::new();
                trailers.insert("x-checksum", HeaderValue::from_static("abc"));
                payload::with_trailers("hello", trailers)
            }
            (Some("hang"), _) => std::future::pending().await,
            _ => payload::full(describe(self.name, request).await?.to_string()),
        };
        let mut response = Response::new(body);
        if path == "/trailers" {
            response
                .headers_mut()
                .insert("trailer", HeaderValue::from_static("x-checksum"));
        }
        Ok(response)
    }
}

fn bare(status: StatusCode) -> Response<Payload> {
    let mut response = Response::new(payload::empty());
    *response.status_mut() = status;
    response
}

async fn describe(name: &str, request: Request<Incoming>) -> Result<Value, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?;
    let trailers = body.trailers().map(pairs);
    Ok(json!({
        "origin": name,
        "method": head.method.as_str(),
        "target": head.uri.to_string(),
        "version": format!("{:?}", head.version),
        "headers": pairs(&head.headers),
        "length": body.to_bytes().len(),
        "trailers": trailers,
    }))
}

fn pairs(headers: &HeaderMap) -> Vec<[String; 2]> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers
        .iter()
        .map(|(name, value)| [name.as_str().to_owned(), text(value)])
        .collect()
}
