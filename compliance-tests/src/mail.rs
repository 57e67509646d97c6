//! Mail listeners as the tests write them, and what their clients say.

use std::fmt::{self, Display, Formatter};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A `[[mail]]` at `$name` that is called `mail.test` and has the identities `gm` and `tls`.
#[derive(Debug, Clone)]
pub struct Listener {
    name: String,
    protocol: &'static str,
    mode: &'static str,
    upstream: String,
    tls: String,
    keys: String,
    tables: String,
}

impl Listener {
    /// One within TLS (`mode`: `implicit`, `starttls`, `optional`), or `none`.
    pub fn new(name: &str, protocol: &'static str, mode: &'static str, upstream: &str) -> Self {
        Self {
            name: name.to_owned(),
            protocol,
            mode,
            upstream: upstream.to_owned(),
            tls: String::new(),
            keys: String::new(),
            tables: String::new(),
        }
    }

    /// With these lines of `[[mail]]` besides; they stand before all tables.
    pub fn with(mut self, keys: &str) -> Self {
        self.keys += keys;
        self.keys.push('\n');
        self
    }

    /// With these tables, such as `[mail.smtp]`, besides.
    pub fn table(mut self, tables: &str) -> Self {
        self.tables += tables;
        self.tables.push('\n');
        self
    }

    /// Clients may show a certificate of `gm-ca` or `ca`.
    pub fn certificates(mut self) -> Self {
        self.tls =
            ", client_auth = { mode = \"optional\", ca = [\"$pki/gm-ca.pem\", \"$pki/ca.pem\"] }"
                .to_owned();
        self
    }
}

impl Display for Listener {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            protocol,
            mode,
            upstream,
            tls,
            keys,
            tables,
        } = self;
        writeln!(
            f,
            "[[mail]]\nname = \"{name}\"\nprotocol = \"{protocol}\"\nlisten = [\"${name}\"]\n\
             upstream = \"{upstream}\"\nhostname = \"mail.test\"\n{keys}"
        )?;
        if *mode != "none" {
            writeln!(
                f,
                "tls = {{ identities = [\"gm\", \"tls\"], mode = \"{mode}\"{tls} }}"
            )?;
        }
        f.write_str(tables)
    }
}

/// In base64.
pub fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

/// The message of SASL PLAIN for this user, in base64.
pub fn plain(user: &str, password: &str) -> String {
    encoded(&format!("\0{user}\0{password}"))
}
