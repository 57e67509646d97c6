//! Who may log in, as whom, and where the mailbox is.
//!
//! Owns the sources (the mail server itself, a service, a file, a directory), the users of client certificates, and the
//! maps from users and domains to upstreams. It speaks none of the mail protocols and logs in nowhere: what it says is
//! a [`Decision`], and the session acts on it.

pub(crate) mod blocking;
mod build;
mod certificate;
mod decision;
mod file;
mod http;
mod ldap;
mod users;
mod verifier;

pub use decision::{Accepted, Asked, Attempt, Decision, Envelope, Refusal};
pub use file::parse as parse_user_file;
pub use http::{Answer, Malformed, Status, parse_answer};
pub use verifier::{NewVerifier, Verifier, new_verifier};

use alb_core::TlsInfo;

use crate::sasl::{Credentials, Proof, Rules};
use certificate::CertificateUser;
use file::FileSource;
use http::HttpSource;
use ldap::LdapSource;
use users::{User, Users};

/// Decides about the logins of a listener. Shared by all workers; built once for each configuration.
pub struct Authenticator {
    source: Source,
    certificate: Option<CertificateUser>,
    rules: Rules,
    users: Users,
}

/// The source that checks nothing: the mail server will.
pub const PASSTHROUGH: &str = "passthrough";

/// Who knows whether a password is right.
enum Source {
    /// The mail server, which is logged in to with what the client sent.
    Backend,
    Http(HttpSource),
    File(FileSource),
    Ldap(LdapSource),
}

impl Authenticator {
    /// Lets everybody through to the mail server, which decides.
    pub fn passthrough() -> Self {
        Authenticator {
            source: Source::Backend,
            certificate: None,
            rules: Rules::default(),
            users: Users::default(),
        }
    }

    /// What clients may ask for in an exchange.
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// The form of a user's name in which failed logins are counted: one for each account, however it is written.
    pub fn account(&self, sent: &str) -> String {
        let mut name = self.users.user(sent).full;
        if !name.is_ascii() {
            return name.to_lowercase();
        }
        name.make_ascii_lowercase();
        name
    }

    /// Whether a source of ours is shown what proves a user, before any mail server is.
    pub fn is_ours(&self) -> bool {
        !matches!(self.source, Source::Backend)
    }

    /// The upstreams that its own maps send users to; a source may name others.
    pub fn upstreams(&self) -> impl Iterator<Item = &str> {
        let (users, domains) = (self.users.by_user.values(), self.users.by_domain.values());
        users.chain(domains).map(|name| &**name)
    }

    /// What the audit line calls the source.
    pub fn source(&self) -> &'static str {
        match &self.source {
            Source::Backend => PASSTHROUGH,
            Source::Http(_) => "http",
            Source::File(_) => "file",
            Source::Ldap(_) => "ldap",
        }
    }

    /// Decides about a login, or about mail without one. State of an earlier attempt has no part in it.
    pub async fn decide(&self, attempt: &Attempt<'_>) -> Decision {
        match attempt.what {
            Asked::Relay(envelope) => self.relay(attempt, envelope).await,
            Asked::Login(credentials) => match self.login(attempt, credentials).await {
                Decision::Accept(accepted) => Decision::Accept(self.routed(accepted)),
                other => other,
            },
        }
    }

    async fn relay(&self, attempt: &Attempt<'_>, envelope: Envelope<'_>) -> Decision {
        match &self.source {
            Source::Http(http) => {
                http.decide(attempt, http::Method::None(envelope), None)
                    .await
            }
            _ => Decision::Accept(Accepted::nobody(self.source())),
        }
    }

    async fn login(&self, attempt: &Attempt<'_>, credentials: &Credentials) -> Decision {
        let shown = self.certificate_user(attempt.tls());
        let named = match &credentials.proof {
            Proof::Certificate => return self.external(attempt, credentials, shown).await,
            Proof::Password(password) if password.is_empty() => return Decision::wrong(),
            // Their users are known only when the server has seen the last message.
            Proof::PassThrough { .. } if credentials.user.is_empty() => User::default(),
            _ => self.users.user(&credentials.user),
        };
        if self.wants_certificate() && shown.as_ref() != Some(&named) {
            tracing::info!(user = %named.full, "the client certificate is not that of the user");
            return Decision::wrong();
        }
        self.ask(attempt, credentials, &named).await
    }

    /// Asks the source about a name and its proof.
    async fn ask(
        &self,
        attempt: &Attempt<'_>,
        credentials: &Credentials,
        named: &User,
    ) -> Decision {
        let accepted = |user: &User| {
            let mut accepted = Accepted::new(&user.full, &credentials.user, self.source());
            accepted.authzid.clone_from(&credentials.authzid);
            accepted
        };
        // A source of ours knows neither who may act for whom, nor the passwords of master users.
        let plain_name = credentials.authzid.is_none() && !named.through_master;
        match &self.source {
            Source::Backend => {
                let acts_for = credentials
                    .authzid
                    .as_deref()
                    .map(|user| self.users.user(user));
                match &credentials.proof {
                    Proof::Apop { .. } | Proof::CramMd5 { .. } => {
                        Decision::unavailable("nobody knows the clear password")
                    }
                    proof => {
                        let mut accepted = accepted(acts_for.as_ref().unwrap_or(named));
                        if let Proof::PassThrough {
                            domain: Some(domain),
                            ..
                        } = proof
                        {
                            accepted.upstream = self.users.upstream_of_domain(domain);
                        }
                        Decision::Accept(accepted)
                    }
                }
            }
            _ if !plain_name => Decision::wrong(),
            Source::Http(http) => match http::Method::of(&credentials.proof) {
                Some(method) => {
                    let start = Accepted::new(&named.full, &credentials.user, self.source());
                    let decision = http.decide(attempt, method, Some(start)).await;
                    self.renamed(decision, &credentials.user)
                }
                None => Decision::unavailable("the source cannot check this mechanism"),
            },
            Source::File(file) => {
                file.decide(&credentials.proof, named, accepted(named))
                    .await
            }
            Source::Ldap(ldap) => {
                ldap.decide(&credentials.proof, named, accepted(named))
                    .await
            }
        }
    }

    /// EXTERNAL: the certificate has been verified in the handshake; a name sent with it must be its name.
    async fn external(
        &self,
        attempt: &Attempt<'_>,
        credentials: &Credentials,
        shown: Option<User>,
    ) -> Decision {
        if attempt
            .tls()
            .is_none_or(|tls| tls.peer.verified().is_none())
        {
            return Decision::wrong();
        }
        let asked = (!credentials.user.is_empty()).then(|| self.users.user(&credentials.user));
        let user = match (&self.certificate, shown, asked) {
            (Some(_), Some(shown), None) => shown,
            (Some(_), Some(shown), Some(asked)) if shown == asked => shown,
            // Without a map of ours the service decides by what it is told about the certificate.
            (None, _, asked) if matches!(self.source, Source::Http(_)) => asked.unwrap_or_default(),
            _ => return Decision::wrong(),
        };
        let mut accepted = Accepted::new(&user.full, &user.full, "certificate");
        match &self.source {
            Source::Http(http) => {
                accepted.source = self.source();
                let method = http::Method::External;
                let decision = http.decide(attempt, method, Some(accepted)).await;
                self.renamed(decision, &user.full)
            }
            _ => Decision::Accept(accepted),
        }
    }

    /// The service may have given the user another name than the one it was `asked` about; then that is who has logged in.
    fn renamed(&self, decision: Decision, asked: &str) -> Decision {
        match decision {
            Decision::Accept(accepted) if accepted.login.is_empty() => {
                Decision::unavailable("the service let somebody in without a name")
            }
            Decision::Accept(mut accepted) if accepted.login != asked => {
                accepted.user = self.users.user(&accepted.login).full;
                Decision::Accept(accepted)
            }
            other => other,
        }
    }

    fn certificate_user(&self, tls: Option<&TlsInfo>) -> Option<User> {
        let name = self.certificate.as_ref()?.user(tls?)?;
        // A certificate names one user, not a master user beside him.
        Some(self.users.user(&name)).filter(|user| !user.through_master)
    }

    fn wants_certificate(&self) -> bool {
        self.certificate
            .as_ref()
            .is_some_and(|certificate| certificate.second_factor)
    }

    /// Where the mailbox is, unless the source has said so: by user, then by domain.
    fn routed(&self, mut accepted: Accepted) -> Accepted {
        if accepted.server.is_none() && accepted.upstream.is_none() {
            accepted.upstream = self.users.upstream(&accepted.user);
        }
        accepted
    }
}

#[cfg(test)]
mod tests;
