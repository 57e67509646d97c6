//! What the listeners of all protocols have in common: addresses, a name, TLCP and TLS.

use std::net::SocketAddr;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::{Config, Http, Mail, Prefix, Span, Spanned, Stream, Tls};

/// A listener of any protocol, as far as they are alike.
#[derive(Clone, Copy, Debug)]
pub struct Listens<'c> {
    /// Where its section begins.
    at: Section<'c>,
    /// The name as written.
    pub name: &'c Option<Spanned<String>>,
    /// The addresses.
    pub listen: &'c [Spanned<SocketAddr>],
    /// TLCP and TLS.
    pub tls: Option<&'c Spanned<Tls>>,
    /// The access list.
    pub access: Option<&'c Spanned<String>>,
    /// The limits.
    pub limits: &'c [Spanned<String>],
    /// Who may send PROXY headers.
    pub trusted_proxies: &'c [Spanned<Prefix>],
    /// Whether connections begin with a PROXY header.
    pub proxy_protocol: Option<&'c Spanned<bool>>,
}

/// The section of a listener, by its kind.
#[derive(Clone, Copy, Debug)]
enum Section<'c> {
    Http(&'c Spanned<Http>),
    Stream(&'c Spanned<Stream>),
    Mail(&'c Spanned<Mail>),
}

impl Config {
    /// Every listener, whatever it speaks.
    pub fn listeners(&self) -> impl Iterator<Item = Listens<'_>> {
        let http = self.http.iter().map(|http| Listens {
            at: Section::Http(http),
            name: &http.name,
            listen: &http.listen,
            tls: http.tls.as_ref(),
            access: http.access.as_ref(),
            limits: &http.limits,
            trusted_proxies: &http.trusted_proxies,
            proxy_protocol: Some(&http.proxy_protocol),
        });
        let stream = self.stream.iter().map(|stream| Listens {
            at: Section::Stream(stream),
            name: &stream.name,
            listen: &stream.listen,
            tls: stream.tls.as_ref(),
            access: stream.access.as_ref(),
            limits: &stream.limits,
            trusted_proxies: &stream.trusted_proxies,
            proxy_protocol: Some(&stream.proxy_protocol),
        });
        let mail = self.mail.iter().map(|mail| Listens {
            at: Section::Mail(mail),
            name: &mail.name,
            listen: &mail.listen,
            tls: mail.tls.as_ref(),
            access: mail.access.as_ref(),
            limits: mail.limits.as_deref().unwrap_or_default(),
            trusted_proxies: &mail.trusted_proxies,
            proxy_protocol: Some(&mail.proxy_protocol),
        });
        http.chain(stream).chain(mail)
    }
}

impl Listens<'_> {
    /// The name as written, or the first address.
    pub fn name(&self) -> String {
        name_of(self.name, self.listen)
    }

    /// Where its section begins.
    pub fn span(&self) -> Span {
        match self.at {
            Section::Http(http) => http.span(),
            Section::Stream(stream) => stream.span(),
            Section::Mail(mail) => mail.span(),
        }
    }

    /// Whether datagrams come to it, and not connections.
    pub fn is_udp(&self) -> bool {
        matches!(self.at, Section::Stream(stream) if stream.is_udp())
    }

    /// The application protocols that TLS agrees on, where nobody has written others.
    pub fn alpn(&self) -> Vec<&'static str> {
        match self.at {
            Section::Http(_) => vec!["h2", "http/1.1"],
            Section::Stream(_) => Vec::new(),
            Section::Mail(mail) => mail
                .protocol
                .iter()
                .map(|protocol| protocol.as_str())
                .collect(),
        }
    }

    /// Whether it speaks HTTP.
    pub fn is_http(&self) -> bool {
        matches!(self.at, Section::Http(_))
    }

    /// Whether it speaks a protocol of mail.
    pub fn is_mail(&self) -> bool {
        matches!(self.at, Section::Mail(_))
    }
}

/// The name of a listener: as written, or the first address.
pub(crate) fn name_of(name: &Option<Spanned<String>>, listen: &[Spanned<SocketAddr>]) -> String {
    match (name, listen.first()) {
        (Some(name), _) => name.to_string(),
        (None, Some(address)) => address.to_string(),
        (None, None) => String::new(),
    }
}

/// An address as a listener writes it; exists for the words of its error.
struct ListenAddress(SocketAddr);

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| {
            D::Error::custom(format!(
                "`{text}` is not an address and a port, such as `0.0.0.0:443` or `[::]:443`"
            ))
        })
    }
}

/// Reads the addresses of a listener.
pub(crate) fn listen_addresses<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Spanned<SocketAddr>>, D::Error> {
    let written = Vec::<Spanned<ListenAddress>>::deserialize(deserializer)?;
    Ok(written
        .into_iter()
        .map(|address| address.map(|listen| listen.0))
        .collect())
}
