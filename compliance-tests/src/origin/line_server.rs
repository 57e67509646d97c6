//! A mail server by script: it answers lines by how they begin, and falls silent or leaves where it is told to.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::origin::Script;
use crate::process::Lines;
use crate::stopwatch::within;

/// What the server does at the greeting, or about a line.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// Says this.
    Say(&'static str),
    /// Says this and leaves.
    Last(&'static str),
    /// Does not do anything any more until the peer has left.
    Hang,
}

/// Leaves without a word.
pub const LEAVE: Act = Act::Last("");

/// How a line begins, and what is done about it. A line that no rule is about is heard and not answered: a part of a
/// message, say.
pub type Rule = (&'static str, Act);

/// A running server; dropping it ends it.
#[derive(Debug)]
pub struct LineServer {
    script: Script,
    open: watch::Sender<usize>,
    heard: Lines,
}

impl LineServer {
    /// Starts it; the first rule that fits is the one that counts.
    pub async fn start(greeting: Act, rules: &[Rule]) -> Self {
        let (open, heard) = (watch::Sender::new(0), Lines::default());
        let (rules, counted, hearing) = (rules.to_vec(), open.clone(), heard.clone());
        let script = Script::start(move |stream| {
            let (rules, counted, hearing) = (rules.clone(), counted.clone(), hearing.clone());
            async move {
                stream.set_nodelay(true).expect("an option of TCP");
                counted.send_modify(|open| *open += 1);
                hearing.push("connected".to_owned());
                converse(BufStream::new(stream), greeting, &rules, &hearing).await;
                counted.send_modify(|open| *open -= 1);
            }
        })
        .await;
        Self {
            script,
            open,
            heard,
        }
    }

    /// An SMTP server that takes everything, but for these rules, which come first.
    pub async fn smtp(first: &[Rule]) -> Self {
        Self::start(Act::Say("220 server.test ESMTP\r\n"), &with(first, &SMTP)).await
    }

    /// An IMAP server that takes every login, but for these rules, which come first.
    pub async fn imap(first: &[Rule]) -> Self {
        let greeting = Act::Say(
            "* OK [CAPABILITY IMAP4rev1 SASL-IR ID LITERAL+ ENABLE IDLE AUTH=PLAIN] server.test\r\n",
        );
        Self::start(greeting, &with(first, &IMAP)).await
    }

    /// A POP3 server that takes every login, but for these rules, which come first.
    pub async fn pop3(first: &[Rule]) -> Self {
        Self::start(Act::Say("+OK server.test\r\n"), &with(first, &POP3)).await
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.script.address()
    }

    /// Every line it has heard, and `connected` for every connection.
    pub fn heard(&self) -> &Lines {
        &self.heard
    }

    /// Waits until nobody is connected.
    pub async fn deserted(&self) {
        let mut open = self.open.subscribe();
        let nobody = open.wait_for(|open| *open == 0);
        within("the gateway to leave a server", nobody)
            .await
            .expect("a server");
    }
}

const SMTP: [Rule; 12] = [
    (
        "EHLO",
        Act::Say(
            "250-server.test\r\n250-SIZE 0\r\n250-PIPELINING\r\n250-DSN\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250 AUTH PLAIN\r\n",
        ),
    ),
    ("AUTH", Act::Say("235 2.7.0 in\r\n")),
    ("MAIL", Act::Say("250 2.1.0 sender\r\n")),
    ("RCPT", Act::Say("250 2.1.5 recipient\r\n")),
    ("DATA", Act::Say("354 go on\r\n")),
    (".\r", Act::Say("250 2.0.0 queued\r\n")),
    ("BDAT", Act::Say("250 2.0.0 chunk\r\n")),
    ("RSET", Act::Say("250 2.0.0 reset\r\n")),
    ("NOOP", Act::Say("250 2.0.0 noop\r\n")),
    ("HELO", Act::Say("250 server.test\r\n")),
    ("STARTTLS", Act::Say("220 go on\r\n")),
    ("QUIT", Act::Last("221 2.0.0 bye\r\n")),
];

const IMAP: [Rule; 6] = [
    ("I ID", Act::Say("* ID NIL\r\nI OK\r\n")),
    ("L AUTHENTICATE", Act::Say("L OK in\r\n")),
    (
        "C CAPABILITY",
        Act::Say("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nC OK\r\n"),
    ),
    ("S STARTTLS", Act::Say("S OK go on\r\n")),
    ("b NOOP", Act::Say("b OK noop\r\n")),
    ("b LOGOUT", Act::Last("* BYE\r\nb OK bye\r\n")),
];

const POP3: [Rule; 6] = [
    ("CAPA", Act::Say("+OK\r\nUSER\r\nUTF8\r\n.\r\n")),
    ("USER", Act::Say("+OK\r\n")),
    ("PASS", Act::Say("+OK in\r\n")),
    ("STLS", Act::Say("+OK go on\r\n")),
    ("NOOP", Act::Say("+OK noop\r\n")),
    ("QUIT", Act::Last("+OK bye\r\n")),
];

fn with(first: &[Rule], rest: &[Rule]) -> Vec<Rule> {
    [first, rest].concat()
}

async fn converse(mut stream: BufStream<TcpStream>, greeting: Act, rules: &[Rule], heard: &Lines) {
    let mut act = Some(greeting);
    let mut hangs = false;
    loop {
        let (said, last) = match act {
            Some(Act::Say(text)) => (text, false),
            Some(Act::Last(text)) => (text, true),
            Some(Act::Hang) => {
                hangs = true;
                ("", false)
            }
            None => ("", false),
        };
        // The gateway may have left: then the next line does not come.
        let _ = stream.write_all(said.as_bytes()).await;
        let _ = stream.flush().await;
        if last {
            return;
        }
        let mut line = Vec::new();
        if matches!(stream.read_until(b'\n', &mut line).await, Ok(0) | Err(_)) {
            return;
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        let rule = rules.iter().find(|(start, _)| line.starts_with(start));
        act = rule.map(|(_, act)| *act).filter(|_| !hangs);
        heard.push(line);
    }
}
