//! A gateway in front of two upstreams, for the tests of messages that are for both.

use std::net::SocketAddr;

use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::{Alb, SessionLog};

/// One recipient of each upstream.
pub const BOTH: &str =
    "MAIL FROM:<carol@sender.test>\r\nRCPT TO:<bob@gov.example>\r\nRCPT TO:<eve@other.example>\r\n";
pub const MAIL: &str = "From: carol@sender.test\r\nSubject: hello\r\n\r\nhi\r\n";

const CONFIG: &str = r#"
    [[mail]]
    name = "mx"
    protocol = "smtp"
    listen = ["$mx"]
    upstream = "one"
    hostname = "mail.test"
    KEYS
    [mail.smtp]
    POLICY
    [mail.smtp.mx]
    relay_domains = ["gov.example", "other.example"]
    upstreams = { "other.example" = "two" }
    MULTI
    [upstream.one]
    peers = ["$one"]
    UPSTREAM
    [upstream.two]
    peers = ["$two"]
    UPSTREAM
    TABLES
"#;

/// What a test changes.
#[derive(Default)]
pub struct Gateway<'g> {
    /// Further keys of the listener.
    pub keys: &'g str,
    /// Further keys of `[mail.smtp]`.
    pub policy: &'g str,
    /// Keys of both upstreams.
    pub upstream: &'g str,
    /// Further tables.
    pub tables: &'g str,
    /// Messages go to one upstream only.
    pub defer: bool,
}

impl Gateway<'_> {
    /// Starts it in front of these servers.
    pub async fn start(&self, one: SocketAddr, two: SocketAddr) -> (Alb, SessionLog) {
        let log = SessionLog::new();
        let multi = if self.defer {
            ""
        } else {
            "multi_pool = \"fanout\""
        };
        let tables = format!(
            "[log]\nmail = {{ file = \"{log}\", format = \"json\" }}\n{}",
            self.tables
        );
        let config = CONFIG
            .replace("KEYS", self.keys)
            .replace("POLICY", self.policy)
            .replace("MULTI", multi)
            .replace("UPSTREAM", self.upstream)
            .replace("TABLES", &tables);
        let alb = Alb::new().place("one", one).place("two", two);
        (alb.start(&config).await, log)
    }
}

/// A client that has said hello.
pub async fn sender(alb: &Alb) -> LineClient {
    let mut client = LineClient::connect(alb.address("mx")).await;
    client.until("220 ").await;
    client.ask("EHLO sender.test", "250 ").await;
    client
}

/// Sends the envelope, of which all is taken, and the message to its end.
pub async fn send(client: &mut LineClient, envelope: &str, message: &str, answer: &str) -> String {
    client.send(format!("{envelope}DATA\r\n")).await;
    client.until("354").await;
    client.send(message).await;
    client.ask(".", answer).await
}
