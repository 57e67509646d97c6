//! What an end-entity certificate shall say.

use std::net::IpAddr;

use crate::extension::{AltName, KeyUsage};
use crate::name::Name;
use crate::oid::{self, Oid};
use crate::time::{DAY, Time};

/// Which side of a connection a certificate is for (its extended key usage).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// serverAuth.
    Server,
    /// clientAuth.
    Client,
    /// Both, as a gateway that is also a client towards its upstreams needs.
    Both,
    /// A delegated OCSP responder (RFC 6960 §4.2.2.2).
    OcspSigner,
}

impl Role {
    pub(super) fn purposes(self) -> Vec<Oid> {
        match self {
            Self::Server => vec![oid::SERVER_AUTH],
            Self::Client => vec![oid::CLIENT_AUTH],
            Self::Both => vec![oid::SERVER_AUTH, oid::CLIENT_AUTH],
            Self::OcspSigner => vec![oid::OCSP_SIGNING],
        }
    }
}

/// The time within which a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First second.
    pub not_before: Time,
    /// Last second.
    pub not_after: Time,
}

impl Validity {
    /// From five minutes ago, so that a peer's slow clock does not refuse it, for so many days.
    pub fn days(days: u32) -> Self {
        let now = Time::now();
        Self {
            not_before: now.plus(-300),
            not_after: now.plus(i64::from(days) * DAY),
        }
    }

    /// Ended yesterday.
    pub fn expired() -> Self {
        let now = Time::now();
        Self {
            not_before: now.plus(-30 * DAY),
            not_after: now.plus(-DAY),
        }
    }

    /// Begins tomorrow.
    pub fn not_yet() -> Self {
        let now = Time::now();
        Self {
            not_before: now.plus(DAY),
            not_after: now.plus(30 * DAY),
        }
    }
}

/// The plan of an end-entity certificate.
#[derive(Debug, Clone)]
pub struct Leaf {
    pub(super) subject: Name,
    pub(super) names: Vec<AltName>,
    pub(super) role: Role,
    pub(super) validity: Validity,
    pub(super) usage: Option<KeyUsage>,
    pub(super) crl_url: Option<String>,
    pub(super) ocsp_url: Option<String>,
}

impl Leaf {
    /// A certificate for `subject`, without alternative names.
    pub fn new(subject: Name, role: Role) -> Self {
        Self {
            subject,
            names: Vec::new(),
            role,
            validity: Validity::days(365),
            usage: None,
            crl_url: None,
            ocsp_url: None,
        }
    }

    /// A server whose common name and first DNS name is `name`.
    pub fn server(name: &str) -> Self {
        Self::new(Name::common(name), Role::Server).dns(name)
    }

    /// A client with this common name.
    pub fn client(name: &str) -> Self {
        Self::new(Name::common(name), Role::Client)
    }

    /// Another subject.
    pub fn subject(mut self, subject: Name) -> Self {
        self.subject = subject;
        self
    }

    /// One more DNS name.
    pub fn dns(mut self, name: impl Into<String>) -> Self {
        self.names.push(AltName::Dns(name.into()));
        self
    }

    /// One more IP address.
    pub fn ip(mut self, address: IpAddr) -> Self {
        self.names.push(AltName::Ip(address));
        self
    }

    /// More names.
    pub fn names(mut self, names: impl IntoIterator<Item = AltName>) -> Self {
        self.names.extend(names);
        self
    }

    /// Another extended key usage.
    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// Another validity than one year.
    pub fn valid(mut self, validity: Validity) -> Self {
        self.validity = validity;
        self
    }

    /// Forces the key usage, on both halves of a pair: for certificates that shall be refused.
    pub fn key_usage(mut self, usage: KeyUsage) -> Self {
        self.usage = Some(usage);
        self
    }

    /// Where the revocation list will be.
    pub fn crl_url(mut self, url: impl Into<String>) -> Self {
        self.crl_url = Some(url.into());
        self
    }

    /// Where the OCSP responder will be.
    pub fn ocsp_url(mut self, url: impl Into<String>) -> Self {
        self.ocsp_url = Some(url.into());
        self
    }
}
