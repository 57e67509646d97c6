//! The configuration language of `alb`: what an operator writes, its defaults, and everything that can be
//! said about a file without opening a socket or a key.
//!
//! Owns the sections as written, the units, the diagnostics and the JSON schema. Must not know how a section is
//! run: certificates, sockets and routes belong to the crates that use them, which report their own findings
//! through [`Report`].

mod access;
mod as_text;
mod balance;
mod check;
mod config;
mod daemon;
mod diagnostic;
mod health;
mod hotlink;
mod http;
mod identity;
mod limit;
mod limit_key;
mod lines;
mod listen;
mod load;
mod lockout;
mod log;
mod mail;
mod mail_auth;
mod mail_policy;
mod page;
mod peer;
mod prefix;
mod print;
mod range;
mod rates;
mod read;
mod report;
mod retry;
mod schema;
mod secure_link;
mod shorthand;
mod site;
mod spanned;
mod stream;
mod suggest;
mod tls;
mod units;
mod upstream;
mod upstream_mail;

pub use access::{Access, AccessRule, AccessVerdict};
pub use balance::{Balance, HashKey, HashPeers, SameSite, Sticky};
pub use config::{Config, Map};
pub use daemon::{Acceleration, Daemon, Workers};
pub use diagnostic::{Diagnostic, Severity};
pub use health::{Deep, Expect, Health, HealthKind};
pub use hotlink::{Hotlink, Referer};
pub use http::{Http, Http2};
pub use identity::{Identity, KeyFile, Pair};
pub use limit::{Limit, Window};
pub use limit_key::{KeySource, LimitKey};
pub use listen::Listens;
pub use load::{Loaded, check_str, load};
pub use lockout::Lockout;
pub use log::{AccessFormat, AccessLog, Level, Log, LogFormat, MailLog, Rotate};
pub use mail::{BareLf, Mail, MailMx, MailProtocol, MailSmtp, MailTimeouts, MultiPool};
pub use mail_auth::{
    MailAuth, MailAuthCertificate, MailAuthHttp, MailAuthLdap, MailAuthSearch, MailMechanism,
};
pub use mail_policy::{MailAction, MailAlert, MailFrom, MailOnError, MailPolicy, MailVerdict};
pub use peer::{PeerAddress, PeerEntry};
pub use prefix::Prefix;
pub use print::print;
pub use rates::{Bandwidth, Rate};
pub use report::{Report, Source};
pub use retry::{Retry, RetryOn};
pub use schema::schema;
pub use secure_link::{LinkAlgorithm, LinkPart, LinkSecret, SecureLink};
pub use site::{Files, Forwarded, HeaderEdit, Return, Route, Site, TlsFact};
pub use spanned::{Span, Spanned};
pub use stream::{Stream, StreamProtocol};
pub use suggest::suggest;
pub use tls::{ClientAuth, ClientAuthMode, PreferGm, Protocol, Tls, TlsMode};
pub use units::{Size, Time, UnitError};
pub use upstream::{ProxyVersion, Upstream, UpstreamProtocol, UpstreamTls};
pub use upstream_mail::{ClientInfo, MailLogin, Master, UpstreamMail};
