//! Which request goes where: sites by host, routes by path. Built once per configuration, immutable after.

mod build;
mod path;
mod site;

pub use build::{Named, build};
pub use path::BadPath;
pub use site::{Action, Files, Return, Route, Site};

pub use alb_core::hosts::normalise as normalise_host;
pub use path::normalise as normalise_path;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use alb_core::access::{AccessList, AddressSet};
use alb_core::limit::LimitSet;
use alb_core::upstream::Upstream;

use crate::h1::head::Limits;
use alb_core::hosts::Hosts;

/// The HTTP part of a snapshot.
pub struct Tables {
    pub(crate) listeners: Vec<Listener>,
    /// The place of each listener, by name.
    names: HashMap<String, usize>,
    pub(crate) sites: Vec<Site>,
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    /// How many routes serve files: each worker keeps a cache for each.
    pub(crate) file_routes: usize,
}

/// A listener: its limits and its sites.
#[derive(Debug)]
pub struct Listener {
    pub(crate) settings: Arc<Settings>,
    /// The proxies in front, which are believed; `None`: there are none.
    pub(crate) trusted: Option<AddressSet>,
    /// Whom the clients of these proxies must pass; those of others have passed it when they connected.
    pub(crate) access: Option<Arc<AccessList>>,
    /// The limits of the listener that have a bandwidth: it holds for each response.
    pub(crate) paces: LimitSet,
    hosts: Hosts<usize>,
}

/// What a listener allows.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// For request heads.
    pub limits: Limits,
    /// For a request's head to arrive.
    pub header_timeout: Duration,
    /// Between two reads of a request body.
    pub body_timeout: Duration,
    /// Between two writes of a response.
    pub send_timeout: Duration,
    /// For the next request of a connection.
    pub idle_timeout: Duration,
    /// For something to move on an upgraded connection.
    pub upgrade_timeout: Duration,
    /// Requests per connection.
    pub keepalive_requests: u32,
    /// Bytes of a request body; `None` is no limit.
    pub max_body: Option<u64>,
    /// HTTP/2 streams at once.
    pub max_streams: u32,
}

impl Tables {
    /// The number of the listener with this name.
    pub(crate) fn listener(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// The route for a normalised host and path on a listener.
    pub(crate) fn find(&self, listener: &Listener, host: &str, path: &[u8]) -> Option<&Route> {
        let site = listener.hosts.find(host)?;
        self.sites.get(site)?.find(path)
    }
}
