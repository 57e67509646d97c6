//! Which pages may link here, by the `Referer` of a request: nginx's `valid_referers`, decision by decision
//! (ngx_http_referer_module). A list of `none` and `blocked` alone, with which nginx does not start, lets nobody else in.

use alb_conf::{Referer, Site, Spanned};
use alb_core::hosts::Hosts;
use regex::bytes::{Regex, RegexBuilder};

/// The referers of one route.
#[derive(Debug, Default)]
pub struct Referers {
    none: bool,
    blocked: bool,
    hosts: Hosts<usize>,
    /// What the path must begin with, by the number of the host.
    paths: Vec<Box<[u8]>>,
    regexes: Vec<Regex>,
}

/// The shortest URL of a page, `http://i.ru`: what is shorter was made unusable on the way.
const SHORTEST: usize = 11;
/// Longest host of a referer.
const LONGEST_HOST: usize = 256;

impl Referers {
    /// The referers as a route of `site` writes them. A bad regular expression has been reported.
    pub fn new(written: &[Spanned<Referer>], site: &Site) -> Self {
        let mut referers = Self::default();
        for referer in written {
            match &**referer {
                Referer::None => referers.none = true,
                Referer::Blocked => referers.blocked = true,
                Referer::ServerNames => site.hosts.iter().for_each(|host| referers.host(host, "")),
                Referer::Host { pattern, path } => referers.host(pattern, path),
                Referer::Regex(regex) => {
                    let built = RegexBuilder::new(regex).case_insensitive(true).build();
                    referers.regexes.extend(built);
                }
            }
        }
        referers
    }

    fn host(&mut self, pattern: &str, path: &str) {
        self.hosts.insert(pattern, self.paths.len());
        self.paths.push(path.as_bytes().into());
    }

    /// Whether a request with this field may be answered.
    pub fn permit(&self, referer: Option<&[u8]>) -> bool {
        let Some(referer) = referer else {
            return self.none;
        };
        match behind_scheme(referer) {
            None => self.blocked,
            Some(page) => self.permit_page(page),
        }
    }

    /// Judges a URL without its scheme.
    fn permit_page(&self, page: &[u8]) -> bool {
        let end = page.iter().position(|byte| matches!(byte, b'/' | b':'));
        let (host, rest) = page.split_at(end.unwrap_or(page.len()));
        if host.len() > LONGEST_HOST {
            return false;
        }
        let host = host.to_ascii_lowercase();
        let known = std::str::from_utf8(&host).ok();
        if let Some(number) = known.and_then(|host| self.hosts.find(host)) {
            // A port stands before the path. A host that is known by its name is not asked for by a regex.
            let path = rest.iter().position(|byte| *byte == b'/');
            let path = &rest[path.unwrap_or(rest.len())..];
            return path.starts_with(&self.paths[number]);
        }
        self.regexes.iter().any(|regex| regex.is_match(page))
    }
}

/// A URL without `http://` or `https://`, if it is one.
fn behind_scheme(referer: &[u8]) -> Option<&[u8]> {
    let behind = |scheme: &[u8]| {
        let (begin, rest) = referer.split_at_checked(scheme.len())?;
        begin.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    if referer.len() < SHORTEST {
        return None;
    }
    behind(b"http://").or_else(|| behind(b"https://"))
}
