//! `[[site]]` and `[[site.route]]`: which request goes where.

use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserializer, Error, Unexpected};
use serde::{Deserialize, Serialize, Serializer};

use crate::range::within;
use crate::shorthand::Shorthand;
use crate::{Hotlink, Map, SecureLink, Size, Spanned};

/// A virtual host: the requests for some hosts on some listeners.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["route"]))]
pub struct Site {
    /// Hosts served: exact (`app.example.cn`), `*.example.cn` or `www.example.*`; empty: every host.
    pub hosts: Vec<Spanned<String>>,
    /// Names of the listeners; empty: every HTTP listener.
    pub on: Vec<Spanned<String>>,
    /// Name of the access list clients must pass, besides the listener's.
    pub access: Option<Spanned<String>>,
    /// Names of limits for the requests of all routes, besides those of each route.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Spanned<String>>,
    /// Where the requests go, by path: exact first, then the longest prefix, unless a regex matches.
    #[schemars(length(min = 1))]
    pub route: Vec<Spanned<Route>>,
}

/// Where the requests for a path go: one of `path`, `exact`, `regex` (none: every path) and one of `proxy`, `files`, `return`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// Paths that begin so; the longest prefix wins.
    pub path: Option<Spanned<String>>,
    /// This path only.
    pub exact: Option<Spanned<String>>,
    /// Paths this regular expression finds a match in; the first in the file wins, before prefixes.
    pub regex: Option<Spanned<String>>,
    /// Action: forward to the upstream of this name.
    pub proxy: Option<Spanned<String>>,
    /// Action: answer with files of a directory.
    pub files: Option<Files>,
    /// Action: answer at once, with a status such as `404`, or a table.
    #[serde(rename = "return")]
    pub reply: Option<Spanned<Return>>,
    /// Changes to the request's header fields before it is forwarded.
    #[serde(skip_serializing_if = "HeaderEdit::is_empty")]
    pub request_headers: HeaderEdit,
    /// Changes to the response's header fields.
    #[serde(skip_serializing_if = "HeaderEdit::is_empty")]
    pub response_headers: HeaderEdit,
    /// Header fields that tell the upstream who the client is. A client's own copies are always removed.
    pub forwarded: Vec<Forwarded>,
    /// Header fields with facts about the client's connection, `{ X-Client-Subject = "client_subject" }`. A client's own copies are always removed.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub tls_headers: Map<TlsFact>,
    /// Largest request body; the listener's without it, `0` is no limit.
    pub max_body: Option<Size>,
    /// Name of the access list clients must pass, in place of the site's.
    pub access: Option<Spanned<String>>,
    /// Names of limits for the requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Spanned<String>>,
    /// Which pages may link to what is served; every page without it.
    pub hotlink: Option<Spanned<Hotlink>>,
    /// Only signed links are answered.
    pub secure_link: Option<Spanned<SecureLink>>,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            path: None,
            exact: None,
            regex: None,
            proxy: None,
            files: None,
            reply: None,
            request_headers: HeaderEdit::default(),
            response_headers: HeaderEdit::default(),
            forwarded: vec![Forwarded::XForwarded, Forwarded::XRealIp],
            tls_headers: Map::new(),
            max_body: None,
            access: None,
            limits: Vec::new(),
            hotlink: None,
            secure_link: None,
        }
    }
}

/// Files of a directory.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Directory; the whole path of the request is looked up below it.
    pub root: Spanned<PathBuf>,
    /// Files that answer for a directory, the first that exists.
    #[serde(default = "default_index")]
    pub index: Vec<Spanned<String>>,
    /// Memory for small files that are asked for often, per worker; `0` caches nothing.
    #[serde(default = "default_cache")]
    pub cache: Size,
}

fn default_index() -> Vec<Spanned<String>> {
    vec!["index.html".to_owned().into()]
}

fn default_cache() -> Size {
    Size::mib(64)
}

/// An answer without an upstream: `404`, or `{ status = 301, location = "https://example.cn/" }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Return {
    /// Status, 200 to 599.
    pub status: u16,
    /// `Location` of a redirect; `$host`, `$uri` and `$scheme` stand for those of the request.
    pub location: Option<Spanned<String>>,
    /// Body of the answer; a short page for errors without it.
    pub body: Option<String>,
    /// Type of the body, `text/plain; charset=utf-8` without it.
    pub content_type: Option<Spanned<String>>,
}

/// The long form of a [`Return`].
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReturnTable {
    /// Status, 200 to 599.
    #[serde(deserialize_with = "within::<200, 599, _, _>")]
    #[schemars(range(min = 200, max = 599))]
    status: u16,
    /// `Location` of a redirect; `$host`, `$uri` and `$scheme` stand for those of the request.
    #[serde(default)]
    location: Option<Spanned<String>>,
    /// Body of the answer; a short page for errors without it.
    #[serde(default)]
    body: Option<String>,
    /// Type of the body, `text/plain; charset=utf-8` without it.
    #[serde(default)]
    content_type: Option<Spanned<String>>,
}

/// The short form of a [`Return`], for its schema.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Status(
    #[schemars(range(min = 200, max = 599))]
    #[allow(dead_code, reason = "describes the schema only")]
    u16,
);

impl<'de> Deserialize<'de> for Return {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Shorthand::<ReturnTable>::deserialize(deserializer)? {
            Shorthand::Number(number) => match u16::try_from(number) {
                Ok(status @ 200..=599) => Ok(Self {
                    status,
                    location: None,
                    body: None,
                    content_type: None,
                }),
                _ => Err(D::Error::invalid_value(
                    Unexpected::Signed(number),
                    &"a status from 200 to 599",
                )),
            },
            Shorthand::Table(ReturnTable {
                status,
                location,
                body,
                content_type,
            }) => Ok(Self {
                status,
                location,
                body,
                content_type,
            }),
            Shorthand::Text(text) => Err(D::Error::invalid_type(
                Unexpected::Str(&text),
                &"a status or `{ status, location, body }`",
            )),
        }
    }
}

impl Serialize for Return {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            status,
            location,
            body,
            content_type,
        } = self.clone();
        match (&location, &body, &content_type) {
            (None, None, None) => serializer.serialize_u16(status),
            _ => ReturnTable {
                status,
                location,
                body,
                content_type,
            }
            .serialize(serializer),
        }
    }
}

impl JsonSchema for Return {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Return".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        crate::shorthand::schema::<Status, ReturnTable>(
            generator,
            "An answer without an upstream: a status, or a table.",
        )
    }
}

/// Changes to header fields.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderEdit {
    /// Fields that are given this value, whatever they had.
    pub set: Map<Spanned<String>>,
    /// Fields that are removed.
    pub remove: Vec<Spanned<String>>,
}

impl HeaderEdit {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }
}

/// Header fields that tell the upstream who the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Forwarded {
    /// `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`.
    #[serde(rename = "x-forwarded")]
    XForwarded,
    /// `X-Real-IP`.
    #[serde(rename = "x-real-ip")]
    XRealIp,
    /// `Forwarded` (RFC 7239).
    #[serde(rename = "forwarded")]
    Forwarded,
}

/// A fact about the client's connection that the upstream can be told in a header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TlsFact {
    /// `TLCPv1.1`, `TLSv1.2` or `TLSv1.3`.
    Protocol,
    /// Standard name of the cipher suite.
    Suite,
    /// Host name the client asked for in the handshake.
    Sni,
    /// `yes` if the session was resumed, else `no`.
    SessionReused,
    /// `SUCCESS`, or `NONE` without a client certificate.
    ClientVerify,
    /// Subject of the client certificate (RFC 4514).
    ClientSubject,
    /// Issuer of the client certificate (RFC 4514).
    ClientIssuer,
    /// Serial number of the client certificate, hexadecimal.
    ClientSerial,
    /// SHA-256 of the client certificate, hexadecimal.
    ClientFingerprint,
    /// End of the client certificate's validity.
    ClientNotAfter,
    /// The client's (signing) certificate, PEM, percent-encoded.
    ClientCertificate,
    /// The client's encryption certificate (TLCP), PEM, percent-encoded.
    ClientEncryptCertificate,
}
