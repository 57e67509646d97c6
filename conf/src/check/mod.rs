//! What the sections mean together: names, addresses, hosts and routes that contradict each other.
//!
//! Opens no file; [`files`] does, and only when a file is loaded from disk.

mod access;
mod balance;
mod files;
mod headers;
mod health;
mod hosts;
mod identities;
mod limits;
mod links;
mod listeners;
mod logs;
mod mail;
mod mail_auth;
mod mail_policy;
mod mail_servers;
mod routes;
mod sites;
mod streams;
mod tls;
mod upstreams;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use self::files::check as check_files;
use crate::suggest::suggest;
use crate::{Config, Diagnostic, Span, Spanned};

/// Everything that is wrong with the sections, given the headers of those that could not be read whole.
pub(crate) fn check(config: &Config, damaged: &BTreeSet<(usize, usize)>) -> Vec<Diagnostic> {
    let mut findings = Findings {
        damaged,
        list: Vec::new(),
    };
    access::check(config, &mut findings);
    identities::check(config, &mut findings);
    limits::check(config, &mut findings);
    listeners::check(config, &mut findings);
    logs::check(config, &mut findings);
    mail::check(config, &mut findings);
    mail_auth::check(config, &mut findings);
    mail_policy::check(config, &mut findings);
    mail_servers::check(config, &mut findings);
    sites::check(config, &mut findings);
    streams::check(config, &mut findings);
    upstreams::check(config, &mut findings);
    findings.list
}

/// The findings so far.
struct Findings<'c> {
    damaged: &'c BTreeSet<(usize, usize)>,
    list: Vec<Diagnostic>,
}

impl Findings<'_> {
    fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Something required is missing in the section at `span`. Silent where an entry of the section was left out
    /// because it is wrong: it may be just that one.
    fn missing(&mut self, span: &Span, diagnostic: impl FnOnce() -> Diagnostic) {
        if !self.damaged.contains(&(span.start, span.end)) {
            self.list.push(diagnostic());
        }
    }

    /// A name that must be one of `names`, the keys of the `[kind.NAME]` tables.
    fn refer<T>(&mut self, name: &Spanned<String>, kind: &str, tables: &crate::Map<T>) {
        if tables.contains_key(name.as_str()) {
            return;
        }
        let help = match tables.is_empty() {
            true => format!("add a `[{kind}.{name}]` section"),
            false => suggest(name, tables.keys().map(|key| key.as_str()), "the names are"),
        };
        let unknown = Diagnostic::error(name.span(), format!("unknown {kind} `{name}`"));
        self.push(unknown.label(format!("no `[{kind}.{name}]`")).help(help));
    }

    /// The access list that a listener, a site or a route names.
    fn refer_access(&mut self, name: Option<&Spanned<String>>, config: &Config) {
        if let Some(name) = name {
            self.refer(name, "access", &config.access);
        }
    }

    /// Values of a list that are written twice: harmless, and seldom meant.
    fn repeated<T: Ord + std::fmt::Display>(&mut self, list: &[Spanned<T>]) {
        let mut seen = Seen::default();
        for value in list {
            if let Some(first) = seen.first(&**value, value.span()) {
                let repeated =
                    Diagnostic::warning(value.span(), format!("`{value}` is listed twice"));
                self.push(repeated.related(first, "first listed here"));
            }
        }
    }
}

/// The place where each value was first seen.
struct Seen<K>(BTreeMap<K, Span>);

impl<K> Default for Seen<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Seen<K> {
    /// Notes a value; where it was seen before, if it was.
    fn first(&mut self, value: K, span: Span) -> Option<Span> {
        match self.0.get(&value) {
            Some(first) => Some(first.clone()),
            None => {
                self.0.insert(value, span);
                None
            }
        }
    }
}
