//! One line per request: the combined format of Apache and nginx, or JSON with everything that is known.
//!
//! A record is begun with the request and written when the response is over, whichever way that happens: a response
//! body holds it and its drop writes it. Without an access log there is no record, and nothing is collected.

mod combined;
mod json;

use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use alb_conf::AccessFormat;
use alb_core::ConnInfo;
use alb_core::log::AccessBuffer;
use http::header::{HOST, REFERER, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode, Uri, Version};

use crate::body::Body;
use crate::connection::Client;

/// The status of a request whose client left before the response, as nginx writes it.
const CLIENT_LEFT: u16 = 499;

/// What a line says about a request.
pub struct Record {
    log: Rc<AccessBuffer>,
    info: ConnInfo,
    /// Who the request is from.
    pub remote: IpAddr,
    line: Option<(Method, Uri, Version)>,
    host: Option<HeaderValue>,
    referer: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    at: SystemTime,
    begun: Instant,
    /// The status of the response.
    pub status: u16,
    /// Bytes of its body that were sent.
    pub sent: u64,
    /// The peers that were asked, in order.
    pub tries: Vec<Try>,
}

/// One peer that was asked.
pub struct Try {
    /// Its address.
    pub address: String,
    /// What it answered, if it did.
    pub status: Option<u16>,
    /// From the arrival of the request to the head of the response, or the failure.
    pub took: Duration,
}

impl Record {
    /// A record of a request, if there is an access log.
    pub fn begin(client: &Client, request: &Request<Body>) -> Option<Box<Self>> {
        let mut record = Self::new(client, CLIENT_LEFT)?;
        let field = |name| request.headers().get(name).cloned();
        record.line = Some((
            request.method().clone(),
            request.uri().clone(),
            request.version(),
        ));
        record.host = field(HOST);
        record.referer = field(REFERER);
        record.user_agent = field(USER_AGENT);
        Some(record)
    }

    /// A record of something that was not a request.
    pub fn refused(client: &Client, status: StatusCode) -> Option<Box<Self>> {
        Self::new(client, status.as_u16())
    }

    fn new(client: &Client, status: u16) -> Option<Box<Self>> {
        client.worker.log.format()?;
        Some(Box::new(Self {
            log: Rc::clone(&client.worker.log),
            info: client.info.clone(),
            remote: client.info.peer.ip().to_canonical(),
            line: None,
            host: None,
            referer: None,
            user_agent: None,
            at: SystemTime::now(),
            begun: Instant::now(),
            status,
            sent: 0,
            tries: Vec::new(),
        }))
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let log = Rc::clone(&self.log);
        match log.format() {
            Some(AccessFormat::Combined) => log.line(|out| combined::write(self, out)),
            Some(AccessFormat::Json) => log.line(|out| json::write(self, out)),
            None => {}
        }
    }
}
