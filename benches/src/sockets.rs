//! Everything a load has open: connections with their roles, listeners, and the epoll that watches them. What a role does
//! is not its business.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsFd, OwnedFd};

/// Events taken from the kernel at once, and how long it may wait for the first.
const BATCH: usize = 256;
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 10_000_000,
};
/// Tokens from here on are listeners; below, they are places in `open`.
const LISTENERS: u64 = 1 << 32;

/// What is open.
pub struct Sockets<R> {
    epoll: OwnedFd,
    listeners: Vec<TcpListener>,
    open: Vec<Option<Open<R>>>,
    free: Vec<usize>,
}

/// One connection.
pub struct Open<R> {
    pub stream: TcpStream,
    pub role: R,
}

/// Whom an event is about.
pub enum Ready {
    Listener(usize),
    Connection(usize),
}

impl<R> Sockets<R> {
    /// Listens on one port of all these addresses.
    pub fn listening(addresses: &[Ipv4Addr]) -> io::Result<Self> {
        let mut sockets = Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            listeners: Vec::new(),
            open: Vec::new(),
            free: Vec::new(),
        };
        let mut port = 0;
        for address in addresses {
            let listener = TcpListener::bind((*address, port))?;
            port = listener.local_addr()?.port();
            listener.set_nonblocking(true)?;
            let token = LISTENERS + sockets.listeners.len() as u64;
            let data = EventData::new_u64(token);
            epoll::add(&sockets.epoll, &listener, data, EventFlags::IN)?;
            sockets.listeners.push(listener);
        }
        Ok(sockets)
    }

    pub fn port(&self) -> u16 {
        let address = self.listeners.first().and_then(|l| l.local_addr().ok());
        address.map_or(0, |address| address.port())
    }

    /// Waits a moment for events.
    pub fn wait(&self) -> io::Result<Vec<Event>> {
        let mut events = Vec::with_capacity(BATCH);
        let room = rustix::buffer::spare_capacity(&mut events);
        let _ = epoll::wait(&self.epoll, room, Some(&TICK))?;
        Ok(events)
    }

    /// Takes every connection that waits at a listener.
    pub fn accept(&mut self, listener: usize, role: impl Fn() -> R) -> io::Result<()> {
        loop {
            match self.listeners[listener].accept() {
                Ok((stream, _)) => self.add(stream, role())?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
        }
    }

    /// Watches a connection for bytes to read; gives its place.
    pub fn add(&mut self, stream: TcpStream, role: R) -> io::Result<usize> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let place = self.free.pop().unwrap_or_else(|| {
            self.open.push(None);
            self.open.len() - 1
        });
        let data = EventData::new_u64(place as u64);
        epoll::add(&self.epoll, stream.as_fd(), data, EventFlags::IN)?;
        self.open[place] = Some(Open { stream, role });
        Ok(place)
    }

    /// Watches also, or no longer, for room to write.
    pub fn watch_room(&self, place: usize, too: bool) -> io::Result<()> {
        let Some(Some(open)) = self.open.get(place) else {
            return Ok(());
        };
        let flags = match too {
            true => EventFlags::IN | EventFlags::OUT,
            false => EventFlags::IN,
        };
        let data = EventData::new_u64(place as u64);
        Ok(epoll::modify(
            &self.epoll,
            open.stream.as_fd(),
            data,
            flags,
        )?)
    }

    pub fn get(&mut self, place: usize) -> Option<&mut Open<R>> {
        self.open.get_mut(place)?.as_mut()
    }

    /// How many connections are open.
    pub fn count(&self) -> usize {
        self.open.len() - self.free.len()
    }

    pub fn close(&mut self, place: usize) {
        self.open[place] = None;
        self.free.push(place);
    }

    /// Closes the connections whose role is such: how many.
    pub fn close_all(&mut self, such: impl Fn(&R) -> bool) -> usize {
        let before = self.count();
        for place in 0..self.open.len() {
            if self.open[place]
                .as_ref()
                .is_some_and(|open| such(&open.role))
            {
                self.close(place);
            }
        }
        before - self.count()
    }
}

/// Whom an event is about.
pub fn ready(event: &Event) -> Ready {
    match event.data.u64().checked_sub(LISTENERS) {
        Some(listener) => Ready::Listener(listener as usize),
        None => Ready::Connection(event.data.u64() as usize),
    }
}
