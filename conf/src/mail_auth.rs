//! `[mail_auth.NAME]`: who decides about the logins of mail clients, and where each user's mailbox is.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::range::{within, within_time};
use crate::{Map, Prefix, Spanned, Time};

/// Who decides about logins: at most one of `http`, `file` and `ldap` (none: the mail server behind), and what else
/// is known about users.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MailAuth {
    /// Source: a service that speaks the protocol of nginx's `auth_http`.
    pub http: Option<Spanned<MailAuthHttp>>,
    /// Source: a file with lines `KEY VERIFIER [UPSTREAM]`; KEY is a user, `@domain` or `*`.
    pub file: Option<Spanned<PathBuf>>,
    /// Source: a directory.
    pub ldap: Option<Spanned<MailAuthLdap>>,
    /// Which user a client certificate stands for.
    pub certificate: Option<Spanned<MailAuthCertificate>>,
    /// Whether a client may ask to act for somebody else (the authorization identity of SASL).
    pub allow_authzid: bool,
    /// Whether the part before `@` is the same in either case. The domain always is.
    pub lowercase_users: bool,
    /// What parts a user's name from that of the master user who logs in for him, as Dovecot's `*`; nobody logs in for others without it.
    pub master_separator: Option<char>,
    /// Where the mailboxes of these users are, by the name of an upstream.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub users: Map<Spanned<String>>,
    /// More of the same: a file with lines `USER UPSTREAM`.
    pub users_file: Option<Spanned<PathBuf>>,
    /// Where the mailboxes of the users of these domains are, by the name of an upstream.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub domains: Map<Spanned<String>>,
}

impl MailAuth {
    /// Every path of the section.
    pub(crate) fn paths_mut(&mut self) -> impl Iterator<Item = &mut Spanned<PathBuf>> {
        let ldap = self.ldap.as_mut().and_then(|ldap| ldap.search.as_mut());
        let password = ldap.and_then(|search| search.password_file.as_mut());
        self.file
            .iter_mut()
            .chain(&mut self.users_file)
            .chain(password)
    }

    /// Every upstream it names: the servers it asks, and those it sends users to.
    pub(crate) fn upstreams(&self) -> impl Iterator<Item = &Spanned<String>> {
        let http = self.http.iter().filter_map(|http| http.upstream.as_ref());
        let ldap = self.ldap.iter().filter_map(|ldap| ldap.upstream.as_ref());
        let routes = self.users.values().chain(self.domains.values());
        http.chain(ldap).chain(routes)
    }

    /// Whether it may send users to an upstream: it names it, or somebody else decides, in a file or over the network.
    pub(crate) fn may_name_upstream(&self, name: &str) -> bool {
        let ldap = self
            .ldap
            .as_ref()
            .is_some_and(|ldap| ldap.upstream_attribute.is_some());
        let elsewhere =
            self.users_file.is_some() || self.file.is_some() || self.http.is_some() || ldap;
        elsewhere || self.upstreams().any(|used| **used == name)
    }

    /// Whether somebody other than the mail server checks passwords.
    pub fn verifies(&self) -> bool {
        self.http.is_some() || self.file.is_some() || self.ldap.is_some()
    }
}

/// A service that speaks the protocol of nginx's `auth_http`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["upstream"]))]
pub struct MailAuthHttp {
    /// Name of the upstream it listens at; `tls` there makes it HTTPS.
    #[schemars(with = "String")]
    pub upstream: Option<Spanned<String>>,
    /// Path of the request.
    pub path: Spanned<String>,
    /// The `Host` header; the peer's host and port as written without it.
    pub host: Option<Spanned<String>>,
    /// Time for the whole answer.
    #[serde(deserialize_with = "within_time::<1, 3600, _>")]
    pub timeout: Time,
    /// Header fields added to each request, such as a key that the service knows us by.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub headers: Map<Spanned<String>>,
    /// Whether client certificates are sent along, in `Auth-SSL-Cert`.
    pub pass_client_certificate: bool,
    /// Addresses the service may send users to (`Auth-Server`). Empty: to none, only to upstreams (`Auth-Pool`).
    pub allowed_backends: Vec<Spanned<Prefix>>,
    /// Requests under way at once, 1 to 65535; those beyond wait.
    #[serde(deserialize_with = "within::<1, 65_535, _, _>")]
    #[schemars(range(min = 1, max = 65_535))]
    pub in_flight: u32,
    /// Connections that each worker keeps open for the next request, 0 to 1024, if the service says `Connection:
    /// keep-alive` and the length of its answer. `0`: each request has a connection of its own, and is nginx's to the byte.
    #[serde(deserialize_with = "within::<0, 1024, _, _>")]
    #[schemars(range(max = 1024))]
    pub keepalive: u32,
}

impl Default for MailAuthHttp {
    fn default() -> Self {
        Self {
            upstream: None,
            path: "/".to_owned().into(),
            host: None,
            timeout: Time::seconds(30),
            headers: Map::new(),
            pass_client_certificate: false,
            allowed_backends: Vec::new(),
            in_flight: 256,
            keepalive: 128,
        }
    }
}

/// A directory: a user is who can bind with the password.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["upstream"]))]
pub struct MailAuthLdap {
    /// Name of the upstream it listens at; `tls` there makes it LDAPS.
    #[schemars(with = "String")]
    pub upstream: Option<Spanned<String>>,
    /// Whether TLS begins with StartTLS instead of at once.
    pub starttls: bool,
    /// The name to bind with: `{user}`, `{local}` and `{domain}` stand for parts of the user's name. Either this or `search`.
    pub bind_dn: Option<Spanned<String>>,
    /// How the name to bind with is found.
    pub search: Option<Spanned<MailAuthSearch>>,
    /// Attribute with the name of the upstream of the user's mailbox. Needs `search`.
    pub upstream_attribute: Option<Spanned<String>>,
    /// How long a password that was right is remembered, as a digest; `0s` does not remember.
    #[serde(deserialize_with = "within_time::<0, 60, _>")]
    pub cache: Time,
    /// Time for the whole answer.
    #[serde(deserialize_with = "within_time::<1, 3600, _>")]
    pub timeout: Time,
}

impl Default for MailAuthLdap {
    fn default() -> Self {
        Self {
            upstream: None,
            starttls: false,
            bind_dn: None,
            search: None,
            upstream_attribute: None,
            cache: Time::seconds(0),
            timeout: Time::seconds(10),
        }
    }
}

/// How the name to bind with is found.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailAuthSearch {
    /// Where the search begins; it takes in the whole subtree.
    pub base: Spanned<String>,
    /// What is looked for: `{user}`, `{local}` and `{domain}` stand for parts of the user's name, escaped. `(mail={user})`
    pub filter: Spanned<String>,
    /// Who searches; anonymously without it.
    pub bind_dn: Option<Spanned<String>>,
    /// File whose first line is the searcher's password.
    pub password_file: Option<Spanned<PathBuf>>,
}

/// Which user a client certificate stands for.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MailAuthCertificate {
    /// Part of the certificate that names the user: `"email"` (alternative name), `"common-name"`, `"serial"`, or the object identifier of an attribute of the subject, `"1.2.156.10260.4.1.1"`.
    pub from: Spanned<String>,
    /// Regular expression the part must match as a whole. Without it the part is the user.
    pub pattern: Option<Spanned<String>>,
    /// The user, with `$1` to `$9` for groups of `pattern`.
    pub user: Spanned<String>,
    /// Whether every login must be by the user of the certificate, so that password and certificate are both needed.
    pub second_factor: bool,
}

impl Default for MailAuthCertificate {
    fn default() -> Self {
        Self {
            from: "email".to_owned().into(),
            pattern: None,
            user: "$0".to_owned().into(),
            second_factor: false,
        }
    }
}

/// A way to log in.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum MailMechanism {
    /// Name and password in one message (RFC 4616); in POP3 also `USER` and `PASS`, in IMAP also `LOGIN`.
    Plain,
    /// Name and password, each after a prompt: what Outlook and Exchange speak.
    Login,
    /// The client certificate proves.
    External,
    /// Bearer tokens, as Google and Microsoft have them.
    Xoauth2,
    /// Bearer tokens (RFC 7628).
    Oauthbearer,
    /// HMAC-MD5 of a challenge (RFC 2195). MD5 is weak, and no GM algorithm.
    CramMd5,
    /// MD5 of the greeting and the password, in POP3 only (RFC 1939). MD5 is weak, and no GM algorithm.
    Apop,
    /// SCRAM (RFC 5802), carried to the mail server and checked there.
    #[serde(rename = "scram-sha-1")]
    ScramSha1,
    /// SCRAM (RFC 7677), carried to the mail server and checked there.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// Microsoft's challenge and response, carried to the mail server. Made of MD4 and MD5.
    Ntlm,
    /// Kerberos (RFC 4752), carried to the mail server.
    Gssapi,
}

impl MailMechanism {
    /// What a configuration calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Login => "login",
            Self::External => "external",
            Self::Xoauth2 => "xoauth2",
            Self::Oauthbearer => "oauthbearer",
            Self::CramMd5 => "cram-md5",
            Self::Apop => "apop",
            Self::ScramSha1 => "scram-sha-1",
            Self::ScramSha256 => "scram-sha-256",
            Self::Ntlm => "ntlm",
            Self::Gssapi => "gssapi",
        }
    }
}

impl std::fmt::Display for MailMechanism {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
