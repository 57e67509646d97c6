//! Mails about messages that did not pass: one at once, those that follow together. Sent in the background by `lettre`
//! over a connection of ours, so that TLS and TLCP are those of every other connection.

mod mail;
mod send;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use alb_conf::MailAlert;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use self::send::send;
use crate::service::Service;
use crate::worker::Worker;

/// Messages that one mail tells of; of more it tells how many.
const MOST: usize = 100;

/// How long a mail may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A message that did not pass.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: SystemTime,
    /// What became of it.
    pub action: &'static str,
    /// What its client was told.
    pub reply: String,
    /// The user; empty where nobody logs in.
    pub user: String,
    /// The client.
    pub client: SocketAddr,
    /// The sender of the envelope.
    pub mail_from: String,
    /// The recipients of the envelope.
    pub recipients: Vec<String>,
}

/// Who is told, and what has not been told yet.
#[derive(Debug)]
pub struct Alerts {
    policy: String,
    to: Vec<String>,
    from: String,
    upstream: String,
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Event>,
    /// Those that are not in `waiting` any more.
    more: u64,
    /// Somebody sends.
    busy: bool,
}

/// Lets somebody else send when its holder is gone, however that comes.
struct Busy(Arc<Alerts>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.lock().busy = false;
    }
}

impl Alerts {
    /// The alerts of a policy.
    pub fn new(policy: &str, written: &MailAlert) -> Self {
        Alerts {
            policy: policy.to_owned(),
            to: written.to.iter().map(|to| to.to_string()).collect(),
            from: written.from.as_deref().cloned().unwrap_or_default(),
            upstream: written.upstream.as_deref().cloned().unwrap_or_default(),
            interval: *written.interval,
            state: Mutex::default(),
        }
    }

    /// Tells of a message, now or later. Never waits.
    pub fn tell(self: &Arc<Self>, event: Event, service: &Arc<Service>, worker: &Rc<Worker>) {
        let mut state = self.lock();
        match state.waiting.len() < MOST {
            true => state.waiting.push(event),
            false => state.more += 1,
        }
        if !std::mem::replace(&mut state.busy, true) {
            let sender = Busy(Arc::clone(self));
            spawn_local(send_all(sender, Arc::clone(service), Rc::clone(worker)));
        }
    }

    fn take(&self) -> (Vec<Event>, u64) {
        let mut state = self.lock();
        (
            std::mem::take(&mut state.waiting),
            std::mem::take(&mut state.more),
        )
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends until nothing waits.
async fn send_all(busy: Busy, service: Arc<Service>, worker: Rc<Worker>) {
    let alerts = &busy.0;
    loop {
        let (events, more) = alerts.take();
        if events.is_empty() {
            return;
        }
        let sent = timeout(PATIENCE, send(alerts, &events, more, &service, &worker));
        let failed = match sent.await {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(why),
            Err(_) => Some("it took too long".to_owned()),
        };
        if let Some(why) = failed {
            tracing::warn!(policy = %alerts.policy, upstream = %alerts.upstream, messages = events.len(), "no alert mail: {why}");
        }
        sleep(alerts.interval).await;
    }
}
