//! Which of a server's replies answers what, and how it goes to the client: in the order of the commands, with the
//! gateway's own replies between them. No I/O.

use std::collections::VecDeque;
use std::iter;

use bytes::BytesMut;

use super::reply::Reply;
use crate::capabilities::Offers;
use crate::service::Service;

/// Keywords of EHLO that may be offered to clients. Never those by which servers believe who a client is.
const PASSED_ON: [&str; 8] = [
    "SIZE",
    "8BITMIME",
    "SMTPUTF8",
    "DSN",
    "CHUNKING",
    "BINARYMIME",
    "PIPELINING",
    "ENHANCEDSTATUSCODES",
];

/// The same but for messages that are no lines, which go on by DATA only.
const PASSED_ON_LINES: [&str; 7] = [
    "SIZE",
    "8BITMIME",
    "SMTPUTF8",
    "DSN",
    "CHUNKING",
    "PIPELINING",
    "ENHANCEDSTATUSCODES",
];

/// What a reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// EHLO: its keywords are filtered.
    Ehlo,
    /// MAIL.
    Mail,
    /// MAIL that the client believes has been accepted (MX mode).
    HeldMail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// The end of a message.
    End,
    /// A chunk, and whether it was the last.
    Chunk(bool),
    /// QUIT.
    Quit,
    /// Anything else that changes nothing.
    Other,
}

/// What is waited for, in order.
#[derive(Debug, Default)]
pub struct Replies {
    waiting: VecDeque<Waiting>,
    /// The server's refusal of a held MAIL, which is the answer to its recipients.
    refused_mail: Option<BytesMut>,
}

#[derive(Debug)]
enum Waiting {
    Server(Asked),
    Ours(String),
}

impl Replies {
    /// The server will answer this.
    pub fn ask(&mut self, asked: Asked) {
        if asked == Asked::Mail {
            self.refused_mail = None;
        }
        self.waiting.push_back(Waiting::Server(asked));
    }

    /// The gateway answers this itself, when it is its turn.
    pub fn answer(&mut self, reply: &str) {
        self.waiting
            .push_back(Waiting::Ours(format!("{reply}\r\n")));
    }

    /// What the next reply of the server answers.
    pub fn next(&self) -> Option<Asked> {
        self.waiting.iter().find_map(|waiting| match waiting {
            Waiting::Server(asked) => Some(*asked),
            Waiting::Ours(_) => None,
        })
    }

    /// How many replies are due.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Moves the gateway's own replies that are due to `out`.
    pub fn settle(&mut self, out: &mut BytesMut) {
        while let Some(Waiting::Ours(reply)) = self.waiting.front() {
            out.extend_from_slice(reply.as_bytes());
            self.waiting.pop_front();
        }
    }

    /// Takes a reply of the server: what it answers, with its words on their way to the client in `out`. `None` for a
    /// reply that nobody asked for.
    pub fn take(
        &mut self,
        reply: &Reply,
        offers: &Offers,
        hostname: &str,
        out: &mut BytesMut,
    ) -> Option<Asked> {
        self.settle(out);
        let Some(Waiting::Server(asked)) = self.waiting.pop_front() else {
            out.extend_from_slice(&reply.raw);
            return None;
        };
        match (asked, &self.refused_mail) {
            (Asked::Ehlo, _) if reply.is_positive() => {
                out.extend_from_slice(ehlo(hostname, offers, iter::empty()).as_bytes())
            }
            (Asked::HeldMail, _) => {
                self.refused_mail = (!reply.is_positive()).then(|| reply.raw.clone())
            }
            (Asked::Rcpt, Some(refusal)) => out.extend_from_slice(refusal),
            _ => out.extend_from_slice(&reply.raw),
        }
        self.settle(out);
        Some(asked)
    }
}

/// The reply to EHLO.
pub fn ehlo(hostname: &str, offers: &Offers, own: impl Iterator<Item = String>) -> String {
    let mut reply = String::with_capacity(256);
    let mut last = 0;
    let mut add = |line: &str| {
        last = reply.len();
        for part in ["250-", line, "\r\n"] {
            reply.push_str(part);
        }
    };
    add(hostname);
    offers.iter().for_each(&mut add);
    own.for_each(|line| add(&line));
    reply.replace_range(last..last + 4, "250 ");
    reply
}

/// What a listener offers to clients of what servers offer, with the smaller of both sizes. Where a server has no SIZE its
/// parameter would not be understood. Messages that are kept are lines.
pub fn passed_on(servers: &Offers, service: &Service) -> Offers {
    let passed = match service.store {
        Some(_) => &PASSED_ON_LINES[..],
        None => &PASSED_ON[..],
    };
    filtered(servers, *service.settings.smtp.max_size, passed)
}

fn filtered(servers: &Offers, max_size: u64, passed: &[&str]) -> Offers {
    let own = Offers::from_iter([format!("SIZE {max_size}")]);
    let size = own.common(servers);
    let is_passed = |line: &&str| {
        let keyword = line.split(' ').next().unwrap_or(line);
        let is = |other: &str| keyword.eq_ignore_ascii_case(other);
        !is("SIZE") && passed.iter().any(|passed| is(passed))
    };
    let rest = servers.iter().filter(is_passed);
    size.iter().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply::take(&mut BytesMut::from(text))
            .expect("a reply")
            .expect("a whole one")
    }

    fn offers(lines: &[&str]) -> Offers {
        Offers::read(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn our_own_replies_wait_for_their_turn() {
        let (mut replies, mut out) = (Replies::default(), BytesMut::new());
        replies.ask(Asked::Mail);
        replies.answer("500 5.5.1 no");
        replies.settle(&mut out);
        assert!(out.is_empty());
        assert_eq!(
            replies.take(&reply("250 ok\r\n"), &Offers::default(), "h", &mut out),
            Some(Asked::Mail)
        );
        assert_eq!(&out[..], b"250 ok\r\n500 5.5.1 no\r\n");
        assert_eq!(
            replies.take(&reply("421 bye\r\n"), &Offers::default(), "h", &mut out),
            None
        );
    }

    #[test]
    fn what_a_server_offers_is_filtered() {
        let seen = filtered(
            &offers(&[
                "SIZE 10",
                "XCLIENT NAME ADDR",
                "AUTH PLAIN",
                "STARTTLS",
                "VRFY",
                "DSN",
            ]),
            100,
            &PASSED_ON,
        );
        assert_eq!(seen, offers(&["SIZE 10", "DSN"]));
        let of = |lines: &[&str]| filtered(&offers(lines), 100, &PASSED_ON);
        assert_eq!(of(&["SIZE 0"]), offers(&["SIZE 100"]));
        assert_eq!(of(&["DSN"]), offers(&["DSN"]));
        assert_eq!(
            ehlo("h", &seen, iter::once("STARTTLS".to_owned())),
            "250-h\r\n250-SIZE 10\r\n250-DSN\r\n250 STARTTLS\r\n"
        );
    }

    #[test]
    fn the_refusal_of_a_held_sender_answers_its_recipients() {
        let (mut replies, mut out) = (Replies::default(), BytesMut::new());
        replies.ask(Asked::HeldMail);
        replies.ask(Asked::Rcpt);
        replies.take(
            &reply("553 no sender\r\n"),
            &Offers::default(),
            "h",
            &mut out,
        );
        replies.take(
            &reply("503 mail first\r\n"),
            &Offers::default(),
            "h",
            &mut out,
        );
        assert_eq!(&out[..], b"553 no sender\r\n");
    }
}
