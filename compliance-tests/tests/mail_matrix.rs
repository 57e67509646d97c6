//! Every way to a mailbox: protocol, how TLS begins, its version, mechanism, and how the server is reached; through one
//! daemon, at a real Dovecot and a real Postfix, whose logs have to name the user and the address of every client.
//!
//! TLCP, which neither server speaks, ends at a stream of the same daemon that stands before them.

use std::net::{Ipv4Addr, SocketAddr};

use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::mail::{Dialect, IMAP, Listener, POP3, SMTP, encoded, plain};
use alb_compliance_tests::origin::dovecot::PASSWORD;
use alb_compliance_tests::origin::{Dovecot, Postfix};
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::process::Process;
use alb_compliance_tests::stopwatch::within;
use alb_compliance_tests::{Alb, Offer};
use alb_gm::tls::Protocol;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    Plain,
    Login,
    /// The certificate is the login: alice's over TLCP, bob's over TLS.
    External,
}

const MODES: [&str; 2] = ["implicit", "starttls"];
const VERSIONS: [Protocol; 3] = [Protocol::Tls12, Protocol::Tls13, Protocol::Tlcp];
const MECHANISMS: [Mechanism; 3] = [Mechanism::Plain, Mechanism::Login, Mechanism::External];

/// How a server is reached: the place of its address, and the lines of its upstream.
const BACKENDS: [(&str, &str, &str); 4] = [
    ("plain", "$clear", ""),
    ("starttls", "$clear", OF_TLS),
    ("tls", "$protected", OF_TLS),
    (
        "tlcp",
        "$tlcp",
        "tls = { protocols = [\"tlcp\"], ca = [\"$pki/gm-ca.pem\"], server_name = \"localhost\" }",
    ),
];
const OF_TLS: &str = "tls = { ca = [\"$pki/ca.pem\"], server_name = \"localhost\" }";

/// The stream that ends TLCP, and who says what certificates stand for.
const BEHIND: &str = r#"
[[stream]]
listen = ["$tlcp"]
upstream = "behind"
tls = { protocols = ["tlcp"], identities = ["gm"] }
[upstream.behind]
peers = ["$clear"]
[mail_auth.certificates]
certificate = { from = "common-name" }
"#;

/// A session of the matrix.
#[derive(Clone, Copy, Debug)]
struct Cell {
    mode: &'static str,
    version: Protocol,
    mechanism: Mechanism,
    backend: &'static str,
    /// Whence its client comes, like no other.
    from: Ipv4Addr,
}

impl Cell {
    /// All of them.
    fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for mode in MODES {
            for version in VERSIONS {
                for mechanism in MECHANISMS {
                    for (backend, ..) in BACKENDS {
                        let number = u8::try_from(cells.len() + 1).expect("72 cells");
                        cells.push(Self {
                            mode,
                            version,
                            mechanism,
                            backend,
                            from: Ipv4Addr::new(127, 7, 0, number),
                        });
                    }
                }
            }
        }
        cells
    }

    fn listener(&self) -> String {
        let vouched = self.mechanism == Mechanism::External;
        listener_name(self.mode, self.backend, vouched)
    }

    fn user(&self) -> &'static str {
        match (self.mechanism, self.version) {
            (Mechanism::Plain, _) | (Mechanism::External, Protocol::Tlcp) => "alice",
            _ => "bob",
        }
    }

    fn offer(&self, pki: &Pki) -> Offer {
        let offer = Offer::new(pki, &[self.version]);
        match (self.mechanism, self.version) {
            (Mechanism::External, Protocol::Tlcp) => offer.pair(pki, "client"),
            (Mechanism::External, _) => offer.certificate(pki, "client"),
            _ => offer,
        }
    }

    /// From the connection to the goodbye.
    async fn go(&self, dialect: &Dialect, alb: &Alb, pki: &Pki) {
        let at = alb.address(&self.listener());
        let mut client = LineClient::connect_from(self.from, at).await;
        if self.mode == "implicit" {
            client.shake(&self.offer(pki)).await;
        }
        client.until(dialect.greeting).await;
        if self.mode == "starttls" {
            let turns = dialect.hello.iter().chain([&dialect.starttls]);
            for (line, answer) in turns {
                client.ask(line, answer).await;
            }
            client.shake(&self.offer(pki)).await;
        }
        if let Some((line, answer)) = dialect.hello {
            client.ask(line, answer).await;
        }
        self.log_in(dialect, &mut client).await;
        for (line, answer) in dialect.work {
            client.ask(line, answer).await;
        }
    }

    async fn log_in(&self, dialect: &Dialect, client: &mut LineClient) {
        let Dialect {
            authenticate,
            prompt,
            welcome,
            ..
        } = dialect;
        match self.mechanism {
            Mechanism::Plain => {
                let message = plain(self.user(), PASSWORD);
                let line = format!("{authenticate} PLAIN {message}");
                client.ask(&line, welcome).await;
            }
            Mechanism::Login => {
                client.ask(&format!("{authenticate} LOGIN"), prompt).await;
                client.ask(&encoded(self.user()), prompt).await;
                client.ask(&encoded(PASSWORD), welcome).await;
            }
            Mechanism::External => {
                let line = format!("{authenticate} EXTERNAL =");
                client.ask(&line, welcome).await;
            }
        }
    }
}

fn listener_name(mode: &str, backend: &str, vouched: bool) -> String {
    format!(
        "{mode}_{backend}_{}",
        if vouched { "vouched" } else { "asked" }
    )
}

/// A listener and an upstream for each mode, backend, and way to log in there.
fn config(dialect: &Dialect) -> String {
    let mut config = format!("{BEHIND}{}", pki::IDENTITIES);
    for vouched in [false, true] {
        for (backend, peer, tls) in BACKENDS {
            let upstream = format!("{backend}_{vouched}");
            let login = if vouched {
                dialect.vouched_by
            } else {
                "login = \"password\""
            };
            config += &format!(
                "[upstream.{upstream}]\npeers = [\"{peer}\"]\n{tls}\n\
                 mail = {{ starttls = {}, client_info = \"{}\", {login} }}\n",
                backend == "starttls",
                dialect.told_by,
            );
            for mode in MODES {
                let name = listener_name(mode, backend, vouched);
                let listener = Listener::new(&name, dialect.name, mode, &upstream);
                let listener = match vouched {
                    false => listener,
                    true => listener
                        .certificates()
                        .with("mechanisms = [\"external\"]\nauth = \"certificates\""),
                };
                config += &listener.to_string();
            }
        }
    }
    config
}

/// Goes through the matrix, and then through the log of the server.
async fn matrix(
    dialect: &Dialect,
    pki: &Pki,
    server: &Process,
    clear: SocketAddr,
    protected: SocketAddr,
) {
    let alb = Alb::new()
        .place("pki", pki)
        .place("clear", clear)
        .place("protected", protected)
        .private_file("gw.pw", "master\n")
        .start(&config(dialect))
        .await;
    let cells = Cell::all();
    for cell in &cells {
        within(&format!("{cell:?}"), cell.go(dialect, &alb, pki)).await;
    }
    for cell in &cells {
        let line = (dialect.logged)(
            cell.user(),
            cell.from,
            cell.mechanism == Mechanism::External,
        );
        server.wait_for(&line).await;
    }
}

#[tokio::test]
async fn every_way_leads_to_a_mailbox_by_imap() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    matrix(
        &IMAP,
        &pki,
        dovecot.process(),
        dovecot.imap(),
        dovecot.imaps(),
    )
    .await;
}

#[tokio::test]
async fn every_way_leads_to_a_mailbox_by_pop3() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    matrix(
        &POP3,
        &pki,
        dovecot.process(),
        dovecot.pop3(),
        dovecot.pop3s(),
    )
    .await;
}

#[tokio::test]
async fn every_way_leads_to_submission_by_smtp() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let postfix = Postfix::start(&pki, &dovecot).await;
    let (clear, protected) = (postfix.submission(), postfix.smtps());
    matrix(&SMTP, &pki, postfix.process(), clear, protected).await;
}

/// The client is named by a PROXY header instead: before the server's greeting, in one segment, or Dovecot would
/// reset the connection.
#[tokio::test]
async fn a_proxy_header_names_the_client_too() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let postfix = Postfix::start(&pki, &dovecot).await;
    let mut config = pki::IDENTITIES.to_owned();
    let protocols = [
        (&IMAP, dovecot.imap_proxied()),
        (&POP3, dovecot.pop3_proxied()),
        (&SMTP, postfix.proxied()),
    ];
    let mut alb = Alb::new().place("pki", &pki);
    for (dialect, address) in &protocols {
        alb = alb.place(&format!("{}_server", dialect.name), address);
        for version in ["v1", "v2"] {
            let name = format!("{}_{version}", dialect.name);
            config += &format!(
                "[upstream.{name}]\npeers = [\"${}_server\"]\nproxy_protocol = \"{version}\"\n{}",
                dialect.name,
                Listener::new(&name, dialect.name, "implicit", &name),
            );
        }
    }
    let alb = alb.start(&config).await;
    let server = |dialect: &Dialect| match dialect.name {
        "smtp" => postfix.process(),
        _ => dovecot.process(),
    };
    for (number, version) in [(1, "v1"), (2, "v2")] {
        for (dialect, _) in &protocols {
            let from = Ipv4Addr::new(127, 8, 0, number);
            let cell = Cell {
                mode: "implicit",
                version: Protocol::Tlcp,
                mechanism: Mechanism::Plain,
                backend: "plain",
                from,
            };
            let at = alb.address(&format!("{}_{version}", dialect.name));
            let mut client = LineClient::connect_from(from, at).await;
            client.shake(&cell.offer(&pki)).await;
            let mut offered = client.until(dialect.greeting).await;
            if let Some((line, answer)) = dialect.hello {
                offered = client.ask(line, answer).await;
            }
            // What the server can do was asked behind a header, too.
            assert!(offered.contains(dialect.learned), "{version}: {offered}");
            cell.log_in(dialect, &mut client).await;
            for (line, answer) in dialect.work {
                client.ask(line, answer).await;
            }
            server(dialect)
                .wait_for(&(dialect.logged)("alice", from, false))
                .await;
        }
    }
}
