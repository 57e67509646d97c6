//! What becomes of a message that has come: the server takes it, a server for what is held does, or nobody.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use tokio::time::timeout;

use super::super::reply::Reply;
use super::deliver::{Content, Sent, reply, send, verdict_of};
use super::fanout::Fanned;
use super::{OF_BODY, Relay, quarantine};
use crate::backend::client_ip;
use crate::backend::smtp::say;
use crate::client::Stop;
use crate::content::{
    Event, Finding, Gathered, Gathering, Policy, Trace, Verdict, header, held_header,
};

/// How long a message may take to be held.
const HOLDING: Duration = Duration::from_secs(100);

const UNJUDGED: &str = "451 4.7.1 The message could not be examined, try again later";

/// What has become of a message.
enum Outcome {
    /// It was sent on; the server's reply.
    Passed(Reply),
    /// It was sent on to several servers.
    Fanned(Fanned),
    /// It has not reached the server: what was done, and what the client is told.
    Stopped(&'static str, String),
}

impl Relay {
    /// The message has come: judges it, and does what follows.
    pub(super) async fn conclude(
        &mut self,
        policy: Option<&Arc<Policy>>,
        gathering: Gathering,
    ) -> Result<(), Stop> {
        let id = policy.map_or_else(String::new, |policy| policy.next_id(self.client.info.id));
        let outcome = self.outcome(policy, gathering, &id).await?;
        let action = match outcome {
            Outcome::Stopped(action, _) => action,
            Outcome::Passed(_) | Outcome::Fanned(_) => "pass",
        };
        if let Some(policy) = policy {
            self.now.judged(&policy.name, action, &id);
        }
        match outcome {
            Outcome::Passed(reply) => {
                self.write_down(reply.code, &reply.text());
                self.to_client.extend_from_slice(&reply.raw);
            }
            Outcome::Fanned(Fanned { reply, verdicts }) => {
                self.now.fanned(verdicts);
                let (code, text) = verdict_of(&reply);
                self.write_down(code, &text.replace("\r\n", " "));
                self.tell(&reply);
            }
            Outcome::Stopped(action, reply) => {
                self.leave_others();
                self.forget_at_server().await;
                if let Some(policy) = policy {
                    self.alert(policy, action, &reply);
                }
                let (code, text) = verdict_of(&reply);
                self.write_down(code, text);
                self.tell(&reply);
            }
        }
        Ok(())
    }

    async fn outcome(
        &mut self,
        policy: Option<&Arc<Policy>>,
        gathering: Gathering,
        id: &str,
    ) -> Result<Outcome, Stop> {
        let mut gathered = match gathering.finish().await {
            Ok(gathered) => gathered,
            Err(refusal) => return Ok(Outcome::Stopped("refuse", refusal.to_owned())),
        };
        let (Some(policy), Some(outline)) = (policy, gathered.outline.take()) else {
            let content = Content::new(BytesMut::new(), &gathered);
            return self.pass_on(&content).await;
        };
        let author = self.client.record.login.user.clone();
        let verdict = tokio::select! {
            biased;
            () = self.client.wire.closed(OF_BODY) => return Err(Stop::Closed),
            verdict = policy.judge(outline, &author) => verdict,
        };
        Ok(match verdict {
            Some(Verdict::Pass) => {
                let begin = header(&gathered.header, self.trace(policy, id).as_ref());
                self.pass_on(&Content::new(begin, &gathered)).await?
            }
            Some(Verdict::Deny(Finding(why))) => {
                Outcome::Stopped("deny", format!("550 5.7.1 {why} [{id}]"))
            }
            Some(Verdict::Quarantine(why)) => self.hold(policy, &gathered, &why, id).await?,
            None => Outcome::Stopped("fail", UNJUDGED.to_owned()),
        })
    }

    /// Has those take it that it is for.
    async fn pass_on(&mut self, content: &Content<'_>) -> Result<Outcome, Stop> {
        match self.is_fanned() {
            true => Ok(Outcome::Fanned(self.fan_out(content).await?)),
            false => Ok(Outcome::Passed(self.deliver(content).await?)),
        }
    }

    /// Has the server take it; its reply, or the refusal of DATA.
    async fn deliver(&mut self, content: &Content<'_>) -> Result<Reply, Stop> {
        self.settle_owed().await?;
        let times = &self.client.service.settings.timeouts;
        let sent = tokio::select! {
            biased;
            // As long as the last dot has not gone, the server has no message, and the client will come again.
            () = self.client.wire.closed(OF_BODY) => return Err(Stop::Closed),
            sent = send(&mut self.server, content, *times.data) => sent,
        };
        match sent.map_err(|_| Stop::Violation("server_closed"))? {
            Sent::Refused(reply) => {
                self.forget_at_server().await;
                Ok(reply)
            }
            Sent::Whole => {
                self.client.record.received += content.size();
                let reply = timeout(*times.delivery, reply(&mut self.server)).await;
                reply
                    .ok()
                    .and_then(Result::ok)
                    .ok_or(Stop::Violation("server_closed"))
            }
        }
    }

    /// Has the quarantine take it.
    async fn hold(
        &mut self,
        policy: &Policy,
        gathered: &Gathered,
        Finding(why): &Finding,
        id: &str,
    ) -> Result<Outcome, Stop> {
        // If it has left, that is noticed when it is to forget the message.
        let _ = self.we_are_here().await;
        let mut begin = BytesMut::from(held_header(&policy.name, why, id).as_bytes());
        begin.unsplit(header(&gathered.header, self.trace(policy, id).as_ref()));
        let content = Content::new(begin, gathered);
        let wire = &mut self.client.wire;
        let place = quarantine::Place {
            service: &self.client.service,
            info: &self.client.info,
            name: &self.client.name,
            worker: &self.client.worker,
            upstream: policy.quarantine.as_deref().unwrap_or_default(),
        };
        let held = tokio::select! {
            biased;
            () = wire.closed(OF_BODY) => return Err(Stop::Closed),
            held = timeout(HOLDING, quarantine::deliver(&place, self.now.message(), &content)) => held,
        };
        match held.unwrap_or_else(|_| Err("it took too long".to_owned())) {
            Ok(()) => Ok(Outcome::Stopped(
                "quarantine",
                format!("250 2.0.0 held [{id}]"),
            )),
            Err(failed) => {
                tracing::warn!(policy = %policy.name, upstream = place.upstream, id, "a message could not be held: {failed}");
                Ok(Outcome::Stopped(
                    "fail",
                    format!("451 4.7.1 Try again later [{id}]"),
                ))
            }
        }
    }

    fn trace<'t>(&'t self, policy: &Policy, id: &'t str) -> Option<Trace<'t>> {
        let info = &self.client.info;
        policy.received.then(|| Trace {
            from: (!policy.hide_client_ip).then(|| (self.helo.as_str(), client_ip(info))),
            by: &self.client.service.hostname,
            tls: info
                .tls
                .as_ref()
                .map(|tls| (tls.protocol.as_str(), tls.suite)),
            authenticated: self.client.service.mx().is_none(),
            id,
            at: SystemTime::now(),
        })
    }

    /// The server must not take what comes next for a part of this message.
    pub(super) async fn forget_at_server(&mut self) {
        let done = async {
            self.settle_owed().await?;
            let reply = say(&mut self.server, b"RSET\r\n").await;
            match reply.is_ok_and(|reply| reply.is_positive()) {
                true => Ok(()),
                false => Err(Stop::Violation("server_closed")),
            }
        };
        let outcome = timeout(Duration::from_secs(30), done).await;
        // What the client is told of its message stands all the same.
        if !matches!(outcome, Ok(Ok(()))) {
            self.over = Some(Stop::Violation("server_closed"));
        }
    }

    fn alert(&self, policy: &Policy, action: &'static str, reply: &str) {
        // What comes again is told of when that is settled.
        let Some(alerts) = policy.alerts.as_ref().filter(|_| !reply.starts_with('4')) else {
            return;
        };
        let message = self.now.message();
        let event = Event {
            at: SystemTime::now(),
            action,
            reply: reply.to_owned(),
            user: self.client.record.login.user.clone(),
            client: self.client.info.peer,
            mail_from: message.mail_from.clone(),
            recipients: message.recipients.clone(),
        };
        alerts.tell(event, &self.client.service, &self.client.worker);
    }

    /// Writes down what became of it.
    fn write_down(&mut self, code: u16, text: &str) {
        self.now.end();
        self.concluded((200..300).contains(&code), format!("{code} {text}"));
    }
}
