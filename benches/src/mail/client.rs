//! One client of the load: greets, logs in, and does what the run asks for.

use std::io;
use std::rc::Rc;
use std::time::Instant;

use memchr::memchr;

use super::Protocol;
use super::order::{Order, What};
use super::server::{BLOCK, fetch_length};
use super::wire::{Bulk, Wire};

/// What all clients of a run do.
pub struct Script {
    what: What,
    protocol: Protocol,
    login: Vec<Step>,
    /// What is done over and over after the login.
    again: Vec<Step>,
    /// A message with its end.
    message: Vec<u8>,
    size: usize,
    /// What a message, or what is fetched, is made of.
    block: Rc<[u8]>,
}

/// Something said, and what the answer to it begins with.
struct Step {
    say: &'static str,
    hear: &'static str,
}

/// A client.
pub struct Client {
    /// When it connected, or began what it does over and over.
    began: Instant,
    /// Answers heard.
    at: usize,
    /// Whether it has logged in and gone on.
    inside: bool,
    /// Whether it has done all it was to do, and waits for the other side to close.
    finished: bool,
    /// A line that is not whole.
    partial: Vec<u8>,
    /// Bytes of an answer to FETCH that are still to come.
    fetched: usize,
}

/// What a client has come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing yet.
    Nothing,
    /// It has finished once what it does, in this time.
    Once(std::time::Duration),
    /// It has finished and leaves.
    Leaves(std::time::Duration),
}

impl Script {
    /// What an order asks for.
    pub fn new(order: &Order, block: Rc<[u8]>) -> Self {
        let login = login(order.protocol);
        let login = match order.what {
            What::Handshakes => Vec::new(),
            What::Logins => login.into_iter().chain([logout(order.protocol)]).collect(),
            _ => login,
        };
        let again = match order.what {
            What::Messages => vec![
                Step {
                    say: "MAIL FROM:<user@load.example>\r\n",
                    hear: "250",
                },
                Step {
                    say: "RCPT TO:<another@load.example>\r\n",
                    hear: "250",
                },
                Step {
                    say: "DATA\r\n",
                    hear: "354",
                },
                Step {
                    say: "",
                    hear: "250",
                },
            ],
            _ => Vec::new(),
        };
        let mut message = Vec::new();
        if order.size <= BLOCK {
            message.extend_from_slice(&block[..order.size / LINE * LINE]);
            message.extend_from_slice(b".\r\n");
        }
        Script {
            what: order.what,
            protocol: order.protocol,
            login,
            again,
            message,
            size: order.size,
            block,
        }
    }
}

/// Bytes of a line of a message; a block is made of whole lines.
const LINE: usize = 64;

/// What messages are made of.
pub fn block() -> Rc<[u8]> {
    let line = [&[b'a'; LINE - 2][..], b"\r\n"].concat();
    line.iter().copied().cycle().take(BLOCK).collect()
}

fn login(protocol: Protocol) -> Vec<Step> {
    match protocol {
        Protocol::Imap => vec![
            Step {
                say: "",
                hear: "* OK",
            },
            Step {
                say: "a LOGIN user@load.example secret\r\n",
                hear: "a OK",
            },
        ],
        Protocol::Pop3 => vec![
            Step {
                say: "",
                hear: "+OK",
            },
            Step {
                say: "USER user@load.example\r\n",
                hear: "+OK",
            },
            Step {
                say: "PASS secret\r\n",
                hear: "+OK",
            },
        ],
        Protocol::Smtp => vec![
            Step {
                say: "",
                hear: "220",
            },
            Step {
                say: "EHLO client.load.example\r\n",
                hear: "250",
            },
            // user@load.example, secret
            Step {
                say: "AUTH PLAIN AHVzZXJAbG9hZC5leGFtcGxlAHNlY3JldA==\r\n",
                hear: "235",
            },
        ],
    }
}

fn logout(protocol: Protocol) -> Step {
    match protocol {
        Protocol::Imap => Step {
            say: "z LOGOUT\r\n",
            hear: "z OK",
        },
        Protocol::Pop3 => Step {
            say: "QUIT\r\n",
            hear: "+OK",
        },
        Protocol::Smtp => Step {
            say: "QUIT\r\n",
            hear: "221",
        },
    }
}

impl Client {
    /// One that has just connected.
    pub fn new() -> Self {
        Client {
            began: Instant::now(),
            at: 0,
            inside: false,
            finished: false,
            partial: Vec::new(),
            fetched: 0,
        }
    }

    /// Whether nothing more is to be done, so that the connection may end.
    pub fn has_finished(&self) -> bool {
        self.finished
    }

    /// The connection is open and, where that is wanted, protected.
    pub fn opened(&mut self, script: &Script) -> Done {
        match script.what {
            What::Handshakes => {
                self.finished = true;
                Done::Leaves(self.began.elapsed())
            }
            _ => Done::Nothing,
        }
    }

    /// Takes what has come, and goes on.
    pub fn take(&mut self, mut bytes: &[u8], script: &Script, wire: &mut Wire) -> io::Result<Done> {
        let mut done = Done::Nothing;
        while !bytes.is_empty() {
            if self.inside && script.what == What::Fetch {
                return self.fetch(bytes, wire);
            }
            let Some(end) = memchr(b'\n', bytes) else {
                self.partial.extend_from_slice(bytes);
                break;
            };
            let (line, rest) = bytes.split_at(end + 1);
            bytes = rest;
            let heard = match self.partial.is_empty() {
                true => self.line(line, script, wire)?,
                false => {
                    let mut whole = std::mem::take(&mut self.partial);
                    whole.extend_from_slice(line);
                    self.line(&whole, script, wire)?
                }
            };
            if heard != Done::Nothing {
                done = heard;
            }
        }
        Ok(done)
    }

    fn line(&mut self, line: &[u8], script: &Script, wire: &mut Wire) -> io::Result<Done> {
        let steps = if self.inside {
            &script.again
        } else {
            &script.login
        };
        let more = match script.protocol {
            Protocol::Imap => self.at > 0 && line.starts_with(b"* "),
            Protocol::Pop3 => false,
            Protocol::Smtp => line.get(3) == Some(&b'-'),
        };
        if more {
            return Ok(Done::Nothing);
        }
        let Some(step) = steps.get(self.at) else {
            return Err(io::Error::other("an answer to nothing"));
        };
        if !line.starts_with(step.hear.as_bytes()) {
            return Err(io::Error::other(format!(
                "`{}` was answered `{}`",
                step.say.trim_end(),
                String::from_utf8_lossy(line)
            )));
        }
        self.at += 1;
        match steps.get(self.at) {
            Some(next) => self.say(next, script, wire).map(|()| Done::Nothing),
            None => self.all_heard(script, wire),
        }
    }

    /// Says what a step says; without words it is the message.
    fn say(&self, step: &Step, script: &Script, wire: &mut Wire) -> io::Result<()> {
        match (step.say, script.message.is_empty()) {
            ("", false) => wire.send(&script.message),
            ("", true) => {
                let times = script.size / BLOCK;
                wire.send_bulk(Bulk::new(Rc::clone(&script.block), times, b".\r\n"))
            }
            (words, _) => wire.send(words.as_bytes()),
        }
    }

    fn all_heard(&mut self, script: &Script, wire: &mut Wire) -> io::Result<Done> {
        let lasted = self.began.elapsed();
        if script.what == What::Logins {
            self.finished = true;
            return Ok(Done::Leaves(lasted));
        }
        let first = !self.inside;
        (self.inside, self.at, self.began) = (true, 0, Instant::now());
        match script.what {
            What::Fetch => self.ask(wire)?,
            What::Messages => self.say(&script.again[0], script, wire)?,
            _ => return Ok(Done::Once(lasted)),
        }
        Ok(match first {
            true => Done::Nothing,
            false => Done::Once(lasted),
        })
    }

    fn ask(&mut self, wire: &mut Wire) -> io::Result<()> {
        self.fetched = fetch_length();
        self.began = Instant::now();
        wire.send(b"f FETCH 1 BODY[]\r\n")
    }

    fn fetch(&mut self, bytes: &[u8], wire: &mut Wire) -> io::Result<Done> {
        let too_much = || io::Error::other("more than was fetched");
        self.fetched = self.fetched.checked_sub(bytes.len()).ok_or_else(too_much)?;
        if self.fetched > 0 {
            return Ok(Done::Nothing);
        }
        let lasted = self.began.elapsed();
        if !bytes.ends_with(b"\r\n") {
            return Err(io::Error::other("what was fetched has another end"));
        }
        self.ask(wire)?;
        Ok(Done::Once(lasted))
    }
}
