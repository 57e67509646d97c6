//! `secure_link` of a route: links that only who knows a secret can make, and that expire.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Spanned;

/// Links that only who knows a secret can make, and that may expire. A wrong link is answered with 403, an expired one with 410.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SecureLink {
    /// How links are signed.
    pub algorithm: LinkAlgorithm,
    /// The secret; or better a file with it.
    pub secret: Option<Spanned<LinkSecret>>,
    /// File whose first line is the secret.
    pub secret_file: Option<Spanned<PathBuf>>,
    /// What is signed, in this order. With `expires` a link must have an end.
    #[schemars(length(min = 1))]
    pub sign: Vec<Spanned<LinkPart>>,
    /// For `md5`: the text that is hashed, in place of `sign`, as nginx's `secure_link_md5`, with `$expires`, `$uri`, `$client_ip`, `$host` and `$secret`.
    pub expression: Option<Spanned<String>>,
    /// Argument of the query with the signature.
    pub signature_argument: Spanned<String>,
    /// Argument of the query with the end: seconds since 1970.
    pub expires_argument: Spanned<String>,
}

impl Default for SecureLink {
    fn default() -> Self {
        Self {
            algorithm: LinkAlgorithm::HmacSm3,
            secret: None,
            secret_file: None,
            sign: vec![LinkPart::Expires.into(), LinkPart::Uri.into()],
            expression: None,
            signature_argument: "signature".to_owned().into(),
            expires_argument: "expires".to_owned().into(),
        }
    }
}

/// How links are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum LinkAlgorithm {
    /// HMAC with SM3 (GB/T 15852.2), base64url.
    #[default]
    #[serde(rename = "hmac-sm3")]
    HmacSm3,
    /// MD5 of a text with the secret in it, base64url: the links of nginx's `secure_link_md5`. For links that exist already.
    #[serde(rename = "md5")]
    Md5,
}

/// A part of what is signed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LinkPart {
    /// The end of the link's life.
    Expires,
    /// The path, decoded and normalised.
    Uri,
    /// The address of the client: the link is of use to nobody else.
    ClientIp,
    /// The host, without its port.
    Host,
}

impl fmt::Display for LinkPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expires => "expires",
            Self::Uri => "uri",
            Self::ClientIp => "client_ip",
            Self::Host => "host",
        })
    }
}

/// A secret; it is never shown where something is described.
#[derive(Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct LinkSecret(#[schemars(length(min = 1))] pub String);

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl SecureLink {
    /// What `expression` may have in it.
    pub const VARIABLES: [&'static str; 5] = ["expires", "uri", "client_ip", "host", "secret"];

    /// The parts of an expression: each text with the name of the variable behind it, which is empty at the end.
    pub fn variables(expression: &str) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = Some(expression);
        std::iter::from_fn(move || {
            let text = rest?;
            let Some((before, after)) = text.split_once('$') else {
                rest = None;
                return (!text.is_empty()).then_some((text, ""));
            };
            let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = after.find(|c| !of_name(c)).unwrap_or(after.len());
            rest = Some(&after[end..]);
            Some((before, &after[..end]))
        })
    }
}
