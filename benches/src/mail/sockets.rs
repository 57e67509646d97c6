//! Everything that is open, and the loop over it.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use openssl::ssl::SslStream;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use socket2::{Domain, Socket, Type};

use super::client::{Client, Done, Script};
use super::order::{Order, What};
use super::server::{Goes, Server};
use super::service::Service;
use super::wire::Wire;
use super::{Block, Contexts, Ports, Protocol};
use crate::tally::Tally;

/// Events taken from the kernel at once, and how long it may wait for the first.
const BATCH: usize = 256;
const TICK: rustix::event::Timespec = rustix::event::Timespec {
    tv_sec: 0,
    tv_nsec: 10_000_000,
};
/// Bytes read at once.
const CHUNK: usize = 256 * 1024;
/// Clients that log in at the same time when all of them stay.
const AT_ONCE: usize = 64;
/// How long servers behind may take to notice that all clients have left, and how long clients to come in.
const SETTLING: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(120);
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// The tokens of what listens begin here; connections have their place in `Sockets::open`.
const LISTENERS: u64 = 1 << 32;
const STDIN: u64 = u64::MAX;

/// Who is accepted at a listening socket.
#[derive(Clone, Copy)]
enum Accepts {
    Server(Protocol),
    Service,
}

/// Everything that is open.
pub struct Sockets {
    epoll: OwnedFd,
    listeners: Vec<(TcpListener, Accepts)>,
    ports: Ports,
    service: u16,
    open: Vec<Option<Open>>,
    free: Vec<usize>,
    block: Block,
    buffer: Vec<u8>,
    ordered: bool,
}

/// One connection.
struct Open {
    wire: Wire,
    role: Role,
}

enum Role {
    Client(Client),
    Server(Server),
    Service(Service),
}

/// A run that is under way.
struct Run<'r> {
    order: &'r Order,
    script: Script,
    contexts: &'r Contexts,
    tally: Tally,
    /// Clients that have left and are to be followed by others.
    missing: usize,
}

impl Sockets {
    /// Opens the servers and the service.
    pub fn new(block: Block) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(
            &epoll,
            rustix::stdio::stdin(),
            EventData::new_u64(STDIN),
            EventFlags::IN,
        )?;
        let mut sockets = Sockets {
            epoll,
            listeners: Vec::new(),
            ports: Ports::default(),
            service: 0,
            open: Vec::new(),
            free: Vec::new(),
            block,
            buffer: vec![0; CHUNK],
            ordered: false,
        };
        for protocol in [Protocol::Imap, Protocol::Pop3, Protocol::Smtp] {
            let port = sockets.listen(Accepts::Server(protocol))?;
            sockets.ports.set(protocol, port);
        }
        sockets.service = sockets.listen(Accepts::Service)?;
        Ok(sockets)
    }

    /// Where the servers listen, and where the service does.
    pub fn ports(&self) -> (Ports, u16) {
        (self.ports, self.service)
    }

    fn listen(&mut self, accepts: Accepts) -> io::Result<u16> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        let token = EventData::new_u64(LISTENERS + self.listeners.len() as u64);
        epoll::add(&self.epoll, &listener, token, EventFlags::IN)?;
        let port = listener.local_addr()?.port();
        self.listeners.push((listener, accepts));
        Ok(port)
    }

    /// Serves whoever still talks until an order has come.
    pub fn serve_until_ordered(&mut self) -> io::Result<()> {
        self.ordered = false;
        while !self.ordered {
            self.turn(None)?;
        }
        Ok(())
    }

    /// Does what is ordered.
    pub fn run(&mut self, order: &Order, contexts: &Contexts) -> io::Result<Tally> {
        let begun = Instant::now();
        if order.what == What::Release {
            self.disconnect()?;
            return Ok(Tally::default());
        }
        let stay = order.what == What::Hold;
        let mut run = Run {
            order,
            script: Script::new(order, self.block.clone()),
            contexts,
            tally: Tally::default(),
            missing: order.clients,
        };
        let over = |run: &Run<'_>| match stay {
            true => {
                run.tally.count() + run.tally.errors >= order.clients || begun.elapsed() > PATIENCE
            }
            false => begun.elapsed() >= order.length,
        };
        while !over(&run) {
            for _ in 0..run.missing.min(run.room()) {
                self.connect(&run)?;
                run.missing -= 1;
            }
            self.turn(Some(&mut run))?;
        }
        run.tally.lasted = begun.elapsed();
        if !stay {
            self.disconnect()?;
        }
        Ok(run.tally)
    }

    fn turn(&mut self, mut run: Option<&mut Run<'_>>) -> io::Result<()> {
        let mut events = Vec::with_capacity(BATCH);
        let _ = epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut events),
            Some(&TICK),
        )?;
        for event in &events {
            match event.data.u64() {
                STDIN => self.ordered = true,
                token if token >= LISTENERS => self.accept((token - LISTENERS) as usize)?,
                token => self.serve(token as usize, event, run.as_deref_mut())?,
            }
        }
        Ok(())
    }

    fn connect(&mut self, run: &Run<'_>) -> io::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&run.order.server.into()) {
            Err(error)
                if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
            {
                return Err(error);
            }
            _ => {}
        }
        let stream = TcpStream::from(socket);
        let wire = match run.contexts.open(run.order.transport)? {
            None => Wire::plain(stream),
            Some(ssl) => Wire::tls(SslStream::new(ssl, stream)?),
        };
        self.add(wire, Role::Client(Client::new()))
    }

    /// Ends all clients, and serves until the gateways have noticed.
    fn disconnect(&mut self) -> io::Result<()> {
        for token in 0..self.open.len() {
            let is_client = |open: &Open| matches!(open.role, Role::Client(_));
            if self.open[token].as_ref().is_some_and(is_client) {
                self.close(token);
            }
        }
        let begun = Instant::now();
        while begun.elapsed() < SETTLING {
            self.turn(None)?;
        }
        Ok(())
    }

    fn serve(&mut self, token: usize, event: &Event, run: Option<&mut Run<'_>>) -> io::Result<()> {
        let Some(Some(mut open)) = self.open.get_mut(token).map(Option::take) else {
            return Ok(());
        };
        let mut around = Around {
            ports: self.ports,
            block: &self.block,
            run,
        };
        let leaving = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        let flags = event.flags;
        let goes = open.advance(flags.intersects(leaving), &mut self.buffer, &mut around);
        match (goes, &open.role, around.run) {
            (Ok(true), _, _) => {
                self.open[token] = Some(open);
                return Ok(());
            }
            (goes, Role::Client(client), Some(run)) => {
                if !client.has_finished() {
                    run.failed(goes.err());
                }
                run.missing += usize::from(run.order.what != What::Hold);
            }
            _ => {}
        }
        self.free.push(token);
        Ok(())
    }

    fn accept(&mut self, number: usize) -> io::Result<()> {
        loop {
            let (listener, accepts) = &self.listeners[number];
            let accepts = *accepts;
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    let mut wire = Wire::plain(stream);
                    let role = match accepts {
                        Accepts::Service => Role::Service(Service::default()),
                        // Who connects only to look has left already.
                        Accepts::Server(protocol) => match Server::greet(protocol, &mut wire) {
                            Ok(server) => Role::Server(server),
                            Err(_) => continue,
                        },
                    };
                    self.add(wire, role)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn add(&mut self, wire: Wire, role: Role) -> io::Result<()> {
        let token = self.free.pop().unwrap_or_else(|| {
            self.open.push(None);
            self.open.len() - 1
        });
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(
            &self.epoll,
            wire.socket(),
            EventData::new_u64(token as u64),
            flags,
        )?;
        self.open[token] = Some(Open { wire, role });
        Ok(())
    }

    fn close(&mut self, token: usize) {
        self.open[token] = None;
        self.free.push(token);
    }
}

/// What a connection may need of what is around it.
struct Around<'a, 'r> {
    ports: Ports,
    block: &'a Block,
    run: Option<&'a mut Run<'r>>,
}

impl Open {
    /// Sends what waits and takes what has come, all of it.
    fn advance(
        &mut self,
        leaving: bool,
        buffer: &mut [u8],
        around: &mut Around<'_, '_>,
    ) -> io::Result<Goes> {
        self.wire.flush()?;
        loop {
            let shaken = self.wire.is_open();
            let read = self.wire.read(buffer)?;
            if !shaken && self.wire.is_open() && !self.opened(around) {
                return Ok(false);
            }
            let Some(count) = read else { return Ok(true) };
            if count == 0 {
                return Ok(false);
            }
            if !self.take(&buffer[..count], around)? {
                return Ok(false);
            }
            if count < buffer.len() && self.wire.reads_short() && !leaving {
                return Ok(true);
            }
        }
    }

    /// A handshake is over.
    fn opened(&mut self, around: &mut Around<'_, '_>) -> Goes {
        match (&mut self.role, &mut around.run) {
            (Role::Client(client), Some(run)) => {
                let done = client.opened(&run.script);
                run.count(done)
            }
            _ => true,
        }
    }

    fn take(&mut self, bytes: &[u8], around: &mut Around<'_, '_>) -> io::Result<Goes> {
        match (&mut self.role, &mut around.run) {
            (Role::Server(server), _) => server.take(bytes, &mut self.wire, around.block),
            (Role::Service(service), _) => service.take(bytes, &mut self.wire, &around.ports),
            (Role::Client(client), Some(run)) => {
                let done = client.take(bytes, &run.script, &mut self.wire)?;
                // Who has said goodbye waits for the other side to close.
                run.count(done);
                Ok(true)
            }
            (Role::Client(_), None) => Ok(true),
        }
    }
}

impl Run<'_> {
    /// How many more may connect now.
    fn room(&self) -> usize {
        let here = self.order.clients - self.missing;
        match self.order.what {
            What::Hold => (self.tally.count() + self.tally.errors + AT_ONCE).saturating_sub(here),
            _ => usize::MAX,
        }
    }

    fn failed(&mut self, error: Option<io::Error>) {
        self.tally.errors += 1;
        if self.tally.errors == 1 {
            let error = error.unwrap_or_else(|| ErrorKind::UnexpectedEof.into());
            eprintln!("alb-load: {:?}: {error}", self.order.what);
        }
    }

    fn count(&mut self, done: Done) -> Goes {
        match done {
            Done::Nothing => true,
            Done::Once(lasted) => {
                self.tally.add(lasted);
                true
            }
            Done::Leaves(lasted) => {
                self.tally.add(lasted);
                self.order.what != What::Handshakes
            }
        }
    }
}
