//! Clients and servers that leave, in every state of a session: the other side is told what there is to tell, the log says
//! who left, and nothing is left behind: no connection to a server, no place of the listener.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use alb_compliance_tests::Alb;
use alb_compliance_tests::client::raw::Raw;
use alb_compliance_tests::conversation;
use alb_compliance_tests::mail::Listener;
use alb_compliance_tests::origin::line_server::{Act, LEAVE, LineServer, Rule};
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::stopwatch::within;

/// Clients a listener takes at once: more than any of these tests sends to one.
const PLACES: usize = 20;

/// A listener and the server behind it: its name, which begins with the protocol, the greeting if it is not the usual one, and
/// what the server does that others do not.
type Behind = (&'static str, Option<Act>, &'static [Rule]);

const OF_CLIENTS: &[Behind] = &[
    ("smtp", None, &[]),
    ("smtp_early", None, &[]),
    ("smtp_decide", None, &[]),
    ("smtp_mute", Some(Act::Hang), &[]),
    ("smtp_login", None, &[("AUTH", Act::Hang)]),
    ("smtp_slow", None, &[("MAIL", Act::Hang)]),
    ("smtp_dot", None, &[(".\r", Act::Hang)]),
    ("imap", None, &[]),
    ("imap_decide", None, &[]),
    ("imap_mute", Some(Act::Hang), &[]),
    ("imap_login", None, &[("L ", Act::Hang)]),
    ("pop3", None, &[]),
    ("pop3_decide", None, &[]),
    ("pop3_mute", Some(Act::Hang), &[]),
    ("pop3_login", None, &[("PASS", Act::Hang)]),
];

const XCLIENT: Act = Act::Say("250-server.test\r\n250-XCLIENT ADDR\r\n250 AUTH PLAIN\r\n");
const STARTTLS: Act = Act::Say("250-server.test\r\n250 STARTTLS\r\n");

const OF_SERVERS: &[Behind] = &[
    ("smtp_greeting", Some(LEAVE), &[]),
    ("smtp_half", Some(Act::Last("22")), &[]),
    ("smtp_no", Some(Act::Say("554 go away\r\n")), &[]),
    (
        "smtp_ehlo",
        None,
        &[("EHLO", Act::Last("250-server.test\r\n250"))],
    ),
    (
        "smtp_xclient",
        None,
        &[("EHLO", XCLIENT), ("XCLIENT", LEAVE)],
    ),
    ("smtp_auth", None, &[("AUTH", Act::Last("235 2.7.0 i"))]),
    (
        "smtp_starttls",
        None,
        &[("EHLO", STARTTLS), ("STARTTLS", LEAVE)],
    ),
    (
        "smtp_inject",
        None,
        &[
            ("EHLO", STARTTLS),
            ("STARTTLS", Act::Say("220 go on\r\n250 more\r\n")),
        ],
    ),
    (
        "smtp",
        None,
        &[
            ("MAIL FROM:<leave@", LEAVE),
            ("MAIL FROM:<half@", Act::Last("250-2.1.0 a\r\n250 2")),
            ("MAIL FROM:<garbage@", Act::Say("25 \r\n")),
            ("MAIL FROM:<busy@", Act::Last("421 4.3.2 Going\r\n")),
            ("RCPT TO:<leave@", LEAVE),
            ("LEAVE", LEAVE),
        ],
    ),
    ("smtp_data", None, &[("DATA", LEAVE)]),
    (
        "smtp_refusing",
        None,
        &[("DATA", Act::Say("554 5.5.1 no\r\n"))],
    ),
    ("smtp_lastdot", None, &[(".\r", LEAVE)]),
    ("smtp_bdat", None, &[("BDAT", LEAVE)]),
    ("imap", None, &[("b LEAVE", LEAVE)]),
    ("imap_greeting", Some(LEAVE), &[]),
    (
        "imap_preauth",
        Some(Act::Say("* PREAUTH [CAPABILITY IMAP4rev1] hello\r\n")),
        &[],
    ),
    (
        "imap_disabled",
        Some(Act::Say(
            "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hello\r\n",
        )),
        &[],
    ),
    (
        "imap_auth",
        None,
        &[("L ", Act::Last("* CAPABILITY IMAP4rev1\r\nL O"))],
    ),
    ("imap_bye", None, &[("L ", Act::Last("* BYE going\r\n"))]),
    (
        "imap_stray",
        None,
        &[("L ", Act::Say("a OK stray\r\nL OK in\r\n"))],
    ),
    ("imap_half", Some(Act::Last("* O")), &[]),
    ("imap_xclient", None, &[("I ID", LEAVE)]),
    ("imap_starttls", None, &[("S ", LEAVE)]),
    (
        "imap_inject",
        None,
        &[("S ", Act::Say("S OK go on\r\n* more\r\n"))],
    ),
    ("pop3", None, &[("LEAVE", LEAVE)]),
    ("pop3_greeting", Some(LEAVE), &[]),
    ("pop3_capa", None, &[("CAPA", Act::Last("+OK\r\nUSER\r\n"))]),
    ("pop3_auth", None, &[("PASS", LEAVE)]),
    ("pop3_half", Some(Act::Last("+O")), &[]),
    (
        "pop3_xclient",
        Some(Act::Say("+OK [XCLIENT] server.test\r\n")),
        &[
            ("CAPA", Act::Say("+OK\r\nUSER\r\n.\r\n")),
            ("XCLIENT", LEAVE),
        ],
    ),
    ("pop3_user", None, &[("USER", LEAVE)]),
    ("pop3_starttls", None, &[("STLS", LEAVE)]),
    (
        "pop3_inject",
        None,
        &[("STLS", Act::Say("+OK go on\r\n+OK more\r\n"))],
    ),
];

/// One daemon before all of them.
struct Place {
    alb: Alb,
    /// By the name of the listener before it.
    servers: HashMap<&'static str, LineServer>,
    /// Never decides about the logins of listeners whose names end with `decide`.
    decider: LineServer,
}

impl Place {
    async fn new(pki: &Pki, behind: &[Behind]) -> Self {
        let decider = LineServer::start(Act::Hang, &[]).await;
        let mut config = format!(
            "[mail_auth.slow]\nhttp = {{ upstream = \"decider\", timeout = \"1s\" }}\n[upstream.decider]\npeers = [\"$decider\"]\n{}",
            pki::IDENTITIES
        );
        let mut alb = Alb::new()
            .place("pki", pki)
            .place("decider", decider.address());
        let mut servers = HashMap::new();
        for (name, greeting, rules) in behind {
            let server = match (name.split('_').next(), greeting) {
                (_, Some(greeting)) => LineServer::start(*greeting, rules).await,
                (Some("smtp"), None) => LineServer::smtp(rules).await,
                (Some("imap"), None) => LineServer::imap(rules).await,
                _ => LineServer::pop3(rules).await,
            };
            alb = alb.place(&format!("at_{name}"), server.address());
            servers.insert(*name, server);
            config += &section(name);
        }
        let alb = alb.start(&config).await;
        Self {
            alb,
            servers,
            decider,
        }
    }

    /// Holds all conversations, each from an address of its own.
    async fn hold(&self, text: &str, network: u8) {
        for (number, conversation) in conversation::read(text).iter().enumerate() {
            let number = u8::try_from(number + 1).expect("few conversations");
            let from = Ipv4Addr::new(127, 9, network, number);
            let listener = conversation.listener.as_str();
            let server = match listener.ends_with("decide") {
                true => &self.decider,
                false => &self.servers[listener],
            };
            conversation.hold(&self.alb, from, server.heard()).await;
        }
        for listener in self.servers.keys() {
            let what = format!("all places of {listener}");
            within(&what, self.fill(listener)).await;
        }
        for server in self.servers.values().chain([&self.decider]) {
            server.deserted().await;
        }
    }

    /// Takes every place of a listener. A session that has ended gives its place back a moment later than it says so.
    async fn fill(&self, listener: &str) {
        let mut clients = Vec::new();
        while clients.len() < PLACES {
            let mut fresh = Vec::new();
            for _ in clients.len()..PLACES {
                fresh.push(Raw::connect(self.alb.address(listener)).await);
            }
            for mut client in fresh {
                if !client.read_until("\r\n").await.is_empty() {
                    clients.push(client);
                }
            }
        }
    }
}

/// Whether the server of this listener is asked for STARTTLS.
fn in_tls(name: &str) -> bool {
    name.ends_with("inject") || name.ends_with("starttls")
}

/// A listener and its upstream.
fn section(name: &str) -> String {
    let (protocol, offers, told_by) = match name.split('_').next() {
        Some("smtp") => ("smtp", "DSN", "xclient"),
        Some("imap") => ("imap", "IDLE", "id"),
        _ => ("pop3", "UTF8", "xclient"),
    };
    let offers = match name.ends_with("xclient") || in_tls(name) || name.starts_with("imap_") {
        true => "X-NONE",
        false => offers,
    };
    let mut listener = Listener::new(name, protocol, "none", name)
        .with(&format!(
            "plaintext_auth = true\nmax_connections = {PLACES}"
        ))
        .with(&format!("capabilities = [\"{offers}\"]"));
    listener = match name {
        "smtp_early" => listener.table("[mail.smtp]\ngreeting_delay = \"1s\""),
        _ if name.ends_with("decide") => listener.with("auth = \"slow\""),
        // Whoever has been shown a password is heard out, even if the client does not wait.
        "smtp_login" | "imap_login" | "pop3_login" => {
            listener.with("timeouts = { server = \"1s\" }")
        }
        _ => listener,
    };
    let told_by = if name.ends_with("xclient") {
        told_by
    } else {
        "none"
    };
    let (starttls, tls) = match in_tls(name) {
        true => (
            true,
            "tls = { ca = [\"$pki/ca.pem\"], server_name = \"localhost\" }",
        ),
        false => (false, ""),
    };
    format!(
        "{listener}[upstream.{name}]\npeers = [\"$at_{name}\"]\nmax_fails = 1000\n{tls}\n\
         mail = {{ client_info = \"{told_by}\", starttls = {starttls} }}\n"
    )
}

#[tokio::test]
async fn clients_may_leave_in_every_state() {
    let pki = Pki::new();
    let place = Place::new(&pki, OF_CLIENTS).await;
    place.hold(include_str!("mail_ends/clients.txt"), 1).await;
}

#[tokio::test]
async fn servers_may_leave_in_every_state() {
    let pki = Pki::new();
    let place = Place::new(&pki, OF_SERVERS).await;
    place.hold(include_str!("mail_ends/servers.txt"), 2).await;
}
