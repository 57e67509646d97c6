//! What clients are promised: what the gateway does itself, and of what all servers offer that which it passes on.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use crate::capabilities::Offers;
use crate::client::Client;
use crate::sasl::{Mechanism, Mechanisms};
use crate::service::Service;

/// Lists of servers that a worker remembers.
const MOST: usize = 64;

/// What a client is promised.
#[derive(Clone, Debug, Default)]
pub struct Promised {
    /// What its server will keep.
    pub offers: Offers,
    /// The mechanisms that work with every server.
    pub mechanisms: Mechanisms,
    /// Their names, with blanks between them.
    names: Arc<str>,
}

impl Promised {
    /// The names of the mechanisms to offer on a connection as it is now, with blanks between them: all, or none before TLS.
    pub fn offered(&self, client: &Client) -> &str {
        match client.may_log_in() {
            true => &self.names,
            false => "",
        }
    }
}

/// Of a client that does not log in.
impl From<Offers> for Promised {
    fn from(offers: Offers) -> Self {
        Promised {
            offers,
            ..Promised::default()
        }
    }
}

/// What the clients of a worker have been promised: servers offer the same to one session after the other, and it is not worked
/// out for each. The latest is the last.
#[derive(Default)]
pub struct Promises(RefCell<Vec<Entry>>);

struct Entry {
    /// As long as this is kept there is no other at its address.
    service: Weak<Service>,
    servers: Offers,
    promised: Promised,
}

impl Promises {
    /// What clients of a listener are promised whose servers offer this.
    pub fn with(&self, service: &Arc<Service>, servers: &Offers) -> Promised {
        let mut entries = self.0.borrow_mut();
        let is_it = |entry: &Entry| {
            entry.service.as_ptr() == Arc::as_ptr(service) && entry.servers == *servers
        };
        if let Some(entry) = entries.iter().rfind(|entry| is_it(entry)) {
            return entry.promised.clone();
        }
        let mechanisms = service.mechanisms_with(servers);
        let names: Vec<_> = mechanisms.iter().map(Mechanism::name).collect();
        let promised = Promised {
            offers: service.passed_on(servers),
            mechanisms,
            names: names.join(" ").into(),
        };
        entries.retain(|entry| entry.service.strong_count() > 0);
        if entries.len() >= MOST {
            entries.remove(0);
        }
        entries.push(Entry {
            service: Arc::downgrade(service),
            servers: servers.clone(),
            promised: promised.clone(),
        });
        promised
    }
}
