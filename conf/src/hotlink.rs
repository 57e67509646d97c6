//! `hotlink` of a route: which pages may link to what it serves, by the `Referer` of the request.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::as_text::as_text;
use crate::{Return, Spanned};

/// Which pages may link to what a route serves, as nginx's `valid_referers`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["allow"]))]
pub struct Hotlink {
    /// Referers: `"none"` (there is none), `"blocked"` (one without `http://` or `https://`), `"server_names"` (the site's `hosts`), a host with or without a path (`"*.partner.cn"`, `"www.example.*"`, `"example.cn/gallery/"`), or `"~REGEX"`, which ignores case and is held against what follows `http://`.
    #[schemars(length(min = 1))]
    pub allow: Vec<Spanned<Referer>>,
    /// Answer to all others: a status or a table; 403 without it.
    #[serde(rename = "return")]
    pub reply: Option<Spanned<Return>>,
}

/// A kind of referer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Referer {
    /// There is no such field.
    None,
    /// A field that something on the way has made unusable: it does not begin with `http://` or `https://`.
    Blocked,
    /// The hosts of the site.
    ServerNames,
    /// A host, or many with a wildcard, and what the path begins with.
    Host {
        /// In lower case.
        pattern: String,
        /// Empty: any path.
        path: String,
    },
    /// A regular expression.
    Regex(String),
}

impl FromStr for Referer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => return Ok(Self::None),
            "blocked" => return Ok(Self::Blocked),
            "server_names" => return Ok(Self::ServerNames),
            "" | "~" => return Err(format!("`{text}` is not a referer")),
            _ => {}
        }
        if let Some(regex) = text.strip_prefix('~') {
            return Ok(Self::Regex(regex.to_owned()));
        }
        if text.contains("://") {
            return Err(format!("`{text}` has a scheme: write the host alone"));
        }
        let path = text.find('/').unwrap_or(text.len());
        let (host, path) = text.split_at(path);
        Ok(Self::Host {
            pattern: host.to_ascii_lowercase(),
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for Referer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Blocked => f.write_str("blocked"),
            Self::ServerNames => f.write_str("server_names"),
            Self::Host { pattern, path } => write!(f, "{pattern}{path}"),
            Self::Regex(regex) => write!(f, "~{regex}"),
        }
    }
}

as_text!(Referer, { "type": "string", "minLength": 1 });
