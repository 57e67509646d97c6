//! The routes of a site, matched as nginx matches locations: exact, then the longest prefix, unless a regular
//! expression matches; those are tried in the order of the file.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use alb_conf::{Forwarded, TlsFact};
use alb_core::access::AccessList;
use alb_core::limit::LimitSet;
use bytes::Bytes;
use foldhash::fast::RandomState;
use http::{HeaderName, HeaderValue, StatusCode};
use regex::bytes::Regex;

use crate::links::Links;

/// A site: routes by path.
#[derive(Debug, Default)]
pub struct Site {
    pub(super) routes: Vec<Route>,
    pub(super) exact: HashMap<Box<[u8]>, usize, RandomState>,
    /// Longest first.
    pub(super) prefixes: Vec<(Box<[u8]>, usize)>,
    pub(super) regexes: Vec<(Regex, usize)>,
}

/// What is done with the requests of a route.
#[derive(Debug)]
pub struct Route {
    /// The answer comes from here.
    pub action: Action,
    /// Fields given to the request, after the ones below are gone.
    pub request_set: Vec<(HeaderName, HeaderValue)>,
    /// Fields taken from the request.
    pub request_remove: Vec<HeaderName>,
    /// Fields given to the response.
    pub response_set: Vec<(HeaderName, HeaderValue)>,
    /// Fields taken from the response.
    pub response_remove: Vec<HeaderName>,
    /// Fields that only the gateway may set: a client's copies are removed, however they are spelt.
    pub reserved: Vec<HeaderName>,
    /// Who the client is, for the peer.
    pub forwarded: Vec<Forwarded>,
    /// Facts about the client's TLS, for the peer.
    pub tls_headers: Vec<(HeaderName, TlsFact)>,
    /// Which clients may ask; `None`: all.
    pub access: Option<Arc<AccessList>>,
    /// Who may link here, and by which links; `None`: everybody, by any.
    pub links: Option<Box<Links>>,
    /// Bytes of a request body, where it differs from the listener's; `Some(None)` is no limit.
    pub max_body: Option<Option<u64>>,
    /// Those of its site and its own.
    pub limits: LimitSet,
}

/// Where the answer comes from.
#[derive(Debug)]
pub enum Action {
    /// The upstream with this number.
    Proxy(usize),
    /// Files of a directory.
    Files(Arc<Files>),
    /// The configuration.
    Return(Return),
}

/// A directory to serve files of.
#[derive(Debug)]
pub struct Files {
    /// The directory.
    pub root: PathBuf,
    /// What answers for a directory.
    pub index: Vec<String>,
    /// Bytes of memory for small files, per worker.
    pub cache: u64,
    /// The number of the cache.
    pub number: usize,
}

/// An answer without an upstream.
#[derive(Debug)]
pub struct Return {
    /// The status.
    pub status: StatusCode,
    /// `Location`, with `$host`, `$uri` and `$scheme`.
    pub location: Option<String>,
    /// The body; a short page for errors without it.
    pub body: Option<Bytes>,
    /// The type of the body.
    pub content_type: HeaderValue,
}

impl Site {
    /// The route of a normalised path.
    pub fn find(&self, path: &[u8]) -> Option<&Route> {
        let exact = if self.exact.is_empty() {
            None
        } else {
            self.exact.get(path).copied()
        };
        let by_regex = || {
            self.regexes
                .iter()
                .find(|(regex, _)| regex.is_match(path))
                .map(|(_, route)| *route)
        };
        let by_prefix = || {
            self.prefixes
                .iter()
                .find(|(prefix, _)| path.starts_with(prefix))
                .map(|(_, route)| *route)
        };
        self.routes.get(exact.or_else(by_regex).or_else(by_prefix)?)
    }
}
