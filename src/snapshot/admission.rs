//! Who may connect to a listener: its access list, and the proxies in front that name their clients.

use std::net::IpAddr;
use std::sync::Arc;

use alb_conf::Listens;
use alb_core::access::{AccessList, AddressSet, Lists, find};

/// The rules of one listener.
#[derive(Debug)]
pub struct Admission {
    access: Option<Arc<AccessList>>,
    trusted: Option<AddressSet>,
    /// Connections begin with a PROXY header.
    pub proxy_protocol: bool,
    /// HTTP: what trusted proxies send is judged later, request by request: they name their clients in `X-Forwarded-For`.
    per_request: bool,
}

impl Admission {
    /// The rules as a listener writes them.
    pub fn new(written: &Listens<'_>, lists: &Lists) -> Self {
        let trusted = written.trusted_proxies;
        let trusted =
            (!trusted.is_empty()).then(|| AddressSet::of(trusted.iter().map(|prefix| &**prefix)));
        Self {
            access: find(lists, written.access),
            trusted,
            proxy_protocol: written.proxy_protocol.is_some_and(|expected| **expected),
            per_request: written.is_http(),
        }
    }

    /// Whether an address is that of a proxy in front.
    pub fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted
            .as_ref()
            .is_some_and(|trusted| trusted.contains(ip))
    }

    /// The access list, for datagrams, whose senders are judged flow by flow.
    pub fn list(&self) -> Option<&Arc<AccessList>> {
        self.access.as_ref()
    }

    /// The list that keeps a client out, if one does.
    pub fn denies(&self, ip: IpAddr) -> Option<&AccessList> {
        let list = self.access.as_deref()?;
        let later = self.per_request && self.trusts(ip);
        (!later && !list.permits(ip)).then_some(list)
    }
}
