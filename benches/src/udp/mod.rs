//! Datagrams: many clients with one socket between them, and an origin that says everything back.
//!
//! All of 127.1.0.0/16 are addresses of this machine: each flow has one of them as its own, and all of them the same port
//! and socket. So a hundred answers are received in one call, and the load needs less time per datagram than any server.
//! The first eight bytes of a datagram say which flow it is of and when it was sent.
//!
//! | command | does | answer |
//! |---|---|---|
//! | `run PORT FLOWS AT_ONCE SIZE SECONDS` | so many questions are under way at any time, each answer brings the next one of the flow that has waited longest, or of the same flow where all are busy | `ANSWERS SECONDS P50_US P99_US LOST` |
//! | `hold PORT FLOWS` | one question and answer of each flow | `ANSWERS` |

mod flock;
mod origin;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::Load;
use crate::tally::Tally;
use flock::Flock;
use origin::Origin;

/// The most datagrams that are moved in one call.
const BATCH: usize = 64;

/// After so long without an answer a question counts as lost, and another is asked in its place.
const PATIENCE: Duration = Duration::from_millis(200);

/// The load.
pub struct Udp {
    origin: Origin,
    flock: Flock,
}

impl Udp {
    /// An origin, and a socket for the clients.
    pub fn new() -> io::Result<Self> {
        Ok(Udp {
            origin: Origin::new()?,
            flock: Flock::new()?,
        })
    }

    fn run(&mut self, at_once: usize, length: Duration) -> io::Result<Tally> {
        let mut tally = Tally::default();
        let begun = Instant::now();
        let mut last = begun;
        self.flock.ask(at_once)?;
        while begun.elapsed() < length {
            let answered = self.step(&mut tally)?;
            if answered > 0 {
                last = Instant::now();
            }
            let missing = at_once.saturating_sub(self.flock.under_way());
            self.flock.ask(missing)?;
            // Each loss lowers the number under way, until there is nothing to wait for.
            if last.elapsed() > PATIENCE {
                tally.errors += self.flock.give_up();
                last = Instant::now();
            }
        }
        tally.lasted = begun.elapsed();
        self.settle()?;
        Ok(tally)
    }

    /// Asks once for each flow, a few at a time, until all have been answered; how many have.
    fn hold(&mut self, server: SocketAddr, flows: usize) -> io::Result<usize> {
        self.flock.begin(server, flows, BATCH);
        let mut tally = Tally::default();
        let (mut asked, begun) = (0, Instant::now());
        while tally.count() < flows && begun.elapsed() < Duration::from_secs(20) {
            let some = (flows - asked).min(BATCH.saturating_sub(self.flock.under_way()));
            self.flock.ask(some)?;
            asked += some;
            self.step(&mut tally)?;
        }
        self.settle()?;
        Ok(tally.count())
    }

    /// Moves what has come, and waits a little for it if nothing has. How many answers there were.
    fn step(&mut self, tally: &mut Tally) -> io::Result<usize> {
        let moved = self.origin.answer()?;
        let answered = self.flock.receive(tally)?;
        if moved == 0 && answered == 0 {
            self.wait(Duration::from_millis(10))?;
        }
        Ok(answered)
    }

    /// Takes what is still on its way, so that it does not count for the next run.
    fn settle(&mut self) -> io::Result<()> {
        let mut ignored = Tally::default();
        let mut quiet = Instant::now();
        while quiet.elapsed() < Duration::from_millis(50) {
            if self.origin.answer()? + self.flock.receive(&mut ignored)? > 0 {
                quiet = Instant::now();
            } else {
                self.wait(Duration::from_millis(10))?;
            }
        }
        Ok(())
    }

    fn wait(&self, most: Duration) -> io::Result<()> {
        let mut both = [
            PollFd::new(self.origin.socket(), PollFlags::IN),
            PollFd::new(self.flock.socket(), PollFlags::IN),
        ];
        let most = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(most.subsec_nanos()),
        };
        poll(&mut both, Some(&most))?;
        Ok(())
    }
}

impl Load for Udp {
    fn port(&self) -> u16 {
        self.origin.port()
    }

    fn obey(&mut self, command: &str) -> Option<io::Result<String>> {
        let mut words = command.split(' ');
        let order = words.next()?;
        let port: u16 = words.next()?.parse().ok()?;
        let flows: usize = words.next()?.parse().ok()?;
        let server = SocketAddr::from(([127, 0, 0, 1], port));
        match order {
            "hold" => Some(self.hold(server, flows).map(|count| count.to_string())),
            "run" => {
                let at_once: usize = words.next()?.parse().ok()?;
                let size: usize = words.next()?.parse().ok()?;
                let length = Duration::from_secs_f64(words.next()?.parse().ok()?);
                self.flock.begin(server, flows, size);
                Some(self.run(at_once, length).map(|tally| tally.to_string()))
            }
            _ => None,
        }
    }
}
