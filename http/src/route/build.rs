//! From the configuration as written to the tables as run. Finds what `conf` cannot judge: names and values that are
//! no header fields, regular expressions that do not compile, paths that are never matched.

use std::collections::HashMap;
use std::sync::Arc;

use alb_conf::{Config, Diagnostic, HeaderEdit, Size, Spanned};
use alb_core::access::{AddressSet, Lists, find};
use alb_core::hosts::Hosts;
use alb_core::limit;
use alb_core::upstream::Upstream;
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderName, HeaderValue, StatusCode};
use regex::bytes::RegexBuilder;

use super::site::{Action, Files, Return, Route, Site};
use super::{Listener, Settings, Tables};
use crate::h1::head::Limits;
use crate::links::Links;
use crate::referer::Referers;
use crate::secure_link::SecureLink;

/// Memory a compiled regular expression may take.
const REGEX_SIZE: usize = 1 << 20;

/// What sites and routes name, of the same configuration.
pub struct Named<'a> {
    /// The upstreams, by name.
    pub upstreams: &'a HashMap<String, Arc<Upstream>>,
    /// The access lists, by name.
    pub access: &'a Lists,
}

/// Builds the tables; `limits` makes the limits they name, and every problem found goes to `found`.
pub fn build(
    config: &Config,
    named: &Named<'_>,
    limits: &mut limit::Builder<'_>,
    found: &mut Vec<Diagnostic>,
) -> Tables {
    let upstreams = named.upstreams;
    let mut names: Vec<&String> = upstreams.keys().collect();
    names.sort();
    let mut builder = Builder {
        upstreams: names
            .iter()
            .enumerate()
            .map(|(number, name)| (name.as_str(), number))
            .collect(),
        access: named.access,
        reserved: reserved_everywhere(config),
        file_routes: 0,
        limits,
        found,
    };
    let sites: Vec<Site> = config.site.iter().map(|site| builder.site(site)).collect();
    let listeners = config
        .http
        .iter()
        .map(|http| builder.listener(http, &config.site))
        .collect();
    let names_of_listeners = config.http.iter().map(|http| http.name());
    let file_routes = builder.file_routes;
    let upstreams = names
        .iter()
        .filter_map(|name| upstreams.get(*name).cloned())
        .collect();
    Tables {
        listeners,
        names: names_of_listeners.zip(0..).collect(),
        sites,
        upstreams,
        file_routes,
    }
}

struct Builder<'a, 'p> {
    upstreams: HashMap<&'a str, usize>,
    access: &'a Lists,
    reserved: Vec<HeaderName>,
    file_routes: usize,
    limits: &'a mut limit::Builder<'p>,
    found: &'a mut Vec<Diagnostic>,
}

impl Builder<'_, '_> {
    fn site(&mut self, written: &alb_conf::Site) -> Site {
        let mut site = Site::default();
        for route in &written.route {
            let number = site.routes.len();
            let Some(mut built) = self.route(written, route) else {
                continue;
            };
            let access = route.access.as_ref().or(written.access.as_ref());
            built.access = find(self.access, access);
            built.links = self.links(written, route);
            site.routes.push(built);
            self.matcher(&mut site, route, number);
        }
        site.prefixes
            .sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        site
    }

    fn matcher(&mut self, site: &mut Site, route: &alb_conf::Route, number: usize) {
        if let Some(exact) = &route.exact {
            site.exact.entry(exact.as_bytes().into()).or_insert(number);
        } else if let Some(regex) = &route.regex {
            match RegexBuilder::new(regex).size_limit(REGEX_SIZE).build() {
                Ok(regex) => site.regexes.push((regex, number)),
                Err(error) => self.found.push(
                    Diagnostic::error(
                        regex.span(),
                        format!("`{}` is not a regular expression", **regex),
                    )
                    .label(last_line(&error.to_string())),
                ),
            }
        } else {
            let prefix = route.path.as_ref().map_or("/", |p| p.as_str());
            site.prefixes.push((prefix.as_bytes().into(), number));
        }
    }

    fn route(&mut self, site: &alb_conf::Site, written: &alb_conf::Route) -> Option<Route> {
        let action = self.action(written)?;
        let (request_set, mut request_remove) = self.edit(&written.request_headers);
        // Another host can be set, but no request is without one (RFC 9112 §3.2).
        request_remove.retain(|name| *name != HOST);
        let (response_set, response_remove) = self.edit(&written.response_headers);
        let named = written
            .tls_headers
            .iter()
            .filter_map(|(name, fact)| Some((self.name(name)?, *fact)));
        let tls_headers = named.collect();
        Some(Route {
            action,
            request_set,
            request_remove,
            response_set,
            response_remove,
            reserved: self.reserved.clone(),
            forwarded: written.forwarded.clone(),
            tls_headers,
            access: None,
            links: None,
            max_body: written.max_body.map(limit),
            limits: self
                .limits
                .requests(site.limits.iter().chain(&written.limits)),
        })
    }

    fn listener(&mut self, http: &alb_conf::Http, sites: &[Spanned<alb_conf::Site>]) -> Listener {
        Listener {
            settings: Arc::new(settings(http)),
            trusted: (!http.trusted_proxies.is_empty())
                .then(|| AddressSet::of(http.trusted_proxies.iter().map(|prefix| &**prefix))),
            access: find(self.access, http.access.as_ref()),
            paces: self.limits.sessions(&http.limits).with_bandwidth(),
            hosts: hosts(http, sites),
        }
    }

    /// `None` where `conf` has already complained.
    fn action(&mut self, written: &alb_conf::Route) -> Option<Action> {
        if let Some(name) = &written.proxy {
            return self
                .upstreams
                .get(name.as_str())
                .copied()
                .map(Action::Proxy);
        }
        if let Some(files) = &written.files {
            self.file_routes += 1;
            return Some(Action::Files(Arc::new(Files {
                root: files.root.to_path_buf(),
                index: files.index.iter().map(|name| name.to_string()).collect(),
                cache: *files.cache,
                number: self.file_routes - 1,
            })));
        }
        self.reply(written.reply.as_ref()?).map(Action::Return)
    }

    fn reply(&mut self, reply: &alb_conf::Return) -> Option<Return> {
        let content_type = match &reply.content_type {
            Some(value) => self.value(value)?,
            None => HeaderValue::from_static("text/plain; charset=utf-8"),
        };
        if let Some(location) = &reply.location {
            self.value(location)?;
        }
        Some(Return {
            status: StatusCode::from_u16(reply.status).ok()?,
            location: reply.location.as_ref().map(|l| l.to_string()),
            body: reply.body.as_ref().map(|b| Bytes::from(b.clone())),
            content_type,
        })
    }

    fn links(&mut self, site: &alb_conf::Site, written: &alb_conf::Route) -> Option<Box<Links>> {
        if written.hotlink.is_none() && written.secure_link.is_none() {
            return None;
        }
        let hotlink = written.hotlink.as_ref().map(|hotlink| {
            let reply = hotlink.reply.as_ref().and_then(|reply| self.reply(reply));
            (Referers::new(&hotlink.allow, site), reply)
        });
        let signed = written
            .secure_link
            .as_ref()
            .map(|link| SecureLink::build(link));
        let signed = signed.transpose();
        Some(Box::new(Links {
            hotlink,
            signed: signed.unwrap_or_else(|problem| {
                self.found.push(problem);
                None
            }),
        }))
    }

    fn edit(&mut self, edit: &HeaderEdit) -> (Vec<(HeaderName, HeaderValue)>, Vec<HeaderName>) {
        let set = edit
            .set
            .iter()
            .filter_map(|(name, value)| Some((self.name(name)?, self.value(value)?)))
            .collect();
        let remove = edit
            .remove
            .iter()
            .filter_map(|name| self.name(name))
            .collect();
        (set, remove)
    }

    fn name(&mut self, name: &Spanned<String>) -> Option<HeaderName> {
        let parsed = HeaderName::from_bytes(name.as_bytes());
        if parsed.is_err() {
            self.found.push(
                Diagnostic::error(
                    name.span(),
                    format!("`{}` cannot be the name of a header field", **name),
                )
                .help("use letters, digits and `-`"),
            );
        }
        parsed.ok()
    }

    fn value(&mut self, value: &Spanned<String>) -> Option<HeaderValue> {
        let parsed = HeaderValue::from_str(value);
        if parsed.is_err() {
            self.found.push(
                Diagnostic::error(
                    value.span(),
                    "the value of a header field has a character it cannot have",
                )
                .help("line breaks and control characters are not allowed"),
            );
        }
        parsed.ok()
    }
}

/// Every field by which any route tells a peer who the client is: none may come from a client, on any route.
fn reserved_everywhere(config: &Config) -> Vec<HeaderName> {
    let usual = [
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-real-ip",
        "forwarded",
    ];
    let mut names: Vec<HeaderName> = usual.into_iter().map(HeaderName::from_static).collect();
    let written = config
        .site
        .iter()
        .flat_map(|s| &s.route)
        .flat_map(|r| r.tls_headers.keys());
    names.extend(written.filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()));
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    names
}

fn hosts(http: &alb_conf::Http, sites: &[Spanned<alb_conf::Site>]) -> Hosts<usize> {
    let mut hosts = Hosts::default();
    let name = http.name();
    for (number, site) in sites
        .iter()
        .enumerate()
        .filter(|(_, s)| s.on.is_empty() || s.on.iter().any(|on| **on == name))
    {
        site.hosts
            .iter()
            .for_each(|host| hosts.insert(host, number));
        if site.hosts.is_empty() {
            hosts.insert_default(number);
        }
    }
    hosts
}

fn settings(http: &alb_conf::Http) -> Settings {
    let bytes = |size: Size| usize::try_from(*size).unwrap_or(usize::MAX);
    Settings {
        limits: Limits {
            line: bytes(http.max_request_line),
            size: bytes(http.max_header_size),
            fields: usize::try_from(http.max_headers).unwrap_or(usize::MAX),
        },
        header_timeout: *http.header_timeout,
        body_timeout: *http.body_timeout,
        send_timeout: *http.send_timeout,
        idle_timeout: *http.idle_timeout,
        upgrade_timeout: *http.upgrade_timeout,
        keepalive_requests: http.keepalive_requests,
        max_body: limit(http.max_body),
        max_streams: http.http2.max_streams,
    }
}

/// Zero is written for no limit.
fn limit(size: Size) -> Option<u64> {
    Some(*size).filter(|size| *size > 0)
}

fn last_line(text: &str) -> String {
    text.lines()
        .last()
        .unwrap_or_default()
        .trim_start_matches("error: ")
        .to_owned()
}
