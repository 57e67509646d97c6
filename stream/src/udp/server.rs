//! One address of one worker: takes the clients' datagrams, finds or begins their flows, and carries their replies.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_core::Side;
use alb_core::access::AccessList;
use alb_core::listener::ConnectionLimit;
use alb_core::log::Seldom;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use super::batch::Batch;
use super::begin::{First, Lost};
use super::flow::{COMPLETE, SILENCE, UNREACHABLE};
use super::run::{MOST, Run};
use super::socket::{Received, Socket};
use super::table::{Key, Table};
use crate::{Service, Worker};

/// Sockets looked at in one turn, and turns before others get theirs.
const READY: usize = 128;
const TURNS: usize = 4;

/// What is lost is logged this often; each loss is counted.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// When the timer looks again if there is no flow.
const FAR: Duration = Duration::from_secs(3600);

/// The listening socket among the ready ones; flows have their number and their mark.
const LISTENER: u64 = u64::MAX;

/// What the configuration of this moment says of a listener.
pub struct Current {
    /// Where flows go.
    pub service: Arc<Service>,
    /// Who may have one.
    pub access: Option<Arc<AccessList>>,
    /// Counts the flows of all workers.
    pub limit: Arc<ConnectionLimit>,
    /// How many of them there may be.
    pub max_flows: u64,
}

/// How a server is to end.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// The time that flows have left.
    pub within: Duration,
    /// Why those end that are left then: a word of the access log.
    pub why: &'static str,
}

/// A listening socket with its flows.
pub struct Server {
    socket: Socket,
    local: SocketAddr,
    worker: Rc<Worker>,
    current: Box<dyn FnMut() -> Option<Rc<Current>>>,
    /// False once no more flows may begin.
    takes_new: bool,
    table: Table,
    poll: Rc<AsyncFd<OwnedFd>>,
    ready: Vec<Event>,
    turn: u32,
    marks: u32,
    timer: Pin<Box<Sleep>>,
    complaints: Seldom,
}

impl Server {
    /// A server on a bound socket. `current` is asked for each new flow.
    ///
    /// # Errors
    ///
    /// The socket cannot be taken into the runtime.
    pub fn new(
        socket: UdpSocket,
        worker: Rc<Worker>,
        current: impl FnMut() -> Option<Rc<Current>> + 'static,
    ) -> io::Result<Self> {
        let socket = Socket::bound(socket)?;
        let poll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&poll, &socket, EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Server {
            local: socket.local()?,
            socket,
            worker,
            current: Box::new(current),
            takes_new: true,
            table: Table::default(),
            poll: Rc::new(watched(poll)?),
            ready: Vec::with_capacity(READY),
            turn: 0,
            marks: 0,
            timer: Box::pin(sleep(Duration::ZERO)),
            complaints: Seldom::every(COMPLAIN_EVERY),
        })
    }

    /// Carries datagrams until told to stop; `None`: nobody is left who could say so.
    pub async fn carry(&mut self, stopped: oneshot::Receiver<Stop>) -> Option<Stop> {
        tokio::select! {
            biased;
            stop = stopped => stop.ok(),
            () = self.serve(|_| false) => None,
        }
    }

    /// Begins no more flows, and lets those there are come to their end.
    pub async fn drain(mut self, stop: Stop) {
        self.takes_new = false;
        tokio::select! {
            () = self.serve(Table::is_empty) => {}
            () = sleep(stop.within) => {}
        }
        let now = Instant::now();
        for id in self.table.ids() {
            self.end(id, (Side::Gateway, stop.why), now);
        }
    }

    async fn serve(&mut self, is_done: impl Fn(&Table) -> bool) {
        let poll = Rc::clone(&self.poll);
        while !is_done(&self.table) {
            self.set_timer();
            tokio::select! {
                biased;
                ready = poll.readable() => {
                    // Fails only when the runtime is at its end.
                    let Ok(mut ready) = ready else { return };
                    match (0..TURNS).all(|_| self.take_turn()) {
                        true => ready.retain_ready(),
                        false => ready.clear_ready(),
                    }
                }
                () = &mut self.timer => self.end_silent(Instant::now()),
            }
            tokio::task::yield_now().await;
        }
    }

    /// Has the timer wake us when the first flow may have been silent for too long. It is not put off each time something
    /// passes: it may wake us early.
    fn set_timer(&mut self) {
        let due = self.table.idle().due();
        let elapsed = self.timer.is_elapsed();
        if elapsed || due.is_some_and(|due| due < self.timer.deadline().into_std()) {
            let due = due.unwrap_or_else(|| Instant::now() + FAR);
            self.timer.as_mut().reset(due.into());
        }
    }

    /// Looks at what is ready. False if nothing is.
    fn take_turn(&mut self) -> bool {
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        let room = rustix::buffer::spare_capacity(&mut ready);
        let at_once = rustix::event::Timespec::default();
        // An interrupted call shows again in the next turn.
        let _ = epoll::wait(self.poll.get_ref(), room, Some(&at_once));
        self.turn = self.turn.wrapping_add(1);
        let now = Instant::now();
        for event in &ready {
            match event.data.u64() {
                LISTENER => Batch::with(|batch| self.take_requests(batch, now)),
                flow => Batch::with(|batch| self.take_replies(batch, flow, now)),
            }
        }
        if self.timer.deadline().into_std() <= now {
            self.end_silent(now);
        }
        self.ready = ready;
        !self.ready.is_empty()
    }

    fn take_requests(&mut self, batch: &mut Batch, now: Instant) {
        if let Err(error) = batch.fill(&self.socket, MOST) {
            tracing::debug!(listener = %self.local, "receiving: {error}");
        }
        for at in 0..batch.len() {
            let (facts, bytes) = batch.get(at);
            if let Some(flow) = self.take_request(&facts, bytes, now) {
                batch.give(at, flow);
            }
        }
        batch.each_run(|flow, run| self.pass(flow, run, now));
    }

    /// Passes datagrams of a client on, unless they may go with others of their flow: then its number.
    fn take_request(&mut self, facts: &Received, bytes: &[u8], now: Instant) -> Option<u32> {
        let key = Key {
            client: facts.from?,
            local: facts.to,
        };
        let pieces = [IoSlice::new(bytes)];
        let run = Run {
            segment: facts.segment,
            count: bytes.len().div_ceil(facts.segment.max(1)).max(1) as u64,
            ..Run::one(&pieces)
        };
        for datagram in run.datagrams() {
            let flow = match self.table.find(&key) {
                Some(flow) => Ok(flow),
                None => self.begin(key, now),
            };
            match flow {
                Ok(flow) if self.table.get(flow)?.joins() => return Some(flow),
                Ok(flow) => self.pass(flow, &Run::one(&[IoSlice::new(datagram)]), now),
                Err(why) => self.lose(&key, why, now),
            }
        }
        None
    }

    /// Passes datagrams of a client on to the peer of their flow.
    fn pass(&mut self, id: u32, run: &Run<'_>, now: Instant) {
        let Some(flow) = self.table.get(id) else {
            // It has ended since they were received.
            return self.worker.stats.datagrams_dropped.add(run.count);
        };
        if flow.request(&self.worker, run, now).is_err() {
            self.worker.stats.datagrams_dropped.add(run.count);
            return self.end(id, UNREACHABLE, now);
        }
        match flow.is_complete() {
            true => self.end(id, COMPLETE, now),
            false => self.table.touch(id, now),
        }
    }

    fn take_replies(&mut self, batch: &mut Batch, ready: u64, now: Instant) {
        let (id, mark) = (ready as u32, (ready >> 32) as u32);
        let turn = self.turn;
        // A flow may have ended, and another have its number, since it was found to be ready.
        let Some(flow) = self.table.get(id).filter(|flow| flow.mark == mark) else {
            return;
        };
        let calls = flow.appetite(turn);
        let filled = batch.fill(&flow.socket, calls);
        flow.fed(batch.len());
        for at in 0..batch.len() {
            batch.give(at, id);
        }
        batch.each_run(|_, run| flow.reply(&self.worker, &self.socket, run, now));
        match filled {
            Err(_) => self.end(id, UNREACHABLE, now),
            Ok(()) if flow.is_complete() => self.end(id, COMPLETE, now),
            Ok(()) if batch.len() == 0 => {}
            Ok(()) => self.table.touch(id, now),
        }
    }

    fn begin(&mut self, key: Key, now: Instant) -> Result<u32, Lost> {
        if !self.takes_new {
            return Err(Lost::Leaving);
        }
        let current = (self.current)().ok_or(Lost::Leaving)?;
        self.marks = self.marks.wrapping_add(1);
        let first = First {
            worker: &self.worker,
            key,
            local: self.local,
            mark: self.marks,
            now,
        };
        let flow = first.begin(&current)?;
        let token = u64::from(flow.mark) << 32 | u64::from(self.table.next());
        let data = EventData::new_u64(token);
        if let Err(error) = epoll::add(self.poll.get_ref(), &flow.socket, data, EventFlags::IN) {
            tracing::error!(listener = %self.local, "cannot watch a socket: {error}");
        }
        Ok(self.table.insert(flow, now))
    }

    fn end_silent(&mut self, now: Instant) {
        while let Some(id) = self.table.idle().expired(now) {
            self.end(id, SILENCE, now);
        }
    }

    fn end(&mut self, id: u32, ended: (Side, &'static str), now: Instant) {
        if let Some(flow) = self.table.remove(id) {
            flow.end(&self.worker, ended, now);
        }
    }

    fn lose(&self, key: &Key, why: Lost, now: Instant) {
        self.worker.stats.datagrams_dropped.increment();
        if let Some(held_back) = self.complaints.due(now) {
            let (why, help) = (why.as_str(), why.remedy());
            let client = key.client;
            tracing::warn!(listener = %self.local, %client, held_back, help, "datagram dropped: {why}");
        }
    }
}

/// An epoll whose readiness the runtime tells.
#[expect(
    deprecated,
    reason = "its unsafe successor asks for what an `OwnedFd` is: open, and the same, for as long as it lives"
)]
fn watched(poll: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(poll, Interest::READABLE)
}
