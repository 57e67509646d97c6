//! What is known of a session, and its line in the access log: for people, or JSON.
//!
//! The line is written when the record is dropped, whichever way the session ended.

use std::io::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use alb_conf::AccessFormat;
use alb_core::log::escape::{self, json_member, json_string, json_tls};
use alb_core::log::{AccessBuffer, time};
use alb_core::relay::Relay;
use alb_core::upstream::{PeerRef, Upstream};
use alb_core::{ConnInfo, Kind, Side};

use crate::{Service, Worker};

/// A session as the log tells it.
pub(crate) struct Record {
    log: Rc<AccessBuffer>,
    listener: Arc<str>,
    info: ConnInfo,
    at: SystemTime,
    begun: Instant,
    /// The upstream it went to.
    pub upstream: Option<Arc<str>>,
    /// The peers that were tried, in order; the last one is that of the session if it did not fail.
    pub tries: Vec<Try>,
    /// Bytes of the client that the peer was given.
    pub received: u64,
    /// Bytes of the peer that the client was given.
    pub sent: u64,
    /// Datagrams of the client and of the peer; `None`: a connection.
    pub datagrams: Option<(u64, u64)>,
    /// The host name of a hello that was not decrypted.
    pub sni: Option<String>,
    /// The limit it is over.
    pub limit: Option<Arc<str>>,
    /// Who ended it, and the word for why.
    pub ended: (Side, &'static str),
}

/// One peer that was tried.
pub(crate) struct Try {
    pub peer: PeerRef,
    /// What was wrong with it.
    pub failed: Option<Kind>,
    /// From the beginning of the first try to the end of this one.
    pub took: Duration,
}

impl Record {
    /// A record of a session that begins.
    pub fn begin(worker: &Worker, service: &Service, info: ConnInfo) -> Self {
        Record {
            log: Rc::clone(&worker.log),
            listener: Arc::clone(&service.name),
            info,
            at: SystemTime::now(),
            begun: Instant::now(),
            upstream: None,
            tries: Vec::new(),
            received: 0,
            sent: 0,
            datagrams: None,
            sni: None,
            limit: None,
            // What stands here if nobody says otherwise: the daemon left.
            ended: (Side::Gateway, "leaving"),
        }
    }

    /// The session goes to this upstream.
    pub fn goes_to(&mut self, upstream: &Upstream) {
        self.upstream = Some(upstream.shared_name());
    }

    /// Takes over what a relay has carried so far.
    pub fn count(&mut self, relay: &Relay) {
        (self.received, self.sent) = (relay.received(), relay.sent());
    }

    fn protocol(&self) -> &'static str {
        match self.datagrams {
            None => "tcp",
            Some(_) => "udp",
        }
    }

    /// `client - - [time] tcp listener upstream peer received sent seconds by why …`.
    fn write_text(&self, out: &mut Vec<u8>) {
        // Writing into a vector cannot fail.
        let _ = write!(
            out,
            "{} - - [{}] {} \"",
            self.info.peer,
            time::common(self.at),
            self.protocol()
        );
        escape::text(out, self.listener.as_bytes());
        out.extend_from_slice(b"\" upstream=");
        escape::text(out, self.upstream.as_deref().unwrap_or("-").as_bytes());
        out.extend_from_slice(b" peer=");
        let peer = self
            .tries
            .last()
            .map(|last| last.peer.address().to_string());
        escape::text(out, peer.as_deref().unwrap_or("-").as_bytes());
        let (by, why) = (self.ended.0.as_str(), self.ended.1);
        let _ = write!(
            out,
            " received={} sent={} seconds={:.3} ended={by} why=\"{why}\"",
            self.received,
            self.sent,
            self.begun.elapsed().as_secs_f64()
        );
        if let Some((requests, replies)) = self.datagrams {
            let _ = write!(out, " requests={requests} replies={replies}");
        }
        if let Some(limit) = &self.limit {
            out.extend_from_slice(b" limit=");
            escape::text(out, limit.as_bytes());
        }
        if let Some(via) = self.info.via {
            let _ = write!(out, " via={via}");
        }
        if let Some(sni) = &self.sni {
            out.extend_from_slice(b" sni=\"");
            escape::text(out, sni.as_bytes());
            out.push(b'"');
        }
        if let Some(tls) = self.info.tls.as_deref() {
            let _ = write!(out, " tls={} suite={}", tls.protocol.as_str(), tls.suite);
            out.extend_from_slice(b" sni=\"");
            escape::text(out, tls.sni.as_deref().unwrap_or("-").as_bytes());
            out.extend_from_slice(b"\" subject=\"");
            let subject = tls.peer.verified().map(|peer| peer.sign.subject());
            escape::text(out, subject.as_deref().unwrap_or("-").as_bytes());
            out.push(b'"');
        }
    }

    /// One object. Members that do not apply are left out.
    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":");
        json_string(out, time::rfc3339(self.at).as_bytes());
        json_member(out, "stream", self.protocol().as_bytes());
        json_member(out, "listener", self.listener.as_bytes());
        json_member(out, "client", self.info.peer.to_string().as_bytes());
        json_member(out, "local", self.info.local.to_string().as_bytes());
        if let Some(upstream) = &self.upstream {
            json_member(out, "upstream_name", upstream.as_bytes());
        }
        let _ = write!(
            out,
            ",\"received\":{},\"sent\":{},\"seconds\":{:.6}",
            self.received,
            self.sent,
            self.begun.elapsed().as_secs_f64()
        );
        json_member(out, "ended_by", self.ended.0.as_str().as_bytes());
        json_member(out, "why", self.ended.1.as_bytes());
        if let Some((requests, replies)) = self.datagrams {
            let _ = write!(out, ",\"requests\":{requests},\"replies\":{replies}");
        }
        if let Some(limit) = &self.limit {
            json_member(out, "limit", limit.as_bytes());
        }
        if let Some(via) = self.info.via {
            json_member(out, "via", via.to_string().as_bytes());
        }
        if let Some(sni) = &self.sni {
            json_member(out, "sni", sni.as_bytes());
        }
        if let Some(tls) = self.info.tls.as_deref() {
            json_tls(out, tls);
        }
        self.write_tries(out);
        out.push(b'}');
    }

    fn write_tries(&self, out: &mut Vec<u8>) {
        if self.tries.is_empty() {
            return;
        }
        out.extend_from_slice(b",\"upstream\":[");
        for (at, one) in self.tries.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"address\":");
            json_string(out, one.peer.address().to_string().as_bytes());
            if let Some(kind) = one.failed {
                json_member(out, "failed", kind.as_str().as_bytes());
            }
            let _ = write!(out, ",\"seconds\":{:.6}}}", one.took.as_secs_f64());
        }
        out.push(b']');
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let log = Rc::clone(&self.log);
        match log.format() {
            Some(AccessFormat::Combined) => log.line(|out| self.write_text(out)),
            Some(AccessFormat::Json) => log.line(|out| self.write_json(out)),
            None => {}
        }
    }
}
