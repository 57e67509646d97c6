//! A service that decides, in the protocol of nginx's mail module (`auth_http`), byte for byte.
//!
//! nginx itself ignores the status of the answer and lets in whoever is given a server, even without `Auth-Status`; here
//! whatever is missing or odd keeps the client out.

mod answer;
mod idle;
mod request;

pub use answer::{Answer, Malformed, Status, parse as parse_answer};
pub use request::Method;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_conf::MailAuthHttp;
use alb_core::Stream;
use alb_core::access::AddressSet;
use alb_core::upstream::{Cursor, Outcome, PeerAddress, PeerRef, Tried, Upstream, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::decision::{Accepted, Attempt, Decision, Refusal};
use crate::secret::Draft;

/// Longest head of an answer, in bytes.
const MAX_ANSWER: usize = 16 * 1024;
/// Room for a usual one.
const USUAL_ANSWER: usize = 1024;
/// Longest wait that an answer may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Shortest wait before a service that said WAIT is asked again.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// The `Host` of a service at a unix socket, as nginx sends it.
const LOCAL_HOST: &str = "localhost";

/// The service.
pub struct HttpSource {
    upstream: Arc<Upstream>,
    settings: request::Settings,
    timeout: Duration,
    allowed: AddressSet,
    /// Names an answer may give in `Auth-Pool`.
    pools: Arc<[Arc<str>]>,
    in_flight: Semaphore,
    connections: idle::Connections,
}

impl HttpSource {
    /// The service as written; `pools` are the upstreams there are.
    pub fn new(written: &MailAuthHttp, upstream: Arc<Upstream>, pools: Arc<[Arc<str>]>) -> Self {
        HttpSource {
            upstream,
            settings: request::Settings::new(written),
            timeout: *written.timeout,
            allowed: AddressSet::of(written.allowed_backends.iter().map(|prefix| &**prefix)),
            pools,
            in_flight: Semaphore::new(written.in_flight as usize),
            connections: idle::Connections::new(written.keepalive),
        }
    }

    /// Asks about an attempt. `start` is who would come in if the service changes nothing; nobody for mail without login.
    pub async fn decide(
        &self,
        attempt: &Attempt<'_>,
        method: Method<'_>,
        start: Option<Accepted>,
    ) -> Decision {
        let start = start.unwrap_or_else(|| Accepted::nobody("http"));
        let answer = {
            let asking = pin!(self.ask(attempt, method, &start.login));
            timeout(self.timeout, asking).await
        };
        match answer {
            Ok(Ok(answer)) => self.act(answer, start),
            Ok(Err(reason)) => Decision::Unavailable { reason },
            Err(_) => Decision::unavailable(format!("no answer within {:?}", self.timeout)),
        }
    }

    /// Asks until the service says something other than WAIT. The request is made anew each time.
    async fn ask(
        &self,
        attempt: &Attempt<'_>,
        method: Method<'_>,
        user: &str,
    ) -> Result<Answer, String> {
        loop {
            let answer = self.ask_in_turn(attempt, method, user).await?;
            match answer.status {
                Status::Wait => {
                    let wait = answer.wait.unwrap_or(SHORTEST_WAIT);
                    sleep(wait.clamp(SHORTEST_WAIT, LONGEST_WAIT)).await;
                }
                _ => return Ok(answer),
            }
        }
    }

    /// Asks when fewer than `in_flight` others are asking.
    async fn ask_in_turn(
        &self,
        attempt: &Attempt<'_>,
        method: Method<'_>,
        user: &str,
    ) -> Result<Answer, String> {
        // The semaphore is never closed.
        let turn = self.in_flight.acquire().await;
        let _turn = turn.map_err(|error| error.to_string())?;
        self.ask_any(attempt, method, user).await
    }

    /// Asks one peer after the other until one answers.
    async fn ask_any(
        &self,
        attempt: &Attempt<'_>,
        method: Method<'_>,
        user: &str,
    ) -> Result<Answer, String> {
        let mut cursor = self.upstream.cursor(Cursor::random_start());
        let mut tried = Tried::default();
        let mut last = None;
        let mut now = Instant::now();
        while let Some(peer) = cursor.pick(now, &mut tried) {
            let host = match peer.address() {
                PeerAddress::Unix(_) => LOCAL_HOST,
                PeerAddress::Tcp(_) => peer.host().unwrap_or(LOCAL_HOST),
            };
            let request = self.settings.write(host, attempt, method, user);
            let result = self.ask_peer(&peer, &request, now).await;
            let outcome = match result {
                Ok(_) | Err(Failed::Question(_)) => Outcome::Success,
                Err(Failed::Peer(_)) => Outcome::Failure,
            };
            now = Instant::now();
            cursor.report(&peer, outcome, now);
            match result {
                Ok(answer) => return Ok(answer),
                Err(Failed::Question(reason)) => {
                    return Err(format!("{}: {reason}", peer.address()));
                }
                Err(Failed::Peer(reason)) => last = Some(format!("{}: {reason}", peer.address())),
            }
        }
        Err(last.unwrap_or_else(|| format!("no peer of `{}` is available", self.upstream.name())))
    }

    /// Asks on a connection that has been kept, or on a new one.
    async fn ask_peer(
        &self,
        peer: &PeerRef,
        request: &[u8],
        now: Instant,
    ) -> Result<Answer, Failed> {
        let kept = self.connections.take(peer.address(), now);
        // The service may close it at this very moment; the question has no effect, so it can be asked again.
        if let Some(stream) = kept {
            match self.converse(peer, stream, request).await {
                Err(Failed::Peer(_)) => {}
                answered => return answered,
            }
        }
        let stream = connect(peer, self.upstream.settings()).await;
        let stream = stream.map_err(|error| Failed::Peer(error.to_string()))?;
        self.converse(peer, stream, request).await
    }

    /// Sends a request, reads the answer to it, and keeps the connection if the service does.
    async fn converse(
        &self,
        peer: &PeerRef,
        mut stream: Stream,
        request: &[u8],
    ) -> Result<Answer, Failed> {
        let failed = |error: std::io::Error| Failed::Peer(error.to_string());
        stream.write_all(request).await.map_err(failed)?;
        stream.flush().await.map_err(failed)?;
        // It may hold the password of the server.
        let mut bytes = Draft::with_room(USUAL_ANSWER);
        loop {
            make_room(&mut bytes).map_err(Failed::Peer)?;
            let read = stream.read_buf(&mut *bytes).await.map_err(failed)?;
            match parse_answer(&bytes)? {
                Some(answer) => {
                    if idle::is_reusable(&bytes) {
                        self.connections
                            .keep(peer.address(), stream, Instant::now());
                    }
                    return Ok(answer);
                }
                None if read == 0 => {
                    let cut = "it closed the connection before the end of its answer";
                    return Err(Failed::Peer(cut.to_owned()));
                }
                None => {}
            }
        }
    }

    fn act(&self, answer: Answer, start: Accepted) -> Decision {
        match answer.status {
            Status::Ok => self.accept(answer, start),
            Status::Refused(text) => {
                let code = answer.error_code.unwrap_or_else(|| "535 5.7.0".to_owned());
                Decision::Refuse(Refusal {
                    text: Some(text),
                    // A code of 4 says that it may go well another time.
                    rejected: !code.starts_with('4'),
                    smtp_code: Some(code),
                    wait: answer.wait.unwrap_or_default().min(LONGEST_WAIT),
                    close: answer.wait.is_none(),
                })
            }
            Status::Wait => Decision::unavailable("the service said WAIT"),
        }
    }

    fn accept(&self, answer: Answer, start: Accepted) -> Decision {
        if let Some(server) = answer.server
            && !self.allowed.contains(server.ip())
        {
            return Decision::unavailable(format!(
                "the service sent a user to {server}, which is not in `allowed_backends`"
            ));
        }
        let upstream = match answer.pool {
            None => None,
            Some(name) => match self.pools.iter().find(|pool| ***pool == *name) {
                Some(pool) => Some(Arc::clone(pool)),
                None => {
                    let reason =
                        format!("the service sent a user to the unknown upstream `{name}`");
                    return Decision::Unavailable { reason };
                }
            },
        };
        Decision::Accept(Accepted {
            login: answer.user.unwrap_or(start.login),
            password: answer.password,
            server: answer.server,
            upstream,
            ..Accepted {
                user: start.user,
                login: String::new(),
                ..start
            }
        })
    }
}

/// Why there is no answer to a question.
enum Failed {
    /// The peer is of no use now; another may be asked.
    Peer(String),
    /// The peer does not take this question. It is the client that has chosen name and password, so this says nothing about
    /// the peer, and no other is asked.
    Question(String),
}

impl From<Malformed> for Failed {
    fn from(malformed: Malformed) -> Self {
        let reason = malformed.to_string();
        match malformed {
            Malformed::NoStatus(400..500) => Failed::Question(reason),
            _ => Failed::Peer(reason),
        }
    }
}

/// Makes room for more of an answer, leaving no copy of it behind.
fn make_room(bytes: &mut Draft) -> Result<(), String> {
    if bytes.len() < bytes.capacity() {
        return Ok(());
    }
    if bytes.len() >= MAX_ANSWER {
        return Err(format!(
            "the head of its answer is longer than {MAX_ANSWER} bytes"
        ));
    }
    let mut larger = Draft::with_room(2 * bytes.capacity());
    larger.extend_from_slice(bytes);
    *bytes = larger;
    Ok(())
}
