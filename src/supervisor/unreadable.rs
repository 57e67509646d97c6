//! Files that root could read at the start and the daemon's user cannot read at a reload: said at once, and not when
//! the certificate has been renewed and the reload fails.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use alb_conf::{Config, Spanned};

/// Warns of every file of the configuration that this user may not read.
pub fn warn(configuration: &Path, config: &Config) {
    let Some(user) = &config.daemon.user else {
        return;
    };
    let paths = paths(config);
    for path in std::iter::once(configuration).chain(paths) {
        let refused = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
        if File::open(path).is_err_and(refused) {
            tracing::warn!(
                "the user `{user}` may not read `{}`: a reload will fail; help: `chgrp {user} FILE && chmod g+r FILE`, \
                 and let the user into its directory",
                path.display()
            );
        }
    }
}

/// Every file that a reload reads.
fn paths(config: &Config) -> Vec<&Path> {
    let mut paths: Vec<&Spanned<PathBuf>> = Vec::new();
    for identity in config.identity.values() {
        for pair in identity.sign.iter().chain(&identity.encrypt) {
            paths.extend([&pair.certificate, &pair.key.file]);
            paths.extend(&pair.key.password_file);
        }
        paths.extend(&identity.certificate);
        if let Some(key) = &identity.key {
            paths.push(&key.file);
            paths.extend(&key.password_file);
        }
    }
    for tls in config.listeners().filter_map(|listener| listener.tls) {
        paths.extend(tls.client_auth.ca.iter().chain(&tls.client_auth.crl));
    }
    for tls in config.upstream.values().filter_map(|u| u.tls.as_ref()) {
        paths.extend(tls.ca.iter().chain(&tls.crl));
    }
    paths.into_iter().map(|path| path.as_path()).collect()
}
