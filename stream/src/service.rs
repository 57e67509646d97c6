//! `[[stream]]` as it is run: the written settings with every reference resolved.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use alb_core::hosts::{Hosts, normalise};
use alb_core::limit::LimitSet;
use alb_core::upstream::Upstream;
use tokio::sync::watch;

use crate::udp::Rules;

/// What a stream listener does with its sessions.
pub struct Service {
    /// The name of the listener.
    pub name: Arc<str>,
    /// How long nothing may move on a connection.
    pub idle_timeout: Duration,
    /// When a flow of datagrams is over.
    pub(crate) rules: Rules,
    /// How long a hello may take.
    pub hello_timeout: Duration,
    /// What each session must keep.
    pub limits: LimitSet,
    /// Sessions without a name of `names`.
    default: Option<Arc<Upstream>>,
    /// By the name in the hello: numbers of `named`.
    names: Hosts<usize>,
    named: Vec<Arc<Upstream>>,
    /// True when the sessions are to end. It stays the same across reloads.
    over: Arc<watch::Sender<bool>>,
}

impl Service {
    /// The service as written; `previous` is that of the same name before a reload. `None` if it names an upstream that
    /// does not exist, which `conf` has said.
    pub fn build(
        written: &alb_conf::Stream,
        upstreams: &HashMap<String, Arc<Upstream>>,
        limits: LimitSet,
        previous: Option<&Service>,
    ) -> Option<Self> {
        let mut names = Hosts::default();
        let mut named = Vec::new();
        for (host, upstream) in &written.sni {
            names.insert(host, named.len());
            named.push(Arc::clone(upstreams.get(upstream.as_str())?));
        }
        let default = match &written.upstream {
            Some(name) => Some(Arc::clone(upstreams.get(name.as_str())?)),
            None => None,
        };
        Some(Service {
            name: written.name().into(),
            idle_timeout: *written.idle_timeout,
            rules: Rules {
                idle_timeout: *written.idle_timeout,
                responses: written.responses,
                requests: written.requests,
            },
            hello_timeout: *written.hello_timeout,
            limits,
            default,
            names,
            named,
            over: previous.map_or_else(Arc::default, |before| Arc::clone(&before.over)),
        })
    }

    /// Whether the hello has to be read to know where a session goes.
    pub fn routes_by_name(&self) -> bool {
        !self.named.is_empty()
    }

    /// Where a session goes whose hello asks for this host.
    pub fn upstream(&self, sni: Option<&str>) -> Option<&Arc<Upstream>> {
        let number = sni.and_then(|name| self.names.find(&normalise(name)));
        number.map(|n| &self.named[n]).or(self.default.as_ref())
    }

    /// Ends every session, also those of earlier configurations.
    pub fn end(&self) {
        self.over.send_replace(true);
    }

    /// Resolves when the sessions are to end; may outlive the service.
    pub(crate) fn ends(&self) -> impl Future<Output = ()> + use<> {
        let mut over = self.over.subscribe();
        async move {
            if over.wait_for(|over| *over).await.is_err() {
                // Nobody is left who could end the sessions.
                std::future::pending::<()>().await;
            }
        }
    }
}
