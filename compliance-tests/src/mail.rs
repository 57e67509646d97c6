//! Mail listeners as the tests write them, and what is said from the greeting to the goodbye.

use std::fmt::{self, Display, Formatter};
use std::net::Ipv4Addr;

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

/// What a client says, and how the answer begins.
pub type Turn = (&'static str, &'static str);

/// A protocol as far as tests speak it from the greeting to the goodbye.
#[derive(Debug)]
pub struct Dialect {
    /// As configurations call it.
    pub name: &'static str,
    /// How a server greets.
    pub greeting: &'static str,
    /// Said at first, and again within TLS.
    pub hello: Option<Turn>,
    /// Asks for TLS.
    pub starttls: Turn,
    /// What a mechanism stands behind.
    pub authenticate: &'static str,
    /// How the prompts of a mechanism begin.
    pub prompt: &'static str,
    /// How the answer to a login that succeeded begins.
    pub welcome: &'static str,
    /// What is offered in the greeting, or in the answer to `hello`, if the server was asked.
    pub learned: &'static str,
    /// Shows that the mailbox is open.
    pub work: &'static [Turn],
    /// `client_info` of an upstream.
    pub told_by: &'static str,
    /// `login` of an upstream for clients that the gateway has verified.
    pub vouched_by: &'static str,
    /// What the server's log says of a user at an address, and of one that the gateway has vouched for.
    pub logged: fn(&str, Ipv4Addr, bool) -> String,
}

/// Mailboxes are at a [`Dovecot`](crate::origin::Dovecot).
pub const IMAP: Dialect = Dialect {
    name: "imap",
    greeting: "* OK",
    hello: None,
    starttls: ("s STARTTLS", "s OK"),
    authenticate: "a AUTHENTICATE",
    prompt: "+",
    welcome: "a OK",
    learned: "LITERAL+",
    work: &[("b SELECT INBOX", "b OK"), ("c LOGOUT", "c OK")],
    told_by: "id",
    vouched_by: MASTER,
    logged: |user, ip, _| {
        format!("imap-login: Info: Login: user=<{user}>, method=PLAIN, rip={ip},")
    },
};

/// Mailboxes are at a [`Dovecot`](crate::origin::Dovecot).
pub const POP3: Dialect = Dialect {
    name: "pop3",
    greeting: "+OK",
    hello: None,
    starttls: ("STLS", "+OK"),
    authenticate: "AUTH",
    prompt: "+ ",
    welcome: "+OK",
    learned: "",
    work: &[("STAT", "+OK 0"), ("QUIT", "+OK")],
    told_by: "xclient",
    vouched_by: MASTER,
    logged: |user, ip, _| {
        format!("pop3-login: Info: Login: user=<{user}>, method=PLAIN, rip={ip},")
    },
};

/// Submission, to a [`Postfix`](crate::origin::Postfix).
pub const SMTP: Dialect = Dialect {
    name: "smtp",
    greeting: "220 ",
    hello: Some(("EHLO client.test", "250 ")),
    starttls: ("STARTTLS", "220 "),
    authenticate: "AUTH",
    prompt: "334",
    welcome: "235 2.7.0",
    learned: "250-DSN",
    work: &[
        ("MAIL FROM:<alice@gov.example>", "250 2.1.0"),
        ("RCPT TO:<bob@gov.example>", "250 2.1.5"),
        ("DATA", "354"),
        ("Subject: x\r\n\r\nx\r\n.", "250 2.0.0"),
        ("QUIT", "221"),
    ],
    told_by: "xclient",
    vouched_by: "login = \"xclient\"",
    logged: |user, ip, vouched| {
        let method = if vouched { "XCLIENT" } else { "PLAIN" };
        format!("client=unknown[{ip}], sasl_method={method}, sasl_username={user}")
    },
};

/// For the master user of [`Dovecot`](crate::origin::Dovecot), whose password is in `gw.pw`.
const MASTER: &str =
    "login = \"master\", master = { user = \"gateway\", password_file = \"gw.pw\" }";

/// In base64.
pub fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

/// The message of SASL PLAIN for this user, in base64.
pub fn plain(user: &str, password: &str) -> String {
    encoded(&format!("\0{user}\0{password}"))
}
