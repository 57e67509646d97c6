//! `[[stream]]` as it is run: the written settings with every reference resolved.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use alb_core::upstream::Upstream;

/// What a stream listener does with its sessions.
pub struct Service {
    /// The name of the listener.
    pub name: Arc<str>,
    /// Where sessions go.
    pub upstream: Arc<Upstream>,
    /// How long nothing may move.
    pub idle_timeout: Duration,
}

impl Service {
    /// The service as written. `None` if it names an upstream that does not exist, which `conf` has said.
    pub fn build(
        written: &alb_conf::Stream,
        upstreams: &HashMap<String, Arc<Upstream>>,
    ) -> Option<Self> {
        let name = written.upstream.as_ref()?;
        Some(Service {
            name: written.name().into(),
            upstream: upstreams.get(name.as_str()).map(Arc::clone)?,
            idle_timeout: *written.idle_timeout,
        })
    }
}
