//! The loads of the comparisons in `benches/`, each with its origin, on one thread: nothing is scheduled, woken or locked
//! between the two.
//!
//! A load generator and an origin of their own processes need more time per request than the server between them, so
//! that they, and not the server, are measured. Here both are one loop over epoll which does the least that can be done
//! over sockets: a read and a write per message.
//!
//! The argument names the load. It prints the ports of its origins; then it reads commands, and answers each with one line
//! of numbers; the load's module says which.

mod http;
mod mail;
mod sockets;
mod stream;
mod tally;
mod udp;

use std::io::{self, BufRead};

fn main() -> io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("http") => answer(http::Http::new()?),
        Some("stream") => answer(stream::Stream::new()?),
        Some("mail") => mail::main(),
        Some("udp") => answer(udp::Udp::new()?),
        _ => Err(io::Error::other("usage: alb-load http|stream|mail|udp")),
    }
}

/// A load that is told what to do by lines.
trait Load {
    /// The port of its origin.
    fn port(&self) -> u16;

    /// Carries a command out; `None` if it is none. The answer is one line.
    fn obey(&mut self, command: &str) -> Option<io::Result<String>>;
}

fn answer(mut load: impl Load) -> io::Result<()> {
    println!("{}", load.port());
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answer = load.obey(&line);
        let answer = answer.ok_or_else(|| io::Error::other(format!("not a command: `{line}`")))?;
        println!("{}", answer?);
    }
    Ok(())
}
