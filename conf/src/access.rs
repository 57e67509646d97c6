//! `[access.NAME]`: who may connect, by address.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::as_text::as_text;
use crate::{Prefix, Spanned};

/// A list of who is let in, by address. Who is in one of the files is denied; else the first rule that matches decides;
/// whom none matches is let in.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// Rules in the order they are tried: `"allow 10.0.0.0/8"`, `"deny 2001:db8::1"`, `"deny all"`.
    pub rules: Vec<Spanned<AccessRule>>,
    /// Files with one address or prefix per line, all of them denied, before the rules. `#` begins a comment.
    pub files: Vec<Spanned<PathBuf>>,
}

/// One rule of an access list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccessRule {
    /// What becomes of those it matches.
    pub verdict: AccessVerdict,
    /// Whom it matches; `None`: all.
    pub who: Option<Prefix>,
}

/// Whether somebody is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessVerdict {
    /// Let in.
    Allow,
    /// Kept out.
    Deny,
}

impl FromStr for AccessRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_ascii_whitespace();
        let (verdict, who) = match (words.next(), words.next(), words.next()) {
            (Some("allow"), Some(who), None) => (AccessVerdict::Allow, who),
            (Some("deny"), Some(who), None) => (AccessVerdict::Deny, who),
            _ => {
                return Err(format!(
                    "`{text}` is not a rule: expected `allow` or `deny`, and an address, a prefix or `all`"
                ));
            }
        };
        let who = match who {
            "all" => None,
            prefix => Some(prefix.parse()?),
        };
        Ok(Self { verdict, who })
    }
}

impl fmt::Display for AccessRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            AccessVerdict::Allow => "allow",
            AccessVerdict::Deny => "deny",
        };
        match &self.who {
            None => write!(f, "{verdict} all"),
            Some(prefix) => write!(f, "{verdict} {prefix}"),
        }
    }
}

as_text!(AccessRule, {
    "type": "string",
    "pattern": "^[ \\t]*(allow|deny)[ \\t]+(all|[0-9A-Fa-f.:]+(/[0-9]{1,3})?)[ \\t]*$"
});
