//! The load and the origin of `benches/run`, on one thread: nothing is scheduled, woken or locked between the two.
//!
//! A load generator and an origin of their own processes need more time per request than the server between them, so
//! that they, and not the server, are measured. Here both are one loop over epoll which does the least that can be done
//! over sockets: a read and a write per message.
//!
//! With the argument `mail` or `udp` it is the load of `benches/mail` or `benches/udp` instead. Else it prints the port of the
//! origin; then reads commands, `PORT PATH CONNECTIONS SECONDS`, and answers each with one line: `REQUESTS SECONDS P50_US P99_US ERRORS`.

mod client;
mod mail;
mod origin;
mod tally;
mod udp;

use std::io::{self, BufRead, ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsFd, OwnedFd};

use client::Client;
use origin::Origin;
use tally::Tally;

/// Events taken from the kernel at once, and how long it may wait for the first.
const BATCH: usize = 256;
const TICK: rustix::event::Timespec = rustix::event::Timespec {
    tv_sec: 0,
    tv_nsec: 10_000_000,
};
/// The token of the listening socket; connections have their place in `Sockets::open`.
const LISTENER: u64 = u64::MAX;

fn main() -> io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("udp") => return datagrams(),
        Some("mail") => return mail::main(),
        _ => {}
    }
    let mut sockets = Sockets::new()?;
    println!("{}", sockets.listener.local_addr()?.port());
    for line in io::stdin().lock().lines() {
        let line = line?;
        let order = Order::parse(&line)
            .ok_or_else(|| io::Error::other(format!("not a command: `{line}`")))?;
        println!("{}", sockets.load(&order)?);
    }
    Ok(())
}

fn datagrams() -> io::Result<()> {
    let mut load = udp::Udp::new()?;
    println!("{}", load.port());
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answer = load.obey(&line);
        let answer = answer.ok_or_else(|| io::Error::other(format!("not a command: `{line}`")))?;
        println!("{}", answer?);
    }
    Ok(())
}

/// One run.
struct Order {
    server: SocketAddr,
    request: Vec<u8>,
    connections: usize,
    length: Duration,
}

impl Order {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let port: u16 = words.next()?.parse().ok()?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
            words.next()?
        );
        Some(Self {
            server: ([127, 0, 0, 1], port).into(),
            request: request.into_bytes(),
            connections: words.next()?.parse().ok()?,
            length: Duration::from_secs_f64(words.next()?.parse().ok()?),
        })
    }
}

/// Everything that is open.
struct Sockets {
    epoll: OwnedFd,
    listener: TcpListener,
    open: Vec<Option<Open>>,
    free: Vec<usize>,
}

/// One connection.
struct Open {
    stream: TcpStream,
    role: Role,
}

enum Role {
    Client(Client),
    Origin(Origin),
}

impl Sockets {
    fn new() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(
            &epoll,
            &listener,
            EventData::new_u64(LISTENER),
            EventFlags::IN,
        )?;
        Ok(Self {
            epoll,
            listener,
            open: Vec::new(),
            free: Vec::new(),
        })
    }

    /// Keeps every connection busy with one request after another until the time is over.
    fn load(&mut self, order: &Order) -> io::Result<Tally> {
        let mut tally = Tally::default();
        for _ in 0..order.connections {
            self.connect(order)?;
        }
        let begun = Instant::now();
        let mut events = Vec::with_capacity(BATCH);
        let mut buffer = vec![0; 64 * 1024];
        while begun.elapsed() < order.length {
            events.clear();
            let _ = epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                Some(&TICK),
            )?;
            for event in &events {
                self.serve(event, order, &mut buffer, &mut tally)?;
            }
        }
        tally.lasted = begun.elapsed();
        self.disconnect();
        Ok(tally)
    }

    fn connect(&mut self, order: &Order) -> io::Result<()> {
        let stream = TcpStream::connect(order.server)?;
        let client = Client::start(&stream, &order.request)?;
        self.add(stream, Role::Client(client))
    }

    /// Ends the run's connections; those of the origin belong to the pools of the servers.
    fn disconnect(&mut self) {
        for token in 0..self.open.len() {
            let is_client = |open: &Open| matches!(open.role, Role::Client(_));
            if self.open[token].as_ref().is_some_and(is_client) {
                self.close(token);
            }
        }
    }

    fn serve(
        &mut self,
        event: &Event,
        order: &Order,
        buffer: &mut [u8],
        tally: &mut Tally,
    ) -> io::Result<()> {
        if event.data.u64() == LISTENER {
            return self.accept();
        }
        let token = event.data.u64() as usize;
        let Some(Some(open)) = self.open.get_mut(token) else {
            return Ok(());
        };
        let read = match open.stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(_) | Ok(0) => None,
            Ok(read) => Some(&buffer[..read]),
        };
        let alive = match (&mut open.role, read) {
            (Role::Origin(origin), Some(read)) => origin.answer(&open.stream, read).is_ok(),
            (Role::Origin(_), None) => false,
            (Role::Client(client), Some(read)) => client
                .advance(&open.stream, read, &order.request, tally)
                .is_ok(),
            (Role::Client(_), None) => false,
        };
        if !alive {
            let was_client = matches!(open.role, Role::Client(_));
            self.close(token);
            if was_client {
                tally.errors += 1;
                self.connect(order)?;
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.add(stream, Role::Origin(Origin::default()))?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn add(&mut self, stream: TcpStream, role: Role) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let token = self.free.pop().unwrap_or_else(|| {
            self.open.push(None);
            self.open.len() - 1
        });
        let data = EventData::new_u64(token as u64);
        epoll::add(&self.epoll, stream.as_fd(), data, EventFlags::IN)?;
        self.open[token] = Some(Open { stream, role });
        Ok(())
    }

    fn close(&mut self, token: usize) {
        self.open[token] = None;
        self.free.push(token);
    }
}
