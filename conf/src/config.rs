//! The whole file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Access, Daemon, Http, Identity, Limit, Lockout, Log, Mail, MailAuth, MailPolicy, Site, Spanned,
    Stream, Upstream,
};

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
    /// Listeners that carry TCP or UDP.
    pub stream: Vec<Spanned<Stream>>,
    /// Sites: which request goes where.
    pub site: Vec<Spanned<Site>>,
    /// Mail listeners: SMTP, IMAP and POP3.
    pub mail: Vec<Spanned<Mail>>,
    /// Limits of rate, number and bandwidth, by name.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub limit: Map<Limit>,
    /// What rejected logins lead to.
    pub lockout: Lockout,
    /// Who decides about logins of mail clients, by name.
    pub mail_auth: Map<MailAuth>,
    /// What messages may hold, by name.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub mail_policy: Map<MailPolicy>,
    /// Groups of servers that requests are balanced over, by name.
    pub upstream: Map<Upstream>,
    /// Who may connect, by address: lists by name.
    pub access: Map<Access>,
}

/// What is done with a path of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileUse {
    /// A file that is read.
    Read,
    /// A directory that is read.
    Directory,
    /// A file that is written, in a directory that exists.
    Write,
    /// A file whose directory may be made by who starts the daemon.
    AtStart,
}

impl Config {
    /// The upstreams a mail listener uses, as far as they are named here: a service, a file or a directory may name others.
    pub(crate) fn mail_upstreams<'c>(
        &'c self,
        mail: &'c Mail,
    ) -> impl Iterator<Item = (&'c Spanned<String>, &'c Upstream)> {
        let mx = mail.smtp.mx.iter().flat_map(|mx| mx.upstreams.values());
        let auth = mail.auth.iter();
        let auth = auth.filter_map(|name| self.mail_auth.get(name.as_str()));
        let users = auth.flat_map(|auth| auth.users.values().chain(auth.domains.values()));
        let names = mail.upstream.iter().chain(mx).chain(users);
        names.filter_map(|name| Some((name, self.upstream.get(name.as_str())?)))
    }

    /// Every path of the configuration.
    pub(crate) fn paths_mut(&mut self) -> Vec<(FileUse, &mut Spanned<PathBuf>)> {
        let access_log = self.log.access.as_mut().map(|access| &mut access.file);
        let mail_log = self.log.mail.as_mut().map(|mail| &mut mail.file);
        let identities = self.identity.values_mut().flat_map(Identity::paths_mut);
        let http = self.http.iter_mut().map(|http| &mut http.tls);
        let stream = self.stream.iter_mut().map(|stream| &mut stream.tls);
        let mail = self.mail.iter_mut().map(|mail| &mut mail.tls);
        let listeners = http.chain(stream).chain(mail).filter_map(Option::as_mut);
        let listeners = listeners.flat_map(|tls| tls.client_auth.paths_mut());
        let routes = self.site.iter_mut().flat_map(|site| &mut site.route);
        let (mut roots, mut secrets) = (Vec::new(), Vec::new());
        for route in routes.map(|route| &mut **route) {
            roots.extend(route.files.as_mut().map(|files| &mut files.root));
            let link = route.secure_link.as_mut();
            secrets.extend(link.and_then(|link| link.secret_file.as_mut()));
        }
        let upstreams = self.upstream.values_mut().flat_map(Upstream::paths_mut);
        let lists = self.access.values_mut().flat_map(|list| &mut list.files);

        let auths = self.mail_auth.values_mut().flat_map(MailAuth::paths_mut);

        let read = identities
            .chain(listeners)
            .chain(upstreams)
            .chain(auths)
            .chain(lists)
            .chain(secrets)
            .map(|path| (FileUse::Read, path));
        let written = self
            .log
            .file
            .iter_mut()
            .chain(access_log)
            .chain(mail_log)
            .map(|path| (FileUse::Write, path));
        let spools = self
            .mail_policy
            .values_mut()
            .map(|policy| &mut policy.directory);
        let roots = roots
            .into_iter()
            .chain(spools)
            .map(|path| (FileUse::Directory, path));
        let at_start = self
            .daemon
            .pid_file
            .iter_mut()
            .map(|path| (FileUse::AtStart, path));
        read.chain(written).chain(roots).chain(at_start).collect()
    }
}
