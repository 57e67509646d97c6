//! An origin that speaks bytes by script: for answers that no proper server gives.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::process::Lines;

/// A TCP server that hands every connection to one async function; dropping it ends them all.
#[derive(Debug)]
pub struct Script {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Script {
    /// Starts it on a loopback port.
    pub async fn start<F, Fut>(on_connection: F) -> Self
    where
        F: Fn(TcpStream) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a loopback port");
        let address = listener.local_addr().expect("its address");
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let task = tokio::spawn(async move {
            let mut sessions = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                sessions.spawn(on_connection(stream));
            }
        });
        Self {
            address,
            connections,
            task,
        }
    }

    /// Starts a service that decides about logins (`auth_http`): it answers each request with these fields, and tells what it
    /// was asked, with plain line ends.
    pub async fn deciding(
        answer: impl Fn(&str) -> String + Clone + Send + 'static,
    ) -> (Self, Lines) {
        let asked = Lines::default();
        let tell = asked.clone();
        let script = Self::start(move |mut stream| {
            let (tell, answer) = (tell.clone(), answer.clone());
            async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    assert!(stream.read_buf(&mut request).await.expect("a request") > 0);
                }
                let text = String::from_utf8(request).expect("text");
                let answer = format!("HTTP/1.0 200 OK\r\n{}\r\n", answer(&text));
                tell.push(text.replace("\r\n", "\n"));
                stream.write_all(answer.as_bytes()).await.expect("sent");
            }
        })
        .await;
        (script, asked)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.task.abort();
    }
}
