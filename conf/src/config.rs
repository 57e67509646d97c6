//! The whole file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Daemon, Http, Identity, Log, Site, Spanned, Upstream};

/// Tables with a name, `[upstream.app]`; the span of the key is the name in the header.
pub type Map<T> = BTreeMap<Spanned<String>, T>;

/// The configuration of `alb`, as written, with every default filled in.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The process itself: threads, user, shutdown.
    pub daemon: Daemon,
    /// Error log and access log.
    pub log: Log,
    /// What the gateway proves itself with: certificates and SM2 pairs, by name.
    pub identity: Map<Identity>,
    /// HTTP listeners.
    pub http: Vec<Spanned<Http>>,
    /// Sites: which request goes where.
    pub site: Vec<Spanned<Site>>,
    /// Groups of servers that requests are balanced over, by name.
    pub upstream: Map<Upstream>,
}

impl Config {
    /// Every path of the configuration.
    pub(crate) fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        let mut paths: Vec<&mut Spanned<PathBuf>> = Vec::new();
        paths.extend(&mut self.daemon.pid_file);
        paths.extend(&mut self.log.file);
        paths.extend(self.log.access.as_mut().map(|access| &mut access.file));
        for identity in self.identity.values_mut() {
            paths.extend(identity.paths_mut());
        }
        for tls in self.http.iter_mut().filter_map(|http| http.tls.as_mut()) {
            let client_auth = &mut tls.client_auth;
            paths.extend(client_auth.ca.iter_mut().chain(&mut client_auth.crl));
        }
        for route in self.site.iter_mut().flat_map(|site| &mut site.route) {
            paths.extend(route.files.as_mut().map(|files| &mut files.root));
        }
        for tls in self
            .upstream
            .values_mut()
            .filter_map(|upstream| upstream.tls.as_mut())
        {
            let tls = &mut **tls;
            paths.extend(tls.ca.iter_mut().chain(&mut tls.crl));
        }
        paths.into_iter().map(|path| &mut **path).collect()
    }
}
