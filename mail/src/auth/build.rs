//! An authenticator from the configuration: files read, patterns compiled, upstreams found.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use alb_conf::{Diagnostic, MailAuth, Spanned};
use alb_core::upstream::Upstream;
use zeroize::Zeroizing;

use super::certificate::CertificateUser;
use super::file::{self, FileSource};
use super::http::HttpSource;
use super::ldap::LdapSource;
use super::users::Users;
use super::{Authenticator, Source};
use crate::sasl::Rules;
use crate::secret::Secret;

/// Bad lines of a file named one by one.
const NAMED: usize = 10;

/// The upstreams of the configuration, by name.
type Upstreams = HashMap<String, Arc<Upstream>>;

impl Authenticator {
    /// Builds what a `[mail_auth.NAME]` says, reading its files.
    ///
    /// # Errors
    ///
    /// Each file that cannot be read, and each line of one that means nothing or names an upstream that is not there.
    pub fn build(written: &MailAuth, upstreams: &Upstreams) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let users = users(written, upstreams, &mut problems);
        let source = source(written, upstreams, &users, &mut problems);
        let certificate = certificate(written, &mut problems);
        match source {
            Some(source) if problems.is_empty() => Ok(Authenticator {
                source,
                certificate,
                rules: Rules {
                    allow_authzid: written.allow_authzid,
                },
                users,
            }),
            _ => Err(problems),
        }
    }
}

fn certificate(written: &MailAuth, problems: &mut Vec<Diagnostic>) -> Option<CertificateUser> {
    let rule = written.certificate.as_ref()?;
    let complain = |error: &regex::Error| Diagnostic::error(rule.span(), error.to_string());
    let built = CertificateUser::new(rule).map_err(|error| problems.push(complain(&error)));
    built.ok()
}

/// What decides. `None`: something was wrong with it, which has been said here or in the check.
fn source(
    written: &MailAuth,
    upstreams: &Upstreams,
    users: &Users,
    problems: &mut Vec<Diagnostic>,
) -> Option<Source> {
    let pools: Arc<[Arc<str>]> = upstreams
        .keys()
        .map(|name| Arc::from(name.as_str()))
        .collect();
    if let Some(http) = &written.http {
        let upstream = Arc::clone(upstreams.get(http.upstream.as_ref()?.as_str())?);
        return Some(Source::Http(HttpSource::new(http, upstream, pools)));
    }
    if let Some(path) = &written.file {
        let text = read(path, problems)?;
        return match file::parse(&text, users) {
            Ok(entries) => {
                let named = entries.iter().filter_map(|entry| entry.upstream.as_deref());
                named.for_each(|name| known(name, path, upstreams, problems));
                Some(Source::File(FileSource::new(entries)))
            }
            Err(wrong) => {
                complain(path, wrong, problems);
                None
            }
        };
    }
    if let Some(ldap) = &written.ldap {
        let upstream = Arc::clone(upstreams.get(ldap.upstream.as_ref()?.as_str())?);
        let file = ldap
            .search
            .as_ref()
            .and_then(|search| search.password_file.as_ref());
        let password = match file {
            None => Secret::default(),
            Some(path) => {
                let text = read(path, problems)?;
                Secret::copy_of(text.lines().next().unwrap_or_default().as_bytes())
            }
        };
        return Some(Source::Ldap(LdapSource::new(
            ldap, upstream, password, pools,
        )));
    }
    Some(Source::Backend)
}

/// How names are normalised, and where they lead.
fn users(written: &MailAuth, upstreams: &Upstreams, problems: &mut Vec<Diagnostic>) -> Users {
    let mut users = Users {
        lowercase_users: written.lowercase_users,
        master_separator: written.master_separator,
        ..Users::default()
    };
    for (domain, upstream) in &written.domains {
        users
            .by_domain
            .insert(domain.to_ascii_lowercase(), upstream.as_str().into());
    }
    let mut by_user: HashMap<String, Arc<str>> = HashMap::new();
    if let Some(path) = &written.users_file
        && let Some(text) = read(path, problems)
    {
        for (number, line) in (1..).zip(text.lines()) {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match words[..] {
                [] => {}
                [word, ..] if word.starts_with('#') => {}
                [user, upstream] => {
                    known(upstream, path, upstreams, problems);
                    by_user.insert(users.user(user).full, upstream.into());
                }
                _ => complain(
                    path,
                    vec![(number, "expected `USER UPSTREAM`".into())],
                    problems,
                ),
            }
        }
    }
    for (user, upstream) in &written.users {
        by_user.insert(users.user(user).full, upstream.as_str().into());
    }
    users.by_user = by_user;
    users
}

fn known(
    name: &str,
    path: &Spanned<PathBuf>,
    upstreams: &Upstreams,
    problems: &mut Vec<Diagnostic>,
) {
    if !upstreams.contains_key(name) {
        let message = format!(
            "`{}` names the upstream `{name}`, which is not there",
            path.display()
        );
        problems
            .push(Diagnostic::error(path.span(), message).help(format!("add `[upstream.{name}]`")));
    }
}

fn read(path: &Spanned<PathBuf>, problems: &mut Vec<Diagnostic>) -> Option<Zeroizing<String>> {
    match std::fs::read_to_string(&**path) {
        Ok(text) => Some(Zeroizing::new(text)),
        Err(error) => {
            let message = format!("cannot read `{}`: {error}", path.display());
            problems.push(Diagnostic::error(path.span(), message));
            None
        }
    }
}

fn complain(path: &Spanned<PathBuf>, wrong: Vec<(usize, String)>, problems: &mut Vec<Diagnostic>) {
    for (line, reason) in wrong.into_iter().take(NAMED) {
        let message = format!("`{}`, line {line}: {reason}", path.display());
        problems.push(Diagnostic::error(path.span(), message));
    }
}
