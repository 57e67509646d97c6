//! The load of `benches/run`: GET after GET over kept-alive connections.
//!
//! The command is `PORT PATH CONNECTIONS SECONDS`, the answer `REQUESTS SECONDS P50_US P99_US ERRORS`.

mod client;
mod origin;

use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Load;
use crate::sockets::{Ready, Sockets, ready};
use crate::tally::Tally;
use client::Client;
use origin::Origin;

/// The load and its origin.
pub struct Http {
    sockets: Sockets<Role>,
    buffer: Vec<u8>,
}

enum Role {
    Client(Client),
    Origin(Origin),
}

/// One run.
struct Order {
    server: SocketAddr,
    request: Vec<u8>,
    connections: usize,
    length: Duration,
}

impl Http {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            sockets: Sockets::listening(&[Ipv4Addr::LOCALHOST])?,
            buffer: vec![0; 64 * 1024],
        })
    }

    /// Keeps every connection busy with one request after another until the time is over.
    fn load(&mut self, order: &Order) -> io::Result<Tally> {
        let mut tally = Tally::default();
        for _ in 0..order.connections {
            self.connect(order)?;
        }
        let begun = Instant::now();
        while begun.elapsed() < order.length {
            for event in self.sockets.wait()? {
                match ready(&event) {
                    Ready::Listener(listener) => self
                        .sockets
                        .accept(listener, || Role::Origin(Origin::default()))?,
                    Ready::Connection(place) => self.serve(place, order, &mut tally)?,
                }
            }
        }
        tally.lasted = begun.elapsed();
        // Those of the origin belong to the pools of the servers.
        self.sockets
            .close_all(|role| matches!(role, Role::Client(_)));
        Ok(tally)
    }

    fn connect(&mut self, order: &Order) -> io::Result<()> {
        let stream = TcpStream::connect(order.server)?;
        let client = Client::start(&stream, &order.request)?;
        self.sockets.add(stream, Role::Client(client))?;
        Ok(())
    }

    fn serve(&mut self, place: usize, order: &Order, tally: &mut Tally) -> io::Result<()> {
        let Some(open) = self.sockets.get(place) else {
            return Ok(());
        };
        let read = match open.stream.read(&mut self.buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(_) | Ok(0) => None,
            Ok(read) => Some(&self.buffer[..read]),
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
            self.sockets.close(place);
            if was_client {
                tally.errors += 1;
                self.connect(order)?;
            }
        }
        Ok(())
    }
}

impl Load for Http {
    fn port(&self) -> u16 {
        self.sockets.port()
    }

    fn obey(&mut self, command: &str) -> Option<io::Result<String>> {
        let order = Order::parse(command)?;
        Some(self.load(&order).map(|tally| tally.to_string()))
    }
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
