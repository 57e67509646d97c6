//! The signals of nginx: HUP reloads, QUIT drains, TERM and INT leave, USR1 reopens the logs.

use std::io;

use tokio::signal::unix::{self, SignalKind};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// HUP.
    Reload,
    /// USR1.
    Reopen,
    /// QUIT.
    Drain,
    /// TERM or INT.
    Leave,
}

/// The signals as they arrive.
pub struct Signals {
    hup: unix::Signal,
    usr1: unix::Signal,
    quit: unix::Signal,
    term: unix::Signal,
    int: unix::Signal,
}

impl Signals {
    /// Takes the signals from their default of ending the process.
    pub fn listen() -> io::Result<Self> {
        Ok(Signals {
            hup: unix::signal(SignalKind::hangup())?,
            usr1: unix::signal(SignalKind::user_defined1())?,
            quit: unix::signal(SignalKind::quit())?,
            term: unix::signal(SignalKind::terminate())?,
            int: unix::signal(SignalKind::interrupt())?,
        })
    }

    /// The next one; leaving comes before everything else.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.term.recv() => Signal::Leave,
            _ = self.int.recv() => Signal::Leave,
            _ = self.quit.recv() => Signal::Drain,
            _ = self.hup.recv() => Signal::Reload,
            _ = self.usr1.recv() => Signal::Reopen,
        }
    }
}
