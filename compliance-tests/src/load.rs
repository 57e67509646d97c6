//! Clients that keep asking until they are told to stop, and remember what went wrong.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::client::{Client, Offer, Speak};

/// Requests sent over one connection before the client makes a new one.
const REQUESTS_PER_CONNECTION: usize = 25;

/// How a client reaches the gateway.
#[derive(Clone)]
pub struct Way {
    /// Where.
    pub address: SocketAddr,
    /// Encrypted how; `None`: in clear text.
    pub offer: Option<Offer>,
    /// The HTTP version.
    pub speak: Speak,
}

/// What clients saw so far.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    /// Requests that got a whole answer with status 200.
    pub answered: usize,
    /// What went wrong, in words.
    pub failures: Vec<String>,
}

/// A crowd of clients on the current thread (inside a `LocalSet`).
#[derive(Debug)]
pub struct Crowd {
    count: Rc<Count>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Count {
    tally: RefCell<Tally>,
    changed: Notify,
}

impl Count {
    fn answered(&self) {
        self.tally.borrow_mut().answered += 1;
        self.changed.notify_one();
    }

    fn failed(&self, words: String) {
        self.tally.borrow_mut().failures.push(words);
        self.changed.notify_one();
    }

    /// There is nothing to wait for once something has failed.
    fn reached(&self, until: usize) -> bool {
        let tally = self.tally.borrow();
        tally.answered >= until || !tally.failures.is_empty()
    }
}

impl Crowd {
    /// Starts one client for each way; each asks for `path` again and again.
    pub fn start(ways: &[Way], path: &'static str) -> Self {
        let count = Rc::<Count>::default();
        let client =
            |way: &Way| tokio::task::spawn_local(ask_forever(way.clone(), path, Rc::clone(&count)));
        let clients = ways.iter().map(client).collect();
        Self { count, clients }
    }

    /// Waits until so many more requests have been answered.
    pub async fn answer(&self, more: usize) {
        let until = self.count.tally.borrow().answered + more;
        let enough = async {
            while !self.count.reached(until) {
                self.count.changed.notified().await;
            }
        };
        crate::stopwatch::within("the crowd to be answered", enough).await;
    }

    /// Sends everybody home.
    pub fn stop(self) -> Tally {
        self.clients.iter().for_each(JoinHandle::abort);
        self.count.tally.borrow().clone()
    }
}

async fn ask_forever(way: Way, path: &'static str, count: Rc<Count>) {
    loop {
        let mut client = match connect(&way).await {
            Ok(client) => client,
            Err(failure) => {
                count.failed(failure);
                continue;
            }
        };
        for _ in 0..REQUESTS_PER_CONNECTION {
            match client
                .try_send(http::Request::get(path), crate::payload::empty())
                .await
            {
                Ok(answer) if answer.status == 200 => count.answered(),
                Ok(answer) => count.failed(format!("{}: {}", answer.status, answer.text())),
                // Closed between two requests, which a server may do: the request was never sent.
                Err(error) if error.is_canceled() || error.is_closed() => break,
                Err(error) => {
                    count.failed(format!("{:?} to {}: {error:?}", way.speak, way.address));
                    break;
                }
            }
            // Other clients and origins of this thread have their turn.
            tokio::task::yield_now().await;
        }
    }
}

async fn connect(way: &Way) -> Result<Client, String> {
    let words =
        |error: &dyn std::fmt::Debug| format!("no connection to {}: {error:?}", way.address);
    match &way.offer {
        None => {
            let stream = tokio::net::TcpStream::connect(way.address)
                .await
                .map_err(|error| words(&error))?;
            Client::over(stream, way.speak, "localhost")
                .await
                .map_err(|error| words(&error))
        }
        Some(offer) => {
            let stream = offer
                .connect(way.address, way.speak)
                .await
                .map_err(|error| words(&error))?;
            Client::over(stream, way.speak, "localhost")
                .await
                .map_err(|error| words(&error))
        }
    }
}
