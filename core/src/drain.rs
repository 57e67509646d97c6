//! Leaving gracefully: one signal per worker that every connection of it can await, and a count of the
//! connections still open.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Notify;

/// The drain state of one worker; clones share it.
#[derive(Clone, Default)]
pub struct Drain {
    state: Rc<State>,
}

/// Counts one open connection for as long as it lives.
pub struct Open {
    state: Rc<State>,
}

#[derive(Default)]
struct State {
    draining: Cell<bool>,
    open: Cell<usize>,
    begun: Notify,
    closed: Notify,
}

impl Drain {
    /// Asks every connection to finish what it does and close.
    pub fn begin(&self) {
        self.state.draining.set(true);
        self.state.begun.notify_waiters();
    }

    /// Whether the worker is leaving: a keep-alive connection closes after the current response.
    pub fn is_draining(&self) -> bool {
        self.state.draining.get()
    }

    /// Resolves once `begin` has been called.
    pub async fn begun(&self) {
        let mut notified = std::pin::pin!(self.state.begun.notified());
        // Registered first, checked second: a `begin` in between is not missed.
        notified.as_mut().enable();
        if !self.is_draining() {
            notified.await;
        }
    }

    /// Counts a connection until the guard is dropped.
    pub fn enter(&self) -> Open {
        self.state.open.set(self.state.open.get() + 1);
        Open {
            state: Rc::clone(&self.state),
        }
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.state.open.get()
    }

    /// Resolves when no connection is open.
    pub async fn emptied(&self) {
        loop {
            let mut closed = std::pin::pin!(self.state.closed.notified());
            closed.as_mut().enable();
            if self.open() == 0 {
                return;
            }
            closed.await;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.state.open.set(self.state.open.get() - 1);
        self.state.closed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn begun_resolves_for_those_who_come_late() {
        let drain = Drain::default();
        drain.begin();
        drain.begun().await;
    }

    #[tokio::test]
    async fn emptied_waits_for_the_last_guard() {
        let drain = Drain::default();
        let first = drain.enter();
        let second = drain.enter();
        let mut emptied = Box::pin(drain.emptied());
        drop(first);
        tokio::select! {
            biased;
            () = &mut emptied => panic!("resolved with a connection open"),
            () = tokio::task::yield_now() => {}
        }
        drop(second);
        emptied.await;
    }
}
