//! The crate between real sockets: a gateway from an inline configuration, an origin that says exactly what a test
//! gives it, and a client that sends exactly the bytes of a test.

#![allow(dead_code, missing_docs, reason = "each test file uses its own part")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use alb_core::drain::Drain;
use alb_core::log::AccessBuffer;
use alb_core::published::Published;
use alb_core::stats::WorkerStats;
use alb_core::upstream::{Settings, Upstream};
use alb_core::{ConnInfo, Socket, Stream};
use alb_http::Worker;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

/// Runs a test where tasks stay on its thread, as on a worker.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let limit = std::time::Duration::from_secs(30);
    let test = async {
        tokio::time::timeout(limit, test)
            .await
            .expect("the test took too long")
    };
    LocalSet::new().block_on(&runtime, test);
}

/// A gateway with one listener, named `web`, on an allocated port.
pub struct Gateway {
    pub address: SocketAddr,
    pub worker: Rc<Worker>,
    pub drain: Drain,
}

impl Gateway {
    /// Starts from a configuration without `[[http]]`, or with one whose name is `web`.
    pub async fn start(toml: &str) -> Self {
        let toml = match toml.contains("[[http]]") {
            true => toml.to_owned(),
            false => format!("[[http]]\nname = \"web\"\nlisten = [\"127.0.0.1:1\"]\n{toml}"),
        };
        let config = alb_conf::check_str(&toml).unwrap_or_else(|report| panic!("{report:?}"));
        let upstreams: HashMap<String, Arc<Upstream>> = config
            .upstream
            .iter()
            .map(|(name, u)| {
                (
                    name.to_string(),
                    Upstream::new(name, Settings::new(u, None), u.peers.clone(), None),
                )
            })
            .collect();
        let mut found = Vec::new();
        let named = alb_http::route::Named {
            upstreams: &upstreams,
            access: &Default::default(),
        };
        let mut limits = alb_core::limit::Builder::new(&config.limit, None);
        let tables = alb_http::route::build(&config, &named, &mut limits, &mut found);
        assert!(found.is_empty(), "{found:?}");
        let published = Published::new(Arc::new(tables));
        let stats = Arc::<WorkerStats>::default();
        let drain = Drain::default();
        let log = AccessBuffer::new(None, Arc::clone(&stats));
        let worker = Worker::new(published.view(), stats, log, drain.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        spawn_local(accept(listener, Rc::clone(&worker)));
        Self {
            address,
            worker,
            drain,
        }
    }

    /// Sends bytes, ends the sending side only if `end`, and returns all that comes back until the gateway closes.
    pub async fn send(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        stream.write_all(bytes.as_ref()).await.expect("sent");
        read_to_end(&mut stream).await
    }

    /// `GET` of a path, with `Connection: close` and further header lines.
    pub async fn get(&self, path: &str, headers: &str) -> String {
        self.send(format!(
            "GET {path} HTTP/1.1\r\nHost: example.cn\r\nConnection: close\r\n{headers}\r\n"
        ))
        .await
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address)
            .await
            .expect("a connection")
    }
}

async fn accept(listener: TcpListener, worker: Rc<Worker>) {
    loop {
        let (stream, peer) = listener.accept().await.expect("a client");
        let local = stream.local_addr().expect("an address");
        let info = ConnInfo {
            id: 0,
            peer,
            via: None,
            local,
            tls: None,
        };
        let stream = Stream::Plain(Socket::from(stream));
        spawn_local(alb_http::connection::serve(
            stream,
            info,
            "web".into(),
            Rc::clone(&worker),
        ));
    }
}

/// An origin that records every request and answers with the bytes a function gives for it.
pub struct Origin {
    pub address: SocketAddr,
    pub requests: Rc<RefCell<Vec<String>>>,
    pub connections: Rc<RefCell<usize>>,
}

impl Origin {
    /// The function is given the request, head and body; an empty answer closes the connection.
    pub async fn start(answer: impl Fn(&str) -> Vec<u8> + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (requests, connections) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(0)));
        let (seen, counted, answer) = (
            Rc::clone(&requests),
            Rc::clone(&connections),
            Rc::new(answer),
        );
        spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("the gateway");
                *counted.borrow_mut() += 1;
                spawn_local(converse(stream, Rc::clone(&seen), Rc::clone(&answer)));
            }
        });
        Self {
            address,
            requests,
            connections,
        }
    }

    /// An origin that answers everything with a short text.
    pub async fn greeting() -> Self {
        Self::start(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec()).await
    }

    /// The only request so far.
    pub fn request(&self) -> String {
        let requests = self.requests.borrow();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests[0].clone()
    }
}

async fn converse(
    mut stream: TcpStream,
    seen: Rc<RefCell<Vec<String>>>,
    answer: Rc<impl Fn(&str) -> Vec<u8>>,
) {
    let mut buffer = Vec::new();
    while let Some(request) = read_message(&mut stream, &mut buffer).await {
        seen.borrow_mut().push(request.clone());
        let bytes = answer(&request);
        if bytes.is_empty() || stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Reads one message: head, and a body by length or in chunks, as it is on the wire.
pub async fn read_message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = message_end(buffer) {
            let message = buffer.drain(..end).collect();
            return Some(String::from_utf8(message).expect("text"));
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn message_end(buffer: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(buffer);
    let head = text.find("\r\n\r\n")? + 4;
    let lower = text[..head].to_ascii_lowercase();
    if lower.contains("transfer-encoding: chunked") {
        let last = text[head..].find("0\r\n")?;
        return text[head + last..]
            .find("\r\n\r\n")
            .map(|end| head + last + end + 4);
    }
    let length = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    (buffer.len() >= head + length).then_some(head + length)
}

pub async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    // A reset after the response is as good as an end.
    let _ = stream.read_to_end(&mut received).await;
    String::from_utf8_lossy(&received).into_owned()
}

/// A configuration that sends everything to these peers, with more settings of the upstream.
pub fn proxy_to(peers: &[SocketAddr], settings: &str) -> String {
    let peers: Vec<String> = peers.iter().map(|p| format!("\"{p}\"")).collect();
    format!(
        "[[site]]\n[[site.route]]\nproxy = \"app\"\n[upstream.app]\npeers = [{}]\n{settings}\n",
        peers.join(", ")
    )
}
