//! Mail servers that know every user and every word: what a gateway logs in to. They answer from memory, in one write per
//! read, and keep nothing.

use std::io;
use std::rc::Rc;

use memchr::memchr;

use super::Protocol;
use super::wire::{Bulk, Wire};

/// A connection to a server.
pub struct Server {
    protocol: Protocol,
    /// A line that is not whole.
    partial: Vec<u8>,
    /// IMAP: the tag of a command that goes on behind a literal.
    literal: Option<Vec<u8>>,
    /// SMTP: the last bytes of the message that is coming in.
    message: Option<[u8; END.len()]>,
}

/// Whether a connection goes on.
pub type Goes = bool;

/// What ends a message.
const END: &[u8] = b"\r\n.\r\n";

/// Bytes of what FETCH is answered with, in blocks.
pub const BLOCK: usize = 256 * 1024;
const BLOCKS: usize = 16;
const FETCH_TAIL: &[u8] = b")\r\nf OK FETCH completed\r\n";

/// What an IMAP server with Dovecot's manners offers before the login.
const IMAP_OFFERS: &str =
    "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN AUTH=LOGIN";
const POP3_OFFERS: &str = "+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nAUTH-RESP-CODE\r\nUSER\r\nSASL PLAIN LOGIN\r\n.\r\n";
const SMTP_OFFERS: &str = "250-load\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250-ENHANCEDSTATUSCODES\r\n250 DSN\r\n";

/// The beginning of the answer to FETCH.
fn fetch_head() -> String {
    format!("* 1 FETCH (BODY[] {{{}}}\r\n", BLOCK * BLOCKS)
}

/// Bytes of the whole answer to FETCH.
pub fn fetch_length() -> usize {
    fetch_head().len() + BLOCK * BLOCKS + FETCH_TAIL.len()
}

impl Server {
    /// A server that greets.
    pub fn greet(protocol: Protocol, wire: &mut Wire) -> io::Result<Self> {
        wire.send(match protocol {
            Protocol::Imap => b"* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN AUTH=LOGIN] load ready.\r\n",
            Protocol::Pop3 => b"+OK load ready.\r\n",
            Protocol::Smtp => b"220 load ESMTP\r\n",
        })?;
        Ok(Server {
            protocol,
            partial: Vec::new(),
            literal: None,
            message: None,
        })
    }

    /// Answers what has come.
    pub fn take(
        &mut self,
        mut bytes: &[u8],
        wire: &mut Wire,
        block: &Rc<[u8]>,
    ) -> io::Result<Goes> {
        let mut answer = Vec::new();
        let mut goes = true;
        while !bytes.is_empty() && goes {
            if let Some(last) = &mut self.message {
                if ends(last, bytes) {
                    self.message = None;
                    answer.extend_from_slice(b"250 2.0.0 Ok: queued as 4cB1Qx2yJz1xyz\r\n");
                }
                break;
            }
            let Some(end) = memchr(b'\n', bytes) else {
                self.partial.extend_from_slice(bytes);
                break;
            };
            let (line, rest) = bytes.split_at(end + 1);
            bytes = rest;
            if self.partial.is_empty() {
                goes = self.line(line, &mut answer, wire, block)?;
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                goes = self.line(&whole, &mut answer, wire, block)?;
            }
        }
        if !answer.is_empty() {
            wire.send(&answer)?;
        }
        Ok(goes)
    }

    fn line(
        &mut self,
        line: &[u8],
        answer: &mut Vec<u8>,
        wire: &mut Wire,
        block: &Rc<[u8]>,
    ) -> io::Result<Goes> {
        let line = line.trim_ascii_end();
        match self.protocol {
            Protocol::Imap => return self.imap(line, answer, wire, block),
            Protocol::Pop3 => match line.get(..4).unwrap_or_default() {
                b"CAPA" => answer.extend_from_slice(POP3_OFFERS.as_bytes()),
                b"QUIT" => answer.extend_from_slice(b"+OK Logging out.\r\n"),
                _ => answer.extend_from_slice(b"+OK\r\n"),
            },
            Protocol::Smtp => match line.get(..4).unwrap_or_default() {
                b"EHLO" => answer.extend_from_slice(SMTP_OFFERS.as_bytes()),
                b"AUTH" => answer.extend_from_slice(b"235 2.7.0 Authentication successful\r\n"),
                b"DATA" => {
                    // Begins as behind a line, so that an empty message ends, too.
                    self.message = Some(*b"   \r\n");
                    answer.extend_from_slice(b"354 End data with <CR><LF>.<CR><LF>\r\n");
                }
                b"QUIT" => answer.extend_from_slice(b"221 2.0.0 Bye\r\n"),
                _ => answer.extend_from_slice(b"250 2.1.0 Ok\r\n"),
            },
        }
        Ok(!line.starts_with(b"QUIT"))
    }

    fn imap(
        &mut self,
        line: &[u8],
        answer: &mut Vec<u8>,
        wire: &mut Wire,
        block: &Rc<[u8]>,
    ) -> io::Result<Goes> {
        let mut words = line.split(|byte| *byte == b' ');
        let tag = match self.literal.take() {
            Some(tag) => tag,
            None => words.next().unwrap_or_default().to_vec(),
        };
        if line.ends_with(b"}") {
            self.literal = Some(tag);
            answer.extend_from_slice(b"+ OK\r\n");
            return Ok(true);
        }
        let verb = words.next().unwrap_or_default();
        match verb {
            b"CAPABILITY" => {
                answer.extend_from_slice(format!("* CAPABILITY {IMAP_OFFERS}\r\n").as_bytes())
            }
            b"ID" => answer.extend_from_slice(b"* ID (\"name\" \"load\")\r\n"),
            b"LOGOUT" => answer.extend_from_slice(b"* BYE Logging out\r\n"),
            b"FETCH" => {
                wire.send(fetch_head().as_bytes())?;
                wire.send_bulk(Bulk::new(Rc::clone(block), BLOCKS, FETCH_TAIL))?;
                return Ok(true);
            }
            _ => {}
        }
        answer.extend_from_slice(&tag);
        answer.extend_from_slice(b" OK completed\r\n");
        Ok(verb != b"LOGOUT")
    }
}

/// Whether a message ends with these bytes, of which the last are kept.
fn ends(last: &mut [u8; END.len()], bytes: &[u8]) -> bool {
    match bytes.len() >= END.len() {
        true => last.copy_from_slice(&bytes[bytes.len() - END.len()..]),
        false => {
            last.rotate_left(bytes.len());
            let from = END.len() - bytes.len();
            last[from..].copy_from_slice(bytes);
        }
    }
    last == END
}
