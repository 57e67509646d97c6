//! The load of `benches/stream`: messages of any size, there and back, over sessions that stay or are made anew.
//!
//! | command | answer |
//! |---|---|
//! | `run PORT SESSIONS SECONDS REQUEST REPLY keep\|renew` | `EXCHANGES SECONDS P50_US P99_US ERRORS BYTES` |
//! | `hold PORT SESSIONS` | how many sessions have had one exchange, and stay open |
//! | `drop` | closes them: how many |
//!
//! REQUEST and REPLY are bytes, at least the 16 of a head; `renew` makes a new session for each exchange. The bytes
//! counted are those of requests and replies that have arrived. Large messages are neither copied when sent nor looked
//! at when received: the server's copies are to be measured, not those of the load.

mod end;
mod message;

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use crate::Load;
use crate::sockets::{Ready, Sockets, ready};
use crate::tally::Tally;
use end::{End, Step};
use message::{HEAD, Head, Pages};

/// Addresses (127.0.0.1 and following) at which servers and the origin are reached in turn. One has 28,000 ports for
/// connections, which sessions of a fraction of a millisecond use up while earlier ones are in TIME_WAIT.
const ADDRESSES: u8 = 8;
/// Sessions that `hold` has under way at once: fewer than fit into any server's queue of new connections.
const UNDER_WAY: usize = 64;
/// How long a server may take to end its sessions after a run.
const PATIENCE: Duration = Duration::from_secs(5);

/// The load and its origin.
pub struct Stream {
    sockets: Sockets<End>,
    pages: Pages,
    next: u8,
}

/// What a run does.
struct Order {
    port: u16,
    sessions: usize,
    length: Duration,
    head: Head,
    /// What a client does when its exchange is over.
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    Ask,
    Renew,
    Stay,
}

impl Stream {
    pub fn new() -> io::Result<Self> {
        let addresses: Vec<_> = (1..=ADDRESSES).map(address).collect();
        Ok(Self {
            sockets: Sockets::listening(&addresses)?,
            pages: Pages::new()?,
            next: 0,
        })
    }

    /// Keeps every session busy until the time is over.
    fn run(&mut self, order: &Order) -> io::Result<String> {
        let mut tally = Tally::default();
        for _ in 0..order.sessions {
            self.connect(order)?;
        }
        let begun = Instant::now();
        while begun.elapsed() < order.length {
            self.turn(order, &mut tally)?;
        }
        tally.lasted = begun.elapsed();
        self.release(order)?;
        Ok(format!("{tally} {}", tally.bytes))
    }

    /// Opens sessions, a few at a time, that have one exchange and stay.
    fn hold(&mut self, order: &Order) -> io::Result<String> {
        let mut tally = Tally::default();
        let mut begun = 0;
        while tally.count() < order.sessions {
            while begun < order.sessions && begun - tally.count() < UNDER_WAY {
                self.connect(order)?;
                begun += 1;
            }
            self.turn(order, &mut tally)?;
        }
        Ok(tally.count().to_string())
    }

    /// Closes all clients, and lets the server end its sessions, so that the next run begins with none.
    fn release(&mut self, order: &Order) -> io::Result<String> {
        let clients = self.sockets.close_all(End::is_client);
        let begun = Instant::now();
        while self.sockets.count() > 0 && begun.elapsed() < PATIENCE {
            self.turn(order, &mut Tally::default())?;
        }
        self.sockets.close_all(|_| true);
        Ok(clients.to_string())
    }

    /// Serves whoever is ready.
    fn turn(&mut self, order: &Order, tally: &mut Tally) -> io::Result<()> {
        for event in self.sockets.wait()? {
            match ready(&event) {
                Ready::Listener(listener) => self.sockets.accept(listener, End::origin)?,
                Ready::Connection(place) => self.serve(place, order, tally)?,
            }
        }
        Ok(())
    }

    fn connect(&mut self, order: &Order) -> io::Result<()> {
        self.next = self.next % ADDRESSES + 1;
        let stream = TcpStream::connect((address(self.next), order.port))?;
        let place = self.sockets.add(stream, End::client())?;
        self.ask(place, order)
    }

    fn ask(&mut self, place: usize, order: &Order) -> io::Result<()> {
        let Some(open) = self.sockets.get(place) else {
            return Ok(());
        };
        match open.role.ask(order.head, &open.stream, &mut self.pages)? {
            Step::Room(room) => self.sockets.watch_room(place, room),
            _ => Ok(()),
        }
    }

    fn serve(&mut self, place: usize, order: &Order, tally: &mut Tally) -> io::Result<()> {
        let Some(open) = self.sockets.get(place) else {
            return Ok(());
        };
        let is_client = open.role.is_client();
        match open.role.advance(&open.stream, &mut self.pages) {
            Ok(Step::Nothing) => Ok(()),
            Ok(Step::Room(room)) => self.sockets.watch_room(place, room),
            Ok(Step::Part(count)) => {
                tally.bytes += count;
                Ok(())
            }
            Ok(Step::Answered(count, asked)) => {
                tally.bytes += count;
                tally.add(asked.elapsed());
                self.answered(place, order)
            }
            Ok(Step::Ended) | Err(_) => {
                self.sockets.close(place);
                if is_client {
                    tally.errors += 1;
                    self.connect(order)?;
                }
                Ok(())
            }
        }
    }

    fn answered(&mut self, place: usize, order: &Order) -> io::Result<()> {
        match order.then {
            Then::Stay => Ok(()),
            Then::Ask => self.ask(place, order),
            Then::Renew => {
                self.sockets.close(place);
                self.connect(order)
            }
        }
    }
}

impl Load for Stream {
    fn port(&self) -> u16 {
        self.sockets.port()
    }

    fn obey(&mut self, command: &str) -> Option<io::Result<String>> {
        let mut words = command.split(' ');
        match words.next()? {
            "run" => Some(self.run(&Order::parse(words)?)),
            "hold" => {
                let (port, sessions) = (words.next()?, words.next()?);
                let order = Order::staying(port.parse().ok()?, sessions.parse().ok()?);
                Some(self.hold(&order))
            }
            "drop" => Some(self.release(&Order::staying(0, 0))),
            _ => None,
        }
    }
}

impl Order {
    fn parse<'w>(mut words: impl Iterator<Item = &'w str>) -> Option<Self> {
        Some(Self {
            port: words.next()?.parse().ok()?,
            sessions: words.next()?.parse().ok()?,
            length: Duration::from_secs_f64(words.next()?.parse().ok()?),
            head: Head {
                request: words.next()?.parse().ok().filter(|n| *n >= HEAD)?,
                reply: words.next()?.parse().ok().filter(|n| *n >= HEAD)?,
            },
            then: match words.next()? {
                "keep" => Then::Ask,
                "renew" => Then::Renew,
                _ => return None,
            },
        })
    }

    /// One exchange of small messages.
    fn staying(port: u16, sessions: usize) -> Self {
        Order {
            port,
            sessions,
            length: Duration::ZERO,
            head: Head {
                request: 64,
                reply: 64,
            },
            then: Then::Stay,
        }
    }
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, number)
}
