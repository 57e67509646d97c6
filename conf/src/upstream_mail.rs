//! `[upstream.NAME.mail]`: how mail servers are logged in to.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::range::within_time;
use crate::{Spanned, Time};

/// How the gateway presents itself and its clients to mail servers.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamMail {
    /// TLS begins with STARTTLS (STLS), never at once; needs `tls`.
    pub starttls: Spanned<bool>,
    /// How the servers are told who the client is, beside `proxy_protocol`.
    pub client_info: ClientInfo,
    /// Whether a server that does not take `client_info` is used all the same.
    pub best_effort: bool,
    /// By what the gateway logs in.
    pub login: Spanned<MailLogin>,
    /// The user that may log in as anybody, for `login = "master"`.
    pub master: Option<Spanned<Master>>,
    /// Sessions that came to another peer because the user's own was out (`balance = "hash"`) are ended within this time once it is back, one after the other; `0s`: they stay.
    #[serde(deserialize_with = "within_time::<0, 86_400, _>")]
    pub rehome: Time,
    /// Whether client information and login are sent together, without waiting in between.
    pub pipelining: bool,
}

impl Default for UpstreamMail {
    fn default() -> Self {
        Self {
            starttls: false.into(),
            client_info: ClientInfo::None,
            best_effort: false,
            login: MailLogin::Password.into(),
            master: None,
            rehome: Time::seconds(0),
            pipelining: true,
        }
    }
}

impl UpstreamMail {
    /// Every path of the section.
    pub(crate) fn paths_mut(&mut self) -> impl Iterator<Item = &mut Spanned<PathBuf>> {
        self.master.iter_mut().map(|m| &mut m.password_file)
    }
}

/// How mail servers are told who the client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientInfo {
    /// Not at all.
    #[default]
    None,
    /// IMAP: the command ID, as Dovecot's proxies do; the server must trust the gateway's address.
    Id,
    /// SMTP and POP3: the command XCLIENT; the server must trust the gateway's address.
    Xclient,
}

/// By what the gateway logs in at a mail server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailLogin {
    /// By the client's own password.
    #[default]
    Password,
    /// As the master user, who acts for the client's user.
    Master,
    /// SMTP: the user is named in XCLIENT, which Postfix takes for a login. The gateway must have verified the password itself.
    Xclient,
    /// Not at all.
    None,
}

/// A user that may log in as anybody.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Master {
    /// Its name.
    pub user: String,
    /// File with its password, in the first line.
    pub password_file: Spanned<PathBuf>,
}
