//! One HTTP connection, in clear text or over whatever stream is handed in.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::payload::{self, Payload};
use crate::stopwatch::within;

/// The HTTP version a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speak {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, by prior knowledge or by what ALPN agreed on.
    Http2,
}

impl Speak {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Http1, Self::Http2];

    /// Its name in ALPN.
    pub fn alpn(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
        }
    }
}

/// A connection that is kept alive. Requests are sent one after the other.
pub struct Client {
    sender: Sender,
    authority: String,
}

enum Sender {
    Http1(http1::SendRequest<Payload>),
    Http2(http2::SendRequest<Payload>),
}

/// A whole response.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Its trailer fields; empty when there were none.
    pub trailers: HeaderMap,
}

impl Client {
    /// Connects in clear text.
    pub async fn plain(address: SocketAddr, speak: Speak) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await;
        let stream = stream.unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        Self::over(stream, speak, &address.to_string())
            .await
            .expect("a fresh connection takes HTTP")
    }

    /// Speaks over a stream; `authority` is what the requests name as host.
    pub async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        speak: Speak,
        authority: &str,
    ) -> Result<Self, hyper::Error> {
        let stream = TokioIo::new(stream);
        let sender = match speak {
            Speak::Http1 => {
                let (sender, connection) = http1::handshake(stream).await?;
                tokio::spawn(connection.with_upgrades());
                Sender::Http1(sender)
            }
            Speak::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
                tokio::spawn(connection);
                Sender::Http2(sender)
            }
        };
        Ok(Self {
            sender,
            authority: authority.to_owned(),
        })
    }

    /// GET; fails the test when there is no whole answer.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), payload::empty()).await
    }

    /// Sends a request; fails the test when there is no whole answer.
    pub async fn send(&mut self, request: http::request::Builder, body: Payload) -> Answer {
        self.try_send(request, body)
            .await
            .unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// Sends a request and reads the whole answer.
    pub async fn try_send(
        &mut self,
        request: http::request::Builder,
        body: Payload,
    ) -> Result<Answer, hyper::Error> {
        within("an answer", async {
            let (head, body) = self.open(request, body).await?.into_parts();
            let body = body.collect().await?;
            let trailers = body.trailers().cloned().unwrap_or_default();
            Ok(Answer {
                status: head.status,
                headers: head.headers,
                body: body.to_bytes(),
                trailers,
            })
        })
        .await
    }

    /// Sends a request and returns as soon as the head of the response is there.
    pub async fn open(
        &mut self,
        request: http::request::Builder,
        body: Payload,
    ) -> Result<Response<Incoming>, hyper::Error> {
        let mut request = request.body(body).expect("a proper request");
        match &mut self.sender {
            Sender::Http1(sender) => {
                if !request.headers().contains_key("host") {
                    let host = self.authority.parse().expect("a host");
                    request.headers_mut().insert("host", host);
                }
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                if request.uri().authority().is_none() {
                    *request.uri_mut() = absolute(&self.authority, &request);
                }
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }

    /// Another client on the same connection, for streams at once. HTTP/2 only.
    pub fn beside(&self) -> Self {
        match &self.sender {
            Sender::Http1(_) => panic!("HTTP/1.1 answers one request after the other"),
            Sender::Http2(sender) => Self {
                sender: Sender::Http2(sender.clone()),
                authority: self.authority.clone(),
            },
        }
    }

    /// Whether the other side has closed the connection.
    pub fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.authority)
    }
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON: what an `Echo` origin says it saw.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{}: not JSON ({error}): {:?}", self.status, self.text())
        })
    }

    /// A header field, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("visible ASCII"))
    }

    /// What an `Echo` origin saw of a header field: every value of it.
    pub fn seen(&self, name: &str) -> Vec<String> {
        let json = self.json();
        let pairs = json["headers"]
            .as_array()
            .expect("the answer of an Echo origin");
        let text = |value: &serde_json::Value| value.as_str().expect("a string").to_owned();
        pairs
            .iter()
            .filter(|pair| pair[0] == name)
            .map(|pair| text(&pair[1]))
            .collect()
    }
}

fn absolute(authority: &str, request: &Request<Payload>) -> http::Uri {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    format!("https://{authority}{path}").parse().expect("a URI")
}
